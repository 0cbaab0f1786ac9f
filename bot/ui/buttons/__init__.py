"""Buttons whose meaning is in their custom id, so that they work for as long as the message exists."""

from typing import Final

from bot.ui.buttons.base import JobButton, Studio, custom_id
from bot.ui.buttons.drafts import ConfirmButton, DeclineButton
from bot.ui.buttons.forms import RetryButton
from bot.ui.buttons.jobs import CancelButton, PromptButton
from bot.ui.buttons.pages import NewerButton, OlderButton
from bot.ui.buttons.presets import RestoreButton
from bot.ui.buttons.remix import ACTION_BUTTONS, DeleteButton, More, MoreMenu
from bot.ui.handlers.interactions import actor_of

BUTTONS: Final = (
    CancelButton,
    PromptButton,
    NewerButton,
    OlderButton,
    ConfirmButton,
    DeclineButton,
    *ACTION_BUTTONS,
    MoreMenu,
    DeleteButton,
    RestoreButton,
    RetryButton,
)
"""All that was ever issued: registered with the client, they are answered for ever."""

__all__ = [
    "ACTION_BUTTONS",
    "BUTTONS",
    "CancelButton",
    "ConfirmButton",
    "DeclineButton",
    "DeleteButton",
    "JobButton",
    "More",
    "MoreMenu",
    "NewerButton",
    "OlderButton",
    "PromptButton",
    "RestoreButton",
    "RetryButton",
    "Studio",
    "actor_of",
    "custom_id",
]

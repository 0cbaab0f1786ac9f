"""Buttons whose meaning is in their custom id, so that they work for as long as the message exists.

The form is `a1:<action>:<job>:<picture>`, version first. A form once issued is answered for ever.
"""

import io
import re
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Final, Protocol, Self, TypeVar, cast

import discord
from discord import ui

from bot.services.generation import Actor, GenerationService
from bot.services.history import Direction
from bot.ui.answers import answer_error

_FORM: Final = r":(?P<job>[0-9a-f]{32}):(?P<picture>[0-9]{1,2})"


def custom_id(action: str, job_id: str, picture: int = 0) -> str:
    """Return the custom id of an action on a job, or on one of its pictures (from 0)."""
    return f"a1:{action}:{job_id}:{picture}"


def actor_of(interaction: discord.Interaction[Any]) -> Actor:
    """Return who pressed or called, with their rights in the channel."""
    return Actor(
        member_id=interaction.user.id,
        community_id=interaction.guild_id or 0,
        moderator=interaction.permissions.manage_messages,
    )


class Pages(Protocol):
    """What turns the pages of `/history`."""

    async def turn(self, interaction: discord.Interaction[Any], job_id: str, direction: Direction) -> None:
        """Show the page next to a job's in place of it."""
        ...


class Studio(Protocol):
    """What a button finds on the client that it was pressed through."""

    @property
    def generation(self) -> GenerationService:
        """The service that makes and cancels jobs."""
        ...

    @property
    def gallery(self) -> Pages:
        """What answers `/history`."""
        ...


_Button = TypeVar("_Button")
_Callback = Callable[[_Button, discord.Interaction[Any]], Coroutine[Any, Any, None]]


def _answering(callback: _Callback[_Button]) -> _Callback[_Button]:
    """Make a button's errors reach the person: discord.py would only log them."""

    @wraps(callback)
    async def answering(self: _Button, interaction: discord.Interaction[Any]) -> None:
        try:
            await callback(self, interaction)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await answer_error(interaction, error)

    return answering


class CancelButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template="a1:cancel" + _FORM):
    """Cancels a waiting job, for its member and for moderators."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            ui.Button(label="Cancel", style=discord.ButtonStyle.secondary, custom_id=custom_id("cancel", job_id))
        )

    @classmethod
    async def from_custom_id(cls, _: discord.Interaction[Any], __: ui.Item[Any], match: re.Match[str]) -> Self:
        """Return the button that was pressed."""
        return cls(match["job"])

    @_answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Ask for the cancel; the card tells what came of it."""
        await _generation(interaction).cancel(self.job_id, actor_of(interaction))
        await interaction.response.defer()


class PromptButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template="a1:prompt" + _FORM):
    """Shows the whole of a long prompt, as a file, to whoever can see the card."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            ui.Button(label="Whole prompt", style=discord.ButtonStyle.secondary, custom_id=custom_id("prompt", job_id))
        )

    @classmethod
    async def from_custom_id(cls, _: discord.Interaction[Any], __: ui.Item[Any], match: re.Match[str]) -> Self:
        """Return the button that was pressed."""
        return cls(match["job"])

    @_answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the prompt as a text file."""
        prompt = await _generation(interaction).prompt(self.job_id)
        file = discord.File(io.BytesIO(prompt.encode()), filename="prompt.txt")
        await interaction.response.send_message(file=file, ephemeral=True)


class NewerButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template="a1:newer" + _FORM):
    """Turns a page of `/history` towards now."""

    def __init__(self, job_id: str, *, disabled: bool = False) -> None:
        self.job_id = job_id
        super().__init__(
            ui.Button(
                label="Newer",
                style=discord.ButtonStyle.secondary,
                custom_id=custom_id("newer", job_id),
                disabled=disabled,
            )
        )

    @classmethod
    async def from_custom_id(cls, _: discord.Interaction[Any], __: ui.Item[Any], match: re.Match[str]) -> Self:
        """Return the button that was pressed."""
        return cls(match["job"])

    @_answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Show the next newer page in place of this one."""
        await _gallery(interaction).turn(interaction, self.job_id, Direction.NEWER)


class OlderButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template="a1:older" + _FORM):
    """Turns a page of `/history` towards the past."""

    def __init__(self, job_id: str, *, disabled: bool = False) -> None:
        self.job_id = job_id
        super().__init__(
            ui.Button(
                label="Older",
                style=discord.ButtonStyle.secondary,
                custom_id=custom_id("older", job_id),
                disabled=disabled,
            )
        )

    @classmethod
    async def from_custom_id(cls, _: discord.Interaction[Any], __: ui.Item[Any], match: re.Match[str]) -> Self:
        """Return the button that was pressed."""
        return cls(match["job"])

    @_answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Show the next older page in place of this one."""
        await _gallery(interaction).turn(interaction, self.job_id, Direction.OLDER)


def _gallery(interaction: discord.Interaction[Any]) -> Pages:
    return cast("Studio", interaction.client).gallery


def _generation(interaction: discord.Interaction[Any]) -> GenerationService:
    return cast("Studio", interaction.client).generation


BUTTONS: Final = (CancelButton, PromptButton, NewerButton, OlderButton)

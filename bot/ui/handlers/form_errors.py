"""Answers to rejected forms: the reason, and the input to reuse."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import discord
import structlog
from discord import ui

from bot.domain.errors import (
    AlreadyAskedError,
    AlreadyBegunError,
    ImageGoneError,
    JobDeletedError,
    JobNotFoundError,
    NotAllowedError,
)
from bot.domain.requests import readable
from bot.domain.saved_forms import FilledForm
from bot.services.saved_forms import SavedFormService
from bot.ui.buttons import RETRY
from bot.ui.handlers.error_handler import answer_error, with_typed_text
from bot.ui.render.error_messages import error_buttons
from bot.ui.render.job_card import payload_view

_log = structlog.get_logger(__name__)

_SENT_TWICE: Final = (AlreadyAskedError, AlreadyBegunError)
# The same form would be refused for good.
_FINAL: Final = (JobDeletedError, JobNotFoundError, NotAllowedError, ImageGoneError)


class FormErrors:
    """Answers rejected forms."""

    def __init__(self, *, forms: SavedFormService) -> None:
        self._forms = forms

    async def answer(self, interaction: discord.Interaction[Any], error: Exception, filled: FilledForm) -> None:
        """Answer with the error and a button that reopens the form."""
        filled = replace(filled, prompt=readable(filled.prompt))
        if isinstance(error, _SENT_TWICE) or interaction.response.is_done():
            # A card or confirmation already holds the input; a second one would be paid as well.
            await answer_error(interaction, error)
        elif isinstance(error, _FINAL):
            await self.give_back(interaction, error, filled.prompt)
        else:
            await answer_error(
                interaction, error, renderer=partial(self._with_buttons, interaction.user.id, filled, error)
            )

    async def give_back(self, interaction: discord.Interaction[Any], error: Exception, prompt: str) -> None:
        """Answer with the error and the text, if any. The form cannot be reopened."""
        if not readable(prompt).strip():
            await answer_error(interaction, error)
            return
        await answer_error(interaction, error, renderer=partial(with_typed_text, readable(prompt)))

    async def _with_buttons(self, member_id: int, filled: FilledForm, error: Exception, said: str) -> Mapping[str, Any]:
        try:
            form_id = await self._forms.keep(member_id, filled)
        except Exception as fault:  # noqa: BLE001 - the text is in no database then, and must not be lost with it
            _log.warning("form.not_kept", error=type(fault).__name__)
            return await with_typed_text(filled.prompt, said)
        buttons = [*error_buttons(error), RETRY.build(form_id)]
        return {"view": payload_view(ui.TextDisplay(said), ui.ActionRow(*buttons))}

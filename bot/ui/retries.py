"""Opening a form again that was refused, filled in as it was sent."""

from typing import Any

import discord

from bot.domain.forms import CardForm, MessageForm
from bot.services.forms import FormService
from bot.ui.editing import Editing
from bot.ui.refusals import Refusals
from bot.ui.workbench import Workbench


class Retries:
    """Answers the button of a refused form, also after a restart."""

    def __init__(self, *, forms: FormService, refusals: Refusals, editing: Editing, workbench: Workbench) -> None:
        self._forms = forms
        self._refusals = refusals
        self._editing = editing
        self._workbench = workbench

    async def reopen(self, interaction: discord.Interaction[Any], form_id: str) -> None:
        """Open the form, or give back what was typed where it cannot be opened any more; raises `FormGoneError`."""
        filled = await self._forms.get(form_id, interaction.user.id)
        try:
            match filled.form:
                case CardForm() as card:
                    await self._workbench.reopen(interaction, card, filled)
                case MessageForm() as message:
                    await self._editing.reopen(interaction, message, filled)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await self._refusals.give_back(interaction, error, filled)

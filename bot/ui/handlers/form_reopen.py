"""Stored forms: reopening of rejected ones, and submissions."""

from typing import Any

import discord

from bot.domain.errors import FormGoneError
from bot.domain.saved_forms import CardForm, MessageForm, SetupForm, ShareForm
from bot.services.saved_forms import SavedFormService
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.component_registry import submitted_values
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.modals import typed_text
from bot.ui.handlers.remix_forms import RemixForms
from bot.ui.handlers.setup import SetupHandlers
from bot.ui.handlers.sharing.share import ShareHandlers


class FormReopener:
    """Answers a rejected form's button and stored forms, after restarts too."""

    def __init__(
        self,
        *,
        forms: SavedFormService,
        form_errors: FormErrors,
        edit_menu: EditMenu,
        actions: CardActions,
        remix_forms: RemixForms,
        setup: SetupHandlers,
        share: ShareHandlers,
    ) -> None:
        self._forms = forms
        self._form_errors = form_errors
        self._edit_menu = edit_menu
        self._actions = actions
        self._remix_forms = remix_forms
        self._setup = setup
        self._share = share

    async def reopen(self, interaction: discord.Interaction[Any], form_id: str) -> None:
        """Reopen a form, or return its text if that is impossible.

        Raises `FormGoneError`.
        """
        filled = await self._forms.get(form_id, interaction.user.id)
        try:
            match filled.form:
                case CardForm(edited=True) as card:
                    await self._remix_forms.reopen(interaction, card, filled, form_id)
                case CardForm() as card:
                    await self._actions.reopen(interaction, card, filled, form_id)
                case SetupForm() as setup:
                    await self._setup.reopen(interaction, setup, filled)
                case ShareForm() as share:
                    await self._share.reopen(interaction, share, filled)
                case MessageForm() as message:
                    await self._edit_menu.reopen(interaction, message, filled, form_id)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await self._form_errors.give_back(interaction, error, filled.prompt)

    async def submit(self, interaction: discord.Interaction[Any], form_id: str) -> None:
        """Answer a submission of a stored form, or return its text."""
        try:
            filled = await self._forms.get(form_id, interaction.user.id)
        except Exception as error:  # noqa: BLE001 - what was typed is only here
            text = typed_text(submitted_values(interaction)) or ""
            await self._form_errors.give_back(interaction, error, text)
            return
        match filled.form:
            case CardForm(edited=True) as card:
                await self._remix_forms.submit_form(interaction, card)
            case CardForm() as card:
                await self._actions.submit_form(interaction, card)
            case MessageForm() as message:
                await self._edit_menu.submit_form(interaction, message)
            case SetupForm() | ShareForm():
                raise FormGoneError  # these are answered by their own ids

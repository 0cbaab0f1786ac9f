"""Buttons, menu and forms of finished cards, and rejected forms."""

from functools import partial

from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import (
    CARD_FORMS,
    DELETE,
    EDITED_FORMS,
    ELSEWHERE,
    MENU,
    PICTURE_REMIX,
    PUBLISH,
    REMIX,
    RETRY,
    SAVED_FORM,
)
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.form_reopen import FormReopener
from bot.ui.handlers.publications import PublicationHandlers
from bot.ui.handlers.remix_forms import RemixForms


class Card(commands.Cog):
    """Remixes, details and deletion of a finished job."""

    def __init__(
        self,
        *,
        client: AtelierClient,
        actions: CardActions,
        publications: PublicationHandlers,
        form_reopener: FormReopener,
        remix_forms: RemixForms,
    ) -> None:
        self._client = client
        self._actions = actions
        self._publications = publications
        self._form_reopener = form_reopener
        self._remix_forms = remix_forms

    async def cog_load(self) -> None:
        """Register the buttons, the menu and the forms."""
        components = self._client.components
        for action, spec in REMIX.items():
            components.register(spec.action, partial(self._actions.act, action=action), of_job=True)
        for action, spec in PICTURE_REMIX.items():
            components.register(spec.action, partial(self._actions.act_at_once, action=action), of_job=True)
        components.register(ELSEWHERE.action, self._actions.make_elsewhere, of_job=True)
        components.register(MENU, self._actions.choose_from_menu, of_job=True)
        components.register(DELETE.action, self._actions.delete, of_job=True)
        components.register(PUBLISH.action, self._publications.publish, of_job=True)
        components.register(RETRY.action, self._form_reopener.reopen)
        for action, name in CARD_FORMS.items():
            components.register_form(name, partial(self._actions.submit, action=action), of_job=True)
        for action, name in EDITED_FORMS.items():
            components.register_form(name, partial(self._remix_forms.submit, action=action), of_job=True)
        components.register_form(SAVED_FORM, self._form_reopener.submit)

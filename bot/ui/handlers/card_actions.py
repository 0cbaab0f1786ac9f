"""Actions of a finished job's card: remix, details, delete."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import discord

from bot.domain.catalogue import Catalogue
from bot.domain.errors import ImageGoneError, NotOfferedError
from bot.domain.jobs import Action, Delivery
from bot.domain.remix import can_change, editing_models, upscale_factors
from bot.domain.requests import price
from bot.domain.saved_forms import CardForm, FilledForm
from bot.services.details import DetailService
from bot.services.preferences import PreferenceService
from bot.services.remix import AT_ONCE, RemixOptions, RemixService, Source
from bot.services.request_gate import RequestGate
from bot.services.saved_forms import SavedFormService
from bot.services.takedowns import TakedownService
from bot.ui.buttons import CARD_FORMS, SAVED_FORM, MenuEntry, custom_id, model_digest
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.handlers.comparisons import ComparisonHandlers
from bot.ui.handlers.component_registry import (
    model_digest_of,
    picture_of,
    selected_values,
    shown_price,
    submitted_values,
)
from bot.ui.handlers.error_handler import answer_error
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.handlers.interactions import actor_of, context_of
from bot.ui.handlers.job_requests import PRICE_CHANGED
from bot.ui.handlers.modals import MAX_TYPED, ModalSpec, RequestModal, chosen_value, typed_text
from bot.ui.handlers.publications import PublicationHandlers
from bot.ui.handlers.remix_forms import RemixForms
from bot.ui.handlers.remix_requests import RemixRequests, fetchable, form_target, shown_urls
from bot.ui.handlers.versions import VersionHandlers
from bot.ui.i18n import _
from bot.ui.render.confirmation import delete_question, deleted_note
from bot.ui.render.details import PROMPT_FILE, details_panel

_QUIET: Final = discord.AllowedMentions.none()
_COUNTS: Final = range(1, 5)
_MENU_ACTIONS: Final = {
    MenuEntry.UPSCALE: Action.UPSCALE,
    MenuEntry.CUT_OUT: Action.CUT_OUT,
    MenuEntry.REFERENCE: Action.REFERENCE,
}


class CardActions:
    """Answers the buttons of finished cards."""

    def __init__(
        self,
        *,
        remix: RemixService,
        gate: RequestGate,
        details: DetailService,
        requests: RemixRequests,
        remix_forms: RemixForms,
        preferences: PreferenceService,
        messages: JobMessages,
        card_updater: CardUpdater,
        forms: SavedFormService,
        form_errors: FormErrors,
        publications: PublicationHandlers,
        comparisons: ComparisonHandlers,
        versions: VersionHandlers,
        history: HistoryHandlers,
        catalogue: Catalogue,
        takedowns: TakedownService,
    ) -> None:
        self._takedowns = takedowns
        self._remix = remix
        self._gate = gate
        self._details = details
        self._requests = requests
        self._remix_forms = remix_forms
        self._preferences = preferences
        self._messages = messages
        self._card_updater = card_updater
        self._forms = forms
        self._form_errors = form_errors
        self._publications = publications
        self._comparisons = comparisons
        self._versions = versions
        self._history = history
        self._catalogue = catalogue

    async def choose_from_menu(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Run the action chosen in a card's menu.

        Raises:
            NotOfferedError: the entry is another version's.
        """
        chosen = [entry for entry in MenuEntry if entry in selected_values(interaction)]
        if not chosen:
            raise NotOfferedError
        try:
            match chosen[0]:
                case MenuEntry.DETAILS:
                    await self.details(interaction, job_id)
                case MenuEntry.AGAIN:
                    await self.edit_first(interaction, job_id, Action.AGAIN)
                case MenuEntry.VARY:
                    await self.edit_first(interaction, job_id, Action.VARY)
                case MenuEntry.COMPARE:
                    await self._comparisons.show(interaction, job_id)
                case MenuEntry.UNDO:
                    await self._versions.go_back(interaction, job_id)
                case MenuEntry.PUBLISH:
                    await self._publications.ask(interaction, job_id)
                case MenuEntry.FAVOURITE:
                    await self._history.toggle_favourite(interaction, job_id)
                case MenuEntry.DELETE:
                    await self.ask_delete(interaction, job_id)
                case entry:
                    await self.act(interaction, job_id, _MENU_ACTIONS[entry])
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await answer_error(interaction, error)
        # After the answer, which has three seconds.
        await self._card_updater.reset_menu(job_id, interaction)

    async def act(
        self,
        interaction: discord.Interaction[Any],
        job_id: str,
        action: Action,
        *,
        message: discord.Message | None = None,
    ) -> None:
        """Make something of a job, at once or by a form if there is a choice.

        `message` is its card if another message was pressed. Raises the errors of `RequestGate.check_open`,
        `RemixService` and `JobRequests.create_resolved`; then nothing is held.
        """
        await self._gate.require_open(context_of(interaction))
        source = await self._remix.get_source(job_id, actor_of(interaction))
        if await self._edits_first(interaction, source, action):
            await self._remix_forms.open(interaction, source, action, message or interaction.message)
            return
        if action is Action.AGAIN:
            await self._requests.create(interaction, source, action, RemixOptions(), shown_price(interaction))
            return
        urls = fetchable(source, shown_urls(source, message or interaction.message))
        spec = self._modal_spec(source, action, urls)
        if spec.needed:
            await self._ask(interaction, spec, source, action, on_card=message is None)
            return
        ((position, url),) = urls.items()
        await self._requests.create(
            interaction, source, action, RemixOptions(position=position, url=url), shown_price(interaction)
        )

    async def refer_to(self, interaction: discord.Interaction[Any], source: Source) -> None:
        """Open the form for a picture by another one, which the message shows.

        Raises:
            ImageGoneError: the picture is gone.
        """
        urls = fetchable(source, shown_urls(source, interaction.message))
        spec = self._modal_spec(source, Action.REFERENCE, urls)
        await self._ask(interaction, spec, source, Action.REFERENCE, on_card=True)

    async def edit_first(
        self,
        interaction: discord.Interaction[Any],
        job_id: str,
        action: Action,
        *,
        message: discord.Message | None = None,
    ) -> None:
        """Open a job's request for changes before Again or Vary.

        `message` is its card if another message was pressed. Raises the errors of `RequestGate.check_open`,
        `RemixService.get_source` and `RemixForms.open`.
        """
        await self._gate.require_open(context_of(interaction))
        source = await self._remix.get_source(job_id, actor_of(interaction))
        await self._remix_forms.open(interaction, source, action, message or interaction.message)

    async def _edits_first(self, interaction: discord.Interaction[Any], source: Source, action: Action) -> bool:
        """Return whether the member wants to change the request first."""
        if action is not Action.VARY and not (action is Action.AGAIN and can_change(source.job.request)):
            return False
        return (await self._preferences.get(interaction.user.id)).remix

    async def act_at_once(self, interaction: discord.Interaction[Any], job_id: str, action: Action) -> None:
        """Make something of the pressed button's picture without a form.

        Members who change requests first get one for a variation.

        Raises the errors of `RemixService` and of `JobRequests.create_resolved`; then nothing is held.

        Raises:
            ImageGoneError: the picture is gone.
        """
        source, position = await self._remix.get_source(job_id, actor_of(interaction)), picture_of(interaction)
        if await self._edits_first(interaction, source, action):
            await self._remix_forms.open(interaction, source, action, interaction.message, picture=position)
            return
        urls = fetchable(source, shown_urls(source, interaction.message))
        if position not in urls:
            raise ImageGoneError
        chosen = replace(AT_ONCE[action], position=position, url=urls[position])
        await self._requests.create(interaction, source, action, chosen, shown_price(interaction))

    async def make_elsewhere(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Make a failed job's request at the model of the pressed button.

        Raises the errors of `RemixService` and of `JobRequests.create_resolved`; then nothing is held.

        Raises:
            NotOfferedError: the studio has no such model any more.
        """
        source = await self._remix.get_source(job_id, actor_of(interaction))
        digest = model_digest_of(interaction)
        model = next((each.id for each in self._catalogue.models if model_digest(each.id) == digest), None)
        if model is None:
            raise NotOfferedError
        await self._requests.create_elsewhere(interaction, source, model, shown_price(interaction))

    async def reopen(
        self, interaction: discord.Interaction[Any], card: CardForm, filled: FilledForm, form_id: str
    ) -> None:
        """Open a stored form again as it was sent.

        Raises the errors of `RemixService.get_source`.

        Raises:
            ImageGoneError: the chosen image is gone; no other may take its place unseen.
        """
        source = await self._remix.get_form_source(card, actor_of(interaction))
        spec = self._modal_spec(source, card.action, fetchable(source, card.urls))
        (picture,) = filled.chosen
        if picture not in spec.urls:
            raise ImageGoneError  # no other may take its place unseen
        spec = replace(spec, typed=filled.prompt, picture=picture, model=filled.model or spec.model)
        sent_as = custom_id(SAVED_FORM, form_id, picture, price=spec.checksum)
        await interaction.response.send_modal(RequestModal(spec, sent_as))

    async def _ask(
        self, interaction: discord.Interaction[Any], spec: ModalSpec, source: Source, action: Action, *, on_card: bool
    ) -> None:
        """Open a form. A submission knows the card only if it was pressed."""
        picture = min(spec.urls)
        target, name = form_target(source, action, CARD_FORMS[action])
        if not on_card and any(file is None for file in source.pictures.values()):
            card = CardForm(job_id=source.job.id, action=action, urls=spec.urls)
            filled = FilledForm(form=card, prompt="", chosen=(picture,))
            target, name = await self._forms.keep(interaction.user.id, filled), SAVED_FORM
        sent_as = custom_id(name, target, picture, price=spec.checksum)
        await interaction.response.send_modal(RequestModal(spec, sent_as))

    async def submit(self, interaction: discord.Interaction[Any], job_id: str, action: Action) -> None:
        """Answer a form opened on a card."""
        await self.submit_form(interaction, CardForm(job_id=job_id, action=action, urls={}))

    async def submit_form(self, interaction: discord.Interaction[Any], card: CardForm) -> None:
        """Create the job of a submitted form; store the input if refused."""
        values, picture = submitted_values(interaction), picture_of(interaction)
        try:
            # Read again: the job may have been deleted while the form was open.
            source = await self._remix.get_form_source(card, actor_of(interaction))
            if not card.urls:
                card = replace(card, urls=shown_urls(source, interaction.message))
            picture = int(chosen_value(values, "picture", source.pictures) or picture)
            spec = self._modal_spec(source, card.action, fetchable(source, card.urls))
            chosen = spec.read(values, picture)
            shown = spec.shown_price(chosen) if spec.checksum == shown_price(interaction) else PRICE_CHANGED
            await self._requests.create(interaction, source, card.action, chosen, shown)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await self._refused(interaction, error, card, picture, values)

    async def _refused(
        self,
        interaction: discord.Interaction[Any],
        error: Exception,
        card: CardForm,
        picture: int,
        values: Mapping[str, Sequence[str]],
    ) -> None:
        prompt = typed_text(values)
        if prompt is None:
            await answer_error(interaction, error)  # choosing again costs a moment
            return
        model = next(iter(values.get("model", ())), None)
        filled = FilledForm(form=card, prompt=prompt, chosen=(picture,), model=model)
        await self._form_errors.answer(interaction, error, filled)

    def _modal_spec(self, source: Source, action: Action, urls: dict[int, str | None]) -> ModalSpec:
        match action:
            case Action.EDIT:
                return ModalSpec(
                    title=_("Edit this picture"),
                    urls=urls,
                    prompt=(_("What to change"), _("The rest stays as it is."), _("make it snow")),
                    max_prompt=self._longest_prompt(),
                    models=self._models(source, action),
                    model=source.original.model,
                )
            case Action.REFERENCE:
                return ModalSpec(
                    title=_("Use as reference"),
                    urls=urls,
                    prompt=(
                        _("What to draw"),
                        _("Describe the new picture; this one is the reference."),
                        _("the same cat at sea"),
                    ),
                    max_prompt=self._longest_prompt(),
                    models=self._models(source, action),
                    model=source.original.model,
                )
            case Action.UPSCALE:
                return ModalSpec(title=_("Upscale"), urls=urls, factors=self._factors(source))
            case Action.CUT_OUT:
                price_ = self._price(source, action, RemixOptions())
                return ModalSpec(title=_("Cut out"), urls=urls, price=price_)
            case _:
                return ModalSpec(title=_("Vary"), urls=urls, counts=self._counts(source))

    def _models(self, source: Source, action: Action) -> dict[str, int]:
        """Return the models to choose from, with the price of one picture each."""
        return {
            model.id: self._price(source, action, RemixOptions(prompt="-", model=model.id))
            for model in editing_models(self._catalogue)
        }

    def _longest_prompt(self) -> int:
        """Return the largest prompt limit of the models to choose from."""
        return max((model.max_prompt for model in editing_models(self._catalogue)), default=MAX_TYPED)

    def _factors(self, source: Source) -> dict[int, int]:
        return {
            factor: self._price(source, Action.UPSCALE, RemixOptions(factor=factor))
            for factor in upscale_factors(self._catalogue)
        }

    def _counts(self, source: Source) -> dict[int, int]:
        """Return the possible numbers of variations with their prices."""
        counts = {}
        for count in _COUNTS:
            quote = self._remix.build_quote(source, Action.VARY, RemixOptions(images=count))
            counts[quote.images] = price(quote, self._catalogue)
        return counts

    def _price(self, source: Source, action: Action, chosen: RemixOptions) -> int:
        """Return the price of an action. It is the same for every image."""
        return price(self._remix.build_quote(source, action, chosen), self._catalogue)

    async def details(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Answer privately with a job's details.

        Raises the errors of `DetailService.get`.
        """
        panel = details_panel(await self._details.get(job_id, actor_of(interaction)))
        files = []
        if panel.prompt is not None:
            files.append(discord.File(io.BytesIO(panel.prompt.encode()), filename=PROMPT_FILE))
        await interaction.response.send_message(view=panel.view, files=files, ephemeral=True, allowed_mentions=_QUIET)

    async def ask_delete(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Ask for a confirmation of a job's deletion.

        Raises the errors of `RemixService.get_deletable`.
        """
        job = await self._remix.get_deletable(job_id, actor_of(interaction))
        await interaction.response.send_message(view=delete_question(job), ephemeral=True, allowed_mentions=_QUIET)

    async def delete(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Delete a job, its images and its card.

        Its member's identical copies go, too. Raises the errors of `RemixService.delete`.
        """
        # Answered first: a delete that is done while Discord has given up waiting would leave the card where it is.
        await interaction.response.defer()
        job = await self._remix.delete(job_id, actor_of(interaction))
        if job.place.member_id == interaction.user.id:
            await self._takedowns.delete_own_copies(job_id, interaction.user.id)
        # In this order: the public card is the one that others see.
        public_gone = await self._messages.remove_public(job)
        direct_gone = await self._messages.remove_direct(job)
        # A result in a direct message has a card out of reach, if it still has one.
        card_gone = await self._messages.remove(job) or job.delivery is Delivery.DIRECT
        card_gone = card_gone and public_gone and direct_gone
        await interaction.edit_original_response(view=deleted_note(card_gone=card_gone), allowed_mentions=_QUIET)

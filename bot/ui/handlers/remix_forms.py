"""Forms to change a request before it is made again or varied.

Their custom ids carry job and picture; what was filled in is read from the submission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import discord
from discord import ui

from bot.domain.catalogue import Catalogue
from bot.domain.errors import AtelierError, ImageGoneError, NotOfferedError, PromptError, StudioClosedError
from bot.domain.jobs import Action
from bot.domain.models import Mode
from bot.domain.options import DEFAULT_RATIO, MAX_DETAIL, MAX_IMAGES, RATIOS
from bot.domain.remix import can_change, editing_models, has_own_prompt
from bot.domain.requests import GenerationRequest, price, unit_price
from bot.domain.saved_forms import CardForm, FilledForm
from bot.services.remix import AT_ONCE, RemixOptions, RemixService, Source
from bot.services.saved_forms import SavedFormService
from bot.ui.buttons import EDITED_FORMS, SAVED_FORM, custom_id
from bot.ui.handlers.component_registry import picture_of, shown_price, submitted_values
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.interactions import actor_of
from bot.ui.handlers.job_requests import PRICE_CHANGED
from bot.ui.handlers.modals import MAX_TYPED, Form, checksum, chosen_value, counter, select_options, typed_text
from bot.ui.handlers.remix_requests import RemixRequests, fetchable, form_target, shown_urls
from bot.ui.i18n import _
from bot.ui.render.formatting import in_credits, number

_COUNTS: Final = range(1, MAX_IMAGES + 1)
_DETAILS: Final = range(1, MAX_DETAIL + 1)
_OPTIONS: Final = ("aspect_ratio", "images", "detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFormSpec:
    """Fields of a form with a request to change.

    `request` is the one that is made without a change. `prices` are what one picture costs at each model.
    `urls` are the images to start from by position; with `asks_picture` the form asks for one.
    """

    title: str
    request: GenerationRequest
    prices: Mapping[str, int]
    ratios: Sequence[str]
    max_prompt: int
    has_detail: bool
    urls: Mapping[int, str | None]
    asks_picture: bool = False

    @property
    def model(self) -> str:
        """The preselected model."""
        return self.request.model if self.request.model in self.prices else next(iter(self.prices))

    @property
    def prompt(self) -> str:
        """The prompt to change; empty if it is no member's."""
        return self.request.prompt if has_own_prompt(self.request) else ""

    @property
    def keeps_prompt(self) -> bool:
        """True if the prompt is longer than a field of a form."""
        return _is_too_long_to_type(self.prompt)

    @property
    def unchanged_price(self) -> int:
        """The price without a change, at the preselected model."""
        return self.shown_price(RemixOptions())

    @property
    def checksum(self) -> int:
        """A checksum of the form's prices."""
        return checksum([*self.prices.items(), (self.model, self.unchanged_price)])

    def read(self, values: Mapping[str, Sequence[str]], position: int) -> RemixOptions:
        """Return the changes in a submission.

        A field without an answer changes nothing.

        Raises:
            ImageGoneError: the image is gone; no other may take its place unseen.
            NotOfferedError: a chosen value is not among the options.
        """
        if self.urls and position not in self.urls:
            raise ImageGoneError
        prompt, request = typed_text(values), self.request
        ratio = chosen_value(values, "aspect_ratio", self.ratios)
        images = chosen_value(values, "images", _COUNTS)
        detail = chosen_value(values, "detail", _DETAILS)
        return RemixOptions(
            position=position if self.urls else None,
            url=self.urls.get(position),
            prompt=None if prompt == request.prompt else prompt,
            # A form with a single model does not ask, and the job's own model may be gone.
            model=chosen_value(values, "model", self.prices) or self.model,
            aspect_ratio=None if ratio == request.aspect_ratio else ratio,
            images=request.images if images is None else int(images),
            detail=None if detail is None or int(detail) == request.detail else int(detail),
        )

    def shown_price(self, chosen: RemixOptions) -> int:
        """Return the form's price of a choice."""
        return self.prices[chosen.model or self.model] * (chosen.images or self.request.images)


def _is_too_long_to_type(prompt: str) -> bool:
    """Return whether a prompt does not fit into a field of a form."""
    return len(prompt.encode("utf-16-le")) // 2 > MAX_TYPED


class EditedForm(Form):
    """A form with a request to change.

    `filled` is an earlier submission, shown again.
    """

    def __init__(self, spec: EditedFormSpec, custom_id: str, filled: FilledForm | None = None) -> None:
        super().__init__(spec.title, custom_id)
        options = {} if filled is None else filled.options
        if spec.asks_picture:
            names = {str(at): _("Picture {number}").format(number=at + 1) for at in spec.urls}
            usual = None if filled is None else str(filled.chosen[0])
            self._ask(_("Which picture"), ui.Select(custom_id="picture", options=select_options(names, usual)))
        self._ask_prompt(spec, spec.prompt if filled is None else filled.prompt)
        self._ask_model(spec, None if filled is None else filled.model)
        ratios = {ratio: ratio for ratio in spec.ratios}
        usual = options.get("aspect_ratio", spec.request.aspect_ratio)
        self._ask(_("Aspect ratio"), ui.Select(custom_id="aspect_ratio", options=select_options(ratios, usual)))
        counts = {str(count): number(count) for count in _COUNTS}
        usual = options.get("images", str(spec.request.images))
        self._ask(
            _("How many"),
            ui.Select(custom_id="images", options=select_options(counts, usual)),
            _("Without a change: {credits}").format(credits=in_credits(spec.unchanged_price)),
        )
        if spec.has_detail and not spec.asks_picture:  # a form has five fields at most
            details = {str(detail): number(detail) for detail in _DETAILS}
            usual = options.get("detail", str(spec.request.detail))
            self._ask(
                _("Detail"),
                ui.Select(custom_id="detail", options=select_options(details, usual)),
                _("Multiplies the price; you are asked first if it rises."),
            )

    def _ask_prompt(self, spec: EditedFormSpec, typed: str) -> None:
        if spec.keeps_prompt:
            self.add_item(ui.TextDisplay(f"-# {_('The prompt is too long for a form, so it stays as it is.')}"))
            return
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id="prompt",
            style=discord.TextStyle.paragraph,
            default=typed,
            max_length=counter(spec.max_prompt, typed),
        )
        self._ask(_("Prompt"), field)

    def _ask_model(self, spec: EditedFormSpec, chosen: str | None) -> None:
        # Translators: what one picture costs at a model, such as "nano-banana · 20 credits each".
        said = _("{model} · {credits} each")
        names = {model: said.format(model=model, credits=in_credits(each)) for model, each in spec.prices.items()}
        if len(names) == 1:
            self.add_item(ui.TextDisplay(f"-# {names[spec.model]}"))
            return
        self._ask(_("Model"), ui.Select(custom_id="model", options=select_options(names, chosen or spec.model)))


class RemixForms:
    """Opens and answers the forms to change a request first."""

    def __init__(
        self,
        *,
        remix: RemixService,
        requests: RemixRequests,
        forms: SavedFormService,
        form_errors: FormErrors,
        catalogue: Catalogue,
    ) -> None:
        self._remix = remix
        self._requests = requests
        self._forms = forms
        self._form_errors = form_errors
        self._catalogue = catalogue

    async def open(
        self,
        interaction: discord.Interaction[Any],
        source: Source,
        action: Action,
        message: discord.Message | None,
        *,
        picture: int | None = None,
    ) -> None:
        """Open the form of Again or Vary.

        `picture` is the one to vary, None to ask for it. `message` shows the job's images. Raises the errors of
        `RemixService.build_request`.

        Raises:
            ImageGoneError: the picture is gone.
            NotOfferedError: the request has nothing to change.
        """
        urls = {} if action is Action.AGAIN else fetchable(source, shown_urls(source, message))
        if picture is not None and picture not in urls:
            raise ImageGoneError
        spec = self._spec(source, action, urls, asks_picture=picture is None and len(urls) > 1)
        if picture is not None and len(urls) > 1:
            spec = replace(spec, title=_numbered_title(picture))
        at = picture if picture is not None else min(urls, default=0)
        target, name = form_target(source, action, EDITED_FORMS[action])
        if message is not interaction.message and any(source.pictures[each] is None for each in urls):
            # A submission would not know the message with the images.
            card = CardForm(
                job_id=source.job.id, action=action, urls=urls, edited=True, submission_id=source.submission_id
            )
            filled = FilledForm(form=card, prompt="", chosen=(at,))
            target, name = await self._forms.keep(interaction.user.id, filled), SAVED_FORM
        sent_as = custom_id(name, target, at, price=spec.checksum)
        await interaction.response.send_modal(EditedForm(spec, sent_as))

    async def reopen(
        self, interaction: discord.Interaction[Any], card: CardForm, filled: FilledForm, form_id: str
    ) -> None:
        """Open a stored form again as it was sent.

        Raises the errors of `RemixService.get_source` and `open`.
        """
        source = await self._remix.get_form_source(card, actor_of(interaction))
        urls = {} if card.action is Action.AGAIN else fetchable(source, card.urls)
        (picture,) = filled.chosen
        if urls and picture not in urls:
            raise ImageGoneError  # no other may take its place unseen
        # A form about one picture asked for the detail in the place of the picture.
        is_numbered = "detail" in filled.options
        spec = self._spec(source, card.action, urls, asks_picture=len(urls) > 1 and not is_numbered)
        if is_numbered and len(urls) > 1:
            spec = replace(spec, title=_numbered_title(picture))
        sent_as = custom_id(SAVED_FORM, form_id, picture, price=spec.checksum)
        await interaction.response.send_modal(EditedForm(spec, sent_as, filled))

    async def submit(self, interaction: discord.Interaction[Any], job_id: str, action: Action) -> None:
        """Answer a form opened on a card."""
        await self.submit_form(interaction, CardForm(job_id=job_id, action=action, urls={}, edited=True))

    async def submit_form(self, interaction: discord.Interaction[Any], card: CardForm) -> None:
        """Create the job of a submitted form; store the input if refused."""
        values, picture = submitted_values(interaction), picture_of(interaction)
        prompt = typed_text(values) or ""
        try:
            # Read again: the job may have been deleted while the form was open.
            source = await self._remix.get_form_source(card, actor_of(interaction))
            if card.action is Action.VARY and not card.urls:
                card = replace(card, urls=shown_urls(source, interaction.message))
            picture = int(chosen_value(values, "picture", source.pictures) or picture)
            urls = {} if card.action is Action.AGAIN else fetchable(source, card.urls)
            spec = self._spec(source, card.action, urls)
            prompt = prompt or spec.prompt
            chosen = spec.read(values, picture)
            shown = self._shown(spec, source, card.action, chosen, shown_price(interaction))
            await self._requests.create(interaction, source, card.action, chosen, shown)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            options = {name: values[name][0] for name in _OPTIONS if values.get(name)}
            model = next(iter(values.get("model", ())), None)
            filled = FilledForm(form=card, prompt=prompt, chosen=(picture,), model=model, options=options)
            await self._form_errors.answer(interaction, error, filled)

    def _shown(self, spec: EditedFormSpec, source: Source, action: Action, chosen: RemixOptions, sent: int) -> int:
        """Return the shown price, 0 if the choice costs more than that."""
        if spec.checksum != sent:
            return PRICE_CHANGED
        said = spec.shown_price(chosen)
        return said if price(self._remix.build_quote(source, action, chosen), self._catalogue) <= said else 0

    def _spec(
        self, source: Source, action: Action, urls: Mapping[int, str | None], *, asks_picture: bool = False
    ) -> EditedFormSpec:
        if action is Action.AGAIN and not can_change(source.job.request):
            raise NotOfferedError
        request = self._unchanged(source, action, urls)
        prices = self._prices(source, action, request)
        models = [model for model in self._catalogue.models if model.id in prices]
        usable = {*(ratio for model in models for ratio in model.abilities["aspect_ratio"]), request.aspect_ratio}
        return EditedFormSpec(
            title=_title(source, action),
            request=request,
            prices=prices,
            ratios=[ratio for ratio in RATIOS if ratio in usable],
            max_prompt=max(model.max_prompt for model in models),
            has_detail=any(model.abilities["detail"] > 1 for model in models),
            urls=urls,
            asks_picture=asks_picture,
        )

    def _unchanged(self, source: Source, action: Action, urls: Mapping[int, str | None]) -> GenerationRequest:
        """Return the request of an action without changes."""
        if action is Action.AGAIN:
            return self._remix.build_request(source, action, RemixOptions())[0]
        first = min(urls)
        options = replace(AT_ONCE[action], position=first, url=urls[first])
        try:
            return self._remix.build_request(source, action, options)[0]
        except PromptError:
            # A prompt that is too long for every edit can be shortened in the form.
            shorter = self._remix.build_request(source, action, replace(options, prompt="-"))[0]
            return replace(shorter, prompt=source.original.prompt)

    def _prices(self, source: Source, action: Action, request: GenerationRequest) -> dict[str, int]:
        """Return the price of one picture at each able model.

        Models are left out for options that the form cannot change, and for a prompt that it cannot.

        Raises:
            StudioClosedError: there is no model.
        """
        editing = request.mode is Mode.EDIT
        plain = RemixOptions(prompt=None if _is_too_long_to_type(request.prompt) else "-", images=1)
        if action is Action.AGAIN:
            plain = replace(plain, aspect_ratio=DEFAULT_RATIO, detail=1)
        prices = {}
        for model in editing_models(self._catalogue) if editing else self._catalogue.models:
            try:
                quote = self._remix.build_quote(source, action, replace(plain, model=model.id))
            except AtelierError:
                continue
            # A model without levels of detail refuses the request's, or drops it: it is never charged for them.
            prices[model.id] = unit_price(
                replace(quote, detail=min(request.detail, model.abilities["detail"])), self._catalogue
            )
        if not prices:
            raise StudioClosedError
        return prices


def _title(source: Source, action: Action) -> str:
    if source.submission_id is not None:
        return _("Make my own")
    return _("Again, edited") if action is Action.AGAIN else _("Vary, edited")


def _numbered_title(picture: int) -> str:
    """Return the title of the form about one picture of several."""
    return _("Vary picture {number}, edited").format(number=number(picture + 1))

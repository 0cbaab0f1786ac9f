"""The message menu "Edit this image" and its form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import discord
from discord import ui

from bot.domain.attachments import MAX_INPUTS
from bot.domain.errors import JobRunningError, NotOfferedError
from bot.domain.images import InputImage
from bot.domain.jobs import Action
from bot.domain.quotes import Quote
from bot.domain.saved_forms import FilledForm, MessageForm
from bot.services.jobs import JobService
from bot.services.request_gate import RequestGate
from bot.services.request_resolver import ResolverService
from bot.services.saved_forms import SavedFormService
from bot.ui.buttons import SAVED_FORM, custom_id
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.component_registry import picture_of, shown_price, submitted_values
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.interactions import context_of, guild_of
from bot.ui.handlers.job_requests import PRICE_CHANGED, JobRequests
from bot.ui.handlers.message_images import card_job, gather, names_of
from bot.ui.handlers.modals import MAX_TYPED, Form, checksum, chosen_value, counter, fitting, typed_text
from bot.ui.i18n import _
from bot.ui.render.formatting import in_credits, number
from bot.ui.truncation import cut

_MOST_SHOWN: Final = 25
_LONGEST_OPTION: Final = 100
# What any picture is, for asking what an edit costs.
_ANY: Final = InputImage()


class EditMenu:
    """Edits of the images of a message."""

    def __init__(
        self,
        *,
        jobs: JobService,
        resolver: ResolverService,
        gate: RequestGate,
        requests: JobRequests,
        actions: CardActions,
        forms: SavedFormService,
        form_errors: FormErrors,
    ) -> None:
        self._jobs = jobs
        self._resolver = resolver
        self._gate = gate
        self._requests = requests
        self._actions = actions
        self._forms = forms
        self._form_errors = form_errors

    async def ask(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Open the form for a message's images.

        A card of ours is edited as by its Edit button. Raises the errors of `ResolverService.default_request` if no
        model edits.

        Raises:
            InputError: the message has no usable image.
            JobRunningError: the message is the card of a job that has not ended.
            AccessError, StudioPausedError: as `RequestGate.check_open` raises them.
        """
        await self._gate.require_open(context_of(interaction))
        me = interaction.client.user
        if me is not None and message.author.id == me.id and await self._jobs.is_running(message.id):
            raise JobRunningError
        found = gather(message)
        job_id = None if me is None else card_job(message, me.id)
        if found and job_id is not None:
            await self._actions.act(interaction, job_id, Action.EDIT, message=message)
            return
        pictures = self._jobs.filter_attachments(found)
        form = MessageForm(pictures=pictures[:_MOST_SHOWN], unshown=len(pictures[_MOST_SHOWN:]))
        view = await self._view(interaction, form)
        filled = FilledForm(form=form, prompt="", chosen=(0,), model=view.usual)
        form_id = await self._forms.keep(interaction.user.id, filled)
        await interaction.response.send_modal(EditModal(view, filled, range(len(form.pictures)), form_id))

    async def reopen(
        self, interaction: discord.Interaction[Any], form: MessageForm, filled: FilledForm, form_id: str
    ) -> None:
        """Open a stored form again as it was sent, with its usable images.

        Raises as `ask` does.

        Raises:
            InputError: a chosen image is gone; no other may take its place unseen.
        """
        self._jobs.check_attachments([form.pictures[at] for at in filled.chosen])
        usable = self._jobs.filter_attachments(form.pictures)
        offered = [at for at, picture in enumerate(form.pictures) if picture in usable]
        await interaction.response.send_modal(EditModal(await self._view(interaction, form), filled, offered, form_id))

    async def submit_form(self, interaction: discord.Interaction[Any], form: MessageForm) -> None:
        """Create the job of a submitted form; store the input if refused."""
        values, alone = submitted_values(interaction), picture_of(interaction)
        try:
            view = await self._view(interaction, form)
            chosen = view.read_pictures(values) or (alone,)
            model = chosen_value(values, "model", view.prices)
            shown = view.shown_price(model) if view.checksum == shown_price(interaction) else PRICE_CHANGED
            pictures = [form.pictures[at] for at in chosen]
            await self._requests.create(
                interaction,
                prompt=view.read_prompt(values),
                options={"model": model},
                preset=None,
                private=None,
                inputs=self._jobs.check_attachments(pictures),
                input_ratio=pictures[0].aspect_ratio,
                shown=shown,
            )
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            known = {str(at) for at in range(len(form.pictures))} & set(values.get("pictures", ()))
            filled = FilledForm(
                form=form,
                prompt=typed_text(values) or "",
                chosen=tuple(sorted(map(int, known))) or (min(alone, len(form.pictures) - 1),),
                model=next(iter(values.get("model", ())), None),
            )
            await self._form_errors.answer(interaction, error, filled)

    async def _view(self, interaction: discord.Interaction[Any], form: MessageForm) -> "EditForm":
        guild, member = guild_of(interaction), interaction.user.id
        usual = await self._resolver.default_request(guild_id=guild, member_id=member, inputs=(_ANY,))
        quotes = await self._resolver.quotes({}, guild_id=guild, member_id=member, inputs=(_ANY,))
        return EditForm.build(form, quotes, usual.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditForm:
    """Choices of the form for the images of a message.

    `prices` are those of the models, `most` and `max_prompt` are the largest limits of one of them, `usual` is
    the member's model.
    """

    form: MessageForm
    prices: Mapping[str, int]
    most: int
    max_prompt: int
    usual: str | None

    @classmethod
    def build(cls, form: MessageForm, quotes: Sequence[Quote], usual: str | None) -> Self:
        """Return the choices at these quotes."""
        able = {quote.model: quote.price for quote in quotes if quote.price is not None}
        return cls(
            form=form,
            prices={model.id: price for model, price in able.items()},
            most=min(len(form.pictures), max((each.abilities.max_inputs for each in able), default=1), MAX_INPUTS),
            max_prompt=max((each.max_prompt for each in able), default=MAX_TYPED),
            usual=usual,
        )

    @property
    def checksum(self) -> int:
        """A checksum of the prices."""
        return checksum(self.prices.items())

    def shown_price(self, model: str | None) -> int:
        """Return the form's price of a model, 0 if none."""
        return self.prices.get(model or self.usual or "") or next(iter(self.prices.values()), 0)

    def read_prompt(self, values: Mapping[str, Sequence[str]]) -> str:
        """Return the prompt.

        Raises:
            NotOfferedError: there is none.
        """
        prompt = typed_text(values)
        if prompt is None:
            raise NotOfferedError
        return prompt

    def read_pictures(self, values: Mapping[str, Sequence[str]]) -> tuple[int, ...]:
        """Return the chosen pictures in the order of the message.

        Empty if the form had no choice.

        Raises:
            NotOfferedError: there is none, or too many, or one that is not offered.
        """
        chosen = values.get("pictures")
        if chosen is None:
            return ()
        known = [at for at in range(len(self.form.pictures)) if str(at) in chosen]
        if not 1 <= len(known) == len(chosen) <= self.most:
            raise NotOfferedError
        return tuple(known)


class EditModal(Form):
    """Form for the images, the change and the model.

    `filled` is its first content, `offered` the positions of the usable images, `form_id` the stored form.
    """

    def __init__(self, view: EditForm, filled: FilledForm, offered: Sequence[int], form_id: str) -> None:
        chosen = [at for at in filled.chosen if at in offered] or [offered[0]]
        super().__init__(_("Edit this image"), custom_id(SAVED_FORM, form_id, chosen[0], price=view.checksum))
        if len(offered) > 1:
            self._ask_which(view, offered, chosen)
        if view.form.unshown:
            self.add_item(ui.TextDisplay(_more_than_fit(view.form)))
        prompt: ui.TextInput[Any] = ui.TextInput(
            custom_id="prompt",
            style=discord.TextStyle.paragraph,
            placeholder=_("make it snow"),
            default=filled.prompt or None,
            max_length=counter(view.max_prompt, filled.prompt),
        )
        self._ask(_("What to change"), prompt, _("The rest stays as it is."))
        if len(view.prices) > 1:
            self._ask_model(view.prices, filled.model)
        elif view.prices:
            self.add_item(ui.TextDisplay(f"-# {in_credits(next(iter(view.prices.values())))}"))

    def _ask_which(self, view: EditForm, offered: Sequence[int], chosen: Sequence[int]) -> None:
        most, options = min(view.most, len(offered)), []
        for at, name in enumerate(names_of(view.form.pictures)):
            if at not in offered:
                continue
            title = _("Picture {number}").format(number=at + 1)
            label = f"{title} · {name}" if name else title
            options.append(
                discord.SelectOption(label=cut(label, _LONGEST_OPTION), value=str(at), default=at in chosen[:most])
            )
        which: ui.Select[Any] = ui.Select(custom_id="pictures", options=options, max_values=most)
        description = _("Up to {most}; the first is the one that is changed.").format(most=most) if most > 1 else None
        label = _("Which pictures") if most > 1 else _("Which picture")
        self._ask(label, which, description)

    def _ask_model(self, prices: Mapping[str, int], usual: str | None) -> None:
        options = [
            discord.SelectOption(
                label=_("{model} · {credits}").format(model=model, credits=in_credits(price)),
                value=model,
                default=model == usual,
            )
            for model, price in fitting(prices, usual).items()
        ]
        models: ui.Select[Any] = ui.Select(custom_id="model", options=options)
        self._ask(_("Model"), models)


def _more_than_fit(form: MessageForm) -> str:
    shown = len(form.pictures)
    said = _("This message has {all} pictures, and a form has room for the first {shown}.")
    instead = _("To edit another, save it and attach it to `/edit`.")
    return f"-# {said.format(all=number(shown + form.unshown), shown=number(shown))} {instead}"

"""The message menu "Edit this image" and its form."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import discord
from discord import ui

from bot.domain.attachments import MAX_INPUTS, AttachmentInfo
from bot.domain.errors import JobRunningError
from bot.domain.images import InputImage
from bot.domain.jobs import Action
from bot.domain.quotes import Quote
from bot.domain.saved_forms import FilledForm, MessageForm
from bot.services.jobs import JobService
from bot.services.request_resolver import ResolverService
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.interactions import guild_of
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.handlers.message_images import card_job, gather, names_of
from bot.ui.handlers.modals import MAX_TYPED, Form, chosen_of, counter, require_offered
from bot.ui.i18n import _
from bot.ui.render.formatting import cut, in_credits, number

_MOST_SHOWN: Final = 25
_LONGEST_OPTION: Final = 100
# What any picture is, for asking what an edit costs.
_ANY: Final = InputImage()

Answer = Callable[[discord.Interaction[Any], str, str | None, Sequence[AttachmentInfo], int], Awaitable[None]]
"""Handler of a submitted form: the prompt, the model (None: the default), the chosen pictures, the shown price."""
Refuse = Callable[[discord.Interaction[Any], Exception, FilledForm], Awaitable[None]]
"""Handler of a failed submission."""


class EditMenu:
    """Edits of the images of a message."""

    def __init__(
        self,
        *,
        jobs: JobService,
        resolver: ResolverService,
        requests: JobRequests,
        actions: CardActions,
        form_errors: FormErrors,
    ) -> None:
        self._jobs = jobs
        self._resolver = resolver
        self._requests = requests
        self._actions = actions
        self._form_errors = form_errors

    async def ask(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Open the form for a message's images.

        A card of ours is edited as by its Edit button. Raises the errors of `ResolverService.default_request` if no
        model edits.

        Raises:
            InputError: the message has no usable image.
            JobRunningError: the message is the card of a job that has not ended.
        """
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
        await self._open(interaction, form)

    async def reopen(self, interaction: discord.Interaction[Any], form: MessageForm, filled: FilledForm) -> None:
        """Open a form again as it was sent, with its usable images.

        Raises as `ask` does.

        Raises:
            InputError: a chosen image is gone; no other may take its place unseen.
        """
        wanted = [form.pictures[at] for at in filled.chosen]
        self._jobs.check_attachments(wanted)
        form = replace(form, pictures=self._jobs.filter_attachments(form.pictures))
        chosen = tuple(at for at, picture in enumerate(form.pictures) if picture in wanted)
        await self._open(interaction, form, replace(filled, chosen=chosen))

    async def _open(
        self, interaction: discord.Interaction[Any], form: MessageForm, filled: FilledForm | None = None
    ) -> None:
        guild, member = guild_of(interaction), interaction.user.id
        usual = await self._resolver.default_request(guild_id=guild, member_id=member, inputs=(_ANY,))
        quotes = await self._resolver.quotes({}, guild_id=guild, member_id=member, inputs=(_ANY,))
        filled = filled or FilledForm(form=form, prompt="", chosen=(0,), model=usual.model)
        await interaction.response.send_modal(EditModal(form, quotes, filled, self._answered, self._form_errors.answer))

    async def _answered(
        self,
        interaction: discord.Interaction[Any],
        prompt: str,
        model: str | None,
        pictures: Sequence[AttachmentInfo],
        shown: int,
    ) -> None:
        await self._requests.create(
            interaction,
            prompt=prompt,
            options={"model": model},
            preset=None,
            private=None,
            inputs=self._jobs.check_attachments(pictures),
            input_ratio=pictures[0].aspect_ratio,
            shown=shown,
        )


class EditModal(Form):
    """Form for the images, the change and the model.

    `filled` is its first content.
    """

    def __init__(
        self, form: MessageForm, quotes: Sequence[Quote], filled: FilledForm, answer: Answer, refuse: Refuse
    ) -> None:
        super().__init__(_("Edit this image"))
        self._form, self._answer, self._refuse = form, answer, refuse
        able = {quote.model: quote.price for quote in quotes if quote.price is not None}
        self._chosen: ui.Select[Any] | None = None
        if len(form.pictures) > 1:
            most = min(len(form.pictures), max(each.abilities.max_inputs for each in able), MAX_INPUTS)
            self._chosen = self._ask_which(most, filled.chosen or (0,))
        if form.unshown:
            self.add_item(ui.TextDisplay(_more_than_fit(form)))
        self._prompt: ui.TextInput[Any] = ui.TextInput(
            custom_id="prompt",
            style=discord.TextStyle.paragraph,
            placeholder=_("make it snow"),
            default=filled.prompt or None,
            max_length=counter(max((each.max_prompt for each in able), default=MAX_TYPED), filled.prompt),
        )
        self.add_item(
            ui.Label(text=_("What to change"), description=_("The rest stays as it is."), component=self._prompt)
        )
        self._models: ui.Select[Any] | None = None
        self._prices = {each.id: price for each, price in able.items()}
        if len(able) > 1:
            self._models = self._ask_model(self._prices, filled.model)
        elif able:
            self.add_item(ui.TextDisplay(f"-# {in_credits(next(iter(able.values())))}"))

    def _ask_which(self, most: int, chosen: Sequence[int]) -> ui.Select[Any]:
        options = []
        for at, name in enumerate(names_of(self._form.pictures)):
            title = _("Picture {number}").format(number=at + 1)
            label = f"{title} · {name}" if name else title
            options.append(
                discord.SelectOption(label=cut(label, _LONGEST_OPTION), value=str(at), default=at in chosen[:most])
            )
        which: ui.Select[Any] = ui.Select(custom_id="pictures", options=options, max_values=most)
        description = _("Up to {most}; the first is the one that is changed.").format(most=most) if most > 1 else None
        label = _("Which pictures") if most > 1 else _("Which picture")
        self.add_item(ui.Label(text=label, description=description, component=which))
        return which

    def _ask_model(self, prices: Mapping[str, int], usual: str | None) -> ui.Select[Any]:
        options = [
            discord.SelectOption(
                label=_("{model} · {credits}").format(model=model, credits=in_credits(price)),
                value=model,
                default=model == usual,
            )
            for model, price in prices.items()
        ]
        models: ui.Select[Any] = ui.Select(custom_id="model", options=options)
        self.add_item(ui.Label(text=_("Model"), component=models))
        return models

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Pass the input on.

        Raises:
            NotOfferedError: a chosen value is not among the options.
        """
        require_offered((self._chosen, self._models))
        filled = self._filled()
        pictures = [self._form.pictures[at] for at in filled.chosen]
        shown = self._prices.get(filled.model or "") or next(iter(self._prices.values()), 0)
        await self._answer(interaction, filled.prompt, filled.model, pictures, shown)

    async def on_error(  # type: ignore[override]  # as discord.py has it itself
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Answer with the error: discord.py would only log it."""
        await self._refuse(interaction, error, self._filled())

    def _filled(self) -> FilledForm:
        chosen = [0] if self._chosen is None else [int(value) for value in chosen_of(self._chosen)]
        model = None if self._models is None else next(iter(chosen_of(self._models)), None)
        return FilledForm(form=self._form, prompt=self._prompt.value, chosen=tuple(chosen or [0]), model=model)


def _more_than_fit(form: MessageForm) -> str:
    shown = len(form.pictures)
    said = _("This message has {all} pictures, and a form has room for the first {shown}.")
    instead = _("To edit another, save it and attach it to `/edit`.")
    return f"-# {said.format(all=number(shown + form.unshown), shown=number(shown))} {instead}"

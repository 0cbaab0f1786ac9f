"""Forms of card actions: image, factor, prompt, model.

They live in memory as long as an interaction token. One sent after a restart is lost, and Discord says so.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import NotOfferedError
from bot.domain.jobs import TOKEN_LIFE
from bot.services.remix import RemixOptions
from bot.ui.handlers.seen_interactions import SeenInteractions
from bot.ui.i18n import _, set_locale
from bot.ui.render.formatting import in_credits, number

MAX_TYPED: Final = 4000
"""Characters that Discord lets a field of a form take."""

_LONGEST_TITLE: Final = 45

Answer = Callable[[discord.Interaction[Any], RemixOptions], Awaitable[None]]
"""Handler of a submitted form."""

Refuse = Callable[[discord.Interaction[Any], Exception, RemixOptions], Awaitable[None]]
"""Handler of a failed submission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalSpec:
    """Fields of a form. None or empty fields are left out.

    `urls` are the images by position with their known addresses; a single one is not asked about. `factors`, `counts`
    and `models` have prices in credits; `price` is shown if no choice has one. `prompt` is (label, description,
    example), of `max_prompt` characters. `model`, `picture` and `typed` are filled in.
    """

    title: str
    urls: Mapping[int, str | None]
    prompt: tuple[str, str, str] | None = None
    max_prompt: int = MAX_TYPED
    factors: Mapping[int, int] | None = None
    counts: Mapping[int, int] | None = None
    models: Mapping[str, int] | None = None
    price: int | None = None
    model: str | None = None
    picture: int | None = None
    typed: str | None = None

    @property
    def needed(self) -> bool:
        """True if there is anything to ask."""
        return len(self.urls) > 1 or any(each is not None for each in (self.prompt, self.factors, self.counts))

    def shown_price(self, chosen: RemixOptions) -> int:
        """Return the price that the form shows for a choice, 0 if none."""
        if self.factors is not None:
            return self.factors.get(chosen.factor or 0, 0)
        if self.counts is not None:
            return self.counts.get(chosen.images or 1, 0)
        if self.models:
            usual = self.model if self.model in self.models else next(iter(self.models))
            return self.models.get(chosen.model or usual or "", 0)
        return self.price or 0


class Form(ui.Modal):
    """A modal that answers each submission once.

    It lives as long as an interaction token.
    """

    def __init__(self, title: str) -> None:
        super().__init__(title=title[:_LONGEST_TITLE], timeout=TOKEN_LIFE.total_seconds())
        self._seen = SeenInteractions()

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Return False for a submission that was delivered before."""
        set_locale(interaction.locale.value)
        return self._seen.is_first(interaction)


class RequestModal(Form):
    """Form for a remix."""

    def __init__(self, spec: ModalSpec, answer: Answer, refuse: Refuse) -> None:
        super().__init__(spec.title)
        self._urls, self._answer, self._refuse = spec.urls, answer, refuse
        self._fields: dict[str, ui.Select[Any] | ui.TextInput[Any]] = {}
        if len(spec.urls) > 1:
            names = {str(at): _("Picture {number}").format(number=at + 1) for at in spec.urls}
            options = _options(names, str(spec.picture))
            self._ask(_("Which picture"), ui.Select(custom_id="picture", options=options))
        if spec.prompt is not None:
            label, description, example = spec.prompt
            field: ui.TextInput[Any] = ui.TextInput(
                custom_id="prompt",
                style=discord.TextStyle.paragraph,
                placeholder=example,
                default=spec.typed,
                max_length=counter(spec.max_prompt, spec.typed),
            )
            self._ask(label, field, description)
        if spec.factors is not None:
            names = {
                str(factor): _("{factor}x · {credits}").format(factor=factor, credits=in_credits(price))
                for factor, price in spec.factors.items()
            }
            self._ask(_("How much larger"), ui.Select(custom_id="factor", options=_options(names)))
        if spec.counts is not None:
            names = {
                # Translators: a choice of how many pictures, such as "2 · 40 credits".
                str(count): _("{count} · {credits}").format(count=number(count), credits=in_credits(price))
                for count, price in spec.counts.items()
            }
            self._ask(_("How many"), ui.Select(custom_id="images", options=_options(names)))
        if spec.models is not None and len(spec.models) > 1:
            names = {
                model: _("{model} · {credits}").format(model=model, credits=in_credits(price))
                for model, price in spec.models.items()
            }
            self._ask(_("Model"), ui.Select(custom_id="model", options=_options(names, spec.model)))
        elif spec.factors is None and spec.counts is None:
            self.add_item(ui.TextDisplay(f"-# {in_credits(spec.shown_price(RemixOptions()))}"))

    def _ask(self, label: str, field: ui.Select[Any] | ui.TextInput[Any], description: str | None = None) -> None:
        self._fields[field.custom_id] = field
        self.add_item(ui.Label(text=label, description=description, component=field))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Pass the input on.

        Raises:
            NotOfferedError: a chosen value is not among the options.
        """
        require_offered(self._fields.values())
        await self._answer(interaction, self._filled())

    async def on_error(  # type: ignore[override]  # as discord.py has it itself
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Answer with the error: discord.py would only log it."""
        await self._refuse(interaction, error, self._filled())

    def _filled(self) -> RemixOptions:
        position = int(self._chosen("picture") or min(self._urls))
        factor, prompt = self._chosen("factor"), self._fields.get("prompt")
        images = self._chosen("images")
        return RemixOptions(
            position=position,
            url=self._urls[position],
            prompt=prompt.value if isinstance(prompt, ui.TextInput) else None,
            model=self._chosen("model"),
            factor=None if factor is None else int(factor),
            images=None if images is None else int(images),
        )

    def _chosen(self, name: str) -> str | None:
        field = self._fields.get(name)
        return next(iter(chosen_of(field)), None) if isinstance(field, ui.Select) else None


def counter(limit: int, typed: str | None) -> int:
    """Return the length of a prompt's field: the limit of its models.

    Discord refuses a field that is filled in beyond its length, so a longer text keeps the room that it needs.
    """
    return min(max(limit, len((typed or "").encode("utf-16-le")) // 2), MAX_TYPED)


def require_offered(fields: Iterable[ui.Item[Any] | None]) -> None:
    """Check the values chosen in menus: a client may send anything.

    Raises:
        NotOfferedError: a menu has no value, too many, or one that it does not offer.
    """
    for menu in fields:
        if isinstance(menu, ui.Select):
            offered = {option.value for option in menu.options}
            if not menu.min_values <= len(menu.values) <= menu.max_values or not offered.issuperset(menu.values):
                raise NotOfferedError


def chosen_of(menu: ui.Select[Any]) -> list[str]:
    """Return the chosen options in the menu's order.

    Unknown values are dropped.
    """
    return [option.value for option in menu.options if option.value in menu.values]


def _options(names: Mapping[str, str], usual: str | None = None) -> list[discord.SelectOption]:
    """Return the options with one preselected, by default the first."""
    first = usual if usual in names else next(iter(names))
    return [discord.SelectOption(label=name, value=value, default=value == first) for value, name in names.items()]

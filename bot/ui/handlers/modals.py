"""Forms of card actions: image, factor, prompt, model.

Their custom ids carry what they are about; what was filled in is read from the submission.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import discord
from discord import ui

from bot.domain.errors import ImageGoneError, NotOfferedError
from bot.services.remix import RemixOptions
from bot.ui.i18n import _
from bot.ui.render.formatting import in_credits, number
from bot.ui.truncation import cut

MAX_TYPED: Final = 4000
"""Characters that Discord lets a field of a form take."""

# Discord refuses a form with longer texts, which a translation may have.
_LONGEST_TITLE: Final = 45
_LONGEST_DESCRIPTION: Final = 100
_LONGEST_OPTION: Final = 100

MOST_OPTIONS: Final = 25
"""Of a menu."""

V = TypeVar("V")
_CHECKSUMS: Final = 10**9


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

    @property
    def checksum(self) -> int:
        """A checksum of the form's prices."""
        shown = [*(self.factors or {}).items(), *(self.counts or {}).items(), *(self.models or {}).items()]
        return checksum([*shown, ("", self.price or 0)])

    def read(self, values: Mapping[str, Sequence[str]], position: int) -> RemixOptions:
        """Return the options in a submission about an image.

        Raises:
            ImageGoneError: the image is gone; no other may take its place unseen.
            NotOfferedError: a chosen value is not among the options.
        """
        if position not in self.urls:
            raise ImageGoneError
        factor = chosen_value(values, "factor", self.factors or ())
        images = chosen_value(values, "images", self.counts or ())
        if self.factors is not None and factor is None:
            raise NotOfferedError
        if self.prompt is not None and typed_text(values) is None:
            raise NotOfferedError
        return RemixOptions(
            position=position,
            url=self.urls[position],
            prompt=None if self.prompt is None else typed_text(values),
            model=chosen_value(values, "model", self.models or ()),
            factor=None if factor is None else int(factor),
            images=None if images is None else int(images),
        )

    def shown_price(self, chosen: RemixOptions) -> int:
        """Return the form's price of a choice, 0 if none."""
        if self.factors is not None:
            return self.factors.get(chosen.factor or 0, 0)
        if self.counts is not None:
            return self.counts.get(chosen.images or 1, 0)
        if self.models:
            usual = self.model if self.model in self.models else next(iter(self.models))
            return self.models.get(chosen.model or usual or "", 0)
        return self.price or 0


class Form(ui.Modal):
    """A modal as a payload, answered by its custom id, also after a restart.

    It is stopped, so discord.py keeps nothing of it in memory. See `ComponentRegistry`.
    """

    def __init__(self, title: str, custom_id: str) -> None:
        super().__init__(title=cut(title, _LONGEST_TITLE), timeout=None, custom_id=custom_id)
        self.stop()

    def _ask(self, label: str, field: ui.Item[Any], description: str | None = None) -> None:
        described = None if description is None else cut(description, _LONGEST_DESCRIPTION)
        self.add_item(ui.Label(text=cut(label, _LONGEST_TITLE), description=described, component=field))


class RequestModal(Form):
    """Form for a remix."""

    def __init__(self, spec: ModalSpec, custom_id: str) -> None:
        super().__init__(spec.title, custom_id)
        if len(spec.urls) > 1:
            names = {str(at): _("Picture {number}").format(number=at + 1) for at in spec.urls}
            options = select_options(names, str(spec.picture))
            self._ask(_("Which picture"), ui.Select(custom_id="picture", options=options))
        if spec.prompt is not None:
            label, description, example = spec.prompt
            field: ui.TextInput[Any] = ui.TextInput(
                custom_id="prompt",
                style=discord.TextStyle.paragraph,
                placeholder=cut(example, _LONGEST_DESCRIPTION),
                default=spec.typed,
                max_length=counter(spec.max_prompt, spec.typed),
            )
            self._ask(label, field, description)
        if spec.factors is not None:
            names = {
                str(factor): _("{factor}× · {credits}").format(factor=factor, credits=in_credits(price))
                for factor, price in spec.factors.items()
            }
            self._ask(_("How much larger"), ui.Select(custom_id="factor", options=select_options(names)))
        if spec.counts is not None:
            names = {
                # Translators: a choice of how many pictures, such as "2 · 40 credits".
                str(count): _("{count} · {credits}").format(count=number(count), credits=in_credits(price))
                for count, price in spec.counts.items()
            }
            self._ask(_("How many"), ui.Select(custom_id="images", options=select_options(names)))
        if spec.models is not None and len(spec.models) > 1:
            names = {
                model: _("{model} · {credits}").format(model=model, credits=in_credits(price))
                for model, price in spec.models.items()
            }
            self._ask(_("Model"), ui.Select(custom_id="model", options=select_options(names, spec.model)))
        elif spec.factors is None and spec.counts is None:
            self.add_item(ui.TextDisplay(f"-# {in_credits(spec.shown_price(RemixOptions()))}"))


def counter(limit: int, typed: str | None) -> int:
    """Return the length of a prompt's field: the limit of its models.

    Discord refuses a field that is filled in beyond its length, so a longer text keeps the room that it needs.
    """
    return min(max(limit, len((typed or "").encode("utf-16-le")) // 2), MAX_TYPED)


def checksum(prices: Iterable[tuple[object, int]]) -> int:
    """Return a checksum of prices, up to nine digits."""
    listed = ",".join(f"{name}={price}" for name, price in prices)
    return zlib.crc32(listed.encode()) % _CHECKSUMS


def chosen_value(values: Mapping[str, Sequence[str]], field: str, offered: Iterable[object]) -> str | None:
    """Return the value chosen in a menu, None if the form had none.

    Raises:
        NotOfferedError: there is no value, or more than one, or it is not offered.
    """
    if field not in values:
        return None
    if len(values[field]) != 1 or values[field][0] not in map(str, offered):
        raise NotOfferedError
    return values[field][0]


def typed_text(values: Mapping[str, Sequence[str]]) -> str | None:
    """Return the prompt of a submitted form, None if it had none."""
    return next(iter(values.get("prompt", ())), None)


def select_options(names: Mapping[str, str], usual: str | None = None) -> list[discord.SelectOption]:
    """Return the options with one preselected, by default the first.

    Of more than a menu takes, the last are left out.
    """
    first = usual if usual in names else next(iter(names))
    return [
        discord.SelectOption(label=cut(name, _LONGEST_OPTION), value=value, default=value == first)
        for value, name in fitting(names, first).items()
    ]


def fitting(names: Mapping[str, V], usual: str | None) -> dict[str, V]:
    """Return the entries for a menu: the first ones, with the preselected one."""
    kept = [name for name in names if name != usual][: MOST_OPTIONS - (usual in names)]
    return {name: value for name, value in names.items() if name == usual or name in kept}

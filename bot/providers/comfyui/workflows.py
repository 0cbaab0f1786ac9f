"""Workflows: graphs in ComfyUI's API format, with placeholders."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bot.domain.models import Mode
from bot.domain.options import QUALITIES, ratio_value

MAX_PICTURES: Final = 4
"""Input images that a workflow can name."""
PICTURES: Final = tuple(f"image_{number}" for number in range(1, MAX_PICTURES + 1))
PLACEHOLDERS: Final = ("prompt", "negative", "seed", "width", "height", "steps", "images", *PICTURES)
DEFAULT_STEPS: Final = 20
DEFAULT_STEP_PIXELS: Final = 64
"""Both sides of a computed size are multiples of it."""

Graph = dict[str, dict[str, Any]]
Size = tuple[int, int]

_SIDE_PIXELS: Final = 1024
_FACTORS: Final = {"1K": 1, "2K": 2, "4K": 4}
_SQUARE: Final = "1:1"
_USUAL_QUALITY: Final = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A graph with placeholders, and their names."""

    graph: Graph = field(repr=False)
    placeholders: frozenset[str]

    @property
    def max_inputs(self) -> int:
        """Return how many input images it names."""
        return sum(name in self.placeholders for name in PICTURES)

    def fill(self, values: Mapping[str, str | int]) -> Graph:
        """Return the graph with values instead of placeholders.

        Only whole texts of the template are placeholders: those in a value, such as a prompt, stay.
        """
        filled: Graph = _filled(self.graph, {f"%{name}%": value for name, value in values.items()})
        return filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A model for members: a template for text, and perhaps one for edits.

    `sizes` are pixels by aspect ratio, at 1K; other ratios have about a megapixel, with sides that are multiples of
    `multiple`. `steps` may depend on the quality. `negative` is the negative prompt of a request without one.
    """

    name: str
    text: Template
    edit: Template | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)
    steps: int | Mapping[str, int] = DEFAULT_STEPS
    multiple: int = DEFAULT_STEP_PIXELS
    negative: str = ""

    def template(self, mode: Mode) -> Template | None:
        """Return the template of a mode, or None."""
        return self.text if mode is Mode.TEXT else self.edit

    @property
    def templates(self) -> tuple[Template, ...]:
        """Return all templates."""
        return (self.text,) if self.edit is None else (self.text, self.edit)

    def has(self, placeholder: str) -> bool:
        """Return whether every template has a placeholder."""
        return all(placeholder in each.placeholders for each in self.templates)

    @property
    def qualities(self) -> tuple[str, ...]:
        """Return the qualities to choose from."""
        if isinstance(self.steps, int) or not self.has("steps"):
            return ()
        return tuple(each for each in QUALITIES if each in self.steps)

    def steps_at(self, quality: str | None) -> int:
        """Return the steps at a quality.

        The default is medium, else the first quality of the table.
        """
        if isinstance(self.steps, int):
            return self.steps
        usual = self.steps.get(_USUAL_QUALITY, next(iter(self.steps.values())))
        return self.steps.get(quality or "", usual)

    def size(self, ratio: str, resolution: str | None) -> Size:
        """Return width and height of an aspect ratio at a resolution."""
        width, height = self.sizes.get(ratio) or self._computed(ratio)
        factor = _FACTORS.get(resolution or "", 1)
        return width * factor, height * factor

    def _computed(self, ratio: str) -> Size:
        root = math.sqrt(ratio_value(ratio if ":" in ratio else _SQUARE))
        return self._rounded(_SIDE_PIXELS * root), self._rounded(_SIDE_PIXELS / root)

    def _rounded(self, side: float) -> int:
        return max(1, round(side / self.multiple)) * self.multiple


def picture_values(names: Sequence[str]) -> dict[str, str]:
    """Return the values of the placeholders for input images.

    A workflow for more images than there are gets the last one again.
    """
    return {name: names[min(index, len(names) - 1)] for index, name in enumerate(PICTURES) if names}


def texts_of(value: object) -> Iterator[str]:
    """Yield all texts of a tree."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)


def _filled(value: Any, values: Mapping[str, str | int]) -> Any:
    if isinstance(value, str):
        return values.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    return value

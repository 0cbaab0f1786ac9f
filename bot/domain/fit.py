"""The option `fit`: a box for the finished image, written in one word."""

import re
from dataclasses import dataclass
from typing import Final

from bot.domain.errors import OptionRangeError
from bot.domain.lazy_text import LazyText

MAX_SIDE: Final = 4096
FIT_FORMS: Final = LazyText(
    "2048 (longest side), 2048x (width), x1024 (height) or 1920x1080 (both), up to {most}", most=f"{MAX_SIDE:,}"
)

_LONGEST: Final = re.compile(r"[0-9]{1,6}")
_BOX: Final = re.compile(r"([0-9]{1,6})?x([0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The box to scale an image down to, in pixels (1-4096).

    Either `longest` is set, or `width` or `height` or both. Source: seed "Reve 2.0 Capability Status" (fit_image with
    max_dim, max_width or max_height up to 4096).
    """

    longest: int | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def parse(cls, typed: str) -> "Fit":
        """Return the box of a typed text ("2048", "2048x", "x1024", "1920x1080").

        Raises:
            OptionRangeError: the text is not a box, or a side is out of range.
        """
        text = "".join(typed.split()).lower().replace("×", "x")
        found: Fit | None = None
        if _LONGEST.fullmatch(text):
            found = cls(longest=int(text))
        elif (box := _BOX.fullmatch(text)) and any(box.groups()):
            width, height = (None if side is None else int(side) for side in box.groups())
            found = cls(width=width, height=height)
        if found is None or not all(1 <= side <= MAX_SIDE for side in found.sides):
            raise OptionRangeError("fit", typed, FIT_FORMS)
        return found

    @property
    def sides(self) -> tuple[int, ...]:
        """Return the given limits."""
        return tuple(side for side in (self.longest, self.width, self.height) if side is not None)

    def __str__(self) -> str:
        """Return the shortest text for `parse`."""
        if self.longest is not None:
            return str(self.longest)
        return f"{self.width or ''}x{self.height or ''}"

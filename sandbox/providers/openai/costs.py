"""Tokens and US dollars of OpenAI's pictures."""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any, Final

_TEXT: Final = Decimal(5)  # US dollars for a million tokens, as the next two
_IMAGE_IN: Final = Decimal(8)
_OUTPUT: Final = Decimal(30)
_MILLION: Final = 1_000_000

# Output tokens of a square megapixel. Those of 2.6 are not published: the fake takes those of 2.5.
_TOKENS: Final = {
    2.5: {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024},
    2.0: {"low": 196, "medium": 1756, "high": 7024},
}
_OBLONG: Final = 0.8  # of a square, at a megapixel and a half
_SMALL_PIXELS: Final = 1_600_000
_LARGE_PIXELS: Final = 8_294_400
_LARGE_MORE: Final = 0.9  # 3840x2160 takes 1.9 times the tokens
_PARTIAL_TOKENS: Final = 100
_PATCH_PIXELS: Final = 32
_MAX_PATCHES: Final = 1536
_CHARS_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The billed tokens of a call."""

    text: int
    image: int
    output: int

    @property
    def cost(self) -> Decimal:
        """Return the US dollars."""
        return (self.text * _TEXT + self.image * _IMAGE_IN + self.output * _OUTPUT) / _MILLION

    def as_json(self) -> dict[str, Any]:
        """Return the documented `usage`."""
        return {
            "input_tokens": self.text + self.image,
            "input_tokens_details": {"text_tokens": self.text, "image_tokens": self.image},
            "output_tokens": self.output,
            "total_tokens": self.text + self.image + self.output,
        }


def picture_tokens(version: float, quality: str, width: int, height: int) -> int:
    """Return the output tokens of a picture."""
    tokens = _TOKENS[2.5 if version >= 2.5 else 2.0][quality]  # noqa: PLR2004 - a model's version
    pixels = width * height
    if pixels > _SMALL_PIXELS:
        factor = 1 + _LARGE_MORE * (pixels - _SMALL_PIXELS) / (_LARGE_PIXELS - _SMALL_PIXELS)
    else:
        factor = 1.0 if width == height else _OBLONG
    return round(tokens * factor)


def usage(*, prompt: str, inputs: tuple[tuple[int, int], ...], picture: int, pictures: int, partial: int = 0) -> Usage:
    """Return the tokens of a call; `inputs` are its input sizes."""
    patches = (ceil(width / _PATCH_PIXELS) * ceil(height / _PATCH_PIXELS) for width, height in inputs)
    return Usage(
        text=ceil(len(prompt) / _CHARS_PER_TOKEN),
        image=sum(min(_MAX_PATCHES, each) for each in patches),
        output=picture * pictures + _PARTIAL_TOKENS * partial,
    )

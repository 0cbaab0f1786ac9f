"""The pictures that the stand-ins deliver: a landscape made from the prompt, or an edit of what was sent.

Each has a caption, and a mark to know it by.
"""

import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from sandbox.providers.edits import edited
from sandbox.providers.finish import coloured, without_background
from sandbox.providers.scenes import scene
from sandbox.providers.watermark import expected_mark, stamp, strip_height

FORMATS: Final = ("png", "jpeg", "webp")

_CAPTION: Final = 64
_LAST_LATIN: Final = 0x17F  # what the font that comes with Pillow can draw


def draw_picture(
    prompt: str,
    index: int,
    *,
    width: int,
    height: int,
    format: str,  # noqa: A002
    cut_out: bool = False,
    effect: str | None = None,
    inputs: tuple[bytes, ...] = (),
) -> bytes:
    """Return the encoded picture number `index` (from 0) of a prompt; `format` is one of FORMATS.

    With `inputs` (encoded pictures) it is an edit of the first one. A `cut_out` one is transparent around its middle;
    an `effect` colours it, each name in its own way. The same arguments give the same bytes. It takes some 30 ms of a
    processor for a megapixel: call it in a thread.
    """
    mark = expected_mark(prompt, index)
    picture = edited(mark, inputs, width, height) if inputs else scene(mark, width, height)
    if effect is not None:
        picture = coloured(picture, effect)
    _caption(picture, prompt)
    stamp(picture, mark)
    if cut_out:
        picture = without_background(picture)
    file = io.BytesIO()
    match format:
        case "jpeg":
            picture.convert("RGB").save(file, "JPEG", quality=88)
        case "webp":
            picture.save(file, "WEBP", quality=84, method=1)
        case _:
            picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _caption(picture: Image.Image, prompt: str) -> None:
    """Write the beginning of the prompt at the lower left, small and light on a soft shadow."""
    line = " ".join("".join(each if each.isprintable() else " " for each in prompt).split())
    line = "".join(each if ord(each) <= _LAST_LATIN else "·" for each in line)
    size = max(10, min(picture.size) // 44)
    font = _font(size)
    most = picture.width - 3 * size
    text = line if len(line) <= _CAPTION else line[: _CAPTION - 1].rstrip() + "…"
    while text and font.getlength(text) > most:
        text = text[:-2].rstrip("… ") + "…" if len(text) > 2 else ""  # noqa: PLR2004
    draw = ImageDraw.Draw(picture, "RGBA")
    y = picture.height - strip_height(picture.height) - round(1.9 * size)
    draw.text((1.25 * size + 1, y + 1), text, font=font, fill=(0, 0, 0, 150))
    draw.text((1.25 * size, y), text, font=font, fill=(255, 255, 255, 215))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

"""Images of the fakes: a landscape drawn from the prompt, or an edit.

Each has a caption and a stamp with an identifying mark.
"""

import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from sandbox.providers.edits import draw_edit, keep_masked
from sandbox.providers.image_effects import apply_effect, remove_background
from sandbox.providers.scenes import scene
from sandbox.providers.watermark import expected_mark, stamp, stamp_box

FORMATS: Final = ("png", "jpeg", "webp")

_MAX_CAPTION_CHARS: Final = 64
_LAST_LATIN_CODE_POINT: Final = 0x17F  # the last character of Pillow's own font


def draw_picture(
    prompt: str,
    index: int,
    *,
    width: int,
    height: int,
    format: str,  # noqa: A002 - the API's word
    cut_out: bool = False,
    effect: str | None = None,
    inputs: tuple[bytes, ...] = (),
    mask: bytes = b"",
) -> bytes:
    """Return the encoded image number `index` (from 0) of a prompt.

    `format` is one of FORMATS. With `inputs` (encoded images) it is an edit of the first one, only where a `mask`
    (an encoded alpha channel) is transparent. A `cut_out` image is
    transparent around its middle; an `effect` colours it, each name in its own way. The same arguments give the same
    bytes. A megapixel takes about 30 ms of CPU time: call it in a thread.
    """
    mark = expected_mark(prompt, index)
    picture = draw_edit(mark, inputs, width, height) if inputs else scene(mark, width, height)
    if inputs and mask:
        picture = keep_masked(picture, inputs[0], mask)
    if effect is not None:
        picture = apply_effect(picture, effect)
    _caption(picture, prompt)
    stamp(picture, mark)
    if cut_out:
        picture = remove_background(picture)
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
    """Write the start of the prompt left of the stamp."""
    line = " ".join("".join(each if each.isprintable() else " " for each in prompt).split())
    line = "".join(each if ord(each) <= _LAST_LATIN_CODE_POINT else "·" for each in line)
    size = max(10, min(picture.size) // 44)
    font = _font(size)
    most = stamp_box(picture.size)[0] - 2.5 * size
    text = line if len(line) <= _MAX_CAPTION_CHARS else line[: _MAX_CAPTION_CHARS - 1].rstrip() + "…"
    while text and font.getlength(text) > most:
        text = text[:-2].rstrip("… ") + "…" if len(text) > 2 else ""  # noqa: PLR2004 - one and "…"
    draw = ImageDraw.Draw(picture, "RGBA")
    y = picture.height - round(1.9 * size)
    draw.text((1.25 * size + 1, y + 1), text, font=font, fill=(0, 0, 0, 150))
    draw.text((1.25 * size, y), text, font=font, fill=(255, 255, 255, 215))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

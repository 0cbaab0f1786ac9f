"""What is done to a finished picture so that a person sees it: a size, an effect's colours, a missing background."""

import zlib

from PIL import Image, ImageDraw, ImageOps

from sandbox.providers.watermark import strip_height


def fitted(size: tuple[int, int], *, max_width: int, max_height: int) -> tuple[int, int]:
    """Return the size scaled down into a box; one that fits stays, and no side vanishes."""
    scale = min(1.0, max_width / size[0], max_height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def coloured(picture: Image.Image, effect: str) -> Image.Image:
    """Return the RGB picture in a few tones of one colour; the effect's name chooses the colour."""
    hue = zlib.crc32(effect.encode()) % 360
    grey = ImageOps.posterize(ImageOps.autocontrast(picture.convert("L")), 3)
    return ImageOps.colorize(grey, f"hsl({hue}, 60%, 12%)", f"hsl({hue}, 70%, 92%)", mid=f"hsl({hue}, 55%, 48%)")


def without_background(picture: Image.Image) -> Image.Image:
    """Return the RGB picture as an oval on nothing; the strip with its mark stays."""
    small = picture.width // 4 or 1, picture.height // 4 or 1
    oval = Image.new("L", (small[0] * 2, small[1] * 2))
    ImageDraw.Draw(oval).ellipse((small[0] // 8, small[1] // 8, small[0] * 15 // 8, small[1] * 15 // 8), fill=255)
    mask = oval.resize(picture.size, Image.Resampling.BILINEAR)
    mask.paste(255, (0, picture.height - strip_height(picture.height), *picture.size))
    clear = picture.convert("RGBA")
    clear.putalpha(mask)
    return clear

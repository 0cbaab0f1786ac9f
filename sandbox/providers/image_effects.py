"""Visible results of post-processing: an effect's colours, no background."""

import zlib

from PIL import Image, ImageDraw, ImageOps

from sandbox.providers.watermark import stamp_box


def apply_effect(picture: Image.Image, effect: str) -> Image.Image:
    """Return the RGB image in a few tones of one colour, chosen by the effect."""
    hue = zlib.crc32(effect.encode()) % 360
    grey = ImageOps.posterize(ImageOps.autocontrast(picture.convert("L")), 3)
    return ImageOps.colorize(grey, f"hsl({hue}, 60%, 12%)", f"hsl({hue}, 70%, 92%)", mid=f"hsl({hue}, 55%, 48%)")


def remove_background(picture: Image.Image) -> Image.Image:
    """Return the RGB image as an oval on a transparent ground.

    The stamp stays.
    """
    small = picture.width // 4 or 1, picture.height // 4 or 1
    oval = Image.new("L", (small[0] * 2, small[1] * 2))
    ImageDraw.Draw(oval).ellipse((small[0] // 8, small[1] // 8, small[0] * 15 // 8, small[1] * 15 // 8), fill=255)
    mask = oval.resize(picture.size, Image.Resampling.BILINEAR)
    mask.paste(255, stamp_box(picture.size))
    clear = picture.convert("RGBA")
    clear.putalpha(mask)
    return clear

"""Colours of the drawn images: small palettes of (red, green, blue)."""

from dataclasses import dataclass
from typing import Final

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of the sky from top to horizon, the disc, and land far to near."""

    top: Colour
    middle: Colour
    horizon: Colour
    disc: Colour
    far: Colour
    near: Colour
    stars: bool = False


PALETTES: Final = (
    Palette(  # dusk
        top=(38, 32, 84),
        middle=(190, 84, 112),
        horizon=(255, 190, 134),
        disc=(255, 236, 198),
        far=(182, 104, 128),
        near=(34, 24, 56),
    ),
    Palette(  # morning
        top=(92, 156, 204),
        middle=(178, 214, 220),
        horizon=(255, 232, 196),
        disc=(255, 250, 226),
        far=(150, 186, 188),
        near=(26, 70, 80),
    ),
    Palette(  # night
        top=(8, 12, 38),
        middle=(24, 44, 92),
        horizon=(86, 112, 160),
        disc=(240, 240, 228),
        far=(58, 78, 128),
        near=(8, 12, 30),
        stars=True,
    ),
    Palette(  # desert
        top=(64, 120, 150),
        middle=(236, 190, 140),
        horizon=(255, 226, 170),
        disc=(255, 246, 214),
        far=(226, 150, 104),
        near=(96, 40, 38),
    ),
    Palette(  # forest
        top=(60, 116, 118),
        middle=(154, 196, 168),
        horizon=(244, 240, 196),
        disc=(255, 252, 228),
        far=(132, 174, 146),
        near=(14, 48, 44),
    ),
    Palette(  # violet hour
        top=(30, 18, 66),
        middle=(110, 58, 150),
        horizon=(246, 146, 170),
        disc=(255, 220, 220),
        far=(128, 76, 152),
        near=(22, 12, 48),
        stars=True,
    ),
    Palette(  # rose
        top=(108, 98, 160),
        middle=(230, 158, 178),
        horizon=(255, 224, 206),
        disc=(255, 248, 240),
        far=(204, 142, 170),
        near=(70, 38, 84),
    ),
)


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` (0-1) of the way from `first` to `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue

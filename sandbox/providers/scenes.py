"""Landscapes drawn from a seed: sky, sun or moon, and hills, dunes or sea.

They are drawn small and enlarged, so an image of a megapixel costs milliseconds. Enlarging smooths the edges.
"""

import math
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from sandbox.providers.palettes import PALETTES, Colour, Palette, blend

_MAX_SIDE_PIXELS: Final = 1152
_STEPS: Final = 160


def scene(seed: int, width: int, height: int) -> Image.Image:
    """Return the RGB image of a seed in this size, in pixels.

    The same seed gives the same image.
    """
    random = Random(seed)  # noqa: S311 - a drawing, not a secret
    scale = min(1.0, _MAX_SIDE_PIXELS / max(width, height))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    palette = random.choice(PALETTES)
    picture = _sky(size, palette)
    horizon = random.uniform(0.5, 0.66)
    centre = random.uniform(0.2, 0.8) * size[0], random.uniform(0.2, horizon - 0.08) * size[1]
    if palette.stars:
        _stars(picture, random, horizon)
    picture = _disc(picture, palette, centre, random.uniform(0.06, 0.12) * min(size))
    if random.random() < 0.3:  # noqa: PLR2004 - a taste
        _sea(picture, palette, random, horizon, centre[0])
    else:
        _hills(picture, palette, random, horizon)
    return picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.BICUBIC)


def _sky(size: tuple[int, int], palette: Palette) -> Image.Image:
    column = _ramp(size[1])
    column = ImageOps.colorize(column, palette.top, palette.horizon, mid=palette.middle, midpoint=110, whitepoint=190)
    return column.resize(size, Image.Resampling.NEAREST)


def _ramp(rows: int) -> Image.Image:
    """Return a column from dark to light, one pixel wide.

    Colouring the column before widening it costs almost nothing.
    """
    return Image.linear_gradient("L").resize((1, rows), Image.Resampling.BILINEAR)


def _stars(picture: Image.Image, random: Random, horizon: float) -> None:
    draw = ImageDraw.Draw(picture)
    for _ in range(140):
        x, y = random.random() * picture.width, random.random() ** 1.4 * horizon * picture.height
        size = random.choice((0.5, 0.5, 0.8, 1.3))
        tone = random.randint(150, 250)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(tone, tone, min(255, tone + 10)))


def _disc(picture: Image.Image, palette: Palette, centre: tuple[float, float], radius: float) -> Image.Image:
    """Return the image with a disc in a soft halo."""
    x, y = centre
    halo = radius * 5
    # The built-in gradient is dark in its middle: inverted, it is a glow.
    glow = ImageOps.invert(Image.radial_gradient("L")).point(lambda tone: int((max(0, tone - 74) / 181) ** 1.8 * 150))
    box = int(x - halo), int(y - halo), int(x + halo), int(y + halo)
    mask = glow.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR)
    picture.paste(Image.new("RGB", mask.size, palette.disc), box[:2], mask)
    across = max(8, int(radius * 2))
    round_mask = Image.new("L", (across * 4, across * 4))
    ImageDraw.Draw(round_mask).ellipse((2, 2, across * 4 - 3, across * 4 - 3), fill=255)
    round_mask = round_mask.reduce(4)
    picture.paste(Image.new("RGB", round_mask.size, palette.disc), (int(x - radius), int(y - radius)), round_mask)
    return picture


def _hills(picture: Image.Image, palette: Palette, random: Random, horizon: float) -> None:
    layers = random.randint(5, 7)
    rough = random.random() < 0.4  # noqa: PLR2004 - mountains behind, hills before
    shares = [layer / (layers - 1) for layer in range(layers)]
    ridges = []
    for share in shares:
        base = (horizon + (0.97 - horizon) * share**1.15) * picture.height
        height = picture.height * (0.11 - 0.045 * share)
        ridges.append(_ridge(random, picture.width, base, height, sharp=rough and share < 0.45))  # noqa: PLR2004 - only the ridges behind
    for layer, share in enumerate(shares):
        colour = blend(palette.far, palette.near, share)
        mist = blend(colour, palette.horizon, 0.42 * (1 - share))
        # Land below the lowest point of the next ridge is hidden: skip it.
        hidden = max(y for _, y in ridges[layer + 1]) if layer + 1 < layers else picture.height
        _land(picture, ridges[layer], colour, mist, hidden_from=int(hidden) + 2)


def _ridge(random: Random, width: int, base: float, height: float, *, sharp: bool) -> list[tuple[float, float]]:
    """Return the line of a ridge: waves of falling size; peaks if `sharp`."""
    waves = [
        (random.uniform(0.6, 1.3) * 2**octave, random.uniform(0, math.tau), height / 1.9**octave) for octave in range(4)
    ]
    points = []
    for step in range(_STEPS + 1):
        x = step / _STEPS
        y = 0.0
        for frequency, phase, amplitude in waves:
            angle = x * math.tau * frequency + phase
            y += amplitude * (1.2 * (2 * abs(angle / math.pi % 2 - 1) - 1) if sharp else math.sin(angle))
        points.append((x * width, base - y))
    return points


def _land(
    picture: Image.Image, ridge: list[tuple[float, float]], colour: Colour, mist: Colour, *, hidden_from: int
) -> None:
    """Fill the land below a ridge, from its colour at the top to mist below."""
    top = max(0, int(min(y for _, y in ridge)) - 1)
    bottom = min(picture.height, hidden_from)
    if bottom - top <= 1:
        return
    mask = Image.new("L", (picture.width, bottom - top))
    line = [(x, y - top) for x, y in ridge]
    ImageDraw.Draw(mask).polygon([(0, picture.height), *line, (picture.width, picture.height)], fill=255)
    # Only the ridge is softened: blurring the whole mask would cost more than the rest.
    edge = min(mask.height, int(max(y for _, y in line)) + 4)
    mask.paste(mask.crop((0, 0, picture.width, edge)).filter(ImageFilter.BoxBlur(1)), (0, 0))
    shade = ImageOps.colorize(_ramp(picture.height - top), colour, mist, whitepoint=150).crop((0, 0, 1, mask.height))
    picture.paste(shade.resize(mask.size, Image.Resampling.NEAREST), (0, top), mask)


def _sea(picture: Image.Image, palette: Palette, random: Random, horizon: float, glitter_x: float) -> None:
    """Draw a sea below the horizon, with the disc's light on it and a coast."""
    top = int(horizon * picture.height)
    coast = _ridge(random, picture.width, top - 0.004 * picture.height, picture.height * 0.03, sharp=False)
    _land(
        picture,
        coast,
        blend(palette.far, palette.near, 0.25),
        blend(palette.far, palette.horizon, 0.4),
        hidden_from=top + 2,
    )
    rows = picture.height - top
    far, near = blend(palette.horizon, palette.middle, 0.5), blend(palette.near, palette.top, 0.35)
    water = ImageOps.colorize(_ramp(rows), far, near, whitepoint=200)
    picture.paste(water.resize((picture.width, rows), Image.Resampling.NEAREST), (0, top))
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(150):
        depth = random.random() ** 1.6
        y = top + depth * rows
        spread = (0.03 + 0.16 * depth) * picture.width
        x = random.gauss(glitter_x, spread / 2)
        half = (0.008 + 0.035 * depth * random.random()) * picture.width
        thick = 0.6 + 2.6 * depth
        draw.ellipse((x - half, y - thick, x + half, y + thick), fill=(*palette.disc, random.randint(40, 130)))

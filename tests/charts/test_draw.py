"""Drawn pictures: their size, colours and places, read from the pixels."""

import io
from itertools import pairwise
from typing import Final

import pytest
from PIL import Image, ImageColor

from bot.charts.specs import Bar, BarPairs, Bars, Chart, Lines, Pair, Series, StackedBars, Tick
from bot.charts.style import BACKGROUND, DENSITY, GRID, HEIGHT, REST, SERIES, TEXT, TEXT_SIZE, WIDTH

DAYS: Final = (Tick(at=0, label="1 Nov"), Tick(at=2, label="3 Nov"))
SCALE: Final = (Tick(at=0, label="0"), Tick(at=10, label="10"))

Colour = tuple[int, int, int]


def draw(chart: Chart) -> bytes:
    """Return the file of the drawn picture.

    Imported here, because every worker imports this file and matplotlib takes a second.
    """
    from bot.charts import draw as drawing  # noqa: PLC0415 - as above

    return drawing.draw(chart)


def picture(chart: Chart) -> Image.Image:
    """Return the drawn picture."""
    return Image.open(io.BytesIO(draw(chart))).convert("RGB")


def colour(code: str) -> Colour:
    """Return a palette's colour as pixels have it."""
    red, green, blue = ImageColor.getrgb(code)[:3]
    return red, green, blue


def count(image: Image.Image, code: str) -> int:
    """Return the number of pixels of exactly a colour."""
    wanted = colour(code)
    return sum(number for number, found in image.getcolors(1 << 24) or () if found == wanted)


def stacked(*values: tuple[float, ...], has_rest: bool = False) -> StackedBars:
    """Return a chart of three days."""
    series = tuple(Series(name=f"model-{number}", values=each) for number, each in enumerate(values))
    return StackedBars(title="Jobs", days=DAYS, scale=SCALE, series=series, has_rest=has_rest)


def test_picture_has_double_density_and_a_background_without_gaps() -> None:
    image = picture(stacked((1, 2, 3)))
    assert image.size == (WIDTH * DENSITY, HEIGHT * DENSITY)
    assert image.getpixel((0, 0)) == image.getpixel((image.width - 1, image.height - 1)) == colour(BACKGROUND)


def test_bar_has_a_part_for_each_series_in_its_share() -> None:
    """Three quarters of the first series without a pattern."""
    image = picture(stacked((3, 3, 3), (1, 1, 1)))
    assert count(image, SERIES[0][0]) > 2 * count(image, SERIES[1][0]) > 0
    assert count(image, SERIES[2][0]) == 0


def test_sum_of_others_is_grey_and_patterned() -> None:
    image = picture(stacked((3, 3, 3), (3, 3, 3), has_rest=True))
    assert count(image, SERIES[1][0]) == 0
    assert 0 < count(image, REST) < count(image, SERIES[0][0])


@pytest.mark.parametrize(
    ("first", "second"), [(code, other) for code, _ in SERIES for other, _ in SERIES if code < other]
)
def test_colours_differ_in_brightness_or_pattern(first: str, second: str) -> None:
    """Nobody needs to see the hue: all patterns differ."""
    patterns = dict(SERIES)
    assert patterns[first] != patterns[second]


@pytest.mark.parametrize("code", [TEXT, REST, *(code for code, _ in SERIES)])
def test_everything_drawn_stands_out_from_the_background(code: str) -> None:
    """WCAG 2: 3 to 1 for graphics, 4.5 to 1 for text."""
    assert contrast(code, BACKGROUND) >= (4.5 if code == TEXT else 3)


def test_text_is_large_enough_for_a_phone() -> None:
    assert TEXT_SIZE >= 22


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""

    def luminance(code: str) -> float:
        shares = [part / 255 for part in colour(code)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_bar_is_as_long_as_its_value() -> None:
    """Half of the highest value is half of its length."""
    image = picture(
        Bars(title="Credits", bars=(Bar(name="a", value=10, label="10"), Bar(name="b", value=5, label="5")))
    )
    lengths = sorted(
        length
        for y in range(image.height)
        if (length := sum(image.getpixel((x, y)) == colour(SERIES[0][0]) for x in range(image.width)))
    )
    assert lengths[0] == pytest.approx(lengths[-1] / 2, abs=2)


def test_line_has_a_gap_where_a_value_is_missing() -> None:
    def drawn(*values: float | None) -> int:
        chart = Lines(title="Success", days=DAYS, scale=SCALE, series=(Series(name="now", values=values),))
        return count(picture(chart), SERIES[0][0])

    assert drawn(5, 5, 5) > drawn(5, None, 5) > drawn(5, None, None) > 0


def test_pairs_have_each_side_on_its_own_scale() -> None:
    """Both bars of the only pair are full."""
    pair = Pair(name="a", values=(10_000, 2.5), labels=("10,000", "$2.50"))
    image = picture(BarPairs(title="Cost", headings=("Credits", "Dollars"), pairs=(pair,)))
    first, second = count(image, SERIES[0][0]), count(image, SERIES[1][0])
    assert first == pytest.approx(second, rel=0.2)


@pytest.mark.parametrize("value", [0, 10**12])
def test_extreme_values_are_drawn(value: int) -> None:
    bars = Bars(title="Credits", bars=(Bar(name="a", value=value, label=f"{value:,}"),))
    assert count(picture(bars), TEXT) > 0
    assert count(picture(stacked((value,) * 3)), GRID) > 0


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Anna Größe-Öztürk", "Anna Größe-Öztürk"),
        ("\U0001d4d5\U0001d4ea\U0001d4f7\U0001d4ec\U0001d502 name", "Fancy name"),
        ("a\u200d\ufe0f\u202eb\nc", "ab c"),
        ("\U000f0000\U0001f9ff", ""),
        ("e\u0301\u0302\u0303\u0304\u0305", "é\u0302\u0303"),
        ("$\\frac{a}{b}$", "$\\frac{a}{b}$"),
        ("Дарья Ελένη", "Дарья Ελένη"),
    ],
)
def test_name_keeps_what_fonts_can_draw(name: str, drawn: str) -> None:
    from bot.charts.fonts import drawable  # noqa: PLC0415 - see `draw`

    assert drawable(name) == drawn


def test_name_that_no_font_has_is_drawn_by_its_spare() -> None:
    def credits_of(name: str, spare: str) -> bytes:
        return draw(Bars(title="Credits", bars=(Bar(name=name, value=1, label="1", spare_name=spare),)))

    assert credits_of("\U000f0000", "member 1") == credits_of("member 1", "")
    assert credits_of("$x^2$", "") != credits_of("x2", "")


def test_long_names_are_cut_and_leave_room_for_bars() -> None:
    image = picture(Bars(title="x" * 200, bars=(Bar(name="a very long name " * 9, value=1, label="1"),)))
    assert count(image, SERIES[0][0]) > 100 * 30 * DENSITY * DENSITY


def label_widths(days: int, name: str) -> list[int]:
    """Return the widths of the labels below a chart of 30 days."""
    ticks = tuple(Tick(at=29 - 8 * number, label="30.Mar") for number in reversed(range(days)))
    series = (Series(name=name, values=(1.0,) * 30),)
    image = picture(StackedBars(title="Jobs", days=ticks, scale=SCALE, series=series))
    strip = image.crop((0, image.height - 50 * DENSITY, image.width, image.height)).convert("L")
    letters = strip.point(lambda value: 255 * (value > 128))
    lit = [at for at in range(strip.width) if letters.crop((at, 0, at + 1, strip.height)).getbbox()]
    starts = [0, *(at for at in range(1, len(lit)) if lit[at] - lit[at - 1] > 10 * DENSITY), len(lit)]
    return [lit[end - 1] - lit[start] for start, end in pairwise(starts)]


def test_days_without_room_for_their_labels_have_none() -> None:
    (alone,) = label_widths(1, "x")
    assert [abs(width - alone) <= DENSITY for width in label_widths(4, "x")] == [True] * 4
    beside_long_name = label_widths(4, "model-" * 9)
    assert 2 <= len(beside_long_name) < 4
    assert all(abs(width - alone) <= DENSITY for width in beside_long_name)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import OptionRangeError
from bot.domain.fit import FIT_FORMS, Fit
from tests.support.strategies import FITS


@pytest.mark.parametrize(
    ("typed", "fit"),
    [
        ("2048", Fit(longest=2048)),
        ("2048x", Fit(width=2048)),
        ("x1024", Fit(height=1024)),
        ("1920x1080", Fit(width=1920, height=1080)),
        (" 1920 X 1080 ", Fit(width=1920, height=1080)),
        ("1920×1080", Fit(width=1920, height=1080)),
        ("1", Fit(longest=1)),
        ("4096x4096", Fit(width=4096, height=4096)),
        ("0512", Fit(longest=512)),
    ],
)
def test_parse_accepts_longest_side_width_height_or_both(typed: str, fit: Fit) -> None:
    assert Fit.parse(typed) == fit


@pytest.mark.parametrize(
    "typed",
    ["", " ", "x", "0", "4097", "0x100", "100x0", "5000x", "x5000", "-5", "2K", "12.5", "1x2x3", "1920*1080", "٢٠٤٨"],
)
def test_parse_of_invalid_text_raises_with_text_and_forms(typed: str) -> None:
    with pytest.raises(OptionRangeError) as caught:
        Fit.parse(typed)
    assert (caught.value.option, caught.value.value, caught.value.allowed) == ("fit", typed, FIT_FORMS)


@given(typed=FITS)
def test_str_of_fit_parses_to_the_same_fit(typed: str) -> None:
    fit = Fit.parse(typed)
    assert str(fit) == typed
    assert Fit.parse(str(fit)) == fit


@given(typed=st.text(max_size=12))
def test_parse_of_any_text_returns_sides_in_range_or_raises(typed: str) -> None:
    try:
        fit = Fit.parse(typed)
    except OptionRangeError:
        return
    assert all(1 <= side <= 4096 for side in fit.sides)
    assert fit.sides

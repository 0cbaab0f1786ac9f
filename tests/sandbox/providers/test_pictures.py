"""Drawn images: size, format and stamp."""

import io

import pytest
from PIL import Image, ImageChops

from sandbox.providers import expected_mark, read_mark
from sandbox.providers.pictures import FORMATS, draw_picture
from sandbox.providers.sizes import pixels
from sandbox.providers.watermark import stamp


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("size", [(1024, 1024), (1024, 1792), (1360, 768), (200, 300)])
def test_mark_survives_format_and_size(format_: str, size: tuple[int, int]) -> None:
    data = draw_picture("a red panda", 3, width=size[0], height=size[1], format=format_)

    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format or "").lower() == format_
        assert picture.size == size
    assert read_mark(data) == expected_mark("a red panda", 3)


@pytest.mark.parametrize("quality", [30, 60])
def test_mark_survives_scaling_and_compression(quality: int) -> None:
    with Image.open(io.BytesIO(draw_picture("fox", 0, width=1024, height=1024, format="png"))) as picture:
        for format_ in ("JPEG", "WEBP"):
            smaller = io.BytesIO()
            picture.resize((640, 640), Image.Resampling.LANCZOS).save(smaller, format_, quality=quality)

            assert read_mark(smaller.getvalue()) == expected_mark("fox", 0)


@pytest.mark.parametrize("format_", FORMATS)
def test_mark_survives_effect_and_removed_background(format_: str) -> None:
    data = draw_picture("fox", 0, width=640, height=480, format=format_, cut_out=True, effect="halftone")

    with Image.open(io.BytesIO(data)) as picture:
        assert picture.has_transparency_data == (format_ != "jpeg")
    assert read_mark(data) == expected_mark("fox", 0)


def test_marks_of_prompts_and_indices_differ() -> None:
    marks = {expected_mark(prompt, index) for prompt in ("a", "b", "") for index in range(4)}

    assert len(marks) == 12


@pytest.mark.parametrize("size", [(1024, 1024), (1360, 768), (768, 1360)])
def test_stamp_is_small_and_in_the_corner(size: tuple[int, int]) -> None:
    """Two images with different marks differ nowhere else."""
    first, second = (Image.new("RGB", size, "teal") for _ in range(2))
    stamp(first, 0)
    stamp(second, 2**32 - 1)
    left, top, right, bottom = ImageChops.difference(first, second).getbbox() or (0, 0, 0, 0)

    assert left > size[0] * 0.75
    assert top > size[1] * 0.9
    assert right > size[0] * 0.98
    assert bottom > size[1] * 0.98
    assert first.getpixel((size[0] // 2, size[1] - 1)) == Image.new("RGB", (1, 1), "teal").getpixel((0, 0))


def test_same_arguments_draw_same_image() -> None:
    first, second = (draw_picture("fox", 0, width=256, height=256, format="png") for _ in range(2))

    assert first == second


@pytest.mark.parametrize("prompt", ["", "桜の木の下で 🌸", "x" * 4000, "line\nbreak\x00", "ß ü é"])
def test_any_prompt_is_drawn_with_its_mark(prompt: str) -> None:
    data = draw_picture(prompt, 0, width=128, height=128, format="png")

    assert read_mark(data) == expected_mark(prompt, 0)


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("1:1", "1K", (1024, 1024)),
        ("16:9", "1K", (1360, 768)),
        ("9:16", "2K", (1536, 2736)),
        ("1:1", "4K", (4096, 4096)),
        ("auto", "1K", (1248, 832)),
    ],
)
def test_pixels_follow_ratio_and_resolution(ratio: str, resolution: str, size: tuple[int, int]) -> None:
    assert pixels(ratio, resolution) == size

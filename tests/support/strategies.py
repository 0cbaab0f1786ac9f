"""What members may ask for, drawn at random: legal requests of every model, and any mixture of options."""

from typing import Any

from hypothesis import strategies as st

from bot.domain.models import FORMATS, MODELS, RATIOS, RESOLUTIONS, TRANSPARENT_FORMATS, VERSIONS, Model
from bot.domain.requests import UPSCALE_NAMES, InputImage

FITS = st.one_of(
    st.integers(1, 4096).map(str),
    st.integers(1, 4096).map("{}x".format),
    st.integers(1, 4096).map("x{}".format),
    st.tuples(st.integers(1, 4096), st.integers(1, 4096)).map(lambda sides: f"{sides[0]}x{sides[1]}"),
)
EFFECTS = st.sampled_from(["film grain", "sepia", "80s/vhs", "halftone-2"])
DATED_VERSIONS = ("20250915", "reve-create@20250915")
UPSCALES = tuple(UPSCALE_NAMES)


def inputs(most: int) -> st.SearchStrategy[tuple[InputImage, ...]]:
    """Return up to so many pictures to start from."""
    return st.integers(0, most).map(
        lambda count: tuple(InputImage(url=f"https://cdn.example/{number}.png") for number in range(count))
    )


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Return options that one model can do together, each left out as often as not."""
    model: Model = draw(st.sampled_from(MODELS))
    can = model.abilities
    choices: dict[str, st.SearchStrategy[Any]] = {
        "aspect_ratio": st.sampled_from(can.aspect_ratios),
        "images": st.integers(1, can.max_images),
        "detail": st.integers(1, can.max_detail),
        "format": st.sampled_from(can.formats),
        "inputs": inputs(can.max_inputs),
    }
    if can.resolutions:
        choices["resolution"] = st.sampled_from(can.resolutions)
    if can.upscales:
        choices["upscale"] = st.sampled_from([f"{factor}x" for factor in can.upscales])
    if can.remove_background:
        choices["remove_background"] = st.booleans()
    if can.fit:
        choices["fit"] = FITS
    if can.effects:
        choices["effect"] = EFFECTS
    if can.versions:
        choices["version"] = st.sampled_from([*VERSIONS, *DATED_VERSIONS])
    options = {name: draw(choice) for name, choice in choices.items() if draw(st.booleans())}
    if options.get("remove_background") and options.get("format", "png") not in TRANSPARENT_FORMATS:
        del options["format"]
    return {"model": model.id, **options}


def anything_asked() -> st.SearchStrategy[dict[str, Any]]:
    """Return any mixture of options, each by itself a value that some model takes."""
    return st.fixed_dictionaries(
        {"model": st.sampled_from([model.id for model in MODELS])},
        optional={
            "aspect_ratio": st.sampled_from(RATIOS),
            "images": st.integers(1, 4),
            "detail": st.integers(1, 15),
            "format": st.sampled_from(FORMATS),
            "resolution": st.sampled_from(RESOLUTIONS),
            "upscale": st.sampled_from(UPSCALES),
            "remove_background": st.booleans(),
            "fit": FITS,
            "effect": EFFECTS,
            "version": st.sampled_from(VERSIONS),
            "inputs": inputs(7),
        },
    )

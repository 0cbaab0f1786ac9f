"""Hypothesis strategies for requests and options."""

from typing import Any

from hypothesis import strategies as st

from bot.domain.images import InputImage
from bot.domain.models import Model
from bot.domain.option_spec import Limit, OptionSpec
from bot.domain.options import EDIT_VERSIONS, OPTIONS, TRANSPARENT_FORMATS, VERSIONS
from tests.support.catalogue import MODELS

FITS = st.one_of(
    st.integers(1, 4096).map(str),
    st.integers(1, 4096).map("{}x".format),
    st.integers(1, 4096).map("x{}".format),
    st.tuples(st.integers(1, 4096), st.integers(1, 4096)).map(lambda sides: f"{sides[0]}x{sides[1]}"),
)
EFFECTS = st.sampled_from(["film grain", "sepia", "80s/vhs", "halftone-2"])
DATED_VERSIONS = ("20250915", "reve-create@20250915")
FREELY_TYPED = {
    "fit": FITS,
    "effect": EFFECTS,
    "version": st.sampled_from([*VERSIONS, *DATED_VERSIONS]),
    "negative": st.sampled_from(["people", "text, watermark"]),
}


def inputs(most: int) -> st.SearchStrategy[tuple[InputImage, ...]]:
    """Return a strategy of up to `most` inputs."""
    return st.integers(0, most).map(
        lambda count: tuple(InputImage(url=f"https://cdn.example/{number}.png") for number in range(count))
    )


def typed_values(spec: OptionSpec, limit: Limit) -> st.SearchStrategy[Any]:
    """Return the values of an option within a limit, as members write them."""
    if spec.is_typed_freely:
        return FREELY_TYPED[spec.name]
    if isinstance(limit, tuple):
        return st.sampled_from([spec.typed(value) for value in limit])
    if spec.kind is bool:
        return st.booleans()
    return st.integers(spec.minimum, (spec.maximum or 1) if limit is True else limit)


@st.composite
def valid_options(draw: st.DrawFn) -> dict[str, Any]:
    """Draw compatible options of one model; each is absent half the time."""
    model: Model = draw(st.sampled_from(MODELS))
    can = model.abilities
    choices: dict[str, st.SearchStrategy[Any]] = {
        name: typed_values(OPTIONS[name], limit) for name, limit in can.limits.items() if limit
    }
    choices["inputs"] = inputs(can.max_inputs)
    options = {name: draw(choice) for name, choice in choices.items() if draw(st.booleans())}
    if options.get("remove_background") and options.get("format", "png") not in TRANSPARENT_FORMATS:
        del options["format"]
    if options.get("version") in EDIT_VERSIONS and not options.get("inputs"):
        del options["version"]
    return {"model": model.id, **options}


def any_options() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of any mix of options, each valid for some model."""
    return st.fixed_dictionaries(
        {"model": st.sampled_from([model.id for model in MODELS])},
        optional={
            **{
                name: typed_values(spec, tuple(spec.choices.values()) or spec.maximum or 1)
                for name, spec in OPTIONS.items()
                if name != "model"
            },
            "inputs": inputs(7),
        },
    )

import json
from typing import Any

from hypothesis import given

from bot.domain.fit import Fit
from bot.domain.images import InputImage
from bot.domain.requests import GenerationRequest
from db.request_codec import inputs_of, options_of, plain_inputs, request_of
from tests.support.catalogue import generation_request
from tests.support.strategies import valid_options

FIRST_RELEASE = {"aspect_ratio": "16:9", "images": 2, "detail": 3, "format": "webp", "resolution": None}


@given(options=valid_options())
def test_request_survives_encoding(options: dict[str, Any]) -> None:
    request = generation_request(prompt="a", **options)
    stored = json.loads(json.dumps(options_of(request)))
    inputs = inputs_of(json.loads(json.dumps(plain_inputs(request.inputs))))
    assert request_of("a", request.model, stored, inputs) == request


def test_row_of_first_release_is_read_with_defaults() -> None:
    request = request_of("a", "reve-2.0", FIRST_RELEASE)
    assert request == GenerationRequest(
        prompt="a", model="reve-2.0", aspect_ratio="16:9", images=2, detail=3, format="webp"
    )


def test_row_without_new_options_has_exactly_the_first_five() -> None:
    assert options_of(request_of("a", "reve-2.0", FIRST_RELEASE)) == FIRST_RELEASE


def test_keeps_picture_survives_encoding_and_is_false_in_older_rows() -> None:
    request = GenerationRequest(prompt="a", model="reve-2.0", upscale=2, keeps_picture=True)
    assert request_of("a", "reve-2.0", options_of(request)).keeps_picture
    assert not request_of("a", "reve-2.0", FIRST_RELEASE).keeps_picture


def test_keep_aspect_ratio_survives_encoding_and_is_false_in_older_rows() -> None:
    request = GenerationRequest(prompt="a", model="reve-2.0", aspect_ratio="3:4", keep_aspect_ratio=True)
    assert request_of("a", "reve-2.0", options_of(request)).keep_aspect_ratio
    assert not request_of("a", "reve-2.0", FIRST_RELEASE).keep_aspect_ratio


def test_preset_survives_encoding_and_is_none_in_older_rows() -> None:
    request = GenerationRequest(prompt="a", model="reve-2.0", preset="Oil Painting")
    assert request_of("a", "reve-2.0", options_of(request)).preset == "Oil Painting"
    assert request_of("a", "reve-2.0", FIRST_RELEASE).preset == ""


def test_option_of_later_release_is_ignored() -> None:
    assert request_of("a", "reve-2.0", {**FIRST_RELEASE, "sparkle": 7}) == request_of("a", "reve-2.0", FIRST_RELEASE)


def test_encoded_options_are_plain_json() -> None:
    """Inputs have their own table, so only their number is encoded."""
    request = GenerationRequest(
        prompt="a",
        model="reve-2.0",
        upscale=2,
        fit=Fit(width=1920),
        inputs=(InputImage(url="https://cdn.example/a.png"),),
    )
    stored = options_of(request)
    assert (stored["upscale"], stored["fit"], stored["inputs"]) == (2, "1920x", 1)
    assert not {"effect", "version", "remove_background"} & set(stored)


def test_seed_negative_prompt_quality_and_transparency_survive_encoding() -> None:
    request = GenerationRequest(
        prompt="a", model="reve-2.0", seed=0, negative="people", quality="low", transparent=True
    )
    assert request_of("a", "reve-2.0", json.loads(json.dumps(options_of(request)))) == request


def test_default_format_of_older_rows_is_not_chosen() -> None:
    png = FIRST_RELEASE | {"format": "png"}
    assert request_of("a", "reve-2.0", png).chosen_format is None
    assert request_of("a", "reve-2.0", FIRST_RELEASE).chosen_format == "webp"
    assert options_of(request_of("a", "reve-2.0", png)) == png


def test_chosen_default_format_survives_encoding() -> None:
    request = generation_request(prompt="a", format="png")
    assert request_of("a", "reve-2.0", options_of(request)) == request
    assert request.chosen_format == "png"

import json
from typing import Any

from hypothesis import given

from bot.domain.fit import Fit
from bot.domain.requests import GenerationRequest, InputImage, generation_request
from db.request_codec import inputs_of, options_of, plain_inputs, request_of
from tests.support.strategies import wishes

FIRST_RELEASE = {"aspect_ratio": "16:9", "images": 2, "detail": 3, "format": "webp", "resolution": None}


@given(options=wishes())
def test_every_request_comes_back_from_json(options: dict[str, Any]) -> None:
    """Nothing that was asked for is lost on the way through the database."""
    request = generation_request(prompt="a", **options)
    stored = json.loads(json.dumps(options_of(request)))
    inputs = inputs_of(json.loads(json.dumps(plain_inputs(request.inputs))))
    assert request_of("a", request.model, stored, inputs) == request


def test_a_row_of_the_first_release_is_read_with_defaults() -> None:
    """It knew five options; what came later was not asked for."""
    request = request_of("a", "reve-2.0", FIRST_RELEASE)
    assert request == GenerationRequest(prompt="a", aspect_ratio="16:9", images=2, detail=3, format="webp")


def test_a_row_that_asks_for_nothing_new_can_be_read_by_the_first_release() -> None:
    """It took exactly five options, so a row has no more than it needs."""
    assert options_of(request_of("a", "reve-2.0", FIRST_RELEASE)) == FIRST_RELEASE


def test_whether_a_ratio_was_chosen_is_kept() -> None:
    """Of older rows nobody knows: theirs stay as they are."""
    request = GenerationRequest(prompt="a", aspect_ratio="3:4", keep_aspect_ratio=True)
    assert request_of("a", "reve-2.0", options_of(request)).keep_aspect_ratio
    assert not request_of("a", "reve-2.0", FIRST_RELEASE).keep_aspect_ratio


def test_an_option_of_a_later_release_is_left_out() -> None:
    """Going back a release does not make rows unreadable."""
    assert request_of("a", "reve-2.0", {**FIRST_RELEASE, "seed": 7}) == request_of("a", "reve-2.0", FIRST_RELEASE)


def test_what_is_stored_is_plain() -> None:
    """A box as it is written; of the inputs, which have a table of their own, how many."""
    request = GenerationRequest(
        prompt="a", upscale=2, fit=Fit(width=1920), inputs=(InputImage(url="https://cdn.example/a.png"),)
    )
    stored = options_of(request)
    assert (stored["upscale"], stored["fit"], stored["inputs"]) == (2, "1920x", 1)
    assert not {"effect", "version", "remove_background"} & set(stored)

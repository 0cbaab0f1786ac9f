import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import MODELS, OFFERS, REVE_RATIOS, find_model
from bot.domain.errors import (
    OptionRangeError,
    PromptError,
    PromptProblem,
    RequestError,
    StudioClosedError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.domain.requests import GenerationRequest, generation_request, offers_for, require_offer

MODEL_IDS = ("reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5")
WITH_SIZES = ("nano-banana-pro", "seedream-5")
SKILLBOSS = ("skillboss",)
BOTH = ("skillboss", "reve2img")


def test_a_prompt_is_enough() -> None:
    """Everything else has a default."""
    assert generation_request(prompt="a lighthouse") == GenerationRequest(
        prompt="a lighthouse",
        model="reve-2.0",
        aspect_ratio="1:1",
        images=1,
        detail=1,
        format="png",
        resolution=None,
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "*" * 2560,
        "a" * 2559 + "🗼",
        "فنار عند الغسق",
        "\u202eesrever ni\u202c",
        "מגדלור lighthouse منارة",
        "e\u0301a\u0308" * 20,
        "Z̵̡̢̛̗̘̙̜̝a̴l̸g̷o̶",
        "👩‍👩‍👧‍👦 🏳️‍🌈",
        "🗼",
        "a\u200bb",
        "one\ntwo\r\n\tthree",
        "'; DROP TABLE jobs; --",
        "${jndi:ldap://x} {{7*7}} %s %n",
        "@everyone <@&1> [x](https://example.com)",
        "\ufffd\ue000\U000e0001.",
        "  a  ",
    ],
)
def test_whatever_can_be_read_is_a_prompt(prompt: str) -> None:
    """In any script and direction, and exactly as it was typed."""
    assert generation_request(prompt=prompt).prompt == prompt


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        " ",
        "\n\t \r\n",
        "\u00a0\u2003\u3000",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\u202e\u202c",
        "\u0301\u0308",
        "\u20dd",
        "\ufe0f",
        "\u00ad",
        "\u3164",
        "\u115f\u1160\uffa0",
        "\u2800\u2800",
        " " * 5000,
    ],
)
def test_a_prompt_with_nothing_to_see_is_empty(prompt: str) -> None:
    """Blanks, zero-width characters, marks without a letter and blank letters say nothing."""
    with pytest.raises(PromptError) as caught:
        generation_request(prompt=prompt)
    assert caught.value.problem is PromptProblem.EMPTY


@pytest.mark.parametrize("prompt", ["a\ud800", "\udfff", "a\x00b", "\x00", "a\x1b[31m", "\x7f", "a\u0085"])
def test_a_prompt_that_cannot_travel_is_unreadable(prompt: str) -> None:
    """Lone surrogates and control characters break JSON, PostgreSQL or a terminal."""
    with pytest.raises(PromptError) as caught:
        generation_request(prompt=prompt)
    assert caught.value.problem is PromptProblem.UNREADABLE


@pytest.mark.parametrize(("model", "limit"), [("reve-2.0", 2560), ("nano-banana", 4000), ("seedream-5", 4000)])
@pytest.mark.parametrize("character", ["*", "🗼", "\u202b"])
def test_a_prompt_has_the_length_that_its_model_takes(model: str, limit: int, character: str) -> None:
    """In code points: one more than the limit is refused, with both numbers."""
    generation_request(prompt="a" + character * (limit - 1), model=model)
    with pytest.raises(PromptError) as caught:
        generation_request(prompt="a" + character * limit, model=model)
    error = caught.value
    assert (error.problem, error.length, error.limit) == (PromptProblem.TOO_LONG, limit + 1, limit)


@given(prompt=st.text(alphabet=st.characters(categories=None), max_size=60))
def test_any_text_is_taken_or_refused(prompt: str) -> None:
    """No prompt is an accident, and what is taken can be encoded, by JSON and by the database."""
    try:
        request = generation_request(prompt=prompt)
    except PromptError:
        return
    assert request.prompt.encode().decode() == prompt
    assert "\x00" not in request.prompt
    assert prompt.strip()


@pytest.mark.parametrize("model", ["", "reve", "REVE-2.0", "reve-2.0 ", "dall-e"])
def test_an_unknown_model_is_refused_with_those_that_exist(model: str) -> None:
    """A model is chosen by its exact name."""
    with pytest.raises(UnknownModelError) as caught:
        generation_request(prompt="a", model=model)
    assert (caught.value.model, caught.value.models) == (model, MODEL_IDS)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("images", 0, "1 to 4"),
        ("images", 5, "1 to 4"),
        ("images", -1, "1 to 4"),
        ("detail", 0, "1 to 15"),
        ("detail", 16, "1 to 15"),
        ("format", "gif", "png, jpeg, webp"),
        ("format", "PNG", "png, jpeg, webp"),
        ("aspect_ratio", "21:9", "16:9, 3:2, 4:3, 1:1, 3:4, 2:3, 9:16, auto"),
        ("aspect_ratio", "", "16:9, 3:2, 4:3, 1:1, 3:4, 2:3, 9:16, auto"),
        ("resolution", "8K", "1K, 2K, 4K"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(option: str, value: object, allowed: str) -> None:
    """What no model takes is told apart from what this model cannot do."""
    with pytest.raises(OptionRangeError) as caught:
        generation_request(prompt="a", **{option: value})  # type: ignore[arg-type]
    assert (caught.value.option, caught.value.value, caught.value.allowed) == (option, value, allowed)


@pytest.mark.parametrize(("images", "detail"), [(1, 1), (4, 1), (1, 15), (4, 15)])
def test_the_ends_of_a_range_are_in_it(images: int, detail: int) -> None:
    """Limits are inclusive."""
    request = generation_request(prompt="a", images=images, detail=detail)
    assert (request.images, request.detail) == (images, detail)


@pytest.mark.parametrize(
    ("model", "option", "value", "models"),
    [
        ("reve-2.0", "resolution", "4K", WITH_SIZES),
        ("nano-banana", "resolution", "1K", WITH_SIZES),
        ("nano-banana", "detail", 2, ("reve-2.0",)),
        ("nano-banana-pro", "detail", 15, ("reve-2.0",)),
        ("seedream-5", "aspect_ratio", "auto", ("reve-2.0",)),
    ],
)
def test_an_option_that_the_model_lacks_is_refused_with_models_that_have_it(
    model: str, option: str, value: object, models: tuple[str, ...]
) -> None:
    """The member learns what to choose instead."""
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", model=model, **{option: value})  # type: ignore[arg-type]
    error = caught.value
    assert (error.model, error.option, error.value, error.models) == (model, option, value, models)


def test_the_prompt_is_never_part_of_an_error() -> None:
    """An error's text goes to logs."""
    for wrong in ({"images": 9}, {"model": "x"}, {"resolution": "4K"}, {"format": "gif"}):
        with pytest.raises(RequestError) as caught:
            generation_request(prompt="a private wish", **wrong)
        assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    ("providers", "options", "expected"),
    [
        (BOTH, {}, ["skillboss", "reve2img"]),
        (("reve2img", "skillboss"), {}, ["reve2img", "skillboss"]),
        (BOTH, {"aspect_ratio": "9:16"}, ["skillboss", "reve2img"]),
        (BOTH, {"aspect_ratio": "3:2"}, ["reve2img"]),
        (BOTH, {"detail": 2}, ["reve2img"]),
        (BOTH, {"model": "seedream-5"}, ["reve2img"]),
        (SKILLBOSS, {"model": "seedream-5"}, []),
        (SKILLBOSS, {"detail": 2}, []),
        ((), {}, []),
        (("someone-else",), {}, []),
    ],
)
def test_only_offers_that_cover_every_option_are_tried(
    providers: tuple[str, ...], options: dict[str, object], expected: list[str]
) -> None:
    """In the order in which the operator named the providers; nothing asked for is silently dropped."""
    request = generation_request(prompt="a", **options)  # type: ignore[arg-type]
    assert [offer.provider for offer in offers_for(request, providers)] == expected


def test_every_legal_request_has_an_offer_at_reve2img() -> None:
    """What the catalogue promises, one provider at least can do."""
    for model in MODELS:
        for ratio in model.aspect_ratios:
            for resolution in (None, *model.resolutions):
                request = generation_request(
                    prompt="a",
                    model=model.id,
                    aspect_ratio=ratio,
                    resolution=resolution,
                    detail=model.max_detail,
                    images=4,
                )
                require_offer(request, BOTH)


def test_a_model_that_no_configured_provider_offers_is_closed() -> None:
    """That is the studio's state, not the member's mistake."""
    with pytest.raises(StudioClosedError):
        require_offer(generation_request(prompt="a", model="nano-banana"), SKILLBOSS)
    with pytest.raises(StudioClosedError):
        require_offer(generation_request(prompt="a"), ())


@pytest.mark.parametrize(("option", "value"), [("aspect_ratio", "3:2"), ("aspect_ratio", "auto"), ("detail", 2)])
def test_an_option_that_no_configured_provider_does_is_named(option: str, value: object) -> None:
    """The model is there, the option is not: the error names it, and the models that can here (none)."""
    request = generation_request(prompt="a", **{option: value})  # type: ignore[arg-type]
    with pytest.raises(UnsupportedOptionError) as caught:
        require_offer(request, SKILLBOSS)
    error = caught.value
    assert (error.option, error.value, error.model, error.models) == (option, value, "reve-2.0", ())


def test_offers_promise_no_more_than_their_model() -> None:
    """Each is of a model that exists, and within its limits."""
    for offer in OFFERS:
        model = find_model(offer.model)
        assert set(offer.aspect_ratios) <= set(model.aspect_ratios) | set(REVE_RATIOS)
        assert set(offer.resolutions) <= set(model.resolutions)
        assert offer.max_detail <= model.max_detail

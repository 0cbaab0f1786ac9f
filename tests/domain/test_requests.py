from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    EditOnlyError,
    ExclusiveOptionsError,
    OptionRangeError,
    PromptError,
    PromptProblem,
    Remedy,
    RequestError,
    StudioClosedError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.domain.fit import Fit
from bot.domain.images import InputImage
from bot.domain.options import OPTIONS
from bot.domain.requests import GenerationRequest, format_for, offers_for, require_offer
from tests.support.catalogue import (
    BOTH,
    MODELS,
    NO_PROVIDERS,
    OFFERS,
    REVE2IMG,
    SKILLBOSS,
    affordable,
    catalogue_of,
    catalogue_with,
    generation_request,
    price,
    remedy,
)
from tests.support.factories import make_request
from tests.support.strategies import any_options, valid_options

_RATIO_LIST = "4:1, 21:9, 2:1, 16:9, 3:2, 4:3, 5:4, 1:1, 4:5, 3:4, 2:3, 9:16, 1:2, 9:21, 1:4, auto"

MODEL_IDS = ("reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5")
WITH_SIZES = ("nano-banana-pro", "seedream-5")
PICTURE = InputImage(url="https://cdn.example/fox.png")


def test_prompt_alone_gives_defaults() -> None:
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
def test_readable_prompt_is_kept_as_typed(prompt: str) -> None:
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
def test_prompt_without_visible_character_is_empty(prompt: str) -> None:
    with pytest.raises(PromptError) as caught:
        generation_request(prompt=prompt)
    assert caught.value.problem is PromptProblem.EMPTY


@pytest.mark.parametrize("prompt", ["a\ud800", "\udfff", "a\x00b", "\x00", "a\x1b[31m", "\x7f", "a\u0085"])
def test_prompt_with_control_or_surrogate_is_unreadable(prompt: str) -> None:
    """They break JSON, PostgreSQL or a terminal."""
    with pytest.raises(PromptError) as caught:
        generation_request(prompt=prompt)
    assert caught.value.problem is PromptProblem.UNREADABLE


@pytest.mark.parametrize(("model", "limit"), [("reve-2.0", 2560), ("nano-banana", 4000), ("seedream-5", 4000)])
@pytest.mark.parametrize("character", ["*", "🗼", "\u202b"])
def test_prompt_length_is_limited_in_code_points_by_model(model: str, limit: int, character: str) -> None:
    generation_request(prompt="a" + character * (limit - 1), model=model)
    with pytest.raises(PromptError) as caught:
        generation_request(prompt="a" + character * limit, model=model)
    error = caught.value
    assert (error.problem, error.length, error.limit) == (PromptProblem.TOO_LONG, limit + 1, limit)


@given(prompt=st.text(alphabet=st.characters(categories=None), max_size=60))
def test_any_text_is_an_encodable_prompt_or_refused(prompt: str) -> None:
    try:
        request = generation_request(prompt=prompt)
    except PromptError:
        return
    assert request.prompt.encode().decode() == prompt
    assert "\x00" not in request.prompt
    assert prompt.strip()


@pytest.mark.parametrize("model", ["", "reve", "REVE-2.0", "reve-2.0 ", "dall-e"])
def test_unknown_model_raises_with_existing_models(model: str) -> None:
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
        ("aspect_ratio", "7:5", _RATIO_LIST),
        ("aspect_ratio", "", _RATIO_LIST),
        ("seed", -1, "0 to 2147483647"),
        ("seed", 2**31, "0 to 2147483647"),
        ("quality", "ultra", "low, medium, high"),
        ("resolution", "8K", "1K, 2K, 4K"),
        ("upscale", "5x", "2x, 3x, 4x"),
        ("upscale", "2", "2x, 3x, 4x"),
        ("effect", "", "a name of up to 64 letters and digits"),
        ("effect", " ", "a name of up to 64 letters and digits"),
        ("effect", "a" * 65, "a name of up to 64 letters and digits"),
        ("effect", "film\ngrain", "a name of up to 64 letters and digits"),
        ("effect", '{"process": "upscale"}', "a name of up to 64 letters and digits"),
        ("version", "newest", "latest, latest-fast, or a dated one such as 20250915"),
        ("version", "", "latest, latest-fast, or a dated one such as 20250915"),
        ("version", "reve-create@2025", "latest, latest-fast, or a dated one such as 20250915"),
        ("version", f"{'a' * 60}@20250915", "latest, latest-fast, or a dated one such as 20250915"),
    ],
)
def test_value_out_of_range_raises_with_the_range(option: str, value: object, allowed: str) -> None:
    with pytest.raises(OptionRangeError) as caught:
        generation_request(prompt="a", **{option: value})  # type: ignore[arg-type]
    assert (caught.value.option, caught.value.value, caught.value.allowed) == (option, value, allowed)


@pytest.mark.parametrize(("images", "detail"), [(1, 1), (4, 1), (1, 15), (4, 15)])
def test_range_limits_are_inclusive(images: int, detail: int) -> None:
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
        ("nano-banana", "upscale", "4x", ("reve-2.0",)),
        ("nano-banana-pro", "remove_background", True, ("reve-2.0",)),
        ("seedream-5", "fit", "2048x", ("reve-2.0",)),
        ("seedream-5", "effect", "film grain", ("reve-2.0",)),
        ("nano-banana", "version", "latest-fast", ("reve-2.0",)),
    ],
)
def test_unsupported_option_raises_with_models_that_have_it(
    model: str, option: str, value: object, models: tuple[str, ...]
) -> None:
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", model=model, **{option: value})  # type: ignore[arg-type]
    error = caught.value
    assert (error.model, error.option, error.value, error.models) == (model, option, value, models)


def test_error_text_never_contains_the_prompt() -> None:
    """An error's text goes to logs."""
    for wrong in ({"images": 9}, {"model": "x"}, {"resolution": "4K"}, {"format": "gif"}):
        with pytest.raises(RequestError) as caught:
            generation_request(prompt="a private prompt", **wrong)
        assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    ("catalogue", "options", "expected"),
    [
        (BOTH, {}, ["skillboss", "reve2img"]),
        (catalogue_of("reve2img", "skillboss"), {}, ["reve2img", "skillboss"]),
        (BOTH, {"aspect_ratio": "9:16"}, ["skillboss", "reve2img"]),
        (BOTH, {"aspect_ratio": "3:2"}, ["reve2img"]),
        (BOTH, {"detail": 2}, ["reve2img"]),
        (BOTH, {"model": "seedream-5"}, ["reve2img"]),
        (SKILLBOSS, {"model": "seedream-5"}, []),
        (SKILLBOSS, {"detail": 2}, []),
        (NO_PROVIDERS, {}, []),
        (catalogue_of("someone-else"), {}, []),
    ],
)
def test_offers_cover_every_option_in_provider_order(
    catalogue: Catalogue, options: dict[str, object], expected: list[str]
) -> None:
    request = generation_request(prompt="a", **options)  # type: ignore[arg-type]
    assert [offer.provider for offer in offers_for(request, catalogue)] == expected


@given(options=valid_options())
def test_every_legal_request_has_an_offer_at_reve2img(options: dict[str, Any]) -> None:
    request = generation_request(prompt="a", **options)
    assert "reve2img" in {offer.provider for offer in offers_for(request, BOTH)}


def refusal(options: dict[str, Any], catalogue: Catalogue = BOTH) -> RequestError | GenerationRequest:
    """Return the error for these options, or the request."""
    try:
        return generation_request(prompt="a", **options, catalogue=catalogue)
    except RequestError as error:
        return error


@given(options=any_options(), catalogue=st.sampled_from([BOTH, SKILLBOSS, REVE2IMG]))
def test_accepted_request_has_an_offer_here(options: dict[str, Any], catalogue: Catalogue) -> None:
    answer = refusal(options, catalogue)
    if isinstance(answer, GenerationRequest):
        assert offers_for(answer, catalogue)
    else:
        assert set(getattr(answer, "models", ())) <= {model.id for model in catalogue.models}


@given(options=any_options())
def test_suggested_model_supports_the_refused_option(options: dict[str, Any]) -> None:
    refused = refusal(options)
    if not isinstance(refused, UnsupportedOptionError):
        return
    for model in refused.models:
        again = refusal(options | {"model": model})
        assert not isinstance(again, UnsupportedOptionError) or again.option != refused.option


def test_suggested_models_can_do_all_options_if_any_can() -> None:
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", model="nano-banana", resolution="2K", inputs=(PICTURE,), aspect_ratio="16:9")
    assert caught.value.models == ("nano-banana-pro", "seedream-5")
    with pytest.raises(UnsupportedOptionError) as caught:  # no model can do both
        generation_request(prompt="a", model="nano-banana", detail=2, resolution="4K")
    assert (caught.value.option, caught.value.models) == ("detail", ("reve-2.0",))


def test_typed_options_become_values() -> None:
    request = generation_request(
        prompt="a", upscale="3x", remove_background=True, fit="1920x1080", effect=" film grain ", version="latest"
    )
    assert (request.upscale, request.fit, request.effect) == (3, Fit(width=1920, height=1080), "film grain")
    assert (request.remove_background, request.version) == (True, "latest")
    assert generation_request(prompt="a", version="reve-create@20250915").version == "reve-create@20250915"


def test_fast_version_is_for_edits_only() -> None:
    assert generation_request(prompt="a", version="latest-fast", inputs=(PICTURE,)).version == "latest-fast"
    with pytest.raises(EditOnlyError) as caught:
        generation_request(prompt="a", version="latest-fast")
    assert (caught.value.option, caught.value.value) == ("version", "latest-fast")


@pytest.mark.parametrize("format_", ["png", "webp"])
def test_remove_background_needs_a_transparent_format(format_: str) -> None:
    assert generation_request(prompt="a", remove_background=True, format=format_).remove_background
    with pytest.raises(ExclusiveOptionsError) as caught:
        generation_request(prompt="a", remove_background=True, format="jpeg")
    error = caught.value
    assert (error.option, error.other, error.value) == ("remove_background", "format", "jpeg")
    assert error.allowed == ("png", "webp")


@pytest.mark.parametrize(("model", "most"), [("reve-2.0", 6), ("nano-banana-pro", 4), ("seedream-5", 4)])
def test_number_of_inputs_is_limited_by_model(model: str, most: int) -> None:
    assert generation_request(prompt="a", inputs=(PICTURE,) * most, model=model).mode == "edit"
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", inputs=(PICTURE,) * (most + 1), model=model)
    error = caught.value
    assert (error.option, error.value) == ("inputs", most + 1)
    assert error.models == (() if model == "reve-2.0" else ("reve-2.0",))


def test_edit_with_text_only_model_raises_with_editing_models() -> None:
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", inputs=(PICTURE,), model="nano-banana")
    error = caught.value
    assert (error.option, error.value) == ("mode", "edit")
    assert error.models == ("reve-2.0", "nano-banana-pro", "seedream-5")
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", inputs=(PICTURE,), catalogue=SKILLBOSS)
    assert (caught.value.option, caught.value.models) == ("mode", ())


def test_offered_models_have_the_abilities_of_their_providers() -> None:
    assert [model.id for model in BOTH.models] == list(MODEL_IDS)
    assert REVE2IMG.models == MODELS
    (reve,) = SKILLBOSS.models
    assert (reve.id, reve.abilities["aspect_ratio"], reve.abilities["detail"]) == (
        "reve-2.0",
        ("16:9", "1:1", "9:16"),
        1,
    )
    assert (reve.abilities["upscale"], reve.abilities["fit"], reve.abilities.max_inputs) == ((), False, 0)
    assert NO_PROVIDERS.models == ()


def test_model_without_provider_is_unknown_in_the_studio() -> None:
    with pytest.raises(UnknownModelError) as caught:
        generation_request(prompt="a", model="seedream-5", catalogue=SKILLBOSS)
    assert caught.value.models == ("reve-2.0",)
    with pytest.raises(StudioClosedError):
        generation_request(prompt="a", catalogue=NO_PROVIDERS)


def test_require_offer_without_offer_of_model_names_the_models_that_can() -> None:
    with pytest.raises(UnknownModelError) as caught:
        require_offer(generation_request(prompt="a", model="nano-banana"), SKILLBOSS)
    assert (caught.value.model, caught.value.models) == ("nano-banana", ("reve-2.0",))


def test_require_offer_without_any_model_raises_studio_closed() -> None:
    with pytest.raises(StudioClosedError):
        require_offer(generation_request(prompt="a"), NO_PROVIDERS)


@pytest.mark.parametrize(("option", "value"), [("aspect_ratio", "3:2"), ("aspect_ratio", "auto"), ("detail", 2)])
def test_require_offer_names_the_option_no_provider_can_do(option: str, value: object) -> None:
    request = generation_request(prompt="a", **{option: value})  # type: ignore[arg-type]
    with pytest.raises(UnsupportedOptionError) as caught:
        require_offer(request, SKILLBOSS)
    error = caught.value
    assert (error.option, error.value, error.model, error.models) == (option, value, "reve-2.0", ())


def test_offers_stay_within_their_models_abilities() -> None:
    for offer in OFFERS:
        most = BOTH.find_known(offer.model).abilities
        assert offer.abilities.max_inputs <= most.max_inputs
        for name, spec in OPTIONS.items():
            if spec.limit is not None:
                assert spec.widest(most[name], [most[name], offer.abilities[name]]) == most[name]


def test_models_have_prices_for_their_modes_and_upscales() -> None:
    for model in MODELS:
        assert (model.edit_price is None) == (model.abilities.max_inputs == 0)
        assert all(OPTIONS["upscale"].surcharge_of(factor) > 0 for factor in model.abilities["upscale"])


@pytest.mark.parametrize(
    ("images", "detail", "credits_", "left", "advice"),
    [
        (4, 15, 200, (1, 15), Remedy.EITHER),
        (4, 15, 700, (3, 15), Remedy.EITHER),
        (4, 2, 50, (2, 2), Remedy.EITHER),
        (4, 15, 100, (1, 8), Remedy.LESS_DETAIL),
        (4, 15, 40, (1, 3), Remedy.BOTH),
        (1, 15, 100, (1, 8), Remedy.LESS_DETAIL),
        (4, 1, 47, (3, 1), Remedy.FEWER),
        (1, 1, 11, None, Remedy.NONE),
        (4, 15, 11, None, Remedy.NONE),
    ],
)
def test_affordable_request_has_fewer_images_before_less_detail(
    images: int, detail: int, credits_: int, left: tuple[int, int] | None, advice: Remedy
) -> None:
    request = make_request(images=images, detail=detail)
    smaller = affordable(request, credits_)
    assert (None if smaller is None else (smaller.images, smaller.detail)) == left
    assert smaller is None or price(smaller) <= credits_
    assert remedy(request, credits_) is advice


@pytest.mark.parametrize(
    ("chosen", "refusal"),
    [
        ({"seed": 0}, "seed"),
        ({"negative": "people"}, "negative"),
        ({"quality": "high"}, "quality"),
        ({"transparent": True}, "transparent"),
    ],
)
def test_option_of_another_model_is_refused_with_its_name(chosen: dict[str, Any], refusal: str) -> None:
    catalogue = catalogue_with("seedream-5", seed=True, negative=True, quality=("high",), transparent=True)
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", catalogue=catalogue, **chosen)
    assert (caught.value.option, caught.value.models) == (refusal, ("seedream-5",))
    request = generation_request(prompt="a", catalogue=catalogue, model="seedream-5", **chosen)
    assert [offer.model for offer in offers_for(request, catalogue)] == ["seedream-5"]


def test_options_that_ask_for_nothing_are_possible_everywhere() -> None:
    request = generation_request(prompt="a", negative=" ", transparent=False)
    assert (request.seed, request.negative, request.quality, request.transparent) == (None, "", None, False)


@pytest.mark.parametrize(
    ("negative", "problem"),
    [
        ("a\x00b", PromptProblem.UNREADABLE),
        ("\ud800", PromptProblem.UNREADABLE),
        ("\u200b", PromptProblem.EMPTY),
        ("a" * 501, PromptProblem.TOO_LONG),
    ],
)
def test_negative_prompt_is_checked_like_a_prompt(negative: str, problem: PromptProblem) -> None:
    with pytest.raises(PromptError) as caught:
        generation_request(prompt="a", catalogue=catalogue_with("reve-2.0", negative=True), negative=negative)
    assert (caught.value.problem, caught.value.negative, caught.value.limit) == (problem, True, 500)


def test_transparent_picture_needs_a_format_with_transparency() -> None:
    catalogue = catalogue_with("reve-2.0", transparent=True)
    with pytest.raises(ExclusiveOptionsError) as caught:
        generation_request(prompt="a", catalogue=catalogue, transparent=True, format="jpeg")
    assert (caught.value.other, caught.value.allowed) == ("format", ("png", "webp"))
    assert generation_request(prompt="a", catalogue=catalogue, transparent=True, format="webp").transparent


def test_unchosen_format_is_fine_for_offer_without_a_choice() -> None:
    catalogue = catalogue_with("seedream-5", format=())
    request = generation_request(prompt="a", model="seedream-5", catalogue=catalogue)
    (offer,) = offers_for(request, catalogue)
    assert (request.chosen_format, format_for(request, offer)) == (None, None)


@pytest.mark.parametrize("chosen", ["png", "webp"])
def test_chosen_format_is_refused_for_offer_without_a_choice(chosen: str) -> None:
    catalogue = catalogue_with("seedream-5", format=())
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(prompt="a", model="seedream-5", catalogue=catalogue, format=chosen)
    error = caught.value
    assert (error.option, error.value, error.models) == (
        "format",
        chosen,
        ("reve-2.0", "nano-banana", "nano-banana-pro"),
    )


def test_unchosen_format_is_one_that_the_offer_has() -> None:
    catalogue = catalogue_with("reve-2.0", format=("jpeg", "webp"))
    plain = generation_request(prompt="a", aspect_ratio="3:2", catalogue=catalogue)
    cut_out = generation_request(prompt="a", remove_background=True, catalogue=catalogue)
    (offer,) = offers_for(plain, catalogue)
    assert [format_for(each, offer) for each in (plain, cut_out)] == ["jpeg", "webp"]
    assert [format_for(plain, each) for each in offers_for(plain, BOTH)] == ["png"]

"""OpenRouter's own list of models: its file, its models, odd lists."""

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bot.catalogue_file import OpenRouterList
from bot.domain.catalogue import Catalogue
from bot.domain.models import Model, Offer
from bot.domain.requests import unit_price
from bot.factories import build_catalogue
from bot.providers.openrouter_models import MOST_MODELS, fetch_models, parse_models
from bot.providers.registry import PROVIDERS
from bot.providers.transport import provider_client
from bot.settings import Settings
from bot.ui.handlers.modals import select_options
from bot.ui.render.panels import help_panel
from sandbox.providers import OpenRouterServer
from tests.providers.provider_harness import RawServer, json_reply
from tests.support.catalogue import generation_request

TODAY = date(2026, 11, 30)
KEY = "sk-or-secret"
RATIOS = {"type": "enum", "values": ["auto", "1:1", "16:9", "7:5"]}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Yield the shared client."""
    async with provider_client() as client:
        yield client


@pytest.fixture
async def server() -> AsyncIterator[OpenRouterServer]:
    """Yield the fake."""
    server = OpenRouterServer(key=KEY)
    await server.start()
    yield server
    await server.close()


def row(name: str = "maker/model-1", *prices: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """Return a model of a file, with one host."""
    return {
        "model": {
            "id": name,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["image"]},
            "supported_parameters": parameters,
        },
        "hosts": {"endpoints": [{"pricing": list(prices) or [price(0.03)]}]},
    }


def price(usd: object, variant: str | None = None, *, billable: str = "output_image", unit: str = "image") -> Any:
    """Return a row of prices."""
    return {"billable": billable, "unit": unit, "cost_usd": usd, "variant": variant}


def entries(folder: Path, *rows: object, wanted: tuple[str, ...] = ("all",)) -> tuple[tuple[Model, Offer], ...]:
    """Return the models of a file with these rows."""
    (folder / "openrouter-models.json").write_text(json.dumps({"models": list(rows)}))
    return OpenRouterList(folder=folder, wanted=wanted).entries((), (), TODAY)


def entry(folder: Path, found: object) -> tuple[Model, Offer]:
    """Return the only model of a file."""
    (only,) = entries(folder, found)
    return only


def settings_of(**values: Any) -> Settings:
    """Return settings of these values alone."""
    return Settings(**values)


def catalogue(folder: Path, wanted: str = "all") -> Catalogue:
    """Return the catalogue of a studio with OpenRouter alone."""
    settings = settings_of(openrouter_api_key=KEY, data_dir=folder, openrouter_models=(wanted,))
    return build_catalogue(settings, settings.providers, TODAY)


async def test_models_of_the_list_are_offered_after_the_shipped_ones(
    tmp_path: Path, server: OpenRouterServer, client: httpx.AsyncClient
) -> None:
    shipped = [model.id for model in catalogue(tmp_path).models]

    assert await OpenRouterList(folder=tmp_path, wanted=("all",)).refresh(f"{server.url}/api/v1", client)

    found = catalogue(tmp_path)
    assert [model.id for model in found.models] == [*shipped, "qwen-image-3"]
    assert found.default_model == shipped[0]
    qwen, offer = found.models[-1], found.offers[-1]
    assert str(qwen.strength) == "a model of qwen, through OpenRouter"
    assert (qwen.text_price, qwen.edit_price, qwen.abilities.max_inputs) == (8, 8, 3)
    assert (qwen.abilities["format"], qwen.abilities["seed"]) == (("png", "jpeg", "webp"), True)
    assert qwen.abilities["aspect_ratio"] == ("1:1",)
    assert (offer.provider, offer.remote_model, offer.images_per_call) == ("openrouter", "qwen/qwen-image-3", 4)
    assert offer.list_prices[0].text == Decimal("0.03")
    assert all("authorization" not in each.headers for each in server.requests)


async def test_only_named_models_are_read(tmp_path: Path, server: OpenRouterServer, client: httpx.AsyncClient) -> None:
    wanted = ("openai/gpt-image-2.5-flare", "none/such")

    assert await OpenRouterList(folder=tmp_path, wanted=wanted).refresh(f"{server.url}/api/v1", client)

    assert [each.path for each in server.requests] == [
        "/api/v1/images/models",
        "/api/v1/images/models/openai/gpt-image-2.5-flare/endpoints",
    ]
    gpt = parse_models(json.loads((tmp_path / "openrouter-models.json").read_text()))[0]
    assert (gpt.id, gpt.usd(quality="medium"), gpt.usd(quality="high")) == (
        wanted[0],
        Decimal("0.013"),
        Decimal("0.053"),
    )


async def test_shipped_word_reads_and_offers_nothing(tmp_path: Path) -> None:
    entries(tmp_path, row())

    assert settings_of(openrouter_api_key=KEY).openrouter_list is None
    assert Settings(openrouter_models=("all",)).openrouter_list is None
    assert [model.id for model in catalogue(tmp_path).models][-1] == "model-1"
    assert "model-1" not in [model.id for model in catalogue(tmp_path, "shipped").models]


@pytest.mark.parametrize("fault", ["status", "reset_before", "malformed", "half"])
async def test_bad_day_keeps_the_old_file(
    tmp_path: Path, server: OpenRouterServer, client: httpx.AsyncClient, fault: str
) -> None:
    entries(tmp_path, row())
    server.faults.add("models", fault, times=None)

    with capture_logs() as logs:
        assert not await OpenRouterList(folder=tmp_path, wanted=("all",)).refresh(f"{server.url}/api/v1", client)

    assert [each["event"] for each in logs if each["log_level"] == "warning"] == ["openrouter.models_not_read"]
    assert catalogue(tmp_path).models[-1].id == "model-1"


async def test_silent_provider_does_not_hold_up_the_start(
    tmp_path: Path, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.catalogue_file.openrouter._REFRESH_SECONDS", 0.05)
    async with RawServer(b"", silent=True) as raw:
        assert not await OpenRouterList(folder=tmp_path, wanted=("all",)).refresh(raw.url, client)


@pytest.mark.parametrize(
    "list_", ["[]", "{}", '{"data": {}}', '{"data": []}', "null", '{"data": [5, null, {"id": 7}]}']
)
async def test_answer_without_models_keeps_the_old_file(tmp_path: Path, client: httpx.AsyncClient, list_: str) -> None:
    entries(tmp_path, row())
    async with RawServer(json_reply(list_)) as raw:
        assert not await OpenRouterList(folder=tmp_path, wanted=("all",)).refresh(raw.url, client)

    assert catalogue(tmp_path).models[-1].id == "model-1"


async def test_long_list_is_cut(client: httpx.AsyncClient) -> None:
    """One request for the list, and one for each of the first models."""
    rows = [row(f"maker/model-{number}")["model"] for number in range(500)]
    async with RawServer(json_reply(json.dumps({"data": rows}))) as raw:
        http = PROVIDERS["openrouter"].open_http(client, raw.url, None)
        document = await fetch_models(http)

    assert len(document["models"]) == MOST_MODELS
    assert len(raw.requests) == MOST_MODELS + 1


@pytest.mark.parametrize("content", ["", "[", "[]", '{"models": 5}', '{"models": [5, {}, {"model": []}]}', "[" * 9999])
def test_broken_file_has_no_models(tmp_path: Path, content: str) -> None:
    (tmp_path / "openrouter-models.json").write_text(content)

    assert OpenRouterList(folder=tmp_path, wanted=("all",)).entries((), (), TODAY) == ()


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    text = json.dumps({"models": [row()], "x": "x" * 2_100_000})
    (tmp_path / "openrouter-models.json").write_text(text)

    assert OpenRouterList(folder=tmp_path, wanted=("all",)).entries((), (), TODAY) == ()


@pytest.mark.parametrize(
    "name",
    [
        5,
        None,
        "",
        "model",
        "maker/",
        "/model",
        "maker/../key",
        "maker/a b",
        "maker/a?x=1",
        "Maker/Model",
        "m/" + "x" * 41,
    ],
)
def test_model_with_an_odd_name_is_left_out(tmp_path: Path, name: Any) -> None:
    assert entries(tmp_path, row(name), row()) == entries(tmp_path, row())


@pytest.mark.parametrize(
    "prices",
    [
        [],
        None,
        "cheap",
        [price(None)],
        [price(-1)],
        [price([0.03])],
        [price("0.03")],
        [price(1e-300)],
        [price(1000)],
        [price(0.03, billable="input_text")],
        [price(0.00003, unit="token")],
        [price(0.03) | {"unit": ["image"]}],
    ],
)
def test_model_without_a_price_of_an_image_is_left_out(tmp_path: Path, prices: object) -> None:
    found = row()
    found["hosts"]["endpoints"] = [{"pricing": prices}]

    assert entries(tmp_path, found) == ()


@pytest.mark.parametrize("hosts", [None, [], {}, {"endpoints": {}}, {"endpoints": [None, 5]}])
def test_model_without_hosts_is_left_out(tmp_path: Path, hosts: object) -> None:
    assert entries(tmp_path, row() | {"hosts": hosts}) == ()


@pytest.mark.parametrize(
    ("usd", "credits_"), [(0, 1), (0.0001, 1), (0.004, 1), (0.0041, 2), (0.03, 8), (0.0336, 9), (0.1, 25)]
)
def test_price_is_the_dollars_rounded_up(tmp_path: Path, usd: float, credits_: int) -> None:
    assert entry(tmp_path, row("maker/model-1", price(usd)))[0].text_price == credits_


def test_price_is_that_of_the_dearest_host(tmp_path: Path) -> None:
    """OpenRouter chooses the host."""
    found = row("maker/model-1", price(0.02))
    found["hosts"]["endpoints"].append({"pricing": [price(0.04)]})

    assert entry(tmp_path, found)[0].text_price == 10
    found["hosts"]["endpoints"].append({"pricing": [price(0.00003, unit="token")]})
    assert entries(tmp_path, found) == ()


def test_inputs_of_an_edit_are_priced(tmp_path: Path) -> None:
    prices = (price(0.02), price(0.008, billable="input_reference"))
    model, offer = entry(tmp_path, row("maker/model-1", *prices, input_references={"type": "range", "max": 16}))

    assert (model.text_price, model.edit_price, model.abilities.max_inputs) == (5, 7, 14)
    assert offer.list_prices[0].edit == Decimal("0.028")


def test_resolutions_and_qualities_have_their_own_prices(tmp_path: Path) -> None:
    found = row(
        "maker/model-1",
        *(price(0.02), price(0.01, "low"), price(0.08, "high"), price(0.06, "4K")),
        resolution={"type": "enum", "values": ["512", "1K", "2K", "4K"]},
        quality={"type": "enum", "values": ["auto", "low", "medium", "high", "max"]},
        aspect_ratio=RATIOS,
    )
    model, offer = entry(tmp_path, found)

    assert (model.abilities["resolution"], model.abilities["quality"]) == (
        ("1K", "2K", "4K"),
        ("low", "medium", "high"),
    )
    assert model.abilities["aspect_ratio"] == ("16:9", "1:1", "auto")
    assert (dict(model.resolution_factors), dict(model.quality_factors)) == (
        {"4K": Decimal(3)},
        {"low": Decimal("0.5"), "high": Decimal(4)},
    )
    assert offer.abilities == model.abilities
    studio = catalogue(tmp_path)
    prices = [
        unit_price(generation_request(prompt="a", catalogue=studio, model="model-1", **options), studio)
        for options in ({}, {"resolution": "4K"}, {"quality": "low"}, {"quality": "high"})
    ]
    assert prices == [5, 15, 3, 20]


def test_megapixels_are_those_of_the_resolution(tmp_path: Path) -> None:
    found = row(
        "maker/model-1", price(0.01, unit="megapixel"), resolution={"type": "enum", "values": ["1K", "2K", "4K"]}
    )
    model = entry(tmp_path, found)[0]

    assert (model.text_price, dict(model.resolution_factors)) == (3, {"2K": Decimal(4), "4K": Decimal(16)})


@pytest.mark.parametrize("value", [None, 5, [], "x", {"type": "enum"}, {"type": "enum", "values": 5}, {"max": "9"}])
def test_odd_parameters_are_no_choices(tmp_path: Path, value: object) -> None:
    names = ("aspect_ratio", "output_format", "resolution", "quality", "background", "n", "input_references")
    model, offer = entry(tmp_path, row("maker/model-1", **dict.fromkeys(names, value)))

    can = model.abilities
    assert (can["aspect_ratio"], can["format"], can["resolution"], can["quality"]) == (("1:1",), (), (), ())
    assert (can["transparent"], can["seed"], offer.images_per_call) == (False, False, 1)


def test_transparency_and_counts_are_read(tmp_path: Path) -> None:
    found = row(
        "maker/model-1",
        background={"type": "enum", "values": ["auto", "transparent"]},
        n={"type": "range", "min": 1, "max": 3},
        seed={"type": "boolean"},
    )
    model, offer = entry(tmp_path, found)

    assert (model.abilities["transparent"], model.abilities["seed"], offer.images_per_call) == (True, True, 3)
    assert (model.abilities.max_inputs, model.edit_price) == (0, None)


def test_known_models_are_not_added_again(tmp_path: Path) -> None:
    """By its id, or as the model of an offer."""
    model, offer = entry(tmp_path, row())
    other = row("other-maker/model-1", price(0.5))
    listed = OpenRouterList(folder=tmp_path, wanted=("all",))

    assert [each.remote_model for _, each in entries(tmp_path, row(), other)] == ["maker/model-1"]
    assert listed.entries((model,), (), TODAY) == ()
    assert [each.remote_model for _, each in listed.entries((), (offer,), TODAY)] == ["other-maker/model-1"]


def long_list(folder: Path) -> Catalogue:
    """Return a catalogue with as many models of the list as there can be."""
    choices = {
        "resolution": {"type": "enum", "values": ["1K", "2K", "4K"]},
        "quality": {"type": "enum", "values": ["low", "medium", "high"]},
        "seed": {},
    }
    names = [f"maker/{'long-' * 7}{number}" for number in range(MOST_MODELS)]
    entries(folder, *(row(name, price(0.03), price(0.1, "4k"), **choices) for name in names))
    return catalogue(folder)


def test_help_has_room_for_a_long_list(tmp_path: Path) -> None:
    panel: Any = help_panel(long_list(tmp_path))

    assert len(panel.to_components()[0]["components"][0]["content"]) <= 4000


def test_menu_of_many_models_has_the_preselected_one() -> None:
    names = {f"model-{number}": f"Model {number}" for number in range(40)}

    options = select_options(names, "model-33")

    assert [option.value for option in options] == [*list(names)[:24], "model-33"]
    assert [option.value for option in options if option.default] == ["model-33"]
    assert [option.value for option in select_options(names)] == list(names)[:25]

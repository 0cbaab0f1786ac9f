"""Files of models: the shipped one, changes of it, mistakes."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from bot.catalogue_file import CatalogueFileError, load_catalogue_file
from bot.domain.models import ListPrice
from bot.domain.options import MAX_DETAIL, RATIOS, RESOLUTIONS, REVE_RATIOS, UPSCALES
from bot.providers.registry import PROVIDERS
from tests.support.catalogue import MODEL_IDS, MODELS, OFFERS, SHIPPED, catalogue_of

NEW_OPTIONS = ("seed", "negative", "quality", "transparent")
"""Options that no model of the seeds has."""
NEW = """
[models.fast-1]
good_at = "quick {drafts}"
max_prompt = 500
credits = { text = 3 }
[models.fast-1.offers.reve2img]
remote_model = "vendor/fast"
"""


def written(folder: Path, text: str) -> Path:
    """Return a file with this text."""
    file = folder / "own.toml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(folder: Path, text: str) -> list[str]:
    """Return the lines about a file, without its name."""
    file = written(folder, text)
    with pytest.raises(CatalogueFileError) as caught:
        load_catalogue_file(file)
    assert all(line.startswith(f"{file}: ") for line in caught.value.lines)
    return [line.removeprefix(f"{file}: ") for line in caught.value.lines]


def test_shipped_file_has_the_models_of_the_seeds() -> None:
    assert MODEL_IDS == ("reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5")
    reve, banana, pro, seedream = MODELS
    assert reve.abilities.max_inputs == 6
    ratios = (*REVE_RATIOS, "auto")
    assert [reve.abilities[name] for name in ("aspect_ratio", "detail", "upscale")] == [ratios, MAX_DETAIL, UPSCALES]
    assert not any(model.abilities[name] for model in MODELS for name in NEW_OPTIONS)
    assert all(reve.abilities[name] for name in ("remove_background", "fit", "effect", "version"))
    assert (banana.abilities.max_inputs, banana.edit_price) == (0, None)
    assert pro.abilities["resolution"] == seedream.abilities["resolution"] == RESOLUTIONS
    assert [model.max_prompt for model in MODELS] == [2560, 4000, 4000, 4000]
    offers = {(offer.provider, offer.model): offer.remote_model for offer in OFFERS}
    assert offers.pop(("skillboss", "reve-2.0")) == "reve/text-to-image"
    assert offers == {("reve2img", model): model for model in MODEL_IDS}
    assert all(model.enabled and model.retires is None for model in MODELS)


def test_model_retired_upstream_stays_on() -> None:
    reve = MODELS[0]
    assert (reve.retired_upstream, reve.note) == (date(2026, 8, 14), "its resellers may still serve it")
    for providers in (("skillboss",), ("reve2img",), ("skillboss", "reve2img")):
        assert catalogue_of(*providers, today=date(2026, 11, 29)).models[0].id == "reve-2.0"


@pytest.mark.parametrize("provider", ["skillboss", "reve2img", "gemini", "openrouter"])
def test_shipped_default_of_one_key_is_a_living_model(provider: str) -> None:
    catalogue = catalogue_of(provider, models=SHIPPED.models, offers=SHIPPED.offers, today=date(2026, 11, 29))
    assert catalogue.find(catalogue.default_model).retired_upstream is None


def test_own_file_changes_models(tmp_path: Path) -> None:
    text = """
        [models."reve-2.0"]
        name = "Reve"
        good_at = "everything"
        credits.text = 15
        roles = [1100000000000000001]
        retires = 2027-01-31
        [models.nano-banana]
        enabled = false
        [models.seedream-5]
        force = true
        options.resolution = ["2K"]
        credits.resolution = { "2K" = 2 }
        [models.nano-banana-pro.offers.reve2img]
        enabled = false
        """
    found = load_catalogue_file(written(tmp_path, text))
    reve, banana, _, seedream = (model for model in found.models if model.id in MODEL_IDS)
    assert (reve.display_name, reve.strength, reve.text_price, reve.edit_price) == ("Reve", "everything", 15, 20)
    assert (reve.roles, reve.retires) == ((1100000000000000001,), date(2027, 1, 31))
    assert reve.abilities == MODELS[0].abilities
    assert not banana.enabled
    assert seedream.forced
    assert (seedream.abilities["resolution"], seedream.resolution_factors) == (("2K",), {"2K": 2})
    assert [offer.model for offer in found.offers if offer.provider == "reve2img"] == [
        "reve-2.0",
        "nano-banana",
        "seedream-5",
    ]


def test_own_file_adds_a_model_with_offers_and_list_prices(tmp_path: Path) -> None:
    text = f"""{NEW}
        [[models.fast-1.offers.reve2img.usd]]
        valid_from = 2026-06-01
        text = 0.02
        [[models.fast-1.offers.reve2img.usd]]
        valid_from = 2026-01-01
        text = 1
        edit = 2.5
        resolution = {{ "4K" = 3 }}
        quality = {{ low = 0.5 }}
        """
    found = load_catalogue_file(written(tmp_path, text))
    assert found.ids[-1] == "fast-1"
    model, offer = found.models[-1], found.offers[-1]
    assert (model.strength, model.text_price, model.edit_price) == ("quick {drafts}", 3, None)
    assert (offer.provider, offer.model, offer.remote_model) == ("reve2img", "fast-1", "vendor/fast")
    assert offer.list_prices == (
        ListPrice(
            valid_from=date(2026, 1, 1),
            text=Decimal(1),
            edit=Decimal("2.5"),
            by_resolution={"4K": Decimal(3)},
            by_quality={"low": Decimal("0.5")},
        ),
        ListPrice(valid_from=date(2026, 6, 1), text=Decimal("0.02")),
    )


def test_offer_with_limits_has_only_what_it_lists(tmp_path: Path) -> None:
    text = '[models."reve-2.0".offers.reve2img]\nmax_inputs = 1\noptions = { detail = 3 }'
    offers = load_catalogue_file(written(tmp_path, text)).offers
    (offer,) = (each for each in offers if (each.provider, each.model) == ("reve2img", "reve-2.0"))
    assert (offer.abilities.max_inputs, offer.abilities["detail"]) == (1, 3)
    assert (offer.abilities["upscale"], offer.abilities["effect"]) == ((), False)


def test_own_file_adds_an_endpoint_of_a_known_shape(tmp_path: Path) -> None:
    text = f"""{NEW}
        [models.fast-1.offers.fal]
        remote_model = "vendor/fast"
        remote_edit_model = "vendor/fast/edit"
        shape = "nano-banana"
        """
    offer = load_catalogue_file(written(tmp_path, text)).offers[-1]
    assert (offer.provider, offer.remote_model, offer.remote_edit_model, offer.shape) == (
        "fal",
        "vendor/fast",
        "vendor/fast/edit",
        "nano-banana",
    )


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[model.x]", ["model is no key; known are: services, models"]),
        ("models = 3", ["models takes a table for each model"]),
        ("[models]\nx = 1", ["models.x takes a table"]),
        (
            '[models."reve-2.0"]\ncolour = "red"',
            [
                (
                    'models."reve-2.0".colour is no key; known are: name, good_at, max_prompt, max_inputs, credits,'
                    " options, offers, released, retires, retired_upstream, note, enabled, force, roles"
                )
            ],
        ),
        ('[models."reve-2.0"]\nenabled = "no"', ['models."reve-2.0".enabled takes true or false']),
        (
            '[models."reve-2.0"]\nretires = "2026-12-31"',
            ['models."reve-2.0".retires takes a day, such as 2026-12-31 without quotation marks'],
        ),
        (
            '[models."reve-2.0"]\nretires = 2026-12-31T00:00:00Z',
            ['models."reve-2.0".retires takes a day, such as 2026-12-31 without quotation marks'],
        ),
        (
            '[models."reve-2.0"]\nname = "a\\nb"',
            ['models."reve-2.0".name takes a text of up to 80 characters on one line'],
        ),
        (
            '[models."reve-2.0"]\nroles = ["1"]',
            ['models."reve-2.0".roles takes a list of Discord\'s ids of roles, without quotation marks'],
        ),
        (
            '[models."reve-2.0".credits]\ntext = 0\nedit = 1.5',
            [
                'models."reve-2.0".credits.edit takes whole credits a picture, 1 to 100000',
                'models."reve-2.0".credits.text takes whole credits a picture, 1 to 100000',
            ],
        ),
        (
            '[models."reve-2.0".credits]\nresolution = { "8K" = 2 }',
            [
                (
                    'models."reve-2.0".credits.resolution takes a factor of the price for some resolutions,'
                    ' such as { "4K" = 2 }'
                )
            ],
        ),
        (
            '[models."reve-2.0".options]\ndetail = 16',
            ['models."reve-2.0".options.detail takes a whole number, 1 to 15'],
        ),
        (
            '[models."reve-2.0".options]\ndetail = true',
            ['models."reve-2.0".options.detail takes a whole number, 1 to 15'],
        ),
        (
            '[models."reve-2.0".options]\nformat = ["png", "gif"]',
            ['models."reve-2.0".options.format takes a list of png, jpeg, webp'],
        ),
        (
            '[models."reve-2.0".options]\naspect_ratio = []',
            ['models."reve-2.0".options.aspect_ratio takes a list of ' + ", ".join(RATIOS)],
        ),
        (
            '[models."reve-2.0".options]\ngrain = 1',
            [
                (
                    'models."reve-2.0".options.grain is no key; known are: aspect_ratio, images, detail, format,'
                    " resolution, upscale, remove_background, fit, effect, version, seed, negative, quality,"
                    " transparent"
                )
            ],
        ),
        (
            '[models."reve-2.0".offers.nobody]',
            [f'models."reve-2.0".offers.nobody is no provider; known are: {", ".join(PROVIDERS)}'],
        ),
        (
            '[models."reve-2.0".offers.reve2img]\nshape = "flux-2"',
            ['models."reve-2.0".offers.reve2img.shape takes no value at this provider'],
        ),
        *(
            (
                f'{NEW}[models.fast-1.offers.bfl]\nremote_model = "x"\n{shape}',
                ["models.fast-1.offers.bfl.shape takes one of flux-3, flux-2"],
            )
            for shape in ("", 'shape = "flux-9"')
        ),
        (
            '[models."reve-2.0".offers.reve2img]\nmax_inputs = 7',
            ['models."reve-2.0".offers.reve2img.max_inputs takes no more than the model\'s 6'],
        ),
        (
            '[[models."reve-2.0".offers.reve2img.usd]]\ntext = -1',
            [
                'models."reve-2.0".offers.reve2img.usd.1.text takes dollars a picture, such as 0.04',
                (
                    'models."reve-2.0".offers.reve2img.usd.1.valid_from is missing: it takes a day, such as 2026-12-31'
                    " without quotation marks"
                ),
            ],
        ),
        (
            "[models.fast-1]",
            [
                "models.fast-1.credits is missing: it takes a table with text, edit, resolution and quality",
                "models.fast-1.good_at is missing: it takes a text of up to 80 characters on one line",
                "models.fast-1.max_prompt is missing: it takes a whole number of characters, 1 to 32000",
            ],
        ),
        (
            NEW.replace("max_prompt", "max_inputs = 2\nmax_prompt"),
            ["models.fast-1.credits.edit is missing: the model takes pictures (max_inputs)"],
        ),
        (
            NEW.partition("[models.fast-1.offers")[0],
            [f"models.fast-1.offers is missing: it takes a table for each provider: {', '.join(PROVIDERS)}"],
        ),
        (
            NEW.replace("fast-1", '"Fast 1"'),
            [
                'models."Fast 1" is no name of a model: it takes up to 40 lower-case letters, digits, dots and dashes',
            ],
        ),
    ],
)
def test_mistake_is_one_line_with_key_and_what_it_takes(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert mistakes(tmp_path, text) == lines


def test_unreadable_file_is_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(CatalogueFileError) as caught:
        load_catalogue_file(missing)
    assert caught.value.lines == (f"{missing} cannot be read: No such file or directory",)
    broken = written(tmp_path, "[models\nx = 1")
    with pytest.raises(CatalogueFileError) as caught:
        load_catalogue_file(broken)
    assert caught.value.lines[0].startswith(f"{broken} is no TOML: ")
    assert "line 1" in caught.value.lines[0]
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogueFileError) as caught:
        load_catalogue_file(broken)
    assert caught.value.lines == (f"{broken} is no text in UTF-8: save it as UTF-8",)


def test_own_file_prices_qualities_by_decimal_factors(tmp_path: Path) -> None:
    text = NEW.replace("{ text = 3 }", "{ text = 3, quality = { low = 0.5, high = 4 } }")
    factors = load_catalogue_file(written(tmp_path, text)).models[-1].quality_factors
    assert factors == {"low": Decimal("0.5"), "high": Decimal(4)}


@pytest.mark.parametrize("factor", ["0", "-1", "101", "nan", "inf", "true", '"4"'])
def test_odd_factor_of_quality_is_a_mistake(tmp_path: Path, factor: str) -> None:
    text = NEW.replace("{ text = 3 }", f"{{ text = 3, quality = {{ high = {factor} }} }}")
    takes = "takes a factor of the price for some qualities, such as { low = 0.5, high = 4 }"
    assert mistakes(tmp_path, text) == [f"models.fast-1.credits.quality {takes}"]

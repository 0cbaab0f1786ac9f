"""A new image option.

Its entry in the table and its field are enough for everything but a provider's mapping.
"""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.domain import options, requests
from bot.domain.catalogue import Catalogue
from bot.domain.errors import OptionRangeError, UnsupportedOptionError
from bot.domain.lazy_text import LazyText
from bot.domain.models import Abilities
from bot.domain.option_spec import OptionSpec, Stage
from bot.domain.options import OPTIONS
from bot.domain.preferences import NO_PREFERENCES, OPTIONS_WITH_SETTING
from bot.domain.presets import Preset
from bot.domain.requests import GenerationRequest
from bot.ui.command_options import image_options
from bot.ui.render.error_messages import error_message
from bot.ui.render.job_card import asked
from bot.ui.render.panels import help_panel
from bot.ui.render.preset_panels import saved_panel
from db import request_codec
from db.request_codec import options_of, request_of
from tests.support.catalogue import MODELS, OFFERS, catalogue_of, generation_request, price
from tests.ui.view_reader import parts

GRAIN = OptionSpec(
    name="grain",
    kind=int,
    description=LazyText("Add film grain"),
    maximum=9,
    limit=False,
    stage=Stage.PROCESSING,
    surcharge=5,
    refusal=LazyText("cannot add grain"),
    card=lambda level: LazyText("grain {level}", level=level),
    surcharge_help=lambda price: LazyText("grain {price}", price=price),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrainyRequest(GenerationRequest):
    """A request with the field of the new option."""

    grain: int | None = None


def grainy(can: Abilities) -> Abilities:
    """Return the abilities with the new option, for models with effects."""
    return Abilities(max_inputs=can.max_inputs, **(dict(can.limits) | {"grain": can["effect"]}))


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Add the option to the table, to requests, and to reve-2.0."""
    monkeypatch.setitem(options._BY_NAME, "grain", GRAIN)
    for module in (requests, request_codec):
        monkeypatch.setattr(module, "GenerationRequest", GrainyRequest)
    changed = tuple(replace(each, abilities=grainy(each.abilities)) for each in MODELS)
    offers = tuple(replace(each, abilities=grainy(each.abilities)) for each in OFFERS)
    return catalogue_of("skillboss", "reve2img", models=changed, offers=offers)


def test_new_option_is_offered_by_slash_commands() -> None:
    @app_commands.command(name="draw")
    @image_options(after="prompt")
    async def draw(interaction: discord.Interaction[Any], /, *, prompt: str, **options: Any) -> None:
        """Draw something."""

    sent = [option.to_dict() for option in draw._params.values()]
    assert [option["name"] for option in sent] == ["prompt", *OPTIONS]
    assert {name: sent[-1][name] for name in ("name", "description", "type", "min_value", "max_value")} == {
        "name": "grain",
        "description": "Add film grain",
        "type": 4,
        "min_value": 1,
        "max_value": 9,
    }


def test_new_option_is_validated_refused_and_priced(catalogue: Catalogue) -> None:
    assert price(generation_request(catalogue=catalogue, prompt="a", grain=9, images=2), catalogue) == 2 * (12 + 5)
    with pytest.raises(OptionRangeError):
        generation_request(catalogue=catalogue, prompt="a", grain=10)
    with pytest.raises(UnsupportedOptionError) as caught:
        generation_request(catalogue=catalogue, prompt="a", grain=1, model="nano-banana")
    assert caught.value.models == ("reve-2.0",)
    assert (error_message(caught.value) or "").startswith("nano-banana cannot add grain.")


def test_new_option_is_stored_and_read_back(catalogue: Catalogue) -> None:
    request = generation_request(catalogue=catalogue, prompt="a", grain=3)
    stored = json.loads(json.dumps(options_of(request)))
    assert stored["grain"] == 3
    assert request_of("a", request.model, stored) == request
    assert "grain" not in options_of(generation_request(catalogue=catalogue, prompt="a"))


def test_new_option_is_shown_on_cards_presets_and_help(catalogue: Catalogue) -> None:
    assert asked(generation_request(catalogue=catalogue, prompt="a", grain=3))[-1] == "grain 3"
    panels = saved_panel(Preset(name="x", options={"grain": 3}), replaced=False), help_panel(catalogue)
    for panel, words in zip(panels, ("grain 3", "grain 5"), strict=True):
        assert words in "\n".join(part["content"] for part in parts(panel) if "content" in part)


def test_every_option_has_a_field_with_its_default_and_a_preference_if_it_is_a_setting() -> None:
    defaults = {field.name: field.default for field in fields(GenerationRequest)}
    for name, spec in OPTIONS.items():
        assert name in ("grain", "model") or defaults[name] == spec.default
        assert len(spec.description) <= 100
    assert {name for name in OPTIONS_WITH_SETTING if hasattr(NO_PREFERENCES, name)} == set(OPTIONS_WITH_SETTING)

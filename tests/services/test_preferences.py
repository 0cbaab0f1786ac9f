"""Members' default options, and their use in commands."""

from typing import Any

import pytest

from bot.domain.catalogue import Catalogue
from bot.domain.errors import OptionRangeError, PresetNotFoundError, UnknownModelError, UnsupportedOptionError
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.services.jobs import Actor
from bot.services.member_limits import MemberLimits
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from bot.services.request_resolver import ResolvedRequest, ResolverService
from tests.services.conftest import ServiceHarness
from tests.support.catalogue import BOTH, SKILLBOSS
from tests.support.factories import GUILD, MEMBER

ANN = Actor(member_id=MEMBER, guild_id=GUILD)


@pytest.fixture
def preferences(services: ServiceHarness) -> PreferenceService:
    """Return the service."""
    return PreferenceService(
        database=services.database, catalogue=BOTH, now=services.clock.now, limits=MemberLimits(clock=services.clock)
    )


async def resolve(services: ServiceHarness, catalogue: Catalogue = BOTH, **changes: Any) -> ResolvedRequest:
    """Return the resolved request of a command."""
    choices = ResolverService(database=services.database, catalogue=catalogue)
    command: dict[str, Any] = {"prompt": "a fox", "options": {}} | changes
    return await services.database.read(choices.resolver_for(guild_id=GUILD, member_id=MEMBER, **command))


async def save_preset(services: ServiceHarness, **changes: Any) -> None:
    """Save a preset of the member's."""
    presets = PresetService(
        database=services.database,
        access=services.access,
        catalogue=BOTH,
        now=services.clock.now,
        limits=MemberLimits(clock=services.clock),
    )
    await presets.save(ANN, **({"name": "noir", "template": None, "options": {}} | changes))


async def test_change_returns_preferences_before_and_after(preferences: PreferenceService) -> None:
    first = Preferences(model="seedream-5", private=True, confirm_over=0)
    assert await preferences.change(MEMBER, {"model": "seedream-5", "private": True, "confirm_over": 0}) == (
        NO_PREFERENCES,
        first,
    )
    second = Preferences(private=True, format="webp")
    changes = {"model": None, "format": "webp", "confirm_over": None}
    assert await preferences.change(MEMBER, changes) == (first, second)
    assert await preferences.get(MEMBER) == second
    assert await preferences.get(MEMBER + 1) == NO_PREFERENCES
    assert await preferences.change(MEMBER, {}) == (second, second)


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"private": True, "model": "dall-e"}, UnknownModelError), ({"confirm_over": -1}, OptionRangeError)],
)
async def test_change_with_impossible_value_raises_and_changes_nothing(
    preferences: PreferenceService, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await preferences.change(MEMBER, changes)
    assert await preferences.get(MEMBER) == NO_PREFERENCES


async def test_chosen_options_precede_preset_and_defaults(
    services: ServiceHarness, preferences: PreferenceService
) -> None:
    await save_preset(services, template="film noir", options={"images": 2, "aspect_ratio": "3:2"})
    changes = {"model": "seedream-5", "aspect_ratio": "16:9", "private": True, "confirm_over": 7}
    await preferences.change(MEMBER, changes)
    found = await resolve(services, options={"images": 3, "model": None}, preset="NOIR")
    request = found.request
    assert (request.prompt, request.model, request.aspect_ratio, request.images) == (
        "film noir, a fox",
        "seedream-5",
        "3:2",
        3,
    )
    assert (found.private, found.confirm_over) == (True, 7)
    assert (await resolve(services, private=False)).private is False


async def test_resolver_with_unknown_preset_raises(services: ServiceHarness) -> None:
    with pytest.raises(PresetNotFoundError) as caught:
        await resolve(services, preset="noir")
    assert caught.value.name == "noir"


async def test_resolver_with_outdated_preset_raises_request_error(services: ServiceHarness) -> None:
    await save_preset(services, options={"upscale": "2x", "model": "reve-2.0"})
    with pytest.raises(UnsupportedOptionError) as caught:
        await resolve(services, catalogue=SKILLBOSS, preset="noir")
    assert (caught.value.option, caught.value.model) == ("upscale", "reve-2.0")


async def test_quotes_use_preset_and_defaults(services: ServiceHarness, preferences: PreferenceService) -> None:
    """A half-typed preset name counts as none."""
    await save_preset(services, options={"images": 2})
    await preferences.change(MEMBER, {"aspect_ratio": "auto"})
    choices = ResolverService(database=services.database, catalogue=BOTH)

    async def prices(named: object, **options: object) -> dict[str, int | None]:
        found = await choices.quotes(options, guild_id=GUILD, member_id=MEMBER, preset=named)
        return {quote.model.id: quote.price for quote in found}

    plain = {"reve-2.0": 12, "nano-banana": 20, "nano-banana-pro": 70, "seedream-5": 25}
    assert await prices(None) == plain
    assert await prices("noi") == plain
    assert await prices(3) == plain
    assert await prices("noir") == {name: 2 * price for name, price in plain.items()}
    assert await prices("noir", images=3) == {name: 3 * price for name, price in plain.items()}
    assert (await prices(None, aspect_ratio="auto"))["seedream-5"] is None

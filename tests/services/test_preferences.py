"""A member's own defaults, and what a command asks for with them."""

from typing import Any

import pytest

from bot.domain.errors import OptionRangeError, PresetNotFoundError, UnknownModelError, UnsupportedOptionError
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.services.jobs import Actor
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from bot.services.request_resolver import ResolvedRequest, ResolverService
from tests.services.conftest import ServiceHarness
from tests.support.factories import GUILD, MEMBER

BOTH = ("skillboss", "reve2img")
ANN = Actor(member_id=MEMBER, guild_id=GUILD)


@pytest.fixture
def preferences(desk: ServiceHarness) -> PreferenceService:
    """Return the service."""
    return PreferenceService(database=desk.database, providers=BOTH, now=desk.clock.now)


async def chosen(desk: ServiceHarness, providers: tuple[str, ...] = BOTH, **changes: Any) -> ResolvedRequest:
    """Return what a command asks for."""
    choices = ResolverService(database=desk.database, providers=providers)
    command: dict[str, Any] = {"prompt": "a fox", "options": {}} | changes
    return await desk.database.read(choices.resolver_for(guild_id=GUILD, member_id=MEMBER, **command))


async def preset(desk: ServiceHarness, **changes: Any) -> None:
    """Keep a preset of the member's."""
    presets = PresetService(database=desk.database, access=desk.access, providers=BOTH, now=desk.clock.now)
    await presets.save(ANN, **({"name": "noir", "template": None, "options": {}} | changes))


async def test_a_change_is_told_with_what_was(preferences: PreferenceService) -> None:
    """What is not named stays; None gives one back."""
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
async def test_what_the_studio_does_not_have_is_not_kept(
    preferences: PreferenceService, changes: dict[str, Any], error: type[Exception]
) -> None:
    """Nothing of the whole change is."""
    with pytest.raises(error):
        await preferences.change(MEMBER, changes)
    assert await preferences.get(MEMBER) == NO_PREFERENCES


async def test_a_command_has_its_members_preset_and_defaults(
    desk: ServiceHarness, preferences: PreferenceService
) -> None:
    """The choice before the preset before the default; with the privacy and the threshold."""
    await preset(desk, template="film noir", options={"images": 2, "aspect_ratio": "3:2"})
    changes = {"model": "seedream-5", "aspect_ratio": "16:9", "private": True, "confirm_over": 7}
    await preferences.change(MEMBER, changes)
    found = await chosen(desk, options={"images": 3, "model": None}, preset="NOIR")
    request = found.request
    assert (request.prompt, request.model, request.aspect_ratio, request.images) == (
        "film noir, a fox",
        "seedream-5",
        "3:2",
        3,
    )
    assert (found.private, found.confirm_over) == (True, 7)
    assert (await chosen(desk, private=False)).private is False


async def test_an_unknown_preset_is_refused(desk: ServiceHarness) -> None:
    """By the name that was typed; a picture without it would not be what was asked for."""
    with pytest.raises(PresetNotFoundError) as caught:
        await chosen(desk, preset="noir")
    assert caught.value.name == "noir"


async def test_a_preset_of_a_studio_that_has_changed_is_refused_with_the_reason(desk: ServiceHarness) -> None:
    """When it is used, in the same words as the options would be."""
    await preset(desk, options={"upscale": "2x", "model": "reve-2.0"})
    with pytest.raises(UnsupportedOptionError) as caught:
        await chosen(desk, providers=("skillboss",), preset="noir")
    assert (caught.value.option, caught.value.model) == ("upscale", "reve-2.0")


async def test_prices_are_those_of_what_would_be_asked(desk: ServiceHarness, preferences: PreferenceService) -> None:
    """With the preset that is named so far and the defaults, where they fit; a half typed preset is none yet."""
    await preset(desk, options={"images": 2})
    await preferences.change(MEMBER, {"aspect_ratio": "auto"})
    choices = ResolverService(database=desk.database, providers=BOTH)

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

"""Storing presets, and permission to do so."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    EmptyPresetError,
    NotAdmittedError,
    NotAllowedError,
    NotInServerError,
    OptionRangeError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
    PromptError,
    UnknownEffectError,
    UnsupportedOptionError,
)
from bot.domain.presets import MAX_PRESETS, Preset
from bot.services.jobs import Actor
from bot.services.member_limits import MemberLimits
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from db.database import Database
from tests.services.conftest import Open, ServiceHarness
from tests.support.catalogue import BOTH
from tests.support.factories import GUILD, MEMBER

ANN = Actor(member_id=MEMBER, guild_id=GUILD)
BEN = Actor(member_id=MEMBER + 1, guild_id=GUILD)
MODERATOR = Actor(member_id=7, guild_id=GUILD, moderator=True)


def service(services: ServiceHarness, catalogue: Catalogue = BOTH) -> PresetService:
    """Return the service over a harness."""
    return PresetService(
        database=services.database,
        access=services.access,
        catalogue=catalogue,
        effects=("film grain", "sepia"),
        now=services.clock.now,
        limits=MemberLimits(clock=services.clock),
    )


@pytest.fixture
def presets(services: ServiceHarness) -> PresetService:
    """Return the service."""
    return service(services)


async def save(presets: PresetService, who: Actor = ANN, name: str = "noir", **changes: Any) -> tuple[Preset, bool]:
    """Save a preset of two images unless options are named."""
    options: dict[str, Any] = {"template": None, "options": {"images": 2, "model": None}} | changes
    return await presets.save(who, name=name, **options)


async def test_save_stores_chosen_options_for_that_member(presets: PresetService) -> None:
    preset, replaced = await save(presets, name=" Noir ", template=" film noir ")
    assert preset == Preset(name="Noir", template="film noir", options={"images": 2}, saved_by=MEMBER)
    assert replaced is False
    assert (await presets.list(ANN)).by_name == (preset,)
    assert (await presets.list(BEN)).by_name == ()


async def test_save_keeps_effect_as_operator_named_it(presets: PresetService) -> None:
    preset, _ = await save(presets, options={"effect": "Film Grain"})
    assert preset.options == {"effect": "film grain"}
    assert (await presets.list(ANN)).own == (preset,)


async def test_own_preset_is_available_in_every_guild(presets: PresetService) -> None:
    preset, _ = await save(presets)
    shared, _ = await save(presets, MODERATOR, "house style", shared=True)
    assert (await presets.list(Actor(member_id=MEMBER))).by_name == (preset,)
    assert (await presets.list(Actor(member_id=MEMBER, guild_id=GUILD + 1))).by_name == (preset,)
    assert (await presets.list(ANN)).by_name == (preset, shared)


async def test_save_of_existing_name_replaces_and_reports_it(presets: PresetService) -> None:
    await save(presets)
    newer, replaced = await save(presets, name="NOIR", options={"images": 3})
    assert replaced is True
    assert (await presets.list(ANN)).own == (newer,)


async def test_own_preset_hides_the_guilds_of_same_name(presets: PresetService) -> None:
    shared, _ = await save(presets, MODERATOR, shared=True)
    own, _ = await save(presets)
    found = await presets.list(ANN)
    assert (found.own, found.shared, found.by_name) == ((own,), (shared,), (own,))
    assert (await presets.list(BEN)).by_name == (shared,)


async def test_save_shared_requires_moderator_in_admitted_guild(open_services: Open) -> None:
    presets = service(open_services(admitted=frozenset({GUILD})))
    with pytest.raises(NotAllowedError):
        await save(presets, ANN, shared=True)
    with pytest.raises(NotInServerError):
        await save(presets, Actor(member_id=7, moderator=True), shared=True)
    with pytest.raises(NotAdmittedError):
        await save(presets, Actor(member_id=7, guild_id=GUILD + 1, moderator=True), shared=True)
    await save(presets, MODERATOR, shared=True)
    with pytest.raises(NotAllowedError):
        await presets.delete(ANN, "noir")
    with pytest.raises(NotAllowedError):
        await presets.delete(ANN, "noir", shared=True)
    assert len((await presets.list(BEN)).shared) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": " "}, OptionRangeError),
        ({"template": "{prompt}{prompt}"}, OptionRangeError),
        ({"options": {}}, EmptyPresetError),
        ({"options": {"images": 9}}, OptionRangeError),
        ({"options": {"model": "nano-banana", "detail": 2}}, UnsupportedOptionError),
        ({"options": {"effect": "banana"}}, UnknownEffectError),
        ({"options": {"resolution": "4K"}}, UnsupportedOptionError),
        ({"template": "x" * 2000, "options": {"model": "reve-2.0"}}, None),
        ({"template": "a\x00b", "options": {}}, PromptError),
        ({"options": {"model": "reve-2.0", "version": "latest-fast"}}, None),  # for edits
        ({"options": {"model": "nano-banana", "version": "latest-fast"}}, UnsupportedOptionError),
    ],
)
async def test_save_of_impossible_preset_raises_request_error(
    presets: PresetService, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    if error is None:
        await save(presets, **changes)
        return
    with pytest.raises(error):
        await save(presets, **changes)
    assert (await presets.list(ANN)).own == ()


async def test_own_defaults_apply_to_own_presets_only(services: ServiceHarness, presets: PresetService) -> None:
    """4K needs a model: a member's default counts for their own presets."""
    preferences = PreferenceService(
        database=services.database, catalogue=BOTH, now=services.clock.now, limits=MemberLimits(clock=services.clock)
    )
    for member in (ANN, MODERATOR):
        await preferences.change(member.member_id, {"model": "seedream-5"})
    await save(presets, options={"resolution": "4K"})
    with pytest.raises(UnsupportedOptionError):
        await save(presets, MODERATOR, options={"resolution": "4K"}, shared=True)


async def test_save_above_limit_raises_and_replacing_is_allowed(presets: PresetService) -> None:
    for number in range(MAX_PRESETS):
        await save(presets, name=f"number {number}")
        await save(presets, MODERATOR, name=f"number {number}", shared=True)
    with pytest.raises(PresetLimitError) as own:
        await save(presets, name="one more")
    with pytest.raises(PresetLimitError) as shared:
        await save(presets, MODERATOR, name="one more", shared=True)
    assert (own.value.limit, own.value.shared, shared.value.shared) == (25, False, True)
    assert (await save(presets, name="number 3"))[1] is True
    await save(presets, MODERATOR, name="my own")


async def test_concurrent_saves_respect_the_limit(presets: PresetService) -> None:
    saves = [save(presets, name=f"number {number}") for number in range(MAX_PRESETS + 5)]
    results = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(result, PresetLimitError) for result in results) == 5
    assert len((await presets.list(ANN)).own) == MAX_PRESETS


async def test_owner_can_restore_deleted_preset_for_a_day(services: ServiceHarness, presets: PresetService) -> None:
    preset, _ = await save(presets)
    deleted = await presets.delete(ANN, "NOIR")
    assert deleted.preset == preset
    assert (await presets.list(ANN)).own == ()
    with pytest.raises(PresetNotFoundError):
        await presets.restore(BEN, deleted.undo_token)
    assert await presets.restore(ANN, deleted.undo_token) == preset
    assert (await presets.list(ANN)).own == (preset,)

    await presets.delete(ANN, "noir")
    services.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    with pytest.raises(PresetNotFoundError):
        await presets.restore(ANN, deleted.undo_token)


async def test_restore_with_taken_name_or_full_scope_raises(presets: PresetService) -> None:
    """A second press returns the restored preset."""
    await save(presets)
    deleted = await presets.delete(ANN, "noir")
    newer, replaced = await save(presets, options={"images": 4})
    assert replaced is False
    with pytest.raises(PresetNameTakenError):
        await presets.restore(ANN, deleted.undo_token)
    assert (await presets.list(ANN)).own == (newer,)

    await presets.delete(ANN, "noir")
    for number in range(MAX_PRESETS):
        await save(presets, name=f"number {number}")
    with pytest.raises(PresetLimitError):
        await presets.restore(ANN, deleted.undo_token)


async def test_moderator_deletes_and_restores_guild_preset(presets: PresetService) -> None:
    shared, _ = await save(presets, MODERATOR, shared=True)
    own, _ = await save(presets, MODERATOR)
    assert (await presets.delete(MODERATOR, "noir")).preset == own
    deleted = await presets.delete(MODERATOR, "noir", shared=True)
    assert deleted.preset == shared
    with pytest.raises(PresetNotFoundError):
        await presets.restore(ANN, deleted.undo_token)
    assert await presets.restore(MODERATOR, deleted.undo_token) == shared


async def test_delete_unknown_preset_raises_with_typed_name(presets: PresetService) -> None:
    await save(presets, BEN)
    with pytest.raises(PresetNotFoundError) as caught:
        await presets.delete(ANN, "Noir")
    assert caught.value.name == "Noir"
    with pytest.raises(PresetNotFoundError):
        await presets.delete(MODERATOR, "noir", shared=True)


async def test_preset_is_visible_to_another_process(database: Database, services: ServiceHarness) -> None:
    assert services.database is database
    preset, _ = await save(service(services), template="{prompt}, at night", options={})
    assert (await service(services).list(ANN)).own == (preset,)

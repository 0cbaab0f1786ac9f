"""Keeping presets, and who may."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

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
    UnsupportedOptionError,
)
from bot.domain.presets import MAX_PRESETS, Preset
from bot.services.jobs import Actor
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from db.database import Database
from tests.services.conftest import Open, ServiceHarness
from tests.support.factories import GUILD, MEMBER

ANN = Actor(member_id=MEMBER, guild_id=GUILD)
BEN = Actor(member_id=MEMBER + 1, guild_id=GUILD)
MODERATOR = Actor(member_id=7, guild_id=GUILD, moderator=True)
BOTH = ("skillboss", "reve2img")


def service(desk: ServiceHarness, providers: tuple[str, ...] = BOTH) -> PresetService:
    """Return the service over a desk."""
    return PresetService(database=desk.database, access=desk.access, providers=providers, now=desk.clock.now)


@pytest.fixture
def presets(desk: ServiceHarness) -> PresetService:
    """Return the service."""
    return service(desk)


async def save(presets: PresetService, who: Actor = ANN, name: str = "noir", **changes: Any) -> tuple[Preset, bool]:
    """Save a preset, of two pictures unless something else is named."""
    options: dict[str, Any] = {"template": None, "options": {"images": 2, "model": None}} | changes
    return await presets.save(who, name=name, **options)


async def test_a_member_keeps_a_preset(presets: PresetService) -> None:
    """Only what was chosen is kept, and only its member sees it."""
    preset, replaced = await save(presets, name=" Noir ", template=" film noir ")
    assert preset == Preset(name="Noir", template="film noir", options={"images": 2}, saved_by=MEMBER)
    assert replaced is False
    assert (await presets.list(ANN)).by_name == (preset,)
    assert (await presets.list(BEN)).by_name == ()


async def test_a_preset_goes_with_its_member(presets: PresetService) -> None:
    """To other servers and to direct messages; the server's stays there."""
    preset, _ = await save(presets)
    shared, _ = await save(presets, MODERATOR, "house style", shared=True)
    assert (await presets.list(Actor(member_id=MEMBER))).by_name == (preset,)
    assert (await presets.list(Actor(member_id=MEMBER, guild_id=GUILD + 1))).by_name == (preset,)
    assert (await presets.list(ANN)).by_name == (preset, shared)


async def test_saving_again_replaces(presets: PresetService) -> None:
    """Under the same name, however it is written, and this is told."""
    await save(presets)
    newer, replaced = await save(presets, name="NOIR", options={"images": 3})
    assert replaced is True
    assert (await presets.list(ANN)).own == (newer,)


async def test_ones_own_hides_the_servers(presets: PresetService) -> None:
    """Both are listed, and the name stands for one's own."""
    shared, _ = await save(presets, MODERATOR, shared=True)
    own, _ = await save(presets)
    found = await presets.list(ANN)
    assert (found.own, found.shared, found.by_name) == ((own,), (shared,), (own,))
    assert (await presets.list(BEN)).by_name == (shared,)


async def test_only_moderators_keep_the_servers(open_desk: Open) -> None:
    """In a server that is admitted."""
    presets = service(open_desk(admitted=frozenset({GUILD})))
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
        ({"options": {"resolution": "4K"}}, UnsupportedOptionError),
        ({"template": "x" * 2000, "options": {"model": "reve-2.0"}}, None),
        ({"template": "a\x00b", "options": {}}, PromptError),
    ],
)
async def test_a_preset_that_always_fails_is_not_kept(
    presets: PresetService, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    """It is refused like the request that it would become."""
    if error is None:
        await save(presets, **changes)
        return
    with pytest.raises(error):
        await save(presets, **changes)
    assert (await presets.list(ANN)).own == ()


async def test_ones_own_defaults_count_for_ones_own_presets(desk: ServiceHarness, presets: PresetService) -> None:
    """4K without a model works for who prefers a model that can, and not for everybody."""
    preferences = PreferenceService(database=desk.database, providers=BOTH, now=desk.clock.now)
    for member in (ANN, MODERATOR):
        await preferences.change(member.member_id, {"model": "seedream-5"})
    await save(presets, options={"resolution": "4K"})
    with pytest.raises(UnsupportedOptionError):
        await save(presets, MODERATOR, options={"resolution": "4K"}, shared=True)


async def test_there_is_room_for_so_many(presets: PresetService) -> None:
    """For a member's own and for a server's, each; one that is there can be replaced all the same."""
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


async def test_many_saves_at_once_leave_no_more_than_there_is_room_for(presets: PresetService) -> None:
    """Also where the database lets transactions run beside each other."""
    saves = [save(presets, name=f"number {number}") for number in range(MAX_PRESETS + 5)]
    results = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(result, PresetLimitError) for result in results) == 5
    assert len((await presets.list(ANN)).own) == MAX_PRESETS


async def test_deleting_can_be_undone_for_a_day(desk: ServiceHarness, presets: PresetService) -> None:
    """By its owner alone."""
    preset, _ = await save(presets)
    deleted = await presets.delete(ANN, "NOIR")
    assert deleted.preset == preset
    assert (await presets.list(ANN)).own == ()
    with pytest.raises(PresetNotFoundError):
        await presets.restore(BEN, deleted.undo_token)
    assert await presets.restore(ANN, deleted.undo_token) == preset
    assert (await presets.list(ANN)).own == (preset,)

    await presets.delete(ANN, "noir")
    desk.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    with pytest.raises(PresetNotFoundError):
        await presets.restore(ANN, deleted.undo_token)


async def test_a_deleted_preset_does_not_push_another_one_away(presets: PresetService) -> None:
    """Neither one that has its name by now, nor one that has its room; a second press finds it back."""
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


async def test_a_moderator_deletes_and_restores_the_servers(presets: PresetService) -> None:
    """Where both have the name, only when the server's is asked for; members cannot bring it back."""
    shared, _ = await save(presets, MODERATOR, shared=True)
    own, _ = await save(presets, MODERATOR)
    assert (await presets.delete(MODERATOR, "noir")).preset == own
    deleted = await presets.delete(MODERATOR, "noir", shared=True)
    assert deleted.preset == shared
    with pytest.raises(PresetNotFoundError):
        await presets.restore(ANN, deleted.undo_token)
    assert await presets.restore(MODERATOR, deleted.undo_token) == shared


async def test_what_is_not_there_is_not_deleted(presets: PresetService) -> None:
    """The error has the name as it was typed; others' presets are not there."""
    await save(presets, BEN)
    with pytest.raises(PresetNotFoundError) as caught:
        await presets.delete(ANN, "Noir")
    assert caught.value.name == "Noir"
    with pytest.raises(PresetNotFoundError):
        await presets.delete(MODERATOR, "noir", shared=True)


async def test_a_preset_is_kept_in_the_database(database: Database, desk: ServiceHarness) -> None:
    """So that the next process has it."""
    assert desk.database is database
    preset, _ = await save(service(desk), template="{prompt}, at night", options={})
    assert (await service(desk).list(ANN)).own == (preset,)

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.presets import Preset, PresetScope, undo_token
from db.database import Database
from db.presets import PresetRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER

OWN, SHARED = PresetScope(member_id=MEMBER), PresetScope(guild_id=GUILD)
NOIR = Preset(name="Noir", template="film noir, {prompt}", options={"images": 2, "fit": "x1024"}, saved_by=MEMBER)


async def test_presets_are_found_in_any_spelling_in_their_scope_only(database: Database) -> None:
    plain = Preset(name="a plain one", options={"remove_background": False}, saved_by=MEMBER)

    def write(connection: Connection) -> list[object]:
        presets = PresetRepository(connection)
        presets.save(OWN, NOIR, START)
        presets.save(OWN, plain, START)
        return [
            presets.find_in(OWN, " NOIR "),
            presets.find_in(SHARED, "noir"),
            presets.find_in(PresetScope(member_id=MEMBER + 1), "noir"),
            presets.list_in(OWN),
            presets.count_in(OWN),
        ]

    assert await database.write(write) == [NOIR, None, None, (plain, NOIR), 2]


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800", "x" * 65, ""], ids=["zero", "surrogate", "long", "empty"])
async def test_find_in_with_impossible_name_returns_none(database: Database, name: str) -> None:
    """The database may fail on such a string, so it is not queried."""
    assert await database.read(lambda connection: PresetRepository(connection).find_in(OWN, name)) is None


async def test_find_prefers_own_preset_to_the_guilds(database: Database) -> None:
    shared = Preset(name="noir", template="dark", shared=True, saved_by=7)

    def write(connection: Connection) -> list[Preset | None]:
        presets = PresetRepository(connection)
        presets.save(OWN, NOIR, START)
        presets.save(SHARED, shared, START)
        people = [(GUILD, MEMBER), (GUILD, MEMBER + 1), (GUILD + 1, MEMBER), (0, MEMBER + 1)]
        return [presets.find(guild, member, "noir") for guild, member in people]

    assert await database.write(write) == [NOIR, shared, NOIR, None]


async def test_save_replaces_preset_of_same_name(database: Database) -> None:
    newer = replace(NOIR, name="NOIR", template="", options={"detail": 2})

    def write(connection: Connection) -> tuple[Preset, ...]:
        presets = PresetRepository(connection)
        presets.save(OWN, NOIR, START)
        presets.save(OWN, newer, START)
        return presets.list_in(OWN)

    assert await database.write(write) == (newer,)


async def test_deleted_preset_is_restorable_by_token_until_purged(database: Database) -> None:
    mark = undo_token(OWN, NOIR.key)

    def write(connection: Connection) -> list[object]:
        presets = PresetRepository(connection)
        presets.save(OWN, NOIR, START)
        presets.delete(OWN, NOIR, START)
        seen: list[object] = [presets.find_in(OWN, "noir"), presets.list_in(OWN), presets.count_in(OWN)]
        seen += [presets.find_deleted(OWN, mark), presets.find_deleted(SHARED, mark)]
        presets.restore(OWN, NOIR)
        seen += [presets.find_in(OWN, "noir"), presets.find_deleted(OWN, mark)]
        presets.delete(OWN, NOIR, START)
        presets.purge(START)
        seen.append(presets.find_deleted(OWN, mark))
        presets.purge(START + timedelta(seconds=1))
        return [*seen, presets.find_deleted(OWN, mark)]

    assert await database.write(write) == [
        None,
        (),
        0,
        (NOIR, True),
        None,
        NOIR,
        (NOIR, False),
        (NOIR, True),
        None,
    ]

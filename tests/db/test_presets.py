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


async def test_a_preset_comes_back_as_it_was_kept(database: Database) -> None:
    """However its name is written, from its own shelf alone, sorted by name."""
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
async def test_what_cannot_be_a_name_is_not_found(database: Database, name: str) -> None:
    """The database is not even asked: it may break on what it cannot hold."""
    assert await database.read(lambda connection: PresetRepository(connection).find_in(OWN, name)) is None


async def test_ones_own_comes_before_the_servers(database: Database) -> None:
    """Where both have the name; and the server's is found where there is no own."""
    shared = Preset(name="noir", template="dark", shared=True, saved_by=7)

    def write(connection: Connection) -> list[Preset | None]:
        presets = PresetRepository(connection)
        presets.save(OWN, NOIR, START)
        presets.save(SHARED, shared, START)
        people = [(GUILD, MEMBER), (GUILD, MEMBER + 1), (GUILD + 1, MEMBER), (0, MEMBER + 1)]
        return [presets.find(guild, member, "noir") for guild, member in people]

    assert await database.write(write) == [NOIR, shared, NOIR, None]


async def test_a_preset_replaces_one_of_the_same_name(database: Database) -> None:
    """With the name as it was written last."""
    newer = replace(NOIR, name="NOIR", template="", options={"detail": 2})

    def write(connection: Connection) -> tuple[Preset, ...]:
        presets = PresetRepository(connection)
        presets.save(OWN, NOIR, START)
        presets.save(OWN, newer, START)
        return presets.list_in(OWN)

    assert await database.write(write) == (newer,)


async def test_a_deleted_preset_can_come_back_until_it_is_purged(database: Database) -> None:
    """It is nowhere to be found meanwhile, but by its mark."""
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

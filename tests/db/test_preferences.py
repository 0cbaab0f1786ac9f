from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from bot.domain.preferences import NO_PREFERENCES, Notice, Preferences
from db.database import Database
from db.preferences import PreferenceRepository
from db.tables import preferences
from tests.support.clock import START
from tests.support.factories import MEMBER


@pytest.mark.parametrize(
    "wanted",
    [
        Preferences(model="seedream-5", aspect_ratio="16:9", format="webp", private=True, confirm_over=0),
        Preferences(notice=Notice.PING),
        Preferences(notice=Notice.DIRECT),
        Preferences(confirm_over=100_000),
        Preferences(decisions=False),
        NO_PREFERENCES,
    ],
)
async def test_save_replaces_only_that_members_preferences(database: Database, wanted: Preferences) -> None:
    def write(connection: Connection) -> list[Preferences]:
        repository = PreferenceRepository(connection)
        found = [repository.get(MEMBER)]
        repository.save(MEMBER, Preferences(model="nano-banana"), START)
        repository.save(MEMBER, wanted, START + timedelta(days=1))
        return [*found, repository.get(MEMBER), repository.get(MEMBER + 1)]

    assert await database.write(write) == [NO_PREFERENCES, wanted, NO_PREFERENCES]


async def test_hint_is_marked_once_and_keeps_preferences(database: Database) -> None:
    def write(connection: Connection) -> list[object]:
        repository = PreferenceRepository(connection)
        wanted = Preferences(model="seedream-5")
        repository.save(MEMBER, wanted, START)
        before = repository.was_hinted(MEMBER)
        marks = [repository.mark_hinted(member, START) for member in (MEMBER, MEMBER, MEMBER + 1)]
        repository.save(MEMBER, wanted, START)
        return [before, *marks, repository.was_hinted(MEMBER), repository.get(MEMBER) == wanted]

    assert await database.write(write) == [False, True, False, True, True, True]


async def test_defaults_are_not_stored(database: Database) -> None:
    """A later release may have other defaults."""

    def write(connection: Connection) -> object:
        PreferenceRepository(connection).save(MEMBER, NO_PREFERENCES, START)
        row = connection.execute(select(preferences)).one()
        return row.model, row.aspect_ratio, row.format, row.private, row.confirm_over, row.notice

    assert await database.write(write) == (None,) * 6

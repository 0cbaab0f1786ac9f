from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from bot.domain.preferences import NO_PREFERENCES, Preferences
from db.database import Database
from db.preferences import PreferenceRepository
from db.tables import preferences
from tests.support.clock import START
from tests.support.factories import MEMBER


@pytest.mark.parametrize(
    "wanted",
    [
        Preferences(model="seedream-5", aspect_ratio="16:9", format="webp", private=True, confirm_over=0),
        Preferences(confirm_over=100_000),
        NO_PREFERENCES,
    ],
)
async def test_preferences_come_back_as_they_were_kept(database: Database, wanted: Preferences) -> None:
    """In place of the earlier ones, and nobody else's."""

    def write(connection: Connection) -> list[Preferences]:
        repository = PreferenceRepository(connection)
        found = [repository.get(MEMBER)]
        repository.save(MEMBER, Preferences(model="nano-banana"), START)
        repository.save(MEMBER, wanted, START + timedelta(days=1))
        return [*found, repository.get(MEMBER), repository.get(MEMBER + 1)]

    assert await database.write(write) == [NO_PREFERENCES, wanted, NO_PREFERENCES]


async def test_what_is_left_to_the_studio_follows_the_studio(database: Database) -> None:
    """A default is not written down, so a later release may have another."""

    def write(connection: Connection) -> object:
        PreferenceRepository(connection).save(MEMBER, NO_PREFERENCES, START)
        row = connection.execute(select(preferences)).one()
        return row.model, row.aspect_ratio, row.format, row.private, row.confirm_over

    assert await database.write(write) == (None, None, None, None, None)

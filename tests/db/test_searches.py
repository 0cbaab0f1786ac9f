"""Stored searches of `/history`."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.errors import SearchGoneError
from bot.domain.searches import Search
from db.database import Database
from db.searches import SearchRepository
from tests.support.clock import START
from tests.support.factories import MEMBER, make_id


def make_search(**changes: object) -> Search:
    """Return a search with a fresh id."""
    values = {"id": make_id(), "member_id": MEMBER, "query": "a fox", "created_at": START}
    return Search(**(values | changes))  # type: ignore[arg-type]


async def test_search_with_markup_and_bidi_control_is_read_back_unchanged(database: Database) -> None:
    search = make_search(query="a*b_c `x` ~~y~~ \u202e")
    await database.write(lambda connection: SearchRepository(connection).add(search, most=9))
    assert await database.read(lambda connection: SearchRepository(connection).get(search.id)) == search


async def test_get_unknown_search_raises_search_gone(database: Database) -> None:
    with pytest.raises(SearchGoneError):
        await database.read(lambda connection: SearchRepository(connection).get("f" * 32))


async def test_purge_removes_older_searches_only(database: Database) -> None:
    old, young = make_search(created_at=START - timedelta(seconds=1)), make_search()

    def write(connection: Connection) -> int:
        repository = SearchRepository(connection)
        repository.add(old, most=9)
        repository.add(young, most=9)
        return repository.purge_before(START)

    assert await database.write(write) == 1
    assert await database.read(lambda connection: SearchRepository(connection).get(young.id)) == young
    with pytest.raises(SearchGoneError):
        await database.read(lambda connection: SearchRepository(connection).get(old.id))

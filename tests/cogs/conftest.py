"""One bot per test on simcord, with a separate database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import discord
import pytest
from simcord import interactions
from simcord.http import client as transport

from tests.cogs.bot_harness import BotHarness
from tests.support.databases import Databases


@pytest.fixture(autouse=True)
def _original(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch simcord to decode the `%40original` of a rebuilt webhook."""
    path_of = transport._path_of
    monkeypatch.setattr(transport, "_path_of", lambda url: unquote(path_of(url)))


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch simcord to report a server install."""
    make = interactions.base_payload

    def base_payload(*arguments: Any, guild_id: int | None, **options: Any) -> Any:
        record, payload = make(*arguments, guild_id=guild_id, **options)
        return record, {**payload, "authorizing_integration_owners": {"0": str(guild_id or 0)}}

    monkeypatch.setattr(interactions, "base_payload", base_payload)


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch the count of a role's members; simcord serves none."""

    async def role_member_counts(guild: discord.Guild) -> dict[discord.Role, int]:
        return dict.fromkeys(guild.roles, 3)

    monkeypatch.setattr(discord.Guild, "role_member_counts", role_member_counts)


@pytest.fixture
async def bot(tmp_path: Path, sqlite_databases: Databases, request: pytest.FixtureRequest) -> AsyncIterator[BotHarness]:
    """Yield a running bot; a `bot` mark changes the operator's settings."""
    mark = request.node.get_closest_marker("bot")
    options: dict[str, Any] = {"admitted": "*", "allowance": 200} | (mark.kwargs if mark else {})
    url = await sqlite_databases.create(migrated=True)
    made = BotHarness(tmp_path, database_url=url, **options)
    await made.start()
    yield made
    await made.stop()
    await sqlite_databases.drop(url)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "bot(**options): settings of the operator for the `bot` fixture")

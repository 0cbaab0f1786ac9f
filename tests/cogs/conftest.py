"""One studio a test, over simcord and a database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from simcord import interactions
from simcord.http import client as transport

from tests.cogs.bot_harness import BotHarness


@pytest.fixture(autouse=True)
def _original(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mend a gap of simcord: it does not decode the `%40original` that a rebuilt webhook sends."""
    path_of = transport._path_of
    monkeypatch.setattr(transport, "_path_of", lambda url: unquote(path_of(url)))


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mend a gap of simcord: it does not say that the application is there with the server."""
    make = interactions.base_payload

    def base_payload(*arguments: Any, guild_id: int | None, **options: Any) -> Any:
        record, payload = make(*arguments, guild_id=guild_id, **options)
        return record, {**payload, "authorizing_integration_owners": {"0": str(guild_id or 0)}}

    monkeypatch.setattr(interactions, "base_payload", base_payload)


@pytest.fixture
async def studio(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[BotHarness]:
    """Return a running studio; a `studio` mark changes what its operator has set."""
    mark = request.node.get_closest_marker("studio")
    options: dict[str, Any] = {"admitted": "*", "allowance": 200} | (mark.kwargs if mark else {})
    made = BotHarness(tmp_path, **options)
    await made.start()
    yield made
    await made.stop()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "studio(**options): what the operator of the `studio` fixture has set")

"""Running bots for end-to-end tests; all Discord requests are checked."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.clock import StudioClock
from tests.end_to_end import system_harness
from tests.end_to_end.system_harness import SystemHarness
from tests.support.databases import SqliteDatabases
from tests.support.fidelity import Fidelity, find_description
from tests.support.fork_server import ForkServer


@pytest.fixture(scope="session", autouse=True)
def _forked_bots(fork_server: ForkServer, sqlite_databases: SqliteDatabases) -> Iterator[None]:
    """Fork the bots from one process, on databases that are migrated.

    `test_start` starts them by the command line and on empty ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system_harness, "default_launch", fork_server.launch)
        patch.setattr(system_harness, "default_launch_command", fork_server.launch)
        patch.setattr(system_harness, "prepare_database", sqlite_databases.copy_to)
        yield


@pytest.fixture(scope="session")
def fidelity() -> Fidelity | None:
    """Return a checker by Discord's API description; None if it is missing."""
    path = find_description()
    return None if path is None else Fidelity(path)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot shared by a module. Each test leaves no job behind."""
    folder = tmp_path_factory.mktemp("system")
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start(DEFAULT_ALLOWANCE="100000")
        yield system
    finally:
        await system.close()


@pytest.fixture(autouse=True)
def sent_what_discord_takes(request: pytest.FixtureRequest, fidelity: Fidelity | None) -> Iterator[None]:
    """Check every REST body of a test against Discord's description.

    `test_fidelity` reports a missing description.
    """
    yield
    if fidelity is None:
        return
    systems = [value for value in request.node.funcargs.values() if isinstance(value, SystemHarness)]
    for each in systems:
        problems = [line for sent in each.discord.requests for line in fidelity.problems(sent)]
        each.discord.recorder.clear()
        assert problems == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for a separate system."""
    return tmp_path

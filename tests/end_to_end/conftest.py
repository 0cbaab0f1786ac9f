"""Houses for the end-to-end tests, and the check of everything that the bot sent to Discord in them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.end_to_end.system_harness import SystemHarness
from tests.support.fidelity import Fidelity, find_description


@pytest.fixture(scope="session")
def fidelity() -> Fidelity | None:
    """Discord's own description of its API, where it can be found."""
    path = find_description()
    return None if path is None else Fidelity(path)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """A running bot that the tests of a module share; each leaves no job behind."""
    house = SystemHarness(tmp_path_factory.mktemp("house"))
    try:
        await house.start(DEFAULT_ALLOWANCE="100000")
        yield house
    finally:
        await house.close()


@pytest.fixture(autouse=True)
def sent_what_discord_takes(request: pytest.FixtureRequest, fidelity: Fidelity | None) -> Iterator[None]:
    """Check every REST body of a test against Discord's description; `test_fidelity` tells when that is absent."""
    yield
    if fidelity is None:
        return
    houses = [value for value in request.node.funcargs.values() if isinstance(value, SystemHarness)]
    for each in houses:
        problems = [line for sent in each.discord.requests for line in fidelity.problems(sent)]
        each.discord.recorder.clear()
        assert problems == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a house of one's own."""
    return tmp_path

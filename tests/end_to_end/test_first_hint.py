"""The hint after a member's first pictures."""

from collections.abc import AsyncIterator
from signal import SIGKILL

import pytest
import pytest_asyncio
from sqlalchemy import update

from db.database import Database
from db.tables import preferences
from sandbox.discord import Message, text
from tests.end_to_end.system_harness import SystemHarness
from tests.end_to_end.test_remix import column, finish_job, settings
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with hints."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(**hinting(system))
        yield system
    finally:
        await system.close()


def hinting(system: SystemHarness) -> dict[str, str]:
    """Return the settings of a bot with hints."""
    return settings(system) | {"FIRST_HINT": "on"}


def hints(system: SystemHarness, name: str) -> list[Message]:
    """Return the hints visible to a person."""
    return [each for each in system.discord.actor(name).sees() if "Tip:" in text(each)]


async def make(system: SystemHarness, name: str) -> None:
    """Let a member make a picture; return once it is recorded as delivered."""
    await finish_job(system, await system.discord.actor(name).slash("imagine", prompt="a fox"))
    await poll(lambda: column(system, "delivery"), until=lambda delivery: delivery[-1] == "card")


async def test_hint_follows_first_picture_once_for_its_member_only(system: SystemHarness) -> None:
    await make(system, "member")
    await system.discord.recorder.wait(lambda sent: "Tip:" in str(sent.json))
    (hint,) = hints(system, "member")
    assert hint.ephemeral
    assert text(hint).startswith("Tip: *Edit* changes this picture, </history:")
    assert "</help:" in text(hint)
    assert hints(system, "moderator") == []
    await make(system, "member")
    await system.stop_bot()
    assert len(hints(system, "member")) == 1
    await system.start_bot(**hinting(system))


async def test_hint_sent_during_kill_is_not_repeated(system: SystemHarness) -> None:
    """Its mark comes first; Discord carries the request out after the kill."""
    gate = system.discord.faults.hold("POST", "webhooks/[^/]+/[^/]+$")
    await make(system, "member-two")
    await gate.wait_hit()
    await system.stop_bot(SIGKILL)
    system.discord.faults.clear()
    await system.start_bot(**hinting(system))
    await make(system, "member-two")
    await system.stop_bot()
    assert len(hints(system, "member-two")) == 1
    await system.start_bot(**hinting(system))


async def test_member_with_earlier_pictures_gets_no_hint(system: SystemHarness) -> None:
    """As after an update from a version without hints."""
    for _ in range(3):
        await make(system, "moderator")
    database = await Database.open(system.database_url)
    await database.write(lambda connection: connection.execute(update(preferences).values(hinted_at=None)))
    await database.close()
    shown = len(hints(system, "moderator"))
    await make(system, "moderator")
    await system.stop_bot()
    assert len(hints(system, "moderator")) == shown == 1

"""A backup of the running bot, restored after its jobs were delivered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import text
from tests.end_to_end.system_harness import SystemHarness, has_images, wait_for_provider_job

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot."""
    system = SystemHarness(tmp_path)
    try:
        await system.start(MAX_ACTIVE_JOBS_PER_MEMBER="1")
        yield system
    finally:
        await system.close()


async def test_restored_jobs_are_not_made_or_shown_again(system: SystemHarness) -> None:
    member, copy = system.discord.actor("member"), str(system.folder / "copy.zip")
    running = await member.slash("imagine", prompt="a fox")
    made = await wait_for_provider_job(system.skillboss, "a fox")
    waiting = await member.slash("imagine", prompt="a heron")
    await waiting.wait_until(lambda message: "Queued" in text(message))
    code, said = await system.command("backup", copy)
    assert (code, "its ledger balances" in said) == (0, True), said

    system.skillboss.finish(made)
    first = await running.wait_until(has_images)
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a heron"))
    second = await waiting.wait_until(has_images)
    cards = text(first), text(second)
    code, said = await system.command("restore", copy, "--force")
    assert (code, "A bot runs on this database" in said) == (1, True), said
    await system.stop_bot()
    assert (await system.ledger()).charged == 24

    code, said = await system.command("restore", copy)
    assert (code, "--force" in said) == (1, True), said
    code, said = await system.command("restore", copy, "--force")
    assert code == 0, said
    assert "1 waiting job: cancelled" in said
    assert "1 job at providers: given up" in said
    await system.start_bot(MAX_ACTIVE_JOBS_PER_MEMBER="1")
    # A job made now is delivered: everything of the start has had its turn.
    third = await member.slash("imagine", prompt="a crane")
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a crane"))
    await third.wait_until(has_images)

    ledger = await system.ledger()
    assert (ledger.problems, ledger.charged, ledger.held) == ([], 12, 0)
    assert sorted(ledger.states) == ["cancelled", "done", "failed"]
    assert len(system.skillboss.jobs) == 3
    assert (text(await running.response()), text(await waiting.response())) == cards

"""Two complete bots with one token, each with its own database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.end_to_end.system_harness import SystemHarness, has_images, wait_for_provider_job
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[SystemHarness, SystemHarness]]:
    """Yield two running bots on the same fakes."""
    one = SystemHarness(_folder(tmp_path_factory, "one"))
    other = SystemHarness(_folder(tmp_path_factory, "other"), beside=one)
    try:
        await one.start(DEFAULT_ALLOWANCE="100000")
        await other.start_bot(DEFAULT_ALLOWANCE="100000")
        yield one, other
    finally:
        await other.close()
        await one.close()


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    return factory.mktemp(name)


async def test_each_job_is_bought_once_by_two_processes(pair: tuple[SystemHarness, SystemHarness]) -> None:
    one, other = pair
    member = one.discord.actor("member")
    for number in range(4):
        prompt = f"a fox, number {number}"
        invocation = await member.slash("imagine", prompt=prompt)
        one.skillboss.finish(await wait_for_provider_job(one.skillboss, prompt))
        await invocation.wait_until(has_images)
    await settled(pair)
    bought = [job.request.prompt for job in one.skillboss.jobs]
    assert sorted(bought) == [f"a fox, number {number}" for number in range(4)]
    ledgers = [await each.ledger() for each in pair]
    assert [each.problems for each in ledgers] == [[], []]
    assert sum(each.states.count("done") for each in ledgers) == 4
    assert sum(each.charged for each in ledgers) == 4 * 12
    logs = one.log() + other.log()
    assert logs.count("discord.token_used_twice") in (1, 2)  # at most once in each process
    assert "Traceback" not in logs


async def settled(pair: tuple[SystemHarness, SystemHarness]) -> None:
    """Wait until no job of either process is live."""
    for each in pair:
        await poll(each.ledger, until=lambda ledger: not set(ledger.states) - {"done", "cancelled", "failed"})

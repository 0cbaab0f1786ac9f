"""The log of a job's life: every line about it has its id, and no secret."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from sandbox.discord import text
from tests.end_to_end.system_harness import (
    PATIENCE,
    REVE2IMG_KEY,
    SKILLBOSS_KEY,
    TOKEN,
    SystemHarness,
    has_images,
    says,
    wait_for_provider_job,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_ABOUT_A_JOB: Final = re.compile(r"(app|books|budget|component|database|discord|engine|models?|web)\.|commands")
"""Events of the whole process. A name of another kind belongs to a job."""


@pytest_asyncio.fixture(loop_scope="module")
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with its most verbose log."""
    system = SystemHarness(tmp_path)
    try:
        await system.start(LOG_LEVEL="DEBUG", JOB_SOFT_DEADLINE_SECONDS="60")
        yield system
    finally:
        await system.close()


def lines_of(system: SystemHarness) -> list[dict[str, Any]]:
    """Return the log, one object a line."""
    return [json.loads(line) for line in system.log().splitlines()]


async def logged(system: SystemHarness, event: str, number: int = 1) -> list[dict[str, Any]]:
    """Return the lines of an event once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := [line for line in lines_of(system) if line["event"] == event]) < number:
            await system.ledger()
    return found


async def test_every_line_about_a_job_names_it_and_tells_no_secret(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    # Refused by the first provider, made by the next; Discord refuses an edit of its card.
    system.skillboss.faults.add("submit", "status", status=503)
    made = await member.slash("imagine", prompt="a very private fox")
    job = await wait_for_provider_job(system.reve2img, "a very private fox")
    malformed = {"message": "Invalid Form Body", "code": 50035}
    system.discord.faults.add("PATCH", "@original$", status=400, body=malformed, times=1)
    system.reve2img.advance(job)
    await logged(system, "card.refused")
    system.reve2img.finish(job)
    await made.wait_until(has_images)
    # Lost, and cancelled by its button.
    system.skillboss.faults.add("submit", "reset_after")
    lost = await member.slash("imagine", prompt="a very private heron")
    await lost.wait_until(says("Nothing was charged"))
    cancelled = await member.slash("imagine", prompt="a very private crane")
    await wait_for_provider_job(system.skillboss, "a very private crane")
    system.skillboss.faults.add("cancel", "status", status=500)
    await (await member.click(await cancelled.response(), label="Cancel")).acknowledged()
    await logged(system, "cancel.failed")
    await logged(system, "job.delivered", 2)
    await system.stop_bot()

    lines = lines_of(system)
    assert all({"timestamp", "level", "event", "logger"} <= line.keys() for line in lines)
    jobs = [line["job"] for line in lines if line["event"] == "job.made"]
    assert len(set(jobs)) == 3
    unnamed = [line for line in lines if "job" not in line and not NOT_ABOUT_A_JOB.match(line["event"])]
    assert [line for line in unnamed if line["logger"].startswith(("bot", "cogs", "db"))] == []
    assert {line["job"] for line in lines if "job" in line} == set(jobs)

    life = [(line["event"], line.get("state")) for line in lines if line.get("job") == jobs[0]]
    assert ("job.made", None) in life
    for state in ("submitting", "held", "running", "done"):
        assert ("job.moved", state) in life
    assert life[-1] == ("job.delivered", "done")
    assert {"card.refused", "submit.refused", "submit.reply_lost", "cancel.failed"} <= {line["event"] for line in lines}
    tokens = {part for each in system.discord.requests for part in re.findall(r"/([\w.-]{40,})", each.target)}
    assert tokens
    said = system.log()
    assert [each for each in (*tokens, TOKEN, SKILLBOSS_KEY, REVE2IMG_KEY, "very private") if each in said] == []
    assert text(await lost.response())

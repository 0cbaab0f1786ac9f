"""Fifty members at once with real prompts.

Correct images, balanced ledger.

`ATELIER_TRIAL_PROMPTS=220` makes a longer run; `pytest -s` prints its measurements.
"""

import asyncio
import csv
import os
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.discord import Invocation, text
from sandbox.providers import Latency, expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness, has_images
from tests.support.fidelity import data_folder

MEMBERS = 50
FORMATS = ("png", "jpeg", "webp")
TEST_DATA = Path(__file__).resolve().parents[1] / "data"
PROMPTS = int(os.environ.get("ATELIER_TRIAL_PROMPTS", "60"))


def real_prompts(count: int) -> list[str]:
    """Return prompts spread over PartiPrompts, or over the repository's list."""
    collection = data_folder() / "data" / "PartiPrompts.tsv"
    if collection.is_file():
        with collection.open(newline="", encoding="utf-8") as lines:
            prompts = [row["Prompt"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    else:
        prompts = (TEST_DATA / "prompts.txt").read_text(encoding="utf-8").splitlines()
    if len(prompts) < count:
        pytest.skip(f"there are only {len(prompts)} prompts; see tests/data/README.md")
    step = len(prompts) // count
    return prompts[::step][:count]


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with automatic providers."""
    system = SystemHarness(tmp_path)
    # What SkillBoss has no slot for goes to reve2img.
    system.skillboss.latency = system.reve2img.latency = Latency(queue=0.2, work=0.5)
    try:
        guild = system.discord.world.guild("Community")
        for number in range(MEMBERS):
            system.discord.world.add_member(guild, system.discord.world.add_user(f"member-{number:02}"))
        await system.start(POLL_INTERVAL_SECONDS="0.5", DEFAULT_ALLOWANCE="2000")
        yield system
    finally:
        await system.close()


@pytest.mark.timeout(600)
async def test_fifty_concurrent_members_get_their_own_images(system: SystemHarness) -> None:
    """The marks in the images identify the prompts."""
    prompts = real_prompts(PROMPTS)

    async def sit(number: int) -> list[tuple[str, Invocation]]:
        """Send one prompt after the other, cycling through the formats."""
        member = system.discord.actor(f"member-{number:02}")
        used = []
        for turn, prompt in enumerate(prompts[number::MEMBERS]):
            invocation = await member.slash("imagine", prompt=prompt, format=FORMATS[(number + turn) % len(FORMATS)])
            await invocation.response()
            await invocation.wait_until(has_images, timeout=240)
            used.append((prompt, invocation))
        return used

    members = await asyncio.gather(*(sit(number) for number in range(MEMBERS)))
    finished = [each for used in members for each in used]
    for prompt, invocation in finished:
        card = invocation.message
        assert card is not None
        (picture,) = await system.pictures(card)
        assert read_mark(picture) == expected_mark(prompt, 0), prompt
        assert "12 credits" in text(card)
        assert invocation.followups == []
    waits = sorted(invocation.acknowledged_after or 0.0 for _, invocation in finished)
    ledger = await system.ledger()
    assert (ledger.problems, ledger.held, ledger.charged) == ([], 0, 12 * len(prompts))
    assert ledger.states == ["done"] * len(prompts)
    assert len(system.skillboss.billed) + len(system.reve2img.billed) == len(prompts)
    assert "Traceback" not in system.log()
    late = waits[len(waits) * 9 // 10]
    print(  # noqa: T201 - the trial's report
        f"\n{len(prompts)} prompts, {MEMBERS} members at once: acknowledged in median"
        f" {statistics.median(waits) * 1000:.0f} ms, 90 % {late * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms;"
        f" {len(finished)} completed; the books balance"
    )

"""Fifty members at once with real prompts: everybody gets the pictures of their own prompt, and the books balance.

`ATELIER_TRIAL_PROMPTS=220` makes it a longer trial; it prints what it measured with `pytest -s`.
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
from tests.end_to_end.system_harness import SystemHarness, is_done
from tests.support.fidelity import find_description

MEMBERS = 50
FORMATS = ("png", "jpeg", "webp")
PROMPTS = int(os.environ.get("ATELIER_TRIAL_PROMPTS", "60"))


def real_prompts(count: int) -> list[str]:
    """Return prompts of the PartiPrompts collection, spread over all of its kinds, or skip where it is absent."""
    description = find_description()
    file = None if description is None else description.parent / "data" / "PartiPrompts.tsv"
    if file is None or not file.exists():
        pytest.skip("data/PartiPrompts.tsv is neither in ATELIER_TEST_DATA nor in a sibling folder named shared")
    with file.open(newline="") as lines:
        prompts = [row["Prompt"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    step = len(prompts) // count
    return prompts[::step][:count]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """A running bot with providers that work by themselves."""
    house = SystemHarness(tmp_path)
    # What SkillBoss has no slot for goes to reve2img.
    house.skillboss.latency = house.reve2img.latency = Latency(queue=0.2, work=0.5)
    try:
        guild = house.discord.world.guild("Community")
        for number in range(MEMBERS):
            house.discord.world.add_member(guild, house.discord.world.add_user(f"member-{number:02}"))
        await house.start(POLL_INTERVAL_SECONDS="0.5", DEFAULT_ALLOWANCE="2000")
        yield house
    finally:
        await house.close()


@pytest.mark.timeout(600)
async def test_fifty_members_each_get_their_own_pictures(house: SystemHarness) -> None:
    """Every card ends with the picture drawn for its own prompt, told by the picture's pixels."""
    prompts = real_prompts(PROMPTS)

    async def sit(number: int) -> list[tuple[str, Invocation]]:
        """Use one prompt after the other, each with the next format."""
        member = house.discord.actor(f"member-{number:02}")
        used = []
        for turn, prompt in enumerate(prompts[number::MEMBERS]):
            invocation = await member.slash("imagine", prompt=prompt, format=FORMATS[(number + turn) % len(FORMATS)])
            await invocation.response()
            await invocation.wait_until(is_done, timeout=240)
            used.append((prompt, invocation))
        return used

    members = await asyncio.gather(*(sit(number) for number in range(MEMBERS)))
    finished = [each for used in members for each in used]
    for prompt, invocation in finished:
        card = invocation.message
        assert card is not None
        (picture,) = await house.pictures(card)
        assert read_mark(picture) == expected_mark(prompt, 0), prompt
        assert "12 credits" in text(card)
        assert invocation.followups == []
    waits = sorted(invocation.acknowledged_after or 0.0 for _, invocation in finished)
    ledger = await house.ledger()
    assert (ledger.problems, ledger.held, ledger.charged) == ([], 0, 12 * len(prompts))
    assert ledger.states == ["done"] * len(prompts)
    assert len(house.skillboss.billed) + len(house.reve2img.billed) == len(prompts)
    assert "Traceback" not in house.log()
    late = waits[len(waits) * 9 // 10]
    print(  # noqa: T201 - the trial's report
        f"\n{len(prompts)} prompts, {MEMBERS} members at once: acknowledged in median"
        f" {statistics.median(waits) * 1000:.0f} ms, 90 % {late * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms;"
        f" {len(finished)} completed; the books balance"
    )

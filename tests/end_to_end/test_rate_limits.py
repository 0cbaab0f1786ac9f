"""A rate-limited channel delays no other one."""

import asyncio

import pytest

from sandbox.discord import Actor, Channel, Invocation
from tests.end_to_end.system_harness import SystemHarness, has_images

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMBERS = 34
"""More than the edits that run at once."""
EDITS_A_CHANNEL = 8


async def queued(who: Actor, channel: Channel) -> Invocation:
    """Return a job in a channel once its card exists."""
    invocation = await who.slash("imagine", channel=channel, prompt=f"a kite of {who.user.name}")
    await invocation.response()
    return invocation


async def test_limited_channel_delays_no_other(system: SystemHarness) -> None:
    """Discord asks for 20 minutes with the scope "shared"."""
    world = system.discord.world
    guild = world.guild("Community")
    limited, free = world.add_channel(guild, "limited"), world.add_channel(guild, "free")
    members = [world.add_user(f"guest-{number}") for number in range(MEMBERS)]
    for user in members:
        world.add_member(guild, user)
    other = await queued(system.discord.actor("member"), free)
    system.discord.faults.add(
        "PATCH",
        rf"/webhooks/\d+/(?!{other.interaction.token})",
        status=429,
        retry_after=1200,
        headers={"X-RateLimit-Scope": "shared"},
        times=10**6,
    )
    await asyncio.gather(*(queued(system.discord.actor(user.name), limited) for user in members))
    await system.skillboss.wait_for(lambda: len(system.skillboss.jobs) > MEMBERS, seconds=60)
    ours, *theirs = system.skillboss.jobs
    assert ours.request.prompt == "a kite of member"
    for job in theirs:
        system.skillboss.finish(job)
    await system.discord.recorder.wait(lambda sent: sent.status == 429)
    system.skillboss.finish(ours)
    await other.wait_until(has_images)
    refused = [each for each in system.discord.requests if each.status == 429]
    assert 1 <= len(refused) <= EDITS_A_CHANNEL
    system.discord.faults.clear()

"""Interactions over HTTP, to bots without a gateway."""

import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import Message, text
from sandbox.discord.interaction_payloads import interaction_payload
from sandbox.discord.invocations import Invocation
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.support.balancer import Balancer
from tests.support.databases import Databases
from tests.support.image_server import drawn
from tests.support.polling import poll

SHARED = {"DRAIN_SECONDS": "300", "DEFAULT_ALLOWANCE": "100000"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot without a gateway."""
    system = SystemHarness(tmp_path_factory.mktemp("system"), over_http=True)
    try:
        await system.start(DEFAULT_ALLOWANCE="100000")
        yield system
        assert "Traceback" not in system.log()
    finally:
        await system.close()


async def finish(system: SystemHarness, invocation: Invocation, prompt: str, *, edit: bool = False) -> Message:
    """Let the provider make a job's pictures; return the card."""
    provider = system.reve2img if edit else system.skillboss
    provider.finish(await wait_for_provider_job(provider, prompt))
    return await invocation.wait_until(has_images)


async def test_imagine_over_http_ends_as_card_with_images(system: SystemHarness) -> None:
    """Completion, command, button and modal, as over the gateway."""
    member = system.discord.actor("member")
    offered = await member.autocomplete("imagine", "model", "banana")
    assert "nano-banana" in [each["value"] for each in offered]
    invocation = await member.slash("imagine", prompt="a fox over http")
    assert "Queued" in text(await invocation.response())
    card = await finish(system, invocation, "a fox over http")

    opened = await member.click(card, label="Edit")
    assert (await opened.modal())["title"] == "Edit this picture"
    edited = await member.submit_modal(opened, {"prompt": "make it snow over http"})
    await finish(system, edited, "make it snow over http", edit=True)
    assert {each.status for each in system.discord.endpoint.deliveries} == {202}
    assert system.discord.gateway.identifies == 0
    ledger = await system.ledger()
    assert (ledger.problems, ledger.held) == ([], 0)


async def test_edit_with_attachment_over_http(system: SystemHarness) -> None:
    invocation = await system.discord.actor("member").slash("edit", prompt="make it blue over http", image=png(drawn()))
    await finish(system, invocation, "make it blue over http", edit=True)


async def test_cancel_over_http_releases_credits(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a fox to cancel")
    card = await invocation.response()
    await (await member.click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("ancelled"))
    assert (await system.ledger()).held == 0


async def test_repeated_request_makes_no_second_job(system: SystemHarness) -> None:
    """A recorded request is sent again within the time of its signature."""
    invocation = await system.discord.actor("member").slash("imagine", prompt="a fox once")
    card = await invocation.response()
    before = len((await system.ledger()).states)
    assert await deliver_again(system, invocation, system.interactions_url) == 202
    await poll(partial(read_log, system), until=lambda log: "interaction.repeated" in log)
    assert len((await system.ledger()).states) == before
    assert system.discord.actor("member").sees()[-1] is card
    await finish(system, invocation, "a fox once")


async def read_log(system: SystemHarness) -> str:
    """Return the bot's log."""
    return system.log()


async def deliver_again(system: SystemHarness, invocation: Invocation, url: str) -> int:
    """Send an interaction to an address; return the status of the answer."""
    discord = system.discord
    payload = interaction_payload(invocation.interaction, discord.world, discord.messages)
    return (await discord.endpoint.post(url, payload))[0]


async def test_server_out_of_reach_is_not_guessed(system: SystemHarness) -> None:
    """Without roles a moderator would be a member.

    Pictures are made all the same.
    """
    moderator = system.discord.actor("moderator")
    system.discord.faults.add(method="GET", path=r"/guilds/\d+$", status=403, times=1)
    refused = await moderator.slash("jobs list")
    assert await system.discord.endpoint.wait_delivered(refused.interaction.id) == 503
    assert refused.interaction.acknowledged_at is None
    made = await moderator.slash("imagine", prompt="a fox meanwhile")
    await finish(system, made, "a fox meanwhile")


async def test_setup_knows_channels_and_roles_without_gateway(system: SystemHarness) -> None:
    card = await (await system.discord.actor("owner").slash("studio setup")).response()
    assert text(card).startswith("## The studio is ready\nMembers can make pictures with `/imagine` in every channel")


async def test_rights_in_server_count_without_gateway(system: SystemHarness) -> None:
    """A moderator sees the balance of others, a member does not."""
    member, other = system.discord.world.user("member"), system.discord.actor("member-two")
    seen = await (await system.discord.actor("moderator").slash("credits balance", member=member.id)).response()
    refused = await (await other.slash("credits balance", member=member.id)).response()
    assert "credits" in text(seen)
    assert "moderator" in text(refused)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pair(
    tmp_path_factory: pytest.TempPathFactory, postgresql_databases: Databases
) -> AsyncIterator[tuple[SystemHarness, SystemHarness, Balancer]]:
    """Yield two bots without gateways on one database, behind a load balancer."""
    folder, url = tmp_path_factory.mktemp("pair"), await postgresql_databases.create(migrated=True)
    one = SystemHarness(folder, database_url=url, over_http=True)
    other = SystemHarness(folder, database_url=url, over_http=True, beside=one)
    balancer = Balancer(one.interactions_url, other.interactions_url)
    try:
        await balancer.start()
        await one.start(**SHARED)
        await other.start_bot(**SHARED)
        await one.discord.endpoint.register(balancer.url)
        yield one, other, balancer
        assert "Traceback" not in one.log()
    finally:
        await other.close()
        await one.close()
        await balancer.close()
        await postgresql_databases.drop(url)


Pair = tuple[SystemHarness, SystemHarness, Balancer]


async def test_each_process_answers_interactions(pair: Pair) -> None:
    """A button is pressed at another process than the command was sent to."""
    one, other, balancer = pair
    member = one.discord.actor("member")
    balancer.answered.clear()
    for number in range(3):
        prompt = f"a fox, number {number}"
        made = await member.slash("imagine", prompt=prompt)
        card = await finish(one, made, prompt)
        again = await member.click(card, label="Again · 12")
        await finish(one, again, prompt)
    assert balancer.answered == {one.interactions_url: 3, other.interactions_url: 3}
    ledger = await one.ledger()
    assert (ledger.problems, ledger.held, ledger.charged) == ([], 0, 6 * 12)


async def test_interaction_sent_to_both_processes_makes_one_job(pair: Pair) -> None:
    one, other, _ = pair
    invocation = await one.discord.actor("member").slash("imagine", prompt="a fox for both")
    card = await invocation.response()
    jobs = len((await one.ledger()).states)
    for each in (one, other):
        assert await deliver_again(one, invocation, each.interactions_url) == 202
    await finish(one, invocation, "a fox for both")
    # Both have answered by now: each process takes its interactions in turn.
    after = await one.discord.actor("member").slash("imagine", prompt="a fox after both")
    finished = await finish(one, after, "a fox after both")
    assert len((await one.ledger()).states) == jobs + 1
    assert [text(each) for each in one.discord.actor("member").sees()[-2:]] == [text(card), text(finished)]


async def test_stopping_process_answers_until_others_take_over(pair: Pair) -> None:
    """A rolling restart misses no command."""
    one, other, balancer = pair
    member = one.discord.actor("member")
    one.signal_bot(signal.SIGTERM)
    status, answer = await poll(lambda: one.get("/readyz"), until=lambda answer: answer[0] == 503)
    assert (status, answer) == (503, {"status": "draining", "missing": []})
    balancer.answered.clear()
    made = [await member.slash("help") for _ in range(2)]
    for each in made:
        await each.response()
    assert balancer.answered == {one.interactions_url: 1, other.interactions_url: 1}
    last = await member.slash("imagine", prompt="a fox at the end")
    next_one = await member.slash("imagine", prompt="a fox after it")
    for each in (last, next_one):
        await each.response()
    one.signal_bot(signal.SIGTERM)  # the operator does not want to wait
    assert await one.bot_ended() == 0
    await finish(one, last, "a fox at the end")
    await finish(one, next_one, "a fox after it")
    balancer.answered.clear()
    for _ in range(2):
        await (await member.slash("help")).response()
    assert balancer.answered == {other.interactions_url: 2}
    await one.start_bot(**SHARED)


async def test_interaction_by_both_ways_is_answered_once(tmp_path: Path) -> None:
    """The gateway may still have one while the address is being saved."""
    system = SystemHarness(tmp_path)
    try:
        await system.start(INTERACTIONS="http")
        assert "interactions.not_registered" in system.log()
        member = system.discord.actor("member")
        invocation = await member.slash("imagine", prompt="a fox by the gateway")
        await invocation.response()
        assert await deliver_again(system, invocation, system.interactions_url) == 202
        await finish(system, invocation, "a fox by the gateway")
        await system.discord.endpoint.register(system.interactions_url)
        await finish(system, await member.slash("imagine", prompt="a fox over http"), "a fox over http")
        assert len((await system.ledger()).states) == 2
        assert [each.status for each in system.discord.endpoint.deliveries] == [202]

        await system.stop_bot()
        await system.start_bot()
        assert "interactions.sent_elsewhere" in system.log()
        assert "Traceback" not in system.log()
    finally:
        await system.close()

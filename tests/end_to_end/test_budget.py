"""The monthly budget: its parts in `/status`, and its alerts to the owner."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from db.audit_log import AuditLogRepository
from db.database import Database
from sandbox.discord import Actor, Message, text
from sandbox.providers import BflServer
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, has_images, wait_for_provider_job

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a bot with a budget of two pictures."""
    system = SystemHarness(_folder(tmp_path_factory))
    try:
        await system.start(MONTHLY_BUDGET="24")
        yield system
    finally:
        await system.close()


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("system")


def owner_messages(system: SystemHarness) -> list[Message]:
    """Return the direct messages to the application's owner."""
    owner = system.discord.world.application.owner_id
    return list(system.discord.world.direct_message(owner).messages.values())


async def database_actions(system: SystemHarness) -> list[str]:
    """Return the actions in the audit log of no server, oldest first."""
    database = await Database.open(system.database_url)
    try:
        entries = await database.read(lambda connection: AuditLogRepository(connection).list(0, limit=9))
    finally:
        await database.close()
    return [entry.action for entry in reversed(entries)]


async def command_output(system: SystemHarness, command: str) -> str:
    """Return the output of a command beside the running bot."""
    code, output = await system.command(command)
    assert code == 0
    return output


async def test_owner_is_told_once_and_status_shows_parts(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a fox")
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a fox"))
    await invocation.wait_until(has_images)
    system.skillboss.faults.add("submit", "reset_after")
    lost = await member.slash("imagine", prompt="a fox, lost")
    await lost.wait_until(lambda message: "Nothing was charged" in text(message))
    status = await (await member.slash("status")).response()
    assert "0 of 24 left · 12 spent · 12 at risk" in text(status)
    assert "The studio is closed" in text(status)
    assert "The studio's budget for this month is used up." in text(status)
    report = (await command_output(system, "money")).splitlines()
    calls, *_ = [line.split() for line in report if line.startswith("skillboss")]
    assert calls[2:] == ["2", "1", "2", "0", "0", "1", "12", "12"]
    # The bot checks at its start and then every half a minute.
    for _ in range(2):
        await system.stop_bot()
        await system.start_bot(MONTHLY_BUDGET="24")
        async with asyncio.timeout(PATIENCE):
            while not any("100 %" in text(each) for each in owner_messages(system)):
                await system.ledger()
    await system.stop_bot()
    titles = [text(each).splitlines()[0] for each in owner_messages(system)]
    # A check between the two jobs, which a slow machine has time for, tells the half too.
    assert [title.partition("reached ")[2] for title in titles] in (["100 %.**"], ["50 %.**", "100 %.**"])
    assert system.log().count("budget.reached") == len(titles)


async def test_owner_pauses_and_resumes_everything_from_an_alert(system: SystemHarness) -> None:
    await system.start_bot()
    owner, member = system.discord.actor("owner"), system.discord.actor("member")
    alert = owner_messages(system)[0]

    async def press(message: Message, label: str, *, by: Actor = owner) -> Message:
        return await (await by.click(message, label=label, unchecked=by is not owner)).response()

    async def pauses() -> str:
        return text(await (await member.slash("status")).response()).splitlines()[0]

    question = await press(alert, "Pause everything")
    assert text(question).startswith("Pause everything, in every server?")
    kept = await press(question, "Keep running")
    assert text(kept) == "Nothing was changed: the studio was not paused."
    question = await press(alert, "Pause everything")
    for message in (alert, question):
        refused = await press(message, "Pause everything", by=member)
        assert text(refused) == "Only the bot's owner can do that."
    assert await pauses() == "## The studio is open"

    paused = await press(question, "Pause everything")
    assert text(paused).startswith("Everything is paused since ")
    assert await pauses() == "## The studio is paused"
    refused = await (await member.slash("imagine", prompt="an owl")).response()
    assert "The studio is paused by its operator." in text(refused)
    again = await press(alert, "Pause everything")
    assert text(again) == text(paused)

    refused = await press(paused, "Resume", by=member)
    assert text(refused) == "Only the bot's owner can do that."
    assert await pauses() == "## The studio is paused"
    assert text(await press(paused, "Resume")) == "The studio is open again."
    assert text(await press(again, "Resume")) == "Nothing was changed: the studio was not paused."
    assert await pauses() == "## The studio is open"
    log = await database_actions(system)
    assert log == ["pause.begin", "pause.end"]
    await system.stop_bot()


async def test_low_balance_is_told_once_for_restarts(system: SystemHarness) -> None:
    before = len(owner_messages(system))
    bfl = BflServer(key="the-accounts-key")
    bfl.store.balance = Decimal("3.5")
    await bfl.start()
    for start in (1, 2):
        await system.start_bot(BFL_API_KEY="the-accounts-key", BFL_API_URL=bfl.url, MONTHLY_BUDGET="0")
        async with asyncio.timeout(PATIENCE):
            while len(bfl.requests) < start or len(owner_messages(system)) == before:
                await system.ledger()
        await system.stop_bot()
    await bfl.close()
    (message,) = owner_messages(system)[before:]
    assert message.content.startswith("**The balance at Black Forest Labs is low: $3.50 left.**")
    assert system.log().count("balance.low") == 1

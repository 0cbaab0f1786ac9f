"""A server's own key from its entry to its removal, over real sockets."""

import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import Actor, Invocation, Message, Permission, text
from sandbox.providers import Endpoint, RequestError
from tests.end_to_end.system_harness import (
    PATIENCE,
    SERVER_KEY,
    SKILLBOSS_KEY,
    SystemHarness,
    has_images,
    says,
    wait_for_provider_job,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {
    "COMMUNITY_KEYS": "on",
    "SECRET_KEY": "the-secret-key-of-the-end-to-end-tests",
    "LOG_LEVEL": "DEBUG",
}
WRONG = "end-to-end-wrong-key"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with own keys of servers."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    # Some providers quote a wrong key, in a word or in a sentence.
    system.skillboss.key_error = lambda key: RequestError(401, f"{key} invalid key: {key!r}")  # type: ignore[method-assign]
    try:
        await system.start(**SETTINGS)
        yield system
    finally:
        await system.close()


async def press(admin: Actor, card: Message, label: str, condition: Callable[[Message], bool]) -> Message:
    """Press a button of the card, and return the card once it has changed."""
    return await (await admin.click(card, label=label)).wait_until(condition)


async def enter(admin: Actor, card: Message, key: str, condition: Callable[[Message], bool]) -> Message:
    """Send the shown provider's form, and return the card once it has changed."""
    label = "Replace key" if "entered by" in text(card) else "Enter key"
    opened = await admin.click(card, label=label)
    return await (await admin.submit_modal(opened, {"key": key})).wait_until(condition)


async def finished(system: SystemHarness, invocation: Invocation, prompt: str) -> Message:
    """Finish a picture at its provider and return its card."""
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, prompt))
    return await invocation.wait_until(has_images)


def budgets(system: SystemHarness) -> dict[int, int]:
    """Return the captured credits by server; 0 is the operator's budget."""
    with sqlite3.connect(f"file:{system.folder / 'data' / 'atelier.db'}?mode=ro", uri=True) as database:
        return dict(database.execute("SELECT community_id, captured + held + at_risk FROM budgets"))


def places_with(folder: Path, word: str) -> list[str]:
    """Return the files below a folder with a word in them."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return [each.name for each in files if word.encode() in each.read_bytes()]


async def test_own_key_serves_its_server_through_a_crash_until_its_removal(system: SystemHarness) -> None:
    discord, skillboss = system.discord, system.skillboss
    owner, member = discord.actor("owner"), discord.actor("member")
    other = discord.world.add_guild("Painters", owner=discord.world.user("owner"))
    discord.world.add_member(other, member.user)
    easel = discord.world.add_channel(other, "easel")
    discord.join(other)
    guild = int(discord.world.guild("Community").id)

    card = await (await owner.slash("studio keys")).response()
    assert card.ephemeral
    assert "**SkillBoss** · no key" in text(card)
    card = await enter(owner, card, f"Bearer {SERVER_KEY}", says("Enter the key alone"))
    card = await enter(owner, card, WRONG, says("SkillBoss does not accept this key. Nothing was saved."))
    assert "**SkillBoss** · no key" in text(card)
    card = await enter(owner, card, SERVER_KEY, says("Saved: SkillBoss accepts the key."))
    assert f"entered by <@{owner.user.id}>" in text(card)
    card = await press(owner, card, "Test", lambda message: text(message).startswith("SkillBoss accepts the key."))
    skillboss.requests.clear()

    crashed = await member.slash("imagine", prompt="a fox")
    await wait_for_provider_job(skillboss, "a fox")
    await skillboss.wait_for(lambda: skillboss.used_keys(Endpoint.STATUS), seconds=PATIENCE)  # its submit is stored
    await system.stop_bot(signal.SIGKILL)
    await system.start_bot(**SETTINGS)
    await finished(system, crashed, "a fox")
    removed = await member.slash("imagine", prompt="a heron")
    await wait_for_provider_job(skillboss, "a heron")
    assert set(skillboss.used_keys()) == {SERVER_KEY}
    elsewhere = await member.slash("imagine", channel=easel, prompt="an otter")
    await finished(system, elsewhere, "an otter")
    await press(owner, card, "Remove", says("Removed."))
    skillboss.requests.clear()
    await finished(system, removed, "a heron")
    assert set(skillboss.used_keys()) == {SERVER_KEY}
    assert set(system.reve2img.used_keys()) == set()
    assert budgets(system) == {guild: 24, int(other.id): 12, 0: 12}

    here = await member.slash("imagine", prompt="a badger")
    await finished(system, here, "a badger")
    assert skillboss.used_keys(Endpoint.SUBMIT) == [SKILLBOSS_KEY]
    assert budgets(system) == {guild: 36, int(other.id): 12, 0: 24}
    assert (await system.ledger()).problems == []
    log = text(await (await owner.slash("studio audit", kind=3)).response())
    assert "entered an own key" in log
    assert "removed an own key" in log
    assert "provider: \u2068skillboss" in log


async def test_rejected_key_is_reported_to_its_server_and_stops_no_other(system: SystemHarness) -> None:
    owner, member = system.discord.actor("owner"), system.discord.actor("member")
    opened = await owner.click(
        await (await owner.slash("studio setup")).response(), custom_id=f"a1:setupsharing:{_guild(system):032d}:0"
    )
    await (await owner.submit_modal(opened, {"review": [], "showcase": [], "log": ["moderators"]})).response()
    card = await (await owner.slash("studio keys")).response()
    card = await enter(owner, card, SERVER_KEY, says("Saved"))
    system.skillboss._keys = frozenset({SKILLBOSS_KEY})
    failed = await member.slash("imagine", prompt="a marten")
    await failed.wait_until(says("The image service does not accept this server's key."))
    refused = await (await member.slash("imagine", prompt="a marten")).response()
    assert refused.ephemeral
    assert "SkillBoss does not accept this server's key. Nothing was charged." in text(refused)
    messages = system.discord.world.channel("moderators").messages
    await system.discord.recorder.wait(
        lambda _: any("does not accept this server's key" in text(each) for each in messages.values())
    )
    status = text(await (await member.slash("status")).response())
    assert "does not accept" not in status
    assert "provider.left_alone" not in system.log()
    card = await press(owner, card, "Test", says("SkillBoss does not accept this server's key."))
    card = await press(owner, card, "Remove", says("Removed."))
    assert (await system.ledger()).problems == []


async def test_members_and_former_admins_reach_no_key(system: SystemHarness) -> None:
    discord = system.discord
    owner, member = discord.actor("owner"), discord.actor("member")
    forged = await member.slash("studio keys", unchecked=True)
    assert "SkillBoss" not in text(await forged.response())
    managers = discord.create_role("Key managers", permissions=Permission.MANAGE_GUILD)
    discord.give_role(member.user, managers)
    card = await (await member.slash("studio keys")).response()
    opened = await member.click(card, label="Enter key")
    await opened.modal()
    discord.take_role(member.user, managers)
    system.skillboss._keys |= {SERVER_KEY}
    for refused in (
        await member.submit_modal(opened, {"key": SERVER_KEY}),
        await member.click(card, label="Enter key"),
        await member.select(card, ["skillboss"]),
    ):
        assert "an admin of this server" in text(await refused.response())
    card = await (await owner.slash("studio keys")).response()
    assert "**SkillBoss** · no key" in text(card)


async def test_key_is_in_no_file_of_the_bot(system: SystemHarness) -> None:
    """Neither in the log nor in the database."""
    await system.stop_bot()
    assert '"level": "debug"' in system.log()
    assert places_with(system.folder, SERVER_KEY) == []
    assert places_with(system.folder, WRONG) == []


def _guild(system: SystemHarness) -> int:
    return int(system.discord.world.guild("Community").id)

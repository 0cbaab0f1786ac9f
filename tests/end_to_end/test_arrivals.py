"""Arrival in a server, the owner's decision, and departure."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sandbox.discord import Guild, Message, Permission, text
from tests.end_to_end.system_harness import PATIENCE, SystemHarness

pytestmark = pytest.mark.asyncio(loop_scope="module")

RIGHTS = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.EMBED_LINKS | Permission.ATTACH_FILES
RIGHTS |= Permission.READ_MESSAGE_HISTORY


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot without a list of servers."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(COMMUNITIES="")
        yield system
    finally:
        await system.close()


def new_guild(system: SystemHarness, name: str) -> Guild:
    """Return a new server of "member" without the bot, with one channel."""
    world = system.discord.world
    guild = world.add_guild(name, owner=world.user("member"))
    world.add_channel(guild, f"{name}-lounge")
    return guild


def posts(system: SystemHarness, guild: Guild) -> list[Message]:
    """Return the messages in a server's channels."""
    channels = system.discord.world.guild_channels(guild)
    return [message for channel in channels for message in channel.messages.values() if not message.ephemeral]


def owner_cards(system: SystemHarness) -> list[Message]:
    """Return the direct messages to the owner."""
    channels = [each for each in system.discord.world.channels.values() if each.guild_id is None]
    return [message for channel in channels for message in channel.messages.values()]


async def until(holds: Callable[[], object]) -> None:
    """Wait for a condition without a request of its kind."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - events of the gateway and lines of the log
            await asyncio.sleep(0)


async def first_comparison(system: SystemHarness) -> None:
    """Wait until the bot knows the servers of its first start."""
    await until(lambda: "discord.ready" in system.log())


async def test_new_server_is_greeted_once_and_admitted_by_card(system: SystemHarness) -> None:
    owner = system.discord.actor("owner")
    guild = new_guild(system, "Painters")
    await first_comparison(system)
    assert posts(system, system.discord.world.guild("Community")) == []
    system.discord.join(guild, permissions=RIGHTS)
    await until(lambda: posts(system, guild) and owner_cards(system))
    (hello,), (card,) = posts(system, guild), owner_cards(system)
    assert "The studio opens here once the bot's owner admits this server; *Set up*" in text(hello)
    assert text(card).startswith("## A server asks for the studio\n**\u2068Painters\u2069** · 2 members")

    member = system.discord.actor("member")
    status = text(await (await member.slash("status", channel="Painters-lounge")).response())
    assert status.startswith("## The studio is closed\nThe studio is not open to this server yet.")
    assert "Budget" not in status

    admitted = await (await owner.click(card, label="Admit")).response()
    assert text(admitted).startswith("## Admitted\n**\u2068Painters\u2069**")
    status = text(await (await member.slash("status", channel="Painters-lounge")).response())
    assert status.startswith("## The studio is open\n")
    made = await (await member.slash("imagine", channel="Painters-lounge", prompt="a fox")).response()
    assert "a fox" in text(made)
    setup = await (await member.click(hello, label="Set up")).response()
    assert text(setup).startswith("## The studio is ready")

    ended = await (await owner.click(card, label="End admission")).response()
    assert text(ended).startswith("## A server asks for the studio")
    refused = await (await member.slash("imagine", channel="Painters-lounge", prompt="an owl")).response()
    assert text(refused).startswith("The studio is not open to this server yet.")

    await system.stop_bot()
    system.discord.leave(guild)
    system.discord.join(guild, permissions=RIGHTS)
    missed = new_guild(system, "Poets")
    system.discord.join(missed, permissions=RIGHTS)
    await system.start_bot(COMMUNITIES="")
    await until(lambda: posts(system, missed))
    assert len(posts(system, missed)) == 1
    assert [each for each in posts(system, guild) if "opens here" in text(each)] == [hello]

    leaving = await owner.click(owner_cards(system)[-1], label="Leave server")
    await leaving.wait_until(lambda card: text(card).startswith("## Not in this server\n**\u2068Poets\u2069**"))
    assert system.discord.world.bot.id not in missed.members

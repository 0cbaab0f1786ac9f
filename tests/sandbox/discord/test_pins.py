"""Pinned messages."""

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Permission
from sandbox.discord.entities import PIN_NOTICE
from sandbox.discord.pins import MOST_PINS
from tests.sandbox.discord.fixture_bot import PATIENCE, Clock, FixtureBot


@pytest.fixture
async def general(server: DiscordServer, bot: FixtureBot) -> discord.TextChannel:
    """Give the channel as the bot sees it, with the right to pin."""
    server.set_overwrite("general", server.world.bot, allow=Permission.PIN_MESSAGES)
    found = bot.get_channel(int(server.world.channel("general").id))
    assert isinstance(found, discord.TextChannel)
    return found


async def test_pin_is_announced_and_listed_latest_first(
    server: DiscordServer, general: discord.TextChannel, bot: FixtureBot, clock: Clock
) -> None:
    first, second = await general.send("one"), await general.send("two")
    changed = bot.wait_for("guild_channel_pins_update", timeout=PATIENCE)
    await first.pin()
    await changed
    await first.pin()
    clock.advance(60)
    await second.pin()
    assert [each.content async for each in general.pins()] == ["two", "one"]
    assert (await general.fetch_message(first.id)).pinned
    notices = [each for each in server.actor("member").sees("general") if each.kind == PIN_NOTICE]
    assert [each.payload["message_reference"]["message_id"] for each in notices] == [str(first.id), str(second.id)]

    await second.unpin()
    assert [each.content async for each in general.pins()] == ["one"]
    await first.delete()
    assert [each.content async for each in general.pins()] == []


async def test_pin_needs_its_own_right(server: DiscordServer, general: discord.TextChannel) -> None:
    message = await general.send("one")
    server.set_overwrite("general", server.world.bot, allow=Permission.MANAGE_MESSAGES)
    for change in (message.pin(), message.unpin()):
        with pytest.raises(discord.Forbidden) as caught:
            await change
        assert caught.value.code == 50013
    with pytest.raises(ClientRefusal):
        await server.actor("member").pin(server.world.message(str(message.id)))
    await server.actor("owner").pin(server.world.message(str(message.id)))
    assert [each.content async for each in general.pins()] == ["one"]


async def test_full_channel_refuses_another_pin(server: DiscordServer, general: discord.TextChannel) -> None:
    owner = server.actor("owner")
    for number in range(MOST_PINS):
        await owner.pin(await owner.say(f"rule {number}"))
    message = await general.send("one more")
    with pytest.raises(discord.HTTPException) as caught:
        await message.pin()
    assert caught.value.code == 30003
    assert len([each async for each in general.pins(limit=None)]) == MOST_PINS


async def test_notice_itself_cannot_be_pinned(server: DiscordServer, general: discord.TextChannel) -> None:
    message = await general.send("one")
    await message.pin()
    notice = server.actor("member").sees("general")[-1]
    with pytest.raises(discord.Forbidden) as caught:
        await general.get_partial_message(int(notice.id)).pin()
    assert caught.value.code == 50021


async def test_without_history_right_pins_are_empty(server: DiscordServer, general: discord.TextChannel) -> None:
    await (await general.send("one")).pin()
    server.set_overwrite("general", server.world.bot, deny=Permission.READ_MESSAGE_HISTORY)
    assert [each async for each in general.pins()] == []
    assert [each async for each in general.history()] == []

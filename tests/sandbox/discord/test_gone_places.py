"""Threads, channels, guilds and direct messages closed while in use."""

import discord
import pytest

from sandbox.discord import Channel, ClientRefusal, DiscordServer
from tests.sandbox.discord.fixture_bot import FixtureBot


def messages(bot: FixtureBot, channel: Channel) -> discord.PartialMessageable:
    """Return a channel as the bot writes to it."""
    return bot.get_partial_messageable(int(channel.id))


async def test_edit_in_archived_thread_is_50083(server: DiscordServer, bot: FixtureBot) -> None:
    """Everyone with permission to write there may reopen it."""
    thread = server.world.add_thread(server.world.channel("general"), "sketches")
    message = await messages(bot, thread).send("one")
    thread.archived = True
    with pytest.raises(discord.HTTPException) as caught:
        await message.edit(content="two")
    assert caught.value.code == 50083
    found = await bot.fetch_channel(int(thread.id))
    assert isinstance(found, discord.Thread)
    await found.edit(archived=False)
    await message.edit(content="two")
    assert [each.content for each in server.actor("member").sees(thread)] == ["two"]


async def test_reopening_locked_thread_needs_manage_threads(server: DiscordServer, bot: FixtureBot) -> None:
    thread = server.world.add_thread(server.world.channel("general"), "closed")
    thread.archived = thread.locked = True
    found = await bot.fetch_channel(int(thread.id))
    assert isinstance(found, discord.Thread)
    with pytest.raises(discord.Forbidden):
        await found.edit(archived=False)
    assert thread.archived


async def test_thread_has_overwrites_of_its_channel(server: DiscordServer, bot: FixtureBot) -> None:
    """It is not listed among the guild's channels."""
    thread = server.world.add_thread(server.world.channel("secret"), "hidden")
    with pytest.raises(discord.Forbidden):
        await bot.fetch_channel(int(thread.id))
    assert thread not in server.world.guild_channels(server.world.guild("Community"))


async def test_deleted_channel_is_unknown_with_its_threads(server: DiscordServer, bot: FixtureBot) -> None:
    """Both tokens get the same response."""
    channel = server.world.channel("general")
    thread = server.world.add_thread(channel, "sketches")
    message = await messages(bot, channel).send("one")
    server.delete_channel(channel)
    for place in (channel, thread):
        with pytest.raises(discord.NotFound) as caught:
            await messages(bot, place).send("x")
        assert caught.value.code == 10003
    with pytest.raises(discord.NotFound):
        await message.edit(content="two")


async def test_interaction_in_deleted_channel_is_answered_with_10003(server: DiscordServer, bot: FixtureBot) -> None:
    """Its messages cannot be pressed any more, nor answered."""
    general, coming = server.world.channel("general"), bot.next_quiet()
    await server.actor("member").slash("quiet")
    interaction = await coming
    message = await server.actor("member").say("look")
    server.delete_channel(general)
    with pytest.raises(discord.NotFound) as caught:
        await interaction.response.send_message("x")
    assert caught.value.code == 10003
    with pytest.raises(ClientRefusal):
        await server.actor("member").react(message, "⭐")
    with pytest.raises(ClientRefusal):
        await server.actor("member").context_menu("Report", message)


async def test_deleted_guild_is_unknown(server: DiscordServer, bot: FixtureBot) -> None:
    """Without another common guild a direct message is code 50278."""
    channel = server.world.channel("general")
    person = bot.get_partial_messageable(int(server.direct_message("member").id))
    await person.send("hello")
    server.delete_guild(server.world.guild("Community"))
    with pytest.raises(discord.NotFound) as unknown:
        await messages(bot, channel).send("x")
    assert unknown.value.code == 10003
    with pytest.raises(discord.Forbidden) as refused:
        await person.send("hello again")
    assert refused.value.code == 50278

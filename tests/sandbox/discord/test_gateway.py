import asyncio
from typing import Any

import aiohttp
import discord
import pytest

from sandbox.discord import DiscordServer, text
from sandbox.discord.gateway import CloseCode
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, TOKEN, FixtureBot


async def test_a_bot_logs_in_and_sees_its_guild(server: DiscordServer, bot: FixtureBot) -> None:
    """After READY the client knows its guild, channels, roles and itself, and nobody else without that intent."""
    guild = bot.guilds[0]
    assert guild.name == "Community"
    assert [channel.name for channel in guild.text_channels][:3] == ["general", "showcase", "restricted"]
    assert guild.text_channels[2].is_nsfw()
    assert guild.me.guild_permissions.send_messages
    assert [member.name for member in guild.members] == ["atelier"]
    assert bot.application_id == int(server.world.application.id)
    info = await bot.application_info()
    assert info.owner.name == "owner"


async def test_a_wrong_token_is_turned_away(server: DiscordServer) -> None:
    """Login over REST fails with 401, and IDENTIFY closes the connection with 4004."""
    async with discord.Client(intents=discord.Intents.none()) as client:
        with pytest.raises(discord.LoginFailure):
            await client.login("another")
    assert await identified(server, token="another") == CloseCode.AUTHENTICATION_FAILED


async def test_privileged_intents_and_wrong_shards_are_turned_away(server: DiscordServer) -> None:
    """Asking for an intent that was not granted closes with 4014, a shard beyond the count with 4010."""
    assert await identified(server, intents=1 << 15) == CloseCode.DISALLOWED_INTENTS
    assert await identified(server, shard=[2, 2]) == CloseCode.INVALID_SHARD


async def identified(server: DiscordServer, **fields: Any) -> int | None:
    """Identify by hand and return the close code."""
    data = {"token": TOKEN, "intents": 1, "properties": {}, **fields}
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_url) as socket:
        hello = await socket.receive_json()
        assert hello["op"] == 10
        await socket.send_json({"op": 2, "d": data})
        await socket.receive()
        return socket.close_code


async def test_commands_are_registered(server: DiscordServer, bot: FixtureBot) -> None:
    """The client's command sync is stored with ids, and a second sync keeps them."""
    before = {command["name"]: command["id"] for command in await server.wait_commands()}
    assert {"imagine", "hello", "credits", "Report"} <= before.keys()
    await bot.tree.sync()
    after = {command["name"]: command["id"] for command in server.commands.registered()}
    assert after == before
    fetched = await bot.tree.fetch_commands()
    assert {command.name for command in fetched} == before.keys()


async def test_a_dropped_gateway_loses_no_event(server: DiscordServer, bot: FixtureBot) -> None:
    """What happens while the connection is down arrives after the resume."""
    member = server.actor("member")
    await server.gateway.drop()
    await server.wait_disconnected()
    invocation = await member.slash("hello")
    assert text(await invocation.response()) == "Hello"
    await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
    assert [handshake.kind for handshake in server.gateway.handshakes] == ["identify", "resume"]


async def test_a_bot_that_is_asked_to_reconnect_resumes(server: DiscordServer, bot: FixtureBot) -> None:
    """Opcode 7 makes the client come back with its session."""
    server.gateway.ask_reconnect()
    await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
    assert server.gateway.handshakes[-1].kind == "resume"


async def test_an_unknown_session_cannot_be_resumed(server: DiscordServer) -> None:
    """A RESUME of a session that is gone is answered with opcode 9, and one with a wrong token with 4004."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 6, "d": {"token": TOKEN, "session_id": "gone", "seq": 1}})
        answer = await socket.receive_json()
        assert (answer["op"], answer["d"]) == (9, False)
        await socket.send_json({"op": 6, "d": {"token": "another", "session_id": "gone", "seq": 1}})
        await socket.receive()
        assert socket.close_code == CloseCode.AUTHENTICATION_FAILED


async def test_messages_are_heard_only_with_their_intent(server: DiscordServer, connect: Connect) -> None:
    """A bot with the message intent hears that something was written, not what, without the content intent."""
    plain = await connect(server, FixtureBot())
    keen = FixtureBot(discord.Intents(guilds=True, guild_messages=True))
    await connect(server, keen)
    await server.actor("member").say("Good morning")
    heard = await asyncio.wait_for(keen.heard.get(), PATIENCE)
    assert (heard.author.name, heard.content) == ("member", "")
    assert plain.heard.empty()


async def test_each_shard_gets_its_own_guilds(server: DiscordServer) -> None:
    """With two shards a guild's events go to the one that its id belongs to."""
    guild = server.world.guild("Community")
    own = (int(guild.id) >> 22) % 2
    async with aiohttp.ClientSession() as session:
        guilds: list[list[str]] = []
        for number in range(2):
            async with session.ws_connect(server.gateway_url) as socket:
                await socket.receive_json()
                await socket.send_json({"op": 2, "d": {"token": TOKEN, "intents": 1, "shard": [number, 2]}})
                ready = await socket.receive_json()
                guilds.append([each["id"] for each in ready["d"]["guilds"]])
        assert guilds[own] == [guild.id]
        assert guilds[1 - own] == []


async def test_leaving_and_joining_a_guild_is_told(server: DiscordServer, bot: FixtureBot) -> None:
    """A bot that is removed from a guild forgets it, and knows it again when it is added."""
    guild = server.world.guild("Community")
    removed = bot.wait_for("guild_remove", timeout=PATIENCE)
    server.leave(guild)
    await removed
    assert list(bot.guilds) == []
    joined = bot.wait_for("guild_join", timeout=PATIENCE)
    server.join(guild)
    await joined
    assert [each.name for each in bot.guilds] == ["Community"]

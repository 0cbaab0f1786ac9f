import asyncio
from typing import Any

import aiohttp
import discord
import pytest

from sandbox.discord import DiscordServer, text
from sandbox.discord.gateway import CloseCode
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, TOKEN, FixtureBot


async def test_login_shows_guild_without_other_members(server: DiscordServer, bot: FixtureBot) -> None:
    """Other members need the members intent."""
    guild = bot.guilds[0]
    assert guild.name == "Community"
    assert [channel.name for channel in guild.text_channels][:3] == ["general", "showcase", "restricted"]
    assert guild.text_channels[2].is_nsfw()
    assert guild.me.guild_permissions.send_messages
    assert [member.name for member in guild.members] == ["atelier"]
    assert bot.application_id == int(server.world.application.id)
    info = await bot.application_info()
    assert info.owner.name == "owner"


async def test_wrong_token_is_401_and_close_4004(server: DiscordServer) -> None:
    async with discord.Client(intents=discord.Intents.none()) as client:
        with pytest.raises(discord.LoginFailure):
            await client.login("another")
    assert await identified(server, token="another") == CloseCode.AUTHENTICATION_FAILED


async def test_ungranted_intent_and_wrong_shard_close_connection(server: DiscordServer) -> None:
    """The codes are 4014 and 4010."""
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


async def test_second_command_sync_keeps_ids(server: DiscordServer, bot: FixtureBot) -> None:
    before = {command["name"]: command["id"] for command in await server.wait_commands()}
    assert {"imagine", "hello", "credits", "Report"} <= before.keys()
    await bot.tree.sync()
    after = {command["name"]: command["id"] for command in server.commands.registered()}
    assert after == before
    fetched = await bot.tree.fetch_commands()
    assert {command.name for command in fetched} == before.keys()


async def test_resume_delivers_events_of_dropped_connection(server: DiscordServer, bot: FixtureBot) -> None:
    member = server.actor("member")
    await server.gateway.drop()
    await server.wait_disconnected()
    invocation = await member.slash("hello")
    assert text(await invocation.response()) == "Hello"
    await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
    assert [handshake.kind for handshake in server.gateway.handshakes] == ["identify", "resume"]


async def test_reconnect_request_resumes_session(server: DiscordServer, bot: FixtureBot) -> None:
    """It is opcode 7."""
    server.gateway.ask_reconnect()
    await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
    assert server.gateway.handshakes[-1].kind == "resume"


async def test_resume_of_unknown_session_is_invalid(server: DiscordServer) -> None:
    """Opcode 9; a wrong token closes with 4004."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 6, "d": {"token": TOKEN, "session_id": "gone", "seq": 1}})
        answer = await socket.receive_json()
        assert (answer["op"], answer["d"]) == (9, False)
        await socket.send_json({"op": 6, "d": {"token": "another", "session_id": "gone", "seq": 1}})
        await socket.receive()
        assert socket.close_code == CloseCode.AUTHENTICATION_FAILED


async def test_message_event_without_content_intent_has_no_content(server: DiscordServer, connect: Connect) -> None:
    """Without the message intent there is no event."""
    plain = await connect(server, FixtureBot())
    keen = FixtureBot(discord.Intents(guilds=True, guild_messages=True))
    await connect(server, keen)
    await server.actor("member").say("Good morning")
    heard = await asyncio.wait_for(keen.heard.get(), PATIENCE)
    assert (heard.author.name, heard.content) == ("member", "")
    assert plain.heard.empty()


async def test_guild_events_go_to_their_shard(server: DiscordServer) -> None:
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


async def test_leaving_and_joining_guild_updates_client(server: DiscordServer, bot: FixtureBot) -> None:
    guild = server.world.guild("Community")
    removed = bot.wait_for("guild_remove", timeout=PATIENCE)
    server.leave(guild)
    await removed
    assert list(bot.guilds) == []
    joined = bot.wait_for("guild_join", timeout=PATIENCE)
    server.join(guild)
    await joined
    assert [each.name for each in bot.guilds] == ["Community"]

"""The gateway connection on bad days, against the fake Discord."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import pytest_asyncio
import yarl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.client import AtelierClient
from bot.gateway import RESERVED_IDENTIFIES, IdentifiesUsedUpError, describe_end, mentions_bot
from sandbox.discord import DiscordServer, default_world
from sandbox.discord.gateway import GUILDS_INTENT
from sandbox.discord.payloads import guild_create_payload
from tests.support.clock import AwaitedClock, ManualClock, let_others_run

TOKEN = "the-bots-token"
PATIENCE = 60.0


@asynccontextmanager
async def running_server() -> AsyncIterator[DiscordServer]:
    """Run a fake for discord.py; reconnects do not wait."""
    server = DiscordServer(default_world(token=TOKEN), rate_limits=False)
    await server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discord.http.Route, "BASE", server.api_url)
        patch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        patch.setattr(discord.shard, "DiscordWebSocket", discord.shard.DiscordWebSocket)
        patch.setattr(discord.backoff.ExponentialBackoff, "delay", lambda _: 0.0)
        yield server
    await server.close()


@asynccontextmanager
async def connecting(clock: ManualClock | None = None) -> AsyncIterator[AtelierClient]:
    """Run a client, perhaps not connected yet."""
    client = AtelierClient(identify_turn=_at_once, clock=clock)
    async with client:
        await client.login(TOKEN)
        task = asyncio.create_task(client.connect(), name="connect")
        yield client
        await client.close()
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """Yield a running fake."""
    async with running_server() as server:
        yield server


@pytest.fixture
async def client(server: DiscordServer) -> AsyncIterator[AtelierClient]:
    """Yield a connected client."""
    async with connecting() as client:
        await server.wait_ready()
        await client.wait_until_ready()
        yield client


async def _at_once() -> None:
    return


async def identified(server: DiscordServer, times: int) -> None:
    """Wait until the bot has begun so many sessions."""
    async with asyncio.timeout(PATIENCE):
        while server.gateway.identifies < times:
            await server.gateway.changed.wait()


async def still_hears(server: DiscordServer, client: AtelierClient) -> None:
    """Check that an event after an odd one arrives."""
    guild = next(iter(server.world.guilds.values()))
    payload = guild_create_payload(guild, server.world, all_members=False)
    payload["name"] = "renamed"
    heard = asyncio.ensure_future(client.wait_for("guild_update", timeout=PATIENCE))
    await let_others_run()
    server.gateway.dispatch("GUILD_UPDATE", payload, guild_id=guild.id, intent=GUILDS_INTENT)
    await heard


async def test_server_with_odd_channel_is_kept_without_its_channels(
    server: DiscordServer, client: AtelierClient
) -> None:
    """A voice channel without `bitrate` ends nothing."""
    guild = next(iter(server.world.guilds.values()))
    payload = guild_create_payload(guild, server.world, all_members=False)
    payload["id"] = "123456789012345678"
    payload["channels"].append({"id": "5", "type": 2, "name": "secret name", "position": 0})
    del payload["unavailable"]
    with capture_logs() as logs:
        joined = asyncio.ensure_future(client.wait_for("guild_join", timeout=PATIENCE))
        await let_others_run()
        server.gateway.dispatch("GUILD_CREATE", payload)
        found = await joined
    assert (found.name, len(found.roles), len(found.channels)) == (payload["name"], len(payload["roles"]), 0)
    (line,) = logs
    assert (line["event"], line["discord_event"]) == ("discord.event_reduced", "GUILD_CREATE")
    assert line["error"].startswith("KeyError at channel.py:")
    assert "secret" not in repr(line)
    assert server.gateway.identifies == 1


async def test_odd_event_is_dropped(server: DiscordServer, client: AtelierClient) -> None:
    with capture_logs() as logs:
        server.gateway.dispatch("INTERACTION_CREATE", {"id": "1", "token": "hush"})
        await still_hears(server, client)
    (line,) = logs
    assert (line["event"], line["discord_event"]) == ("discord.event_dropped", "INTERACTION_CREATE")
    assert "hush" not in repr(line)
    assert server.gateway.identifies == 1


@pytest.mark.parametrize(
    "sent",
    ["{not json", "[]", json.dumps({"op": 0, "t": "READY", "s": 5, "d": {}}), json.dumps({"op": 10, "d": {}})],
    ids=["no-json", "no-object", "ready", "hello"],
)
async def test_unreadable_payload_renews_connection(server: DiscordServer, client: AtelierClient, sent: str) -> None:
    with capture_logs() as logs:
        server.gateway.send_raw(sent)
        await identified(server, 2)
        await still_hears(server, client)
    assert [each["event"] for each in logs] == ["discord.connection_renewed"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared() -> AsyncIterator[tuple[DiscordServer, AtelierClient]]:
    """Yield a fake and a client for many events."""
    async with running_server() as server, connecting() as client:
        await server.wait_ready()
        await client.wait_until_ready()
        yield server, client


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values in a payload."""
    found: list[tuple[Any, ...]] = [path] if path else []
    if isinstance(node, dict):
        for key, value in node.items():
            found += _paths(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node[:3]):
            found += _paths(value, (*path, index))
    return found


def _without(payload: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    """Return a payload with one value removed or replaced."""
    changed = copy.deepcopy(payload)
    node = changed
    for step in path[:-1]:
        node = node[step]
    if replacement is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = replacement
    return changed


@pytest.mark.asyncio(loop_scope="module")
@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_mutilated_event_never_ends_connection(
    shared: tuple[DiscordServer, AtelierClient], data: st.DataObject
) -> None:
    """Any value of an event may be missing or of another kind."""
    server, client = shared
    guild = next(iter(server.world.guilds.values()))
    whole = guild_create_payload(guild, server.world, all_members=True)
    channel = whole["channels"][0] | {"guild_id": guild.id}
    interaction = {
        "id": "7",
        "application_id": "8",
        "type": 2,
        "token": "hush",
        "version": 1,
        "guild_id": guild.id,
        "channel": channel,
        "channel_id": channel["id"],
        "member": whole["members"][0] | {"permissions": "0"},
        "data": {"id": "9", "name": "imagine", "type": 1, "options": [{"name": "prompt", "type": 3, "value": "x"}]},
    }
    role = {"guild_id": guild.id, "role": whole["roles"][0]}
    event, payload = data.draw(
        st.sampled_from(
            [
                ("GUILD_CREATE", whole),
                ("GUILD_UPDATE", whole),
                ("CHANNEL_CREATE", channel),
                ("CHANNEL_UPDATE", channel),
                ("GUILD_ROLE_UPDATE", role),
                ("INTERACTION_CREATE", interaction),
            ]
        )
    )
    path = data.draw(st.sampled_from(_paths(payload)))
    replacements: list[Any] = [..., None, "odd", -1, [], {}]
    replacement: Any = data.draw(st.sampled_from(replacements))
    before = server.gateway.identifies
    server.gateway.dispatch(event, _without(payload, path, replacement))
    await still_hears(server, client)
    assert server.gateway.identifies == before


async def test_start_waits_for_reset_of_identifies(server: DiscordServer) -> None:
    """The process keeps its last logins for the operator."""
    clock = AwaitedClock()
    server.application_routes.daily_identifies = RESERVED_IDENTIFIES - 1
    with capture_logs() as logs:
        async with connecting(clock) as client:
            async with asyncio.timeout(PATIENCE):
                await clock.waiting.wait()
            await let_others_run()
            assert server.gateway.handshakes == []
            assert str(client.session_starts.waits_until) == "2026-03-15 09:26:53+00:00"
            server.application_routes.daily_identifies = 1000
            clock.advance(86_402)
            await server.wait_ready()
            assert client.session_starts.waits_until is None
    assert [(each["event"], each["remaining"]) for each in logs] == [("discord.identifies_used_up", 9)]


async def test_resume_needs_no_identify(server: DiscordServer, client: AtelierClient) -> None:
    server.application_routes.daily_identifies = 1
    await server.gateway.drop()
    async with asyncio.timeout(PATIENCE):
        while [each.kind for each in server.gateway.handshakes] != ["identify", "resume"]:
            await server.gateway.changed.wait()
    assert client.session_starts.waits_until is None


async def test_gateway_counts_as_missing_after_a_minute_without_connection(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    attempts = asyncio.Event()

    async def fail() -> None:
        attempts.set()
        raise OSError

    async with connecting(clock) as client:
        assert not client.has_gateway()
        await server.wait_ready()
        await client.wait_until_ready()
        assert client.has_gateway()

        with monkeypatch.context() as outage:
            outage.setattr(client.session_starts, "take", fail)
            server.gateway.invalidate()
            await asyncio.wait_for(attempts.wait(), PATIENCE)
            await let_others_run()
            assert client.has_gateway()
            clock.advance(59)
            assert client.has_gateway()
            attempts.clear()
            await asyncio.wait_for(attempts.wait(), PATIENCE)
            await let_others_run()
            clock.advance(2)
            assert not client.has_gateway()
            connected = client.wait_for("shard_connect", timeout=PATIENCE)
        await connected
        await let_others_run()
        assert client.has_gateway()


async def test_resumed_connection_is_no_longer_away(server: DiscordServer) -> None:
    clock = ManualClock()
    async with connecting(clock) as client:
        await server.wait_ready()
        await client.wait_until_ready()
        resumed = client.wait_for("shard_resumed", timeout=PATIENCE)
        await server.gateway.drop()
        await resumed
        await let_others_run()
        clock.advance(61)
        assert client.has_gateway()


async def test_lost_session_waits_for_reset_of_identifies(server: DiscordServer) -> None:
    clock = ManualClock()
    async with connecting(clock) as client:
        await server.wait_ready()
        await client.wait_until_ready()
        server.application_routes.daily_identifies = 1
        clock.advance(61)
        with pytest.raises(IdentifiesUsedUpError):
            await client.session_starts.take()
        server.application_routes.daily_identifies = 1000
        clock.advance(61)
        server.gateway.invalidate()
        await identified(server, 2)
        assert client.session_starts.waits_until is None


class _HastyAsyncio:
    """asyncio for the library, without its pauses."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, _: float) -> None:
        """Pause for no time."""
        await asyncio.sleep(0)


def _depth(name: str) -> int:
    """Return the number of a task's nested calls."""
    task = next(task for task in asyncio.all_tasks() if task.get_name() == name)
    awaited: Any = task.get_coro()
    depth = 0
    while awaited is not None:
        awaited = getattr(awaited, "cr_await", None)
        depth += 1
    return depth


async def test_failed_launch_is_repeated_without_nesting(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long outage at the start must not end in a RecursionError."""
    monkeypatch.setattr(discord.shard, "asyncio", _HastyAsyncio())
    clock = ManualClock()
    depths: list[int] = []

    async def fail() -> None:
        depths.append(_depth("connect"))
        if len(depths) < 20:
            raise OSError

    async with connecting(clock) as client:
        monkeypatch.setattr(client.session_starts, "take", fail)
        async with asyncio.timeout(PATIENCE):
            while not server.gateway.connected:
                clock.advance(300)
                await asyncio.sleep(0)
    assert len(depths) == 20
    assert len(set(depths)) == 1


async def test_reset_token_is_noticed_by_rest(server: DiscordServer, client: AtelierClient) -> None:
    waiting = asyncio.create_task(client.wait_token_refused())
    server.world.application.token = "another"
    with pytest.raises(discord.HTTPException):
        await client.application_info()
    async with asyncio.timeout(PATIENCE):
        await waiting


async def test_single_401_is_checked(server: DiscordServer, client: AtelierClient) -> None:
    """One odd answer does not stop the bot."""
    waiting = asyncio.create_task(client.wait_token_refused())
    server.faults.add("GET", "/applications/@me", status=401)
    with pytest.raises(discord.HTTPException):
        await client.application_info()
    checked = server.faults.add("GET", "/users/@me", delay=0)
    await client.application_info()
    await checked.wait_hit()
    await let_others_run()
    assert not waiting.done()
    waiting.cancel()


async def test_token_is_watched_while_login_is_repeated(server: DiscordServer) -> None:
    """An odd 401 on the way is no reset."""
    clock = ManualClock()
    server.faults.add("GET", "/oauth2/applications/@me", status=401)
    server.faults.add("GET", "/applications/@me", status=401)
    async with AtelierClient(clock=clock) as client:
        waiting = asyncio.create_task(client.wait_token_refused())
        login = asyncio.create_task(client.login(TOKEN))
        async with asyncio.timeout(PATIENCE):
            while not login.done():
                clock.advance(60)
                await asyncio.sleep(0)
        await login
        await let_others_run()
        assert not waiting.done()
        waiting.cancel()


async def test_expired_interaction_token_is_not_the_bots(server: DiscordServer, client: AtelierClient) -> None:
    del server
    webhook = discord.Webhook.partial(1, "expired", client=client)
    with pytest.raises(discord.HTTPException) as caught:
        await webhook.edit_message(1, content="x")
    assert caught.value.status in (401, 404)
    assert not client._unauthorized.is_set()


async def test_login_is_repeated_while_discord_fails(server: DiscordServer) -> None:
    clock = ManualClock()
    server.faults.add("GET", "/users/@me", status=503)
    server.faults.add("GET", "/users/@me", status=200, body={"odd": True})
    client = AtelierClient(clock=clock)
    with capture_logs() as logs:
        async with client:
            login = asyncio.create_task(client.login(TOKEN))
            async with asyncio.timeout(PATIENCE):
                while not login.done():
                    clock.advance(60)
                    await asyncio.sleep(0)
            await login
            assert client.user is not None
    assert [(each["event"], each["reason"]) for each in logs] == [
        ("discord.unreachable", 503),
        ("discord.unreachable", "KeyError"),
    ]


async def test_wrong_token_is_not_tried_again(server: DiscordServer) -> None:
    async with AtelierClient() as client:
        with pytest.raises(discord.LoginFailure):
            await client.login("wrong")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "word"), [(4004, "DISCORD_TOKEN"), (4011, "SHARD_COUNT"), (4013, "newer"), (4999, "4999")]
)
def test_last_word_of_discord_has_remedy(code: int, word: str) -> None:
    class Socket:
        close_code = code

    assert word in describe_end(discord.ConnectionClosed(Socket(), shard_id=0, code=code))  # type: ignore[arg-type]
    assert "intent" in describe_end(discord.PrivilegedIntentsRequired(0))


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"content": "<@!7> hello"}, True),
        ({"type": 19}, True),
        ({"content": "hello"}, False),
        ({"content": "<@77> hello"}, False),
        ({"content": "<@&7> @everyone"}, False),
        ({"content": ""}, False),
        ({"content": "type `<@7> hello`"}, False),
        ({"content": "```\n<@7> hello\n``` `<@!7>`"}, False),
        ({"content": "`this` and <@7> `that`"}, True),
        ({"type": 7}, False),
        ({"author": {"id": "8", "bot": True}}, False),
        ({"webhook_id": "9"}, False),
    ],
)
def test_only_a_persons_mention_in_the_text_counts(change: dict[str, Any], counts: bool) -> None:
    message = {"content": "<@7> hello", "type": 0, "author": {"id": "8"}, **change}
    assert mentions_bot(message, 7) is counts
    assert not mentions_bot(message, None)


async def test_messages_without_mention_are_dropped_unparsed(server: DiscordServer) -> None:
    answered: list[str] = []

    async def answer(message: discord.Message) -> None:
        answered.append(message.content)

    async with AtelierClient(identify_turn=_at_once, mentions=True) as client:
        client.on_mention = answer
        await client.login(TOKEN)
        task = asyncio.create_task(client.connect(), name="connect")
        await server.wait_ready()
        await client.wait_until_ready()
        member, me = server.actor("member"), server.world.bot.id
        for number in range(20):
            await member.say(f"line {number}")
        await member.say(f"<@{me}> hello")
        async with asyncio.timeout(PATIENCE):
            while not answered:
                await let_others_run()
        assert answered == [f"<@{me}> hello"]
        assert list(client.cached_messages) == []
        assert [each.id for guild in client.guilds for each in guild.members] == [int(me)]
        await client.close()
        task.cancel()
        await asyncio.wait({task})


async def test_unread_facts_of_servers_are_not_kept(server: DiscordServer) -> None:
    """Rights still count, and so does a later change of a channel."""
    async with connecting() as client:
        await client.wait_until_ready()
        (guild,) = client.guilds
        channel = guild.get_channel(int(server.world.channel("general").id))
        assert isinstance(channel, discord.TextChannel)
        assert server.world.channel("general").topic
        assert channel.topic is None
        secret = guild.get_channel(int(server.world.channel("secret").id))
        assert secret is not None
        assert not secret.permissions_for(guild.me).view_channel
        payload = next(
            each
            for each in guild_create_payload(server.world.guild("Community"), server.world, all_members=False)[
                "channels"
            ]
            if each["id"] == str(channel.id)
        )
        client._connection.parsers["CHANNEL_UPDATE"](
            {**payload, "guild_id": str(guild.id), "topic": "Other words", "nsfw": True}
        )
        assert (channel.topic, channel.nsfw) == (None, True)

"""Comparison and registration of the commands, against the fake Discord."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord.http import HTTPClient
from structlog.testing import capture_logs

from bot.client import open_http
from bot.command_sync import (
    BackgroundSync,
    CommandChanges,
    CommandSync,
    SyncMemory,
    compare_commands,
    describe_problem,
    read_commands,
)
from bot.container import command_payload
from bot.settings import Settings
from sandbox.discord import DiscordServer, default_world
from tests.support.clock import AwaitedClock, ManualClock, let_others_run

TOKEN = "the-bots-token"
PATIENCE = 60.0


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    """Yield a running fake for discord.py."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    yield server
    await server.close()


@pytest.fixture
async def http(server: DiscordServer) -> AsyncIterator[HTTPClient]:
    """Yield a logged-in REST connection."""
    del server
    async with open_http(TOKEN) as http:
        yield http


class Memory:
    """One remembered value."""

    def __init__(self) -> None:
        self.value: str | None = None

    async def get(self) -> str | None:
        return self.value

    async def set(self, value: str) -> None:
        self.value = value


def command(name: str, **fields: Any) -> dict[str, Any]:
    """Return a slash command as discord.py words it."""
    return {
        "name": name,
        "description": f"about {name}",
        "type": 1,
        "options": [],
        "nsfw": False,
        "dm_permission": True,
        "default_member_permissions": None,
        "contexts": None,
        "integration_types": None,
        "name_localizations": {},
        "description_localizations": {},
        **fields,
    }


def command_sync(*commands: dict[str, Any], memory: Memory | None = None) -> CommandSync:
    """Return a sync of these commands."""

    async def payload() -> list[dict[str, Any]]:
        return list(commands)

    kept = memory or Memory()
    return CommandSync(payload=payload, memory=SyncMemory(kept.get, kept.set))


def puts(server: DiscordServer) -> int:
    """Return the number of lists sent."""
    return sum(each.method == "PUT" for each in server.requests)


@pytest.mark.parametrize("user_install", [False, True])
async def test_real_commands_are_equal_to_what_discord_returns(
    server: DiscordServer,
    http: HTTPClient,
    user_install: bool,
) -> None:
    """No false difference, with all options, choices and translations."""
    del server
    settings: dict[str, Any] = {"skillboss_wholesale_key": "key", "user_install": user_install}
    commands = await command_payload(Settings(**settings))
    application_id = (await http.application_info())["id"]
    assert compare_commands(commands, []).added
    await http.bulk_upsert_global_commands(application_id, payload=commands)
    assert not compare_commands(commands, await read_commands(http, application_id))


async def test_unchanged_commands_are_not_sent(server: DiscordServer, http: HTTPClient) -> None:
    await command_sync(command("imagine")).sync(http)
    assert await command_sync(command("imagine")).sync(http) == CommandChanges()
    assert puts(server) == 1


async def test_translations_are_compared(server: DiscordServer, http: HTTPClient) -> None:
    """Discord leaves them out of its list unless asked."""
    german = command("imagine", description_localizations={"de": "Ein Bild"})
    await command_sync(german).sync(http)
    assert not await command_sync(german).sync(http)
    assert (await command_sync(command("imagine")).sync(http)).changed == ("/imagine",)
    assert puts(server) == 2


async def test_changes_are_named(server: DiscordServer, http: HTTPClient) -> None:
    await command_sync(command("imagine"), command("old"), command("same")).sync(http)
    changes = await command_sync(
        command("imagine", description="another"), command("new"), command("same"), {"name": "Share", "type": 3}
    ).sync(http)
    assert changes == CommandChanges(added=("/new", "Share"), changed=("/imagine",), removed=("/old",))
    assert {each["name"] for each in server.commands.registered()} == {"imagine", "new", "same", "Share"}


async def test_zero_as_minimum_is_a_difference() -> None:
    """False and missing are the same, zero is not."""
    option = {"name": "images", "description": "how many", "type": 4, "required": False}
    held = command("imagine", options=[option | {"min_value": 0}], id="1", version="1")
    assert compare_commands([command("imagine", options=[option])], [held]).changed == ("/imagine",)
    assert not compare_commands([command("imagine", options=[option | {"min_value": 0.0}])], [held])


async def test_overwritten_commands_are_restored_and_named(server: DiscordServer, http: HTTPClient) -> None:
    """Another program with the same token has put its own list."""
    memory = Memory()
    await command_sync(command("imagine"), memory=memory).sync(http)
    server.commands.replace([command("ping")])
    with capture_logs() as logs:
        await command_sync(command("imagine"), memory=memory).sync(http)
    assert [each["name"] for each in server.commands.registered()] == ["imagine"]
    assert [each["event"] for each in logs] == ["discord.commands_overwritten"]


async def test_commands_in_discords_own_words_are_sent_once(server: DiscordServer, http: HTTPClient) -> None:
    """A lasting difference is remembered."""
    memory = Memory()
    await command_sync(command("imagine"), memory=memory).sync(http)
    (held,) = server.commands.registered()
    held["description"] = "about Imagine"
    assert not await command_sync(command("imagine"), memory=memory).sync(http)
    assert puts(server) == 1


async def test_entry_point_of_activity_is_kept(server: DiscordServer, http: HTTPClient) -> None:
    """Discord refuses a list without it."""
    server.commands.add({"name": "launch", "description": "Start", "type": 4, "handler": 2})
    await command_sync(command("imagine")).sync(http)
    assert [each["name"] for each in server.commands.registered()] == ["imagine", "launch"]
    assert not await command_sync(command("imagine")).sync(http)


async def test_forced_sync_sends_equal_commands(server: DiscordServer, http: HTTPClient) -> None:
    await command_sync(command("imagine")).sync(http)
    assert not await command_sync(command("imagine")).sync(http, force=True)
    assert puts(server) == 2


def _use_up_creates(server: DiscordServer) -> None:
    server.commands.creates_left[None] = 0


def _close_user_install(server: DiscordServer) -> None:
    server.world.application.installable = (0,)


def _limit_for_an_hour(server: DiscordServer) -> None:
    server.faults.add("PUT", "/commands$", status=429, retry_after=3600.0)


def _limit_at_gatekeeper(server: DiscordServer) -> None:
    server.faults.add("PUT", "/commands$", status=429, body={"message": "blocked"})


def _break(server: DiscordServer) -> None:
    server.faults.add("PUT", "/commands$", status=503)


def _garble(server: DiscordServer) -> None:
    server.faults.add("GET", "/commands$", status=200, body={"odd": True})


REFUSALS = [
    (_use_up_creates, "200 new commands a day", "each hour"),
    (_close_user_install, "USER_INSTALL is on", "USER_INSTALL=off"),
    (_limit_for_an_hour, "wait 3600 seconds", "nothing to do"),
    (_limit_at_gatekeeper, "gatekeeper", "another program"),
    (_break, "HTTP 503", "nothing to do"),
    (_garble, "unexpected answer", "atelier sync"),
]


@pytest.mark.parametrize(("refuse", "reason", "remedy"), REFUSALS, ids=[each[0].__name__ for each in REFUSALS])
async def test_refused_sync_is_named_and_tried_again(
    server: DiscordServer, refuse: Any, reason: str, remedy: str
) -> None:
    """Nothing is raised; the next try succeeds once the reason is gone."""
    clock = AwaitedClock()
    refuse(server)

    background = BackgroundSync(
        command_sync=command_sync(command("imagine", integration_types=[0, 1])),
        open_http=lambda: open_http(TOKEN),
        clock=clock,
        randomness=random.Random(0),  # noqa: S311 - jitter
    )
    with capture_logs() as logs:
        running = asyncio.create_task(background.run())
        async with asyncio.timeout(PATIENCE):
            await clock.waiting.wait()
        await let_others_run()
        refused = logs[0]
        assert reason in refused["reason"]
        assert remedy in refused["remedy"]
        server.commands.creates_left.clear()
        server.world.application.installable = (0, 1)
        clock.advance(refused["next_try_seconds"] + 1)
        await running
    assert [each["event"] for each in logs] == ["discord.commands_not_synced", "discord.commands_synced"]
    assert [each["name"] for each in server.commands.registered()] == ["imagine"]


async def test_refused_token_is_named(server: DiscordServer) -> None:
    del server
    with pytest.raises(discord.LoginFailure) as caught:
        async with open_http("wrong"):
            pass
    assert describe_problem(caught.value).reason == "Discord does not accept DISCORD_TOKEN"


async def test_unreachable_discord_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.http.Route, "BASE", "http://127.0.0.1:1")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error of the library
        async with open_http(TOKEN):
            pass
    assert describe_problem(caught.value).reason.startswith("Discord cannot be reached (")


@pytest.mark.parametrize("tries", [0, 3, 50])
async def test_pause_grows_to_a_quarter_of_an_hour(tries: int) -> None:
    background = BackgroundSync(
        command_sync=command_sync(),
        open_http=lambda: open_http(TOKEN),
        clock=ManualClock(),
        randomness=random.Random(tries),  # noqa: S311 - jitter
    )
    highest = min(900.0, 5.0 * 2**tries)
    assert highest / 2 <= background._back_off(tries) <= highest

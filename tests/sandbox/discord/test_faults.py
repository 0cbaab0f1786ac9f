import asyncio
import io

import aiohttp
import discord
import pytest

from sandbox.discord import Allowance, DiscordServer, RateLimits, text
from sandbox.discord.errors import ApiError
from tests.sandbox.discord.fixture_bot import PATIENCE, Clock, FixtureBot

PATCH = "/channels/{channel_id}/messages/{message_id}"


def place(server: DiscordServer, bot: FixtureBot) -> discord.PartialMessageable:
    """Return the general channel as the bot writes to it."""
    return bot.get_partial_messageable(int(server.world.channel("general").id))


async def test_forced_429_is_retried_by_client(server: DiscordServer, bot: FixtureBot) -> None:
    fault = server.faults.add("POST", r"/channels/\d+/messages$", status=429, retry_after=0.01)
    await place(server, bot).send("patience")
    assert fault.hits == 1
    assert [each.status for each in server.requests if each.path == "/channels/{channel_id}/messages"] == [429, 200]


async def test_fault_applies_to_its_number_of_matching_requests(server: DiscordServer, bot: FixtureBot) -> None:
    server.faults.add("POST", "messages$", status=403, body={"message": "Missing Access", "code": 50001}, times=2)
    for _ in range(2):
        with pytest.raises(discord.Forbidden) as caught:
            await place(server, bot).send("x")
        assert caught.value.code == 50001
    await place(server, bot).send("x")


async def test_upload_fault_leaves_requests_without_files_alone(server: DiscordServer, bot: FixtureBot) -> None:
    too_large = {"message": "Request entity too large", "code": 40005}
    fault = server.faults.add("POST", "messages$", status=413, body=too_large, uploads=True)
    await place(server, bot).send("x")
    assert fault.hits == 0
    with pytest.raises(discord.HTTPException) as caught:
        await place(server, bot).send(file=discord.File(io.BytesIO(b"x"), "x.txt"))
    assert (caught.value.code, fault.hits) == (40005, 1)


async def test_reset_before_or_after_the_request_takes_effect(server: DiscordServer, bot: FixtureBot) -> None:
    member = server.actor("member")
    for when, seen in (("before", 0), ("after", 1)):
        server.faults.add("POST", "messages$", reset=True, when=when)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await place(server, bot).send("x")
        assert len(member.sees()) == seen
    assert [each.status for each in server.requests][-2:] == [0, 0]


async def test_held_request_continues_after_release(server: DiscordServer, bot: FixtureBot) -> None:
    fault = server.faults.hold("POST", "messages$")
    sending = asyncio.create_task(place(server, bot).send("x"))
    await asyncio.wait_for(fault.wait_hit(), PATIENCE)
    assert server.actor("member").sees() == []
    fault.release()
    await sending
    assert len(server.actor("member").sees()) == 1


async def test_fault_after_processing_keeps_the_edit(server: DiscordServer, bot: FixtureBot) -> None:
    message = await place(server, bot).send("one")
    server.faults.add("PATCH", "messages", status=404, when="after")
    with pytest.raises(discord.NotFound):
        await message.edit(content="two")
    assert text(server.world.message(str(message.id))) == "two"


def test_channel_bucket_allows_five_edits_in_five_seconds() -> None:
    """Another channel has a separate count."""
    clock = Clock()
    limits = RateLimits(clock=clock)
    one, two = {"channel_id": "1", "message_id": "5"}, {"channel_id": "2", "message_id": "5"}
    left = [limits.take("PATCH", PATCH, one)["X-RateLimit-Remaining"] for _ in range(5)]
    assert left == ["4", "3", "2", "1", "0"]
    with pytest.raises(ApiError) as caught:
        limits.take("PATCH", PATCH, one)
    assert caught.value.status == 429
    assert caught.value.body["retry_after"] == 5.0
    assert caught.value.body["global"] is False
    assert caught.value.headers["X-RateLimit-Scope"] == "user"
    assert caught.value.headers["Via"]
    limits.take("PATCH", PATCH, two)
    clock.advance(5)
    assert limits.take("PATCH", PATCH, one)["X-RateLimit-Remaining"] == "4"


def test_overall_limit_excludes_interactions() -> None:
    """The limit is 50 requests a second."""
    limits = RateLimits(clock=Clock(), overall=Allowance(2, 1.0))
    for number in range(20):
        limits.take("POST", "/interactions/{interaction_id}/{interaction_token}/callback", {})
        limits.take(
            "PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", {"webhook_token": f"{number}"}
        )
    limits.take("GET", "/users/@me", {})
    limits.take("GET", "/gateway/bot", {})
    with pytest.raises(ApiError) as caught:
        limits.take("GET", "/users/{user_id}", {"user_id": "1"})
    assert caught.value.body["global"] is True
    assert caught.value.headers["X-RateLimit-Global"] == "true"


def test_disabled_limits_let_all_requests_pass() -> None:
    limits = RateLimits(enabled=False)
    assert [limits.take("GET", "/users/@me", {}) for _ in range(100)] == [{}] * 100


async def test_control_api_sets_faults_disturbs_gateway_and_expires_tokens(
    server: DiscordServer, bot: FixtureBot
) -> None:
    await (await server.actor("member").slash("hello")).response()
    base = f"{server.base_url}/sandbox/discord"
    async with aiohttp.ClientSession() as session:

        async def control(verb: str, part: str, **body: object) -> int:
            async with session.request(verb, f"{base}/{part}", json=body or None) as answer:
                return answer.status

        assert await control("POST", "faults", method="POST", path="messages$", status=404) == 204
        with pytest.raises(discord.NotFound):
            await place(server, bot).send("x")
        assert await control("POST", "faults", method="POST", path="messages$", status=404) == 204
        assert await control("DELETE", "faults") == 204
        await place(server, bot).send("x")
        assert await control("POST", "tokens", action="expire") == 204
        with pytest.raises(discord.HTTPException) as caught:
            await bot.seen[0].edit_original_response(content="late")
        assert caught.value.code == 50027
        assert await control("POST", "gateway", action="drop") == 204
        await asyncio.wait_for(bot.resumed.wait(), PATIENCE)
        assert await control("POST", "gateway", action="explode") == 400
        assert await control("POST", "faults", path="x") == 400
        headers = {"Origin": "https://example.com"}
        async with session.delete(f"{base}/faults", headers=headers) as answer:
            assert answer.status == 403


async def test_invalid_requests_get_401_404_and_50109(server: DiscordServer) -> None:
    """Without the token, for an unknown route, and for invalid JSON."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.api_url}/users/@me") as answer:
            assert (answer.status, await answer.json()) == (401, {"message": "401: Unauthorized", "code": 0})
            assert answer.headers["Content-Type"] == "application/json"
        async with session.get(f"{server.api_url}/nowhere") as answer:
            assert (answer.status, await answer.json()) == (404, {"message": "404: Not Found", "code": 0})
        headers = {"Authorization": f"Bot {server.world.application.token}", "Content-Type": "application/json"}
        async with session.post(f"{server.api_url}/users/@me/channels", data=b"{", headers=headers) as answer:
            assert (await answer.json())["code"] == 50109

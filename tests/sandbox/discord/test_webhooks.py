"""Webhooks of channels, and the receiver of other posts."""

from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest

from sandbox.discord import DiscordServer, text
from sandbox.discord.encoding import Json
from tests.sandbox.discord.fixture_bot import FixtureBot


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session without credentials."""
    async with aiohttp.ClientSession() as session:
        yield session


async def post(session: aiohttp.ClientSession, url: str, body: object) -> tuple[int, Json | None]:
    """Post JSON and return the status and the answer."""
    async with session.post(url, json=body) as answer:
        return answer.status, await answer.json() if await answer.read() else None


async def test_webhook_posts_into_its_channel(server: DiscordServer, session: aiohttp.ClientSession) -> None:
    url = server.webhook_url("moderators", name="Budget")
    assert url == server.webhook_url("moderators")
    assert "/api/webhooks/" in url
    assert await post(session, url, {"content": "80 % of the budget are used"}) == (204, None)
    status, sent = await post(
        session, f"{url}?wait=true", {"username": "Studio", "embeds": [{"title": "Alert", "description": "All of it"}]}
    )

    seen = server.actor("moderator").sees("moderators")
    assert [text(each) for each in seen] == ["80 % of the budget are used", "Alert\nAll of it"]
    assert status == 200
    assert sent is not None
    assert (sent["id"], sent["webhook_id"]) == (seen[1].id, seen[1].author_id)


async def test_library_uses_webhook_by_its_address(server: DiscordServer, session: aiohttp.ClientSession) -> None:
    webhook_id, token = server.webhook_url().split("/")[-2:]
    webhook = discord.Webhook.partial(int(webhook_id), token, session=session)
    found = await webhook.fetch()
    sent = await webhook.send("Hello", wait=True)

    assert found.channel_id == int(server.world.channel("general").id)
    assert sent.content == "Hello"


@pytest.mark.parametrize(
    ("end", "body", "status", "code"),
    [
        ("", {}, 400, 50006),
        ("", {"content": "x" * 2001}, 400, 50035),
        ("", {"content": "x", "username": "x" * 81}, 400, 50035),
        ("x", {"content": "x"}, 401, 50027),
        ("", [], 400, 50109),
    ],
    ids=["empty", "long", "long-name", "other-token", "no-object"],
)
async def test_malformed_post_has_error_of_discord(
    server: DiscordServer, session: aiohttp.ClientSession, end: str, body: object, status: int, code: int
) -> None:
    got, answer = await post(session, server.webhook_url() + end, body)
    assert answer is not None
    assert (got, answer["code"]) == (status, code)


async def test_deleted_webhook_is_unknown(server: DiscordServer, session: aiohttp.ClientSession) -> None:
    url = server.webhook_url()
    webhook = server.webhooks.of_channel(server.world.channel("general"))
    assert webhook is not None
    server.webhooks.delete(webhook)
    status, answer = await post(session, url, {"content": "x"})
    assert answer is not None
    assert (status, answer["code"]) == (404, 10015)


async def test_followup_of_interaction_still_has_its_path(server: DiscordServer, bot: FixtureBot) -> None:
    server.webhook_url()
    coming = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    interaction = await coming
    await interaction.response.send_message("first")
    await interaction.followup.send("second")
    assert [each.content for each in invocation.followups] == ["second"]


async def test_receiver_keeps_posts_and_answers_as_set(server: DiscordServer, session: aiohttp.ClientSession) -> None:
    assert (await post(session, server.receiver_url, {"percentage": 80}))[0] == 204
    server.receiver.status = 500
    async with session.post(server.receiver_url, data=b"no JSON") as answer:
        assert answer.status == 500
    async with session.post(server.receiver_url, data=b"x" * 300_000) as answer:
        assert answer.status == 413
    first, second = await server.receiver.wait_received(2)

    assert first.json == {"percentage": 80}
    assert first.headers["Content-Type"] == "application/json"
    assert (second.json, second.text) == (None, "no JSON")


async def test_receiver_is_at_its_address_alone(server: DiscordServer, session: aiohttp.ClientSession) -> None:
    async with session.post(server.receiver_url + "x", json={}) as answer:
        assert answer.status == 404
    assert not server.receiver.received

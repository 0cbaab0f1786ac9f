"""A message menu's data: all visible content, at fresh addresses."""

from typing import Any, cast

import aiohttp
import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Message, Post, Upload
from tests.sandbox.discord.fixture_bot import PATIENCE, Clock, FixtureBot, picture

ELSEWHERE = "https://pictures.example/a.png"
GALLERY = {"type": 12, "items": [{"media": {"url": "attachment://b.png"}}]}
FILE = {"type": 13, "file": {"url": "attachment://note.txt"}}
THUMBNAIL = {"type": 9, "components": [{"type": 10, "content": "x"}], "accessory": {"type": 11}}


async def resolved(server: DiscordServer, bot: FixtureBot, message: Message) -> dict[str, Any]:
    """Use a menu on a message and return the message as the bot got it."""
    coming = bot.wait_for("interaction", timeout=PATIENCE)
    await server.actor("member-two").context_menu("Report", message)
    data = cast("dict[str, Any]", (await coming).data)
    assert data["target_id"] == message.id
    found: dict[str, Any] = data["resolved"]["messages"][message.id]
    return found


async def fetched(url: str) -> bytes:
    """Return the content at an address; raise unless the status is 200."""
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as answer:
        return await answer.read()


async def test_menu_on_old_message_has_fresh_addresses(server: DiscordServer, bot: FixtureBot, clock: Clock) -> None:
    message = await server.actor("member").say("look", Upload("a.png", picture()))
    clock.advance(10 * 86_400)

    (attachment,) = (await resolved(server, bot, message))["attachments"]

    assert (attachment["width"], attachment["content_type"]) == (30, "image/png")
    assert await fetched(attachment["url"]) == picture()


async def test_menu_includes_images_and_files_of_components(server: DiscordServer, bot: FixtureBot) -> None:
    """They are listed nowhere else."""
    thumbnail = {**THUMBNAIL, "accessory": {"type": 11, "media": {"url": "attachment://b.png"}}}
    uploads = [Upload("b.png", picture()), Upload("note.txt", b"hello")]
    post = Post(components=[{"type": 17, "components": [GALLERY, thumbnail, FILE]}], uploads=uploads)
    message = server.post_as("other-bot", post)

    got = await resolved(server, bot, message)

    gallery, section, file = got["components"][0]["components"]
    assert got["attachments"] == []
    assert (file["name"], file["size"]) == ("note.txt", 5)
    for media in (gallery["items"][0]["media"], section["accessory"]["media"]):
        assert await fetched(media["url"]) == picture()
    assert got["author"]["bot"]


async def test_menu_includes_embed_with_proxy_copy(server: DiscordServer, bot: FixtureBot) -> None:
    embed = {"title": "x", "image": {"url": ELSEWHERE}, "thumbnail": {"url": "attachment://b.png"}}
    post = Post(
        embeds=[embed],
        uploads=[Upload("b.png", picture(60)), Upload("c.png", picture())],
        copies={ELSEWHERE: Upload("a.png", picture())},
        webhook=True,
    )
    got = await resolved(server, bot, server.post_as("news", post))

    (shown,) = got["embeds"]
    assert (shown["image"]["url"], shown["image"]["width"]) == (ELSEWHERE, 30)
    assert await fetched(shown["image"]["proxy_url"]) == picture()
    assert await fetched(shown["thumbnail"]["url"]) == picture(60)
    assert [each["filename"] for each in got["attachments"]] == ["c.png"]
    assert got["webhook_id"] == got["author"]["id"]


async def test_link_to_image_becomes_image_embed(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say(ELSEWHERE, pictures={ELSEWHERE: Upload("a.png", picture())})

    (shown,) = (await resolved(server, bot, message))["embeds"]

    assert (shown["type"], shown["url"]) == ("image", ELSEWHERE)
    assert await fetched(shown["thumbnail"]["proxy_url"]) == picture()


async def test_embed_of_unfetched_image_has_address_and_no_size(server: DiscordServer, bot: FixtureBot) -> None:
    got = await resolved(server, bot, server.post_as("news", Post(embeds=[{"image": {"url": ELSEWHERE}}])))

    assert got["embeds"][0]["image"] == {"url": ELSEWHERE, "proxy_url": ELSEWHERE, "width": None, "height": None}


async def test_forwarded_message_keeps_snapshot(server: DiscordServer, bot: FixtureBot) -> None:
    """Also when forwarded again, and when the original is deleted."""
    first = await server.actor("member").say("look", Upload("a.png", picture()), channel="showcase")
    forwarded = await server.actor("member").forward(first, channel="showcase")
    again = await server.actor("moderator").forward(forwarded)
    server.messages.delete(first)

    got = await resolved(server, bot, again)

    (snapshot,) = got["message_snapshots"]
    assert (got["content"], got["attachments"]) == ("", [])
    assert got["message_reference"]["type"] == 1
    assert got["message_reference"]["message_id"] == forwarded.id
    assert got["flags"] & 1 << 14
    assert snapshot["message"]["content"] == "look"
    assert await fetched(snapshot["message"]["attachments"][0]["url"]) == picture()


async def test_forwarded_card_keeps_components(server: DiscordServer, bot: FixtureBot) -> None:
    card = server.post_as("other-bot", Post(components=[GALLERY], uploads=[Upload("b.png", picture())]))
    message = await server.actor("member").forward(card)
    coming = bot.wait_for("interaction", timeout=PATIENCE)
    await server.actor("member").context_menu("Report", message)
    interaction = await coming

    read = discord.Message(
        state=bot._connection,
        channel=interaction.channel,  # type: ignore[arg-type]
        data=cast("dict[str, Any]", interaction.data)["resolved"]["messages"][message.id],
    )

    (snapshot,) = read.message_snapshots
    assert isinstance(snapshot.components[0], discord.MediaGalleryComponent)
    assert await fetched(snapshot.components[0].items[0].media.url) == picture()


async def test_forward_of_ephemeral_or_without_permission_is_refused(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    private = await (await server.actor("member").slash("hello", private=True)).response()
    public = await server.actor("member").say("x")
    for message, channel, words in (
        (private, "general", "cannot be forwarded"),
        (public, "moderators", "does not see"),
    ):
        with pytest.raises(ClientRefusal, match=words):
            await server.actor("member").forward(message, channel=channel)


async def test_expired_addresses_are_renewed_by_reading(server: DiscordServer, bot: FixtureBot) -> None:
    """Expiry works in Python and from another process, without a clock change."""
    message = await server.actor("member").say("look", Upload("a.png", picture()))

    async def leads(url: str) -> bool:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status == 200

    old = (await resolved(server, bot, message))["attachments"][0]["url"]
    good = await leads(old)
    server.expire_addresses()
    new = (await resolved(server, bot, message))["attachments"][0]["url"]
    assert (good, await leads(old), await leads(new)) == (True, False, True)
    async with aiohttp.ClientSession() as session:
        address = f"{server.base_url}/sandbox/discord/addresses"
        async with session.post(address, json={"action": "expire"}) as answer:
            assert answer.status == 204
        async with session.post(address, json={}) as answer:
            assert answer.status == 400
    assert not await leads(new)


async def test_command_file_has_short_lived_address(server: DiscordServer, bot: FixtureBot) -> None:
    """It belongs to no message, so its address is never renewed."""
    coming = bot.wait_for("interaction", timeout=PATIENCE)
    await server.actor("member").slash("edit", image=Upload("a.png", picture()))
    (attachment,) = cast("dict[str, Any]", (await coming).data)["resolved"]["attachments"].values()

    assert "/ephemeral-attachments/" in attachment["url"]
    assert {"ex=", "is=", "hm="} <= {part[:3] for part in attachment["url"].partition("?")[2].split("&")}
    assert attachment["ephemeral"]

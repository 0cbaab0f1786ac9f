import io

import aiohttp
import discord
import pytest

from sandbox.discord import DiscordServer, Invocation, Message, files, media, text, texts
from tests.sandbox.discord.fixture_bot import Clock, FixtureBot, card, picture, png


async def asked(
    server: DiscordServer, bot: FixtureBot, channel: str = "general"
) -> tuple[Invocation, discord.Interaction]:
    """Use a command and return both sides of it, not answered yet."""
    coming = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet", channel=channel)
    return invocation, await coming


async def answered(server: DiscordServer, bot: FixtureBot) -> tuple[Message, discord.Interaction]:
    """Have a V2 answer with two pictures."""
    invocation, interaction = await asked(server, bot)
    await interaction.response.defer()
    view = card("two", "attachment://a.png", "attachment://b.png")
    await interaction.edit_original_response(view=view, attachments=[png("a.png"), png("b.png", width=60)])
    return await invocation.response(), interaction


def shown(message: Message) -> list[str]:
    """Return the file names of the pictures in a message."""
    return [each["url"].partition("?")[0].rpartition("/")[2] for each in media(message)]


async def test_gallery_shows_uploaded_images(server: DiscordServer, bot: FixtureBot) -> None:
    """They are measured, described, and served while their address is fresh."""
    message, _ = await answered(server, bot)
    first, second = media(message)
    assert (first["width"], first["height"], first["content_type"]) == (30, 20, "image/png")
    assert second["width"] == 60
    assert message.payload["attachments"] == []
    async with aiohttp.ClientSession() as session, session.get(first["url"]) as answer:
        assert answer.content_type == "image/png"
        assert await answer.read() == picture()


async def test_address_expired_or_without_signature_is_404(
    server: DiscordServer, bot: FixtureBot, clock: Clock
) -> None:
    """A message read later has fresh addresses."""
    message, _ = await answered(server, bot)
    url = media(message)[0]["url"]
    clock.advance(24 * 3600 + 1)
    async with aiohttp.ClientSession() as session:
        for stale in (url, url.partition("?")[0]):
            async with session.get(stale) as answer:
                assert answer.status == 404
        async with session.get(media(server.messages.render(message))[0]["url"]) as answer:
            assert answer.status == 200


async def test_edit_without_attachments_keeps_them(server: DiscordServer, bot: FixtureBot) -> None:
    """Its components may refer to the kept files."""
    message, interaction = await answered(server, bot)
    await interaction.edit_original_response(view=card("both", "attachment://b.png", "attachment://a.png"))
    assert (text(message), shown(message)) == ("both", ["b.png", "a.png"])
    await interaction.edit_original_response(view=card("an address", media(message)[0]["url"]))
    assert shown(message) == ["b.png"]
    assert media(message)[0]["attachment_id"] in message.attachments


async def test_edit_with_attachments_drops_unlisted_ones(server: DiscordServer, bot: FixtureBot) -> None:
    message, interaction = await answered(server, bot)
    kept = [discord.Object(int(number)) for number in message.attachments][:1]
    payload = {"attachments": [{"id": str(kept[0].id)}]}
    adapter = discord.webhook.async_.async_context.get()
    with pytest.raises(discord.HTTPException) as caught:
        await adapter.edit_original_interaction_response(
            interaction.application_id, interaction.token, session=interaction._session, payload=payload
        )
    assert caught.value.code == 50035
    await interaction.edit_original_response(view=card("new", "attachment://c.png"), attachments=[png("c.png")])
    assert [each.filename for each in message.attachments.values()] == ["c.png"]
    with pytest.raises(discord.HTTPException) as caught:
        await interaction.edit_original_response(view=card("old", "attachment://a.png"))
    assert (caught.value.status, caught.value.code) == (400, 50035)
    assert "referenced attachment was not found" in caught.value.text
    assert text(message) == "new"


async def test_v2_message_refuses_flag_removal_and_content(server: DiscordServer, bot: FixtureBot) -> None:
    message, interaction = await answered(server, bot)
    for field in ({"content": "plain"}, {"embed": discord.Embed(title="x")}):
        with pytest.raises(discord.HTTPException) as caught:
            await interaction.edit_original_response(**field)
        assert caught.value.code == 50035
    adapter = discord.webhook.async_.async_context.get()
    with pytest.raises(discord.HTTPException, match="cannot be removed"):
        await adapter.edit_original_interaction_response(
            interaction.application_id, interaction.token, session=interaction._session, payload={"flags": 0}
        )
    assert text(message) == "two"


async def test_change_to_v2_needs_content_removed(server: DiscordServer, bot: FixtureBot) -> None:
    invocation, interaction = await asked(server, bot)
    await interaction.response.send_message("plain")
    with pytest.raises(discord.HTTPException, match="must be removed"):
        await interaction.edit_original_response(view=card("card"))
    await interaction.edit_original_response(content=None, embeds=[], view=card("card"))
    assert texts(await invocation.response()) == ["card"]


async def test_plain_message_lists_attachments(server: DiscordServer, bot: FixtureBot) -> None:
    invocation, interaction = await asked(server, bot)
    note = discord.File(io.BytesIO(b"hello"), "a note.txt", description="A note")
    await interaction.response.send_message("see", files=[png(), note])
    message = await invocation.response()
    listed = files(message)
    assert [(each["filename"], each["size"]) for each in listed][1] == ("a_note.txt", 5)
    assert listed[0]["description"] == "Picture a.png"
    assert "width" not in listed[1]


async def test_file_over_guild_limit_is_40005(server: DiscordServer, bot: FixtureBot) -> None:
    server.world.guild("Community").upload_limit = 1000
    _, interaction = await asked(server, bot)
    assert interaction.filesize_limit == 1000
    with pytest.raises(discord.HTTPException) as caught:
        await interaction.response.send_message(file=discord.File(io.BytesIO(b"x" * 1001), "x.bin"))
    assert (caught.value.status, caught.value.code) == (413, 40005)
    await interaction.response.send_message(file=discord.File(io.BytesIO(b"x" * 1000), "x.bin"))


async def test_bot_token_follows_channel_permissions(server: DiscordServer, bot: FixtureBot) -> None:
    general = bot.get_partial_messageable(int(server.world.channel("general").id))
    message = await general.send("one")
    await message.edit(content="two")
    assert [each.content async for each in general.history()] == ["two"]
    await message.delete()
    assert [each async for each in general.history()] == []
    for name, code in (("announcements", 50013), ("secret", 50001)):
        channel = bot.get_partial_messageable(int(server.world.channel(name).id))
        with pytest.raises(discord.Forbidden) as caught:
            await channel.send("x")
        assert caught.value.code == code


async def test_bot_token_edits_response_after_token_expiry(server: DiscordServer, bot: FixtureBot) -> None:
    message, _ = await answered(server, bot)
    server.expire_tokens()
    channel = bot.get_partial_messageable(int(message.channel_id))
    await channel.get_partial_message(int(message.id)).edit(view=card("late", "attachment://a.png"))
    assert (text(message), shown(message)) == ("late", ["a.png"])


async def test_edit_of_foreign_message_is_refused(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("mine")
    channel = bot.get_partial_messageable(int(message.channel_id))
    with pytest.raises(discord.Forbidden) as caught:
        await channel.get_partial_message(int(message.id)).edit(content="yours")
    assert caught.value.code == 50005


async def test_ephemeral_response_is_unknown_to_others_and_bot_token(server: DiscordServer, bot: FixtureBot) -> None:
    """The code is 10008."""
    invocation = await server.actor("member").slash("hello", private=True)
    message = await invocation.response()
    assert message.ephemeral
    assert server.actor("member").sees() == [message]
    assert server.actor("moderator").sees() == []
    channel = bot.get_partial_messageable(int(message.channel_id))
    with pytest.raises(discord.NotFound) as caught:
        await channel.fetch_message(int(message.id))
    assert caught.value.code == 10008
    assert [each async for each in channel.history()] == []


async def test_response_needs_no_send_permission(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    for channel in ("announcements", "secret"):
        invocation = await server.actor("member").slash("hello", channel=channel)
        assert text(await invocation.response()) == "Hello"


async def test_direct_message_to_closed_account_is_50007(server: DiscordServer, bot: FixtureBot) -> None:
    person = await bot.fetch_user(int(server.world.user("member").id))
    await person.send("done")
    assert [text(each) for each in server.actor("member").sees(server.direct_message("member"))] == ["done"]
    server.world.user("member").takes_direct_messages = False
    with pytest.raises(discord.Forbidden) as caught:
        await person.send("again")
    assert caught.value.code == 50007


async def test_repeated_nonce_within_minutes_makes_one_message(
    server: DiscordServer, bot: FixtureBot, clock: Clock
) -> None:
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    first = await channel.send("done", nonce="job-1")
    assert (await channel.send("done", nonce="job-1")).id == first.id
    clock.advance(301)
    assert (await channel.send("done", nonce="job-1")).id != first.id


async def test_every_change_is_published_and_kept_as_revision(server: DiscordServer, bot: FixtureBot) -> None:
    heard: list[tuple[str, str]] = []
    stop = server.subscribe(lambda event, message: heard.append((event, text(message))))
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    message = await channel.send("one")
    await message.edit(content="two")
    await message.delete()
    stop()
    await channel.send("unheard")
    assert heard == [("create", "one"), ("update", "two"), ("delete", "two")]
    states = server.world.message(str(message.id)).revisions
    assert [(each.payload["content"], each.deleted) for each in states] == [
        ("one", False),
        ("two", False),
        ("two", True),
    ]


async def test_user_install_outside_guilds_allows_only_responses(server: DiscordServer, bot: FixtureBot) -> None:
    """There are five follow-ups."""
    guild = server.world.guild("Community")
    server.leave(guild)
    server.world.user("member").has_app = True
    invocation, interaction = await asked(server, bot)
    assert interaction.is_user_integration()
    await interaction.response.send_message("here")
    message = await invocation.response()
    with pytest.raises(discord.Forbidden) as caught:
        await bot.http.edit_message(
            int(message.channel_id),
            int(message.id),
            params=discord.http.handle_message_parameters(content="late"),
        )
    assert caught.value.code == 50001
    for number in range(5):
        await interaction.followup.send(str(number))
    with pytest.raises(discord.HTTPException) as too_many:
        await interaction.followup.send("6")
    assert too_many.value.code == 40094


async def test_uploaded_files_keep_bytes_and_names(server: DiscordServer, bot: FixtureBot) -> None:
    data = b"\r\n--\r\n\x00\xff" * 1000
    _, interaction = await asked(server, bot)
    await interaction.response.send_message(file=discord.File(io.BytesIO(data), "été ファイル.bin"))
    (stored,) = server.actor("member").sees()[0].attachments.values()
    assert stored.filename == "été_ファイル.bin"
    async with aiohttp.ClientSession() as session, session.get(server.cdn.url(stored)) as answer:
        assert await answer.read() == data


async def test_spoiler_files_are_flagged_by_name_or_mark(server: DiscordServer, bot: FixtureBot) -> None:
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    sent = await channel.send(files=[discord.File(io.BytesIO(picture()), "a.png", spoiler=True), png("b.png")])
    assert [each.is_spoiler() for each in sent.attachments] == [True, False]
    route = discord.http.Route("PATCH", f"/channels/{channel.id}/messages/{sent.id}")
    kept = [{"id": each.id, "is_spoiler": True, "description": "a hill"} for each in sent.attachments]
    edited = await bot.http.request(route, json={"attachments": kept})
    assert [(each["flags"], each["description"]) for each in edited["attachments"]] == [(8, "a hill")] * 2


async def test_spoiler_of_gallery_item_is_kept(server: DiscordServer, bot: FixtureBot) -> None:
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png", spoiler=True)))
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    sent = await channel.send(view=view, file=png())
    (gallery,) = server.world.message(str(sent.id)).payload["components"]
    assert [item["spoiler"] for item in gallery["items"]] == [True]


async def test_messages_around_one_are_listed(server: DiscordServer, bot: FixtureBot) -> None:
    sent = [await server.actor("member").say(f"@ {number}") for number in range(7)]
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    found = [each.id async for each in channel.history(limit=5, around=discord.Object(int(sent[3].id)))]
    assert sorted(found) == [int(each.id) for each in sent[1:6]]

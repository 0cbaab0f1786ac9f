"""Posts of forums and threads: created, found, changed, closed."""

from typing import Any

import discord
import pytest

from sandbox.discord import Channel, ClientRefusal, DiscordServer, Permission, Upload, text
from sandbox.discord.entities import FORUM_CHANNEL
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot, card, picture, png


@pytest.fixture
def forum(server: DiscordServer) -> Channel:
    """Give a forum that existed before the bot connected."""
    return server.world.add_channel(
        server.world.guild("Community"),
        "gallery",
        kind=FORUM_CHANNEL,
        tags=["portrait", "landscape", server.world.new_tag("picked", moderated=True, emoji="🏆")],
        default_reaction="⭐",
    )


def seen_forum(bot: FixtureBot, forum: Channel) -> discord.ForumChannel:
    """Return a forum as the bot has it in memory."""
    found = bot.get_channel(int(forum.id))
    assert isinstance(found, discord.ForumChannel)
    return found


async def post(bot: FixtureBot, forum: Channel, **how: Any) -> tuple[discord.Thread, discord.Message]:
    """Create a post with a picture as the bot."""
    seen = seen_forum(bot, forum)
    thread, message = await seen.create_thread(
        name="A lighthouse", view=card("by nobody", "attachment://a.png"), files=[png()], **how
    )
    return thread, message


async def test_forum_with_its_tags_is_in_guild_data(forum: Channel, bot: FixtureBot) -> None:
    seen = seen_forum(bot, forum)
    assert [(tag.name, tag.moderated) for tag in seen.available_tags] == [
        ("portrait", False),
        ("landscape", False),
        ("picked", True),
    ]
    assert str(seen.default_reaction_emoji) == "⭐"
    assert not seen.flags.require_tag


async def test_post_has_message_of_same_id_with_picture_and_tags(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    tags = seen_forum(bot, forum).available_tags
    announced = bot.wait_for("thread_create", timeout=PATIENCE)
    thread, message = await post(bot, forum, applied_tags=tags[:2], auto_archive_duration=4320)

    assert thread.id == message.id
    assert (await announced).parent_id == int(forum.id)
    assert [tag.name for tag in thread.applied_tags] == ["portrait", "landscape"]
    assert thread.auto_archive_duration == 4320
    made = server.world.channels[str(thread.id)]
    (starter,) = server.actor("member").sees(made)
    assert text(starter) == "by nobody"
    assert [each.filename for each in starter.attachments.values()] == ["a.png"]
    assert (await thread.fetch_message(thread.id)).id == thread.id
    assert [each.id for each in await thread.guild.active_threads()] == [thread.id]


@pytest.mark.parametrize(
    ("lost", "code"),
    [(Permission.VIEW_CHANNEL, 50001), (Permission.SEND_MESSAGES, 50013), (Permission.ATTACH_FILES, 50013)],
)
async def test_post_without_a_right_is_refused_and_leaves_nothing(
    server: DiscordServer, forum: Channel, bot: FixtureBot, lost: Permission, code: int
) -> None:
    server.set_overwrite(forum, server.world.bot, deny=lost)
    with pytest.raises(discord.Forbidden) as caught:
        await post(bot, forum)
    assert caught.value.code == code
    assert server.world.threads_of(forum) == []


async def test_post_with_wrong_tags_is_refused(server: DiscordServer, forum: Channel, bot: FixtureBot) -> None:
    tags = list(seen_forum(bot, forum).available_tags)
    with pytest.raises(discord.Forbidden):
        await post(bot, forum, applied_tags=[tags[2]])
    await post(bot, forum, applied_tags=tags[:1])
    forum.tags = forum.tags[1:]
    with pytest.raises(discord.NotFound) as unknown:
        await post(bot, forum, applied_tags=tags[:1])
    assert unknown.value.code == 10087

    required = server.create_channel("strict", kind=FORUM_CHANNEL, tags=["any"], tag_required=True)
    await bot.fetch_channel(int(required.id))
    with pytest.raises(discord.HTTPException) as missing:
        await post(bot, required)
    assert missing.value.code == 40067
    assert server.world.threads_of(required) == []


async def test_post_with_empty_title_or_many_tags_is_invalid(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    route = discord.http.Route("POST", "/channels/{channel_id}/threads", channel_id=forum.id)
    for body in (
        {"name": "", "message": {"content": "x"}},
        {"name": "x" * 101, "message": {"content": "x"}},
        {"name": "x"},
        {"name": "x", "message": {"content": "x"}, "applied_tags": [tag.id for tag in forum.tags] * 2},
        {"name": "x", "message": {"content": "x"}, "auto_archive_duration": 5},
        {"name": "x", "message": {"content": "x" * 2001}},
    ):
        with pytest.raises(discord.HTTPException) as caught:
            await bot.http.request(route, json=body)
        assert caught.value.code == 50035
    assert server.world.threads_of(forum) == []


async def test_message_into_forum_itself_is_refused(server: DiscordServer, forum: Channel, bot: FixtureBot) -> None:
    with pytest.raises(discord.HTTPException) as caught:
        await bot.get_partial_messageable(int(forum.id)).send("x")
    assert caught.value.code == 40058
    with pytest.raises(ClientRefusal):
        await server.actor("member").say("x", channel=forum)


async def test_message_in_thread_needs_its_own_right(server: DiscordServer, forum: Channel, bot: FixtureBot) -> None:
    thread, _ = await post(bot, forum)
    server.set_overwrite(forum, server.world.bot, deny=Permission.SEND_MESSAGES_IN_THREADS)
    with pytest.raises(discord.Forbidden) as caught:
        await thread.send("x")
    assert caught.value.code == 50013
    server.set_overwrite(forum, server.world.bot, deny=Permission.SEND_MESSAGES)
    await thread.send("x")


async def test_message_reopens_archived_thread_but_not_locked_one(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    thread, _ = await post(bot, forum)
    made = server.world.channels[str(thread.id)]
    await thread.edit(archived=True)
    assert await thread.guild.active_threads() == []
    parent = seen_forum(bot, forum)
    assert [each.id async for each in parent.archived_threads()] == [thread.id]
    await server.actor("member").say("still here?", channel=made)
    assert not made.archived

    server.give_role("moderator", server.create_role("Keepers", permissions=Permission.MANAGE_THREADS))
    await server.actor("moderator").edit_thread(made, locked=True)
    with pytest.raises(discord.HTTPException) as locked:
        await thread.send("x")
    assert locked.value.code == 160005
    with pytest.raises(ClientRefusal):
        await server.actor("member").say("x", channel=made)


async def test_archived_thread_refuses_edits_reactions_and_deletions(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    thread, message = await post(bot, forum)
    await thread.edit(archived=True)
    for change in (message.edit(view=card("two")), message.add_reaction("⭐"), message.delete(), thread.edit(name="x")):
        with pytest.raises(discord.HTTPException) as caught:
            await change
        assert caught.value.code == 50083
    await thread.edit(archived=False)
    await message.edit(view=card("two"))
    assert text(server.world.message(str(message.id))) == "two"


async def test_thread_is_deleted_only_with_its_right(server: DiscordServer, forum: Channel, bot: FixtureBot) -> None:
    thread, message = await post(bot, forum)
    with pytest.raises(discord.Forbidden):
        await thread.delete()
    server.set_overwrite(forum, server.world.bot, allow=Permission.MANAGE_THREADS)
    deleted = bot.wait_for("raw_thread_delete", timeout=PATIENCE)
    await thread.delete()
    assert (await deleted).thread_id == thread.id
    with pytest.raises(discord.NotFound) as caught:
        await message.edit(view=card("two"))
    assert caught.value.code == 10003


async def test_name_and_tags_are_changed_by_owner_and_moderators_alone(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    thread, _ = await post(bot, forum)
    tags = seen_forum(bot, forum).available_tags
    changed = bot.wait_for("thread_update", timeout=PATIENCE)
    await thread.edit(name="A tower", applied_tags=tags[1:2])
    assert (await changed)[1].name == "A tower"

    foreign = await server.actor("member").create_post("Mine", "look", forum=forum, tags=["portrait"])
    found = await bot.fetch_channel(int(foreign.id))
    assert isinstance(found, discord.Thread)
    with pytest.raises(discord.Forbidden):
        await found.edit(name="Not mine")
    with pytest.raises(discord.Forbidden):
        await thread.edit(pinned=True)
    server.set_overwrite(forum, server.world.bot, allow=Permission.MANAGE_THREADS)
    await found.edit(name="Ours", pinned=True)
    assert foreign.name == "Ours"
    with pytest.raises(discord.HTTPException) as second:
        await thread.edit(pinned=True)
    assert second.value.code == 30047


async def test_post_of_member_reaches_bot_without_its_content(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    announced = bot.wait_for("thread_create", timeout=PATIENCE)
    made = await server.actor("member").create_post(
        "Look", "at this", Upload("b.png", picture()), forum=forum, tags=["landscape"]
    )
    thread = await announced
    assert (thread.name, thread.owner_id) == ("Look", int(server.world.user("member").id))
    assert (await thread.fetch_message(thread.id)).content == ""
    assert text(server.actor("member-two").sees(made)[0]) == "at this"
    with pytest.raises(ClientRefusal):
        await server.actor("member").create_post("Look", "x", forum=forum, tags=["picked"])


async def test_thread_from_message_has_its_id(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("talk about this")
    channel = bot.get_channel(int(server.world.channel("general").id))
    assert isinstance(channel, discord.TextChannel)
    thread = await channel.create_thread(name="talk", message=discord.Object(int(message.id)))
    assert thread.id == int(message.id)
    assert message.payload["thread"]["id"] == message.id
    assert (await channel.fetch_message(thread.id)).flags.has_thread
    with pytest.raises(discord.HTTPException) as caught:
        await channel.create_thread(name="talk", message=discord.Object(int(message.id)))
    assert caught.value.code == 160004
    without = await channel.create_thread(name="aside", type=discord.ChannelType.public_thread)
    assert [each.content async for each in channel.history(limit=1)] == ["aside"]
    server.delete_channel(server.world.channel("general"))
    with pytest.raises(discord.NotFound):
        await without.send("x")


async def test_thread_of_deleted_message_is_deleted_without_its_return(server: DiscordServer, bot: FixtureBot) -> None:
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    sent = await channel.send("look")
    message = server.world.message(str(sent.id))
    thread = server.threads.create_from_message(message, server.world.user("owner"), {"name": "talk"})
    await sent.delete()
    heard: list[str] = []
    server.subscribe(lambda event, _: heard.append(event))
    await server.actor("owner").delete_thread(thread)
    assert heard == []
    with pytest.raises(discord.NotFound):
        await sent.fetch()


async def test_age_restriction_of_forum_is_announced_and_in_interactions(
    server: DiscordServer, forum: Channel, bot: FixtureBot
) -> None:
    thread, _ = await post(bot, forum)
    changed = bot.wait_for("guild_channel_update", timeout=PATIENCE)
    server.edit_channel(forum, nsfw=True)
    assert (await changed)[1].is_nsfw()
    assert thread.is_nsfw()
    server.edit_channel("general", nsfw=True)
    await (await server.actor("member").slash("hello")).response()
    seen = bot.seen[-1].channel
    assert isinstance(seen, discord.TextChannel)
    assert seen.is_nsfw()


async def test_hidden_threads_are_no_event_and_not_in_guild_data(server: DiscordServer, connect: Connect) -> None:
    secret = server.world.channel("secret")
    hidden = server.open_thread(secret, "before")
    open_one = server.open_thread(server.world.channel("general"), "open")
    bot = await connect(server, FixtureBot())
    assert [each.id for each in bot.guilds[0].threads] == [int(open_one.id)]
    owner = server.actor("owner")
    server.threads.create_in(secret, owner.user, {"name": "after"})
    await owner.edit_thread(hidden, archived=True)
    await owner.delete_thread(hidden)
    (session,) = server.gateway.sessions.values()
    assert [text for _, text in session.events if '"t":"THREAD_' in text] == []
    assert [each.id for each in await bot.guilds[0].active_threads()] == [int(open_one.id)]


async def test_channel_is_changed_and_deleted_with_manage_channels(server: DiscordServer, bot: FixtureBot) -> None:
    made = server.world.channel("general")
    channel = bot.get_channel(int(made.id))
    assert isinstance(channel, discord.TextChannel)
    for refused in (channel.edit(nsfw=True), channel.delete()):
        with pytest.raises(discord.Forbidden) as caught:
            await refused
        assert caught.value.code == 50013
    server.set_overwrite(made, server.world.bot, allow=Permission.MANAGE_CHANNELS)
    await channel.edit(nsfw=True, topic="adults")
    assert (made.nsfw, made.topic) == (True, "adults")
    deleted = bot.wait_for("guild_channel_delete", timeout=PATIENCE)
    await channel.delete()
    assert (await deleted).id == channel.id

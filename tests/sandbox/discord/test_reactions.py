"""Reactions of people and of the bot."""

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Message, Permission
from sandbox.discord.emoji import is_emoji
from sandbox.discord.gateway import MEMBERS_INTENT
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot


def seen(bot: FixtureBot, message: Message) -> discord.PartialMessage:
    """Return a message as the bot acts on it."""
    return bot.get_partial_messageable(int(message.channel_id)).get_partial_message(int(message.id))


async def counts(bot: FixtureBot, message: Message) -> dict[str, tuple[int, bool]]:
    """Return the counts of a fetched message, and whether the bot reacted."""
    fetched = await seen(bot, message).fetch()
    return {str(each.emoji): (each.count, each.me) for each in fetched.reactions}


async def test_reactions_are_counted_by_emoji(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("look")
    for name in ("member", "member-two"):
        await server.actor(name).react(message, "⭐")
    await server.actor("member").react(message, "⭐")
    await seen(bot, message).add_reaction("❤️")
    assert await counts(bot, message) == {"⭐": (2, False), "❤️": (1, True)}

    await server.actor("member").unreact(message, "⭐")
    await seen(bot, message).remove_reaction("❤", discord.Object(int(server.world.bot.id)))
    assert await counts(bot, message) == {"⭐": (1, False)}
    assert len(message.revisions) == 1
    assert message.payload["reactions"][0]["count_details"] == {"burst": 0, "normal": 1}


async def test_people_behind_emoji_are_paged_by_id(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("look")
    people = [server.world.add_user(f"voter-{number}") for number in range(5)]
    for person in reversed(people):
        server.join_guild(person)
        await server.actor(person.name).react(message, "⭐")
    (reaction,) = (await seen(bot, message).fetch()).reactions
    assert {user.name async for user in reaction.users()} == {each.name for each in people}
    after = discord.Object(int(people[1].id))
    # discord.py turns each page around.
    assert [user.name async for user in reaction.users(limit=2, after=after)] == ["voter-3", "voter-2"]
    assert [user async for user in reaction.users(type=discord.ReactionType.burst)] == []
    route = discord.http.Route("GET", f"/channels/{message.channel_id}/messages/{message.id}/reactions/🐙")
    assert await bot.http.request(route) == []


async def test_new_emoji_needs_right_but_existing_one_only_history(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("look")
    await server.actor("member").react(message, "⭐")
    server.set_overwrite("general", server.world.bot, deny=Permission.ADD_REACTIONS)
    await seen(bot, message).add_reaction("⭐")
    with pytest.raises(discord.Forbidden) as caught:
        await seen(bot, message).add_reaction("🐙")
    assert caught.value.code == 50013
    server.set_overwrite("general", server.world.bot, deny=Permission.READ_MESSAGE_HISTORY)
    with pytest.raises(discord.Forbidden):
        await seen(bot, message).add_reaction("⭐")
    server.set_overwrite("general", server.world.user("member-two"), deny=Permission.ADD_REACTIONS)
    with pytest.raises(ClientRefusal):
        await server.actor("member-two").react(message, "🐙")


async def test_reaction_of_another_is_removed_with_manage_messages(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("look")
    member = discord.Object(int(server.world.user("member").id))
    for emoji in ("⭐", "🐙"):
        await server.actor("member").react(message, emoji)
    with pytest.raises(discord.Forbidden):
        await seen(bot, message).remove_reaction("⭐", member)
    server.set_overwrite("general", server.world.bot, allow=Permission.MANAGE_MESSAGES)
    await seen(bot, message).remove_reaction("⭐", member)
    await seen(bot, message).clear_reaction("🐙")
    assert await counts(bot, message) == {}
    await server.actor("member").react(message, "🐙")
    await seen(bot, message).clear_reactions()
    assert await counts(bot, message) == {}


async def test_unknown_emoji_message_and_twentyfirst_emoji_are_refused(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("look")
    for wrong in ("star", "nothing:123456789012345678", "⭐ "):
        with pytest.raises(discord.NotFound) as caught:
            await bot.http.add_reaction(message.channel_id, message.id, wrong)
        assert caught.value.code == 10014
    with pytest.raises(discord.NotFound) as gone:
        await bot.http.add_reaction(message.channel_id, "1", "⭐")
    assert gone.value.code == 10008
    for number in range(20):
        await server.actor("member").react(message, chr(0x1F600 + number))
    with pytest.raises(discord.HTTPException) as many:
        await bot.http.add_reaction(message.channel_id, message.id, "⭐")
    assert many.value.code == 30010


async def test_events_of_reactions_need_their_intent(server: DiscordServer, connect: Connect) -> None:
    server.world.application.privileged_intents = MEMBERS_INTENT
    bot = await connect(server, FixtureBot(discord.Intents(guilds=True, guild_reactions=True)))
    message = await server.actor("member").say("look")
    added = bot.wait_for("raw_reaction_add", timeout=PATIENCE)
    await server.actor("member").react(message, "⭐")
    payload = await added
    assert (str(payload.emoji), payload.user_id) == ("⭐", int(server.world.user("member").id))
    assert payload.member is not None
    removed = bot.wait_for("raw_reaction_remove", timeout=PATIENCE)
    await server.actor("member").unreact(message, "⭐")
    assert (await removed).message_id == int(message.id)


async def test_bot_without_intent_gets_no_reaction_events(server: DiscordServer, bot: FixtureBot) -> None:
    message = await server.actor("member").say("look")
    await server.actor("member").react(message, "⭐")
    await seen(bot, message).fetch()
    (session,) = server.gateway.sessions.values()
    assert [text for _, text in session.events if "REACTION" in text or "MESSAGE_UPDATE" in text] == []


@pytest.mark.parametrize("emoji", ["⭐", "❤", "❤️", "👍🏽", "🇫🇷", "1️⃣", "👩‍🎨", "‼️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "©️"])
def test_emoji_is_recognized(emoji: str) -> None:
    assert is_emoji(emoji)


@pytest.mark.parametrize("emoji", ["", "a", "+", "1", "°", "⭐a", "name:1", "😀" * 33, "\u200d"])
def test_other_text_is_no_emoji(emoji: str) -> None:
    assert not is_emoji(emoji)

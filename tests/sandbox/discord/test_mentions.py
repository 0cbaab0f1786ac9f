"""Mentions and replies, with and without content and intents."""

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Upload
from sandbox.discord.entities import REPLY
from tests.sandbox.discord.fixture_bot import FixtureBot, picture


def sent(server: DiscordServer, intents: int) -> list[dict[str, object]]:
    """Return a list of the messages to a bot with these intents."""
    sent: list[dict[str, object]] = []

    def dispatch(event: str, data: dict[str, object], *, guild_id: str | None = None, intent: int = 0) -> bool:
        del guild_id
        if event == "MESSAGE_CREATE" and intents & intent == intent:
            sent.append(data)
        return True

    server.gateway.dispatch = dispatch  # type: ignore[method-assign]
    return sent


GUILD_MESSAGES = 1 << 9


async def test_content_is_sent_only_with_mention(server: DiscordServer) -> None:
    messages = sent(server, GUILD_MESSAGES)
    member, me = server.actor("member"), server.world.bot.id
    photo = Upload("photo.png", picture(30))
    await member.say("hello", photo)
    await member.say(f"<@{me}> hello", photo)
    await member.say("<@&1> @everyone hello")
    assert [(each["content"], len(each["attachments"])) for each in messages] == [  # type: ignore[arg-type]
        ("", 0),
        (f"<@{me}> hello", 1),
        ("", 0),
    ]
    assert [[who["id"] for who in each["mentions"]] for each in messages] == [[], [me], []]  # type: ignore[attr-defined]


async def test_messages_need_their_intent(server: DiscordServer) -> None:
    messages = sent(server, 0)
    await server.actor("member").say(f"<@{server.world.bot.id}> hello")
    assert messages == []


async def test_reply_carries_original_without_hidden_content(server: DiscordServer) -> None:
    messages = sent(server, GUILD_MESSAGES)
    member, other, me = server.actor("member"), server.actor("member-two"), server.world.bot.id
    original = await other.say("my secret")
    shown = await other.say(f"<@{me}> look")
    for each in (original, shown):
        reply = await member.say(f"<@{me}> change it", reply_to=each)
        assert reply.kind == REPLY
        assert reply.mentions == (me, other.user.id)
    hidden, open_ = (each["referenced_message"] for each in messages[2:])
    assert (hidden["id"], hidden["content"]) == (original.id, "")  # type: ignore[index]
    assert open_["content"] == f"<@{me}> look"  # type: ignore[index]


async def test_deleted_original_is_null(server: DiscordServer) -> None:
    messages = sent(server, GUILD_MESSAGES)
    member = server.actor("member")
    original = await member.say("hello")
    server.messages.delete(original)
    with pytest.raises(ClientRefusal):
        await member.say("late", reply_to=original)
    kept = await member.say("hello")
    reply = await member.say("again", reply_to=kept)
    server.messages.delete(kept)
    assert server.messages.render(reply)["referenced_message"] is None
    assert len(messages) == 3


async def test_rest_api_hides_content_like_gateway(server: DiscordServer, bot: FixtureBot) -> None:
    me = server.world.bot.id
    hidden = await server.actor("member").say("mine")
    shown = await server.actor("member").say(f"<@{me}> yours")
    channel = bot.get_partial_messageable(int(hidden.channel_id))
    assert (await channel.fetch_message(int(hidden.id))).content == ""
    assert (await channel.fetch_message(int(shown.id))).content == f"<@{me}> yours"
    contents = [each.content async for each in channel.history(limit=2)]
    assert contents == [f"<@{me}> yours", ""]


async def test_bots_reply_mentions_nobody_unless_allowed(server: DiscordServer, bot: FixtureBot) -> None:
    member = server.actor("member")
    asked = await member.say(f"<@{server.world.bot.id}> hello")
    channel = bot.get_partial_messageable(int(asked.channel_id))
    quiet = discord.AllowedMentions.none()
    reference = channel.get_partial_message(int(asked.id))
    said = await channel.send("yes", reference=reference, allowed_mentions=quiet)
    reply = server.world.message(str(said.id))
    assert (reply.mentions, reply.reference and reply.reference["message_id"]) == ((), asked.id)

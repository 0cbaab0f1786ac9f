"""Mentions in messages, and the readable content for the bot."""

import re
from typing import Final

from sandbox.discord.encoding import Json
from sandbox.discord.entities import REPLY, Message
from sandbox.discord.state import World

CONTENT_INTENT: Final = 1 << 15

_USER: Final = re.compile(r"<@!?(\d{1,20})>", re.ASCII)
_CONTENT: Final = ("content", "embeds", "attachments", "components")


def original_of(world: World, message: Message) -> Message | None:
    """Return the original of a reply; None if it is gone."""
    reference = message.reference
    if reference is None or message.kind != REPLY:
        return None
    channel = world.channels.get(reference["channel_id"])
    original = None if channel is None else channel.messages.get(reference["message_id"])
    return None if original is None or original.deleted else original


def mentioned(world: World, message: Message, allowed: Json | None) -> tuple[str, ...]:
    """Return the ids of the mentioned people.

    Without `allowed`, everyone in the text and the author of the message replied to.
    """
    named = [each for each in dict.fromkeys(_USER.findall(message.content)) if each in world.users]
    original = original_of(world, message)
    if allowed is not None:
        chosen = {str(each) for each in allowed.get("users") or ()}
        named = [each for each in named if "users" in (allowed.get("parse") or ()) or each in chosen]
    if original is not None and (allowed is None or allowed.get("replied_user")):
        named.append(original.author_id)
    return tuple(dict.fromkeys(named))


def readable(world: World, message: Message, payload: Json) -> Json:
    """Return a message's payload as the bot may read it.

    Without the privileged intent, a server's messages of others have no content unless they mention the bot. That goes
    for the message that a reply refers to, too.
    """
    seen = dict(payload)
    own = message.author_id == world.bot.id or message.guild_id is None or world.bot.id in message.mentions
    if not own and not world.application.privileged_intents & CONTENT_INTENT:
        seen.update({name: "" if name == "content" else [] for name in _CONTENT})
        seen.pop("message_snapshots", None)
    original = original_of(world, message)
    if original is not None and seen.get("referenced_message"):
        seen["referenced_message"] = readable(world, original, seen["referenced_message"])
    return seen

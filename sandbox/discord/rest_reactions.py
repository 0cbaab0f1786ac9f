"""Routes for the bot token: reactions to messages."""

from typing import Final

from sandbox.discord.entities import Message
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.payloads import user_payload
from sandbox.discord.permissions import Permission
from sandbox.discord.reactions import Reactions
from sandbox.discord.rest_access import ChannelAccess, page_size
from sandbox.discord.state import World

_REACTIONS: Final = "/channels/{channel_id}/messages/{message_id}/reactions"
_EMOJI: Final = _REACTIONS + "/{emoji_name}"
_PAGE: Final = 25
_MOST: Final = 100
_BURST: Final = "1"


class ReactionRoutes:
    """Serves the bot's reactions, and its reads of those of others."""

    def __init__(self, world: World, reactions: Reactions) -> None:
        self._world = world
        self._access = ChannelAccess(world)
        self._reactions = reactions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("PUT", _EMOJI + "/@me", self.add),
            Route("DELETE", _EMOJI + "/@me", self.remove_own),
            Route("DELETE", _EMOJI + "/{user_id}", self.remove),
            Route("GET", _EMOJI, self.people),
            Route("DELETE", _EMOJI, self.clear_emoji),
            Route("DELETE", _REACTIONS, self.clear),
        ]

    def add(self, call: Call) -> Reply:
        """React as the bot."""
        self._reactions.add(self._message(call), self._world.bot, call.params["emoji_name"])
        return NO_CONTENT

    def remove_own(self, call: Call) -> Reply:
        """Remove the bot's reaction."""
        bot = self._world.bot
        self._reactions.remove(self._message(call), bot.id, call.params["emoji_name"], by=bot)
        return NO_CONTENT

    def remove(self, call: Call) -> Reply:
        """Remove a member's reaction."""
        user_id = call.params["user_id"]
        self._reactions.remove(self._message(call), user_id, call.params["emoji_name"], by=self._world.bot)
        return NO_CONTENT

    def people(self, call: Call) -> Reply:
        """Return the users behind an emoji, by their ids."""
        channel = self._access.channel(call, Permission.READ_MESSAGE_HISTORY)
        found = self._reactions.people(self._access.message(call, channel), call.params["emoji_name"])
        after = int(call.query.get("after", 0))
        found = [each for each in found if int(each.id) > after] if call.query.get("type") != _BURST else []
        return Reply([user_payload(each) for each in found[: page_size(call, default=_PAGE, most=_MOST)]])

    def clear_emoji(self, call: Call) -> Reply:
        """Remove all reactions with one emoji."""
        self._reactions.clear(self._message(call), call.params["emoji_name"], by=self._world.bot)
        return NO_CONTENT

    def clear(self, call: Call) -> Reply:
        """Remove all reactions."""
        self._reactions.clear(self._message(call), by=self._world.bot)
        return NO_CONTENT

    def _message(self, call: Call) -> Message:
        return self._access.message(call, self._access.channel(call))

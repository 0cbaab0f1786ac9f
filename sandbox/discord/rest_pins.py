"""Routes for the bot token: pinned messages."""

from typing import Final

from sandbox.discord.encoding import Json, stamp
from sandbox.discord.entities import Channel, Message
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.mentions import readable
from sandbox.discord.messages import MessageStore
from sandbox.discord.permissions import Permission
from sandbox.discord.pins import Pins
from sandbox.discord.rest_access import ChannelAccess, moment_before, page_size
from sandbox.discord.state import World

_PINS: Final = "/channels/{channel_id}/messages/pins"
_DEPRECATED: Final = "/channels/{channel_id}/pins"
_MOST: Final = 50


class PinRoutes:
    """Serves pins; the older routes give all of them at once."""

    def __init__(self, world: World, messages: MessageStore, pins: Pins) -> None:
        self._world = world
        self._messages = messages
        self._pins = pins
        self._access = ChannelAccess(world)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", _PINS, self.page),
            Route("PUT", _PINS + "/{message_id}", self.pin),
            Route("DELETE", _PINS + "/{message_id}", self.unpin),
            Route("GET", _DEPRECATED, self.all_pins),
            Route("PUT", _DEPRECATED + "/{message_id}", self.pin),
            Route("DELETE", _DEPRECATED + "/{message_id}", self.unpin),
        ]

    def page(self, call: Call) -> Reply:
        """Return pins with their times, the latest first."""
        channel, before = self._access.channel(call), moment_before(call)
        limit = page_size(call, default=_MOST, most=_MOST)
        found = [each for each in self._pinned(channel) if before is None or (each.pinned_at or 0.0) < before]
        items = [{"pinned_at": stamp(each.pinned_at or 0.0), "message": self._seen(each)} for each in found[:limit]]
        return Reply({"items": items, "has_more": len(found) > limit})

    def all_pins(self, call: Call) -> Reply:
        """Return all pinned messages, the latest pin first."""
        return Reply([self._seen(each) for each in self._pinned(self._access.channel(call))])

    def pin(self, call: Call) -> Reply:
        """Pin a message."""
        self._pins.pin(self._message(call), self._world.bot)
        return NO_CONTENT

    def unpin(self, call: Call) -> Reply:
        """Unpin a message."""
        self._pins.unpin(self._message(call), self._world.bot)
        return NO_CONTENT

    def _pinned(self, channel: Channel) -> list[Message]:
        """Return the pins; none without the right to read the history."""
        reads = self._world.may(self._world.bot.id, channel, Permission.READ_MESSAGE_HISTORY)
        return self._pins.pinned(channel) if reads else []

    def _seen(self, message: Message) -> Json:
        return readable(self._world, message, self._messages.render(message))

    def _message(self, call: Call) -> Message:
        return self._access.message(call, self._access.channel(call))

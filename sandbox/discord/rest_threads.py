"""Routes for the bot token: threads, and posts of forums."""

from http import HTTPStatus
from typing import Final

from sandbox.discord.encoding import Json
from sandbox.discord.entities import FORUM_CHANNEL, Channel
from sandbox.discord.errors import MISSING_ACCESS, UNKNOWN_GUILD, FormErrors, api_error
from sandbox.discord.http_request import Call, Reply, Route
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.payloads import channel_payload
from sandbox.discord.permissions import Permission
from sandbox.discord.rest_access import ChannelAccess, moment_before, page_size
from sandbox.discord.state import World
from sandbox.discord.threads import Threads

_CHANNEL: Final = "/channels/{channel_id}"
_PAGE: Final = 50
_MOST: Final = 100


class ThreadRoutes:
    """Serves the making and listing of threads."""

    def __init__(self, world: World, messages: MessageStore, threads: Threads) -> None:
        self._world = world
        self._messages = messages
        self._threads = threads
        self._access = ChannelAccess(world)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("POST", _CHANNEL + "/threads", self.create),
            Route("POST", _CHANNEL + "/messages/{message_id}/threads", self.create_from_message),
            Route("GET", _CHANNEL + "/threads/archived/public", self.archived),
            Route("GET", "/guilds/{guild_id}/threads/active", self.active),
        ]

    def create(self, call: Call) -> Reply:
        """Create a forum's post with its message, or a thread without one."""
        channel, body = self._access.channel(call), call.json
        if channel.kind != FORUM_CHANNEL:
            return self._created(self._threads.create_in(channel, self._world.bot, body))
        if not isinstance(body.get("message"), dict):
            form = FormErrors()
            form.required(("message",))
            form.raise_if_any()
        form_ = MessageForm(payload=body["message"], files=call.files, upload_limit=self._access.upload_limit(channel))
        thread, message = self._threads.create_post(channel, self._world.bot, body, form_)
        return self._created(thread, message=self._messages.render(message))

    def create_from_message(self, call: Call) -> Reply:
        """Create a thread from a message."""
        message = self._access.message(call, self._access.channel(call))
        return self._created(self._threads.create_from_message(message, self._world.bot, call.json))

    def active(self, call: Call) -> Reply:
        """Return a server's open threads, the newest first."""
        guild = self._world.guilds.get(call.params["guild_id"])
        if guild is None:
            raise api_error(UNKNOWN_GUILD)
        if self._world.bot.id not in guild.members:
            raise api_error(MISSING_ACCESS)
        found = [
            each
            for each in self._world.channels.values()
            if each.guild_id == guild.id and each.parent_id is not None and not each.archived and self._sees(each)
        ]
        return self._listed(sorted(found, key=lambda each: int(each.id), reverse=True), has_more=False)

    def archived(self, call: Call) -> Reply:
        """Return a channel's archived threads, the last archived first."""
        channel = self._access.channel(call, Permission.READ_MESSAGE_HISTORY)
        before, limit = moment_before(call), page_size(call, default=_PAGE, most=_MOST)
        found = [each for each in self._world.threads_of(channel) if each.archived]
        found = sorted(found, key=_archived_at, reverse=True)
        found = [each for each in found if before is None or _archived_at(each) < before]
        return self._listed(found[:limit], has_more=len(found) > limit)

    def _sees(self, thread: Channel) -> bool:
        return self._world.may(self._world.bot.id, thread, Permission.VIEW_CHANNEL)

    def _created(self, thread: Channel, **more: Json) -> Reply:
        return Reply({**channel_payload(thread, self._world), **more}, HTTPStatus.CREATED)

    def _listed(self, threads: list[Channel], *, has_more: bool) -> Reply:
        listed = [channel_payload(each, self._world) for each in threads]
        return Reply({"threads": listed, "members": [], "has_more": has_more})


def _archived_at(thread: Channel) -> float:
    return thread.archived_at or thread.created_at

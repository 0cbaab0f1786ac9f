"""Routes for the bot token: channels, direct messages, messages."""

from itertools import islice

from sandbox.discord.encoding import Json
from sandbox.discord.entities import EPHEMERAL, REPLY, Channel, Message
from sandbox.discord.errors import (
    FOREIGN_AUTHOR,
    NO_DIRECT_MESSAGES,
    NO_MUTUAL_GUILDS,
    THREAD_ARCHIVED,
    UNKNOWN_USER,
    FormErrors,
    api_error,
)
from sandbox.discord.guild_changes import GuildChanges
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.mentions import readable
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.payloads import channel_payload
from sandbox.discord.permissions import Permission
from sandbox.discord.rest_access import ChannelAccess, page_size
from sandbox.discord.state import World
from sandbox.discord.threads import Threads

_MESSAGES = "/channels/{channel_id}/messages"
_PAGE = 50
_MOST = 100


class ChannelRoutes:
    """Serves by the bot's permissions; `changes` edits and deletes channels."""

    def __init__(self, world: World, messages: MessageStore, threads: Threads, changes: GuildChanges) -> None:
        self._world = world
        self._messages = messages
        self._threads = threads
        self._changes = changes
        self._access = ChannelAccess(world)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("POST", "/users/@me/channels", self.open_direct_message),
            Route("GET", "/channels/{channel_id}", self.channel),
            Route("PATCH", "/channels/{channel_id}", self.edit_channel),
            Route("DELETE", "/channels/{channel_id}", self.delete_channel),
            Route("GET", _MESSAGES, self.list_messages),
            Route("POST", _MESSAGES, self.post),
            Route("GET", _MESSAGES + "/{message_id}", self.get),
            Route("PATCH", _MESSAGES + "/{message_id}", self.edit),
            Route("DELETE", _MESSAGES + "/{message_id}", self.delete),
        ]

    def open_direct_message(self, call: Call) -> Reply:
        """Return the direct message with a user, opened when there is none."""
        recipient = call.json.get("recipient_id")
        form = FormErrors()
        if recipient is None:
            form.required(("recipient_id",))
        elif not str(recipient).isdecimal():
            form.add(("recipient_id",), "NUMBER_TYPE_COERCE", f'Value "{recipient}" is not snowflake.')
        form.raise_if_any()
        user = self._world.users.get(str(recipient))
        if user is None:
            raise api_error(UNKNOWN_USER)
        if user.bot:
            raise api_error(NO_DIRECT_MESSAGES)
        return Reply(channel_payload(self._world.direct_message(user.id), self._world))

    def channel(self, call: Call) -> Reply:
        """Return a channel."""
        return Reply(channel_payload(self._access.channel(call), self._world))

    def edit_channel(self, call: Call) -> Reply:
        """Change a thread, or a channel's name, topic or age restriction."""
        channel = self._access.channel(call)
        if channel.parent_id is not None:
            self._threads.edit(channel, self._world.bot, call.json)
        else:
            self._access.require(channel, Permission.MANAGE_CHANNELS)
            changes = {key: call.json[key] for key in ("name", "topic", "nsfw") if call.json.get(key) is not None}
            self._changes.edit_channel(channel, **changes)
        return Reply(channel_payload(channel, self._world))

    def delete_channel(self, call: Call) -> Reply:
        """Delete a channel or a thread, and return it."""
        channel = self._access.channel(call)
        gone = channel_payload(channel, self._world)
        if channel.parent_id is not None:
            self._threads.delete(channel, self._world.bot)
        elif channel.guild_id is not None:
            self._access.require(channel, Permission.MANAGE_CHANNELS)
            self._changes.delete_channel(channel)
        return Reply(gone)

    def list_messages(self, call: Call) -> Reply:
        """Return the latest messages, newest first, or those beside one.

        Without the right to read the history there are none.
        """
        channel = self._access.channel(call)
        if not self._world.may(self._world.bot.id, channel, Permission.READ_MESSAGE_HISTORY):
            return Reply([])
        limit = page_size(call, default=_PAGE, most=_MOST)
        before, after, around = (call.query.get(each) for each in ("before", "after", "around"))
        seen = (each for each in reversed(channel.messages.values()) if not each.deleted and not each.ephemeral)
        if around is not None:
            found = list(seen)
            newer = [each for each in found if int(each.id) > int(around)][-(limit // 2) :]
            older = [each for each in found if int(each.id) <= int(around)][: limit - len(newer)]
            return Reply([self._seen(each) for each in newer + older])
        if before is not None:
            seen = (each for each in seen if int(each.id) < int(before))
        if after is not None:
            newer = [each for each in seen if int(each.id) > int(after)]
            return Reply([self._seen(each) for each in newer[-limit:]])
        return Reply([self._seen(each) for each in islice(seen, limit)])

    def post(self, call: Call) -> Reply:
        """Post a message as the bot."""
        channel = self._access.channel(call)
        self._threads.check_post(channel, self._world.bot)
        if channel.recipient_id is not None:
            self._require_reachable(channel.recipient_id)
        if call.files:
            self._access.require(channel, Permission.ATTACH_FILES)
        if (call.json.get("flags") or 0) & EPHEMERAL:
            form = FormErrors()
            form.add(("flags",), "INVALID_FLAGS", "These flags cannot be set here.")
            form.raise_if_any()
        reference = call.json.get("message_reference")
        if reference is not None:
            self._access.require(channel, Permission.READ_MESSAGE_HISTORY)
        message = self._messages.create(
            channel,
            self._world.bot.id,
            self._form(call, channel),
            kind=0 if reference is None else REPLY,
            reference=None if reference is None else _reference(reference, channel),
        )
        self._threads.reopen_for_message(channel)
        return Reply(self._messages.render(message))

    def get(self, call: Call) -> Reply:
        """Return a message."""
        return Reply(
            self._seen(self._access.message(call, self._access.channel(call, Permission.READ_MESSAGE_HISTORY)))
        )

    def edit(self, call: Call) -> Reply:
        """Change one of the bot's own messages."""
        channel = self._access.channel(call)
        message = self._access.message(call, channel)
        if message.author_id != self._world.bot.id:
            raise api_error(FOREIGN_AUTHOR)
        self._messages.edit(message, self._form(call, channel))
        return Reply(self._messages.render(message))

    def delete(self, call: Call) -> Reply:
        """Delete a message.

        Other authors' messages need the permission to manage messages.
        """
        channel = self._access.channel(call)
        message = self._access.message(call, channel)
        if message.author_id != self._world.bot.id:
            self._access.require(channel, Permission.MANAGE_MESSAGES)
        if channel.archived:
            raise api_error(THREAD_ARCHIVED)
        self._messages.delete(message)
        return NO_CONTENT

    def _seen(self, message: Message) -> Json:
        return readable(self._world, message, self._messages.render(message))

    def _form(self, call: Call, channel: Channel) -> MessageForm:
        return MessageForm(payload=call.json, files=call.files, upload_limit=self._access.upload_limit(channel))

    def _require_reachable(self, user_id: str) -> None:
        # Who has the application on their own account can be written to as well.
        if not (self._world.share_guild(user_id) or self._world.users[user_id].has_app):
            raise api_error(NO_MUTUAL_GUILDS)
        if not self._world.users[user_id].takes_direct_messages:
            raise api_error(NO_DIRECT_MESSAGES)


def _reference(given: Json, channel: Channel) -> Json:
    """Return a reference as messages show it: with ids as texts."""
    reference: Json = {"type": 0, "channel_id": channel.id, **given}
    reference.pop("fail_if_not_exists", None)
    return {key: str(value) if key.endswith("_id") else value for key, value in reference.items()}

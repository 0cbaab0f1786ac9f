"""Webhooks of channels: addresses to post at without a bot."""

import secrets
from dataclasses import dataclass

from sandbox.discord.encoding import Json
from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT, Channel, Message, User
from sandbox.discord.errors import INVALID_WEBHOOK_TOKEN, UNKNOWN_CHANNEL, UNKNOWN_WEBHOOK, FormErrors, api_error
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.payloads import user_payload
from sandbox.discord.state import World

_LONGEST_USERNAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook of a channel; its token is the right to post there."""

    id: str
    token: str
    channel_id: str
    guild_id: str | None
    name: str


class ChannelWebhooks:
    """All webhooks of channels, and their two routes.

    Their paths are those of interaction tokens too: `has` tells them apart.
    """

    def __init__(self, world: World, messages: MessageStore) -> None:
        self._world = world
        self._messages = messages
        self._by_id: dict[str, Webhook] = {}

    def create(self, channel: Channel, name: str) -> Webhook:
        """Create a webhook in a channel, as people do in its settings."""
        author = User(id=self._world.snowflakes.next(), name=name, display_name=name, bot=True)
        self._world.users[author.id] = author
        webhook = Webhook(
            id=author.id,
            token=secrets.token_urlsafe(51),
            channel_id=channel.id,
            guild_id=channel.guild_id,
            name=name,
        )
        self._by_id[webhook.id] = webhook
        return webhook

    def of_channel(self, channel: Channel) -> Webhook | None:
        """Return a webhook of the channel; None without one."""
        return next((each for each in self._by_id.values() if each.channel_id == channel.id), None)

    def delete(self, webhook: Webhook) -> None:
        """Delete a webhook; its messages remain."""
        del self._by_id[webhook.id]

    def has(self, webhook_id: str) -> bool:
        """Return True for the id of a channel's webhook."""
        return webhook_id in self._by_id

    def get(self, call: Call) -> Reply:
        """Return a webhook by its token."""
        return Reply(self._payload(self._find(call)))

    def execute(self, call: Call) -> Reply:
        """Post a message; return it if `?wait=true`."""
        message = self._post(self._find(call), call)
        wanted = call.query.get("wait") in ("1", "true", "True")
        return Reply(self._messages.render(message)) if wanted else NO_CONTENT

    def routes(self) -> list[Route]:
        """Return the route to read a webhook."""
        return [Route("GET", "/webhooks/{webhook_id}/{webhook_token}", self.get, open=True)]

    def _post(self, webhook: Webhook, call: Call) -> Message:
        channel = self._world.channels.get(webhook.channel_id)
        if channel is None:
            raise api_error(UNKNOWN_CHANNEL)
        payload: Json = dict(call.json)
        username = payload.pop("username", None)
        if username is not None:
            form = FormErrors()
            form.length(username, ("username",), 1, _LONGEST_USERNAME)
            form.raise_if_any()
        payload.pop("avatar_url", None)
        guild = None if channel.guild_id is None else self._world.guilds[channel.guild_id]
        limit = DEFAULT_UPLOAD_LIMIT if guild is None else guild.upload_limit
        form_ = MessageForm(payload=payload, files=call.files, upload_limit=limit)
        self._world.users[webhook.id].display_name = username or webhook.name
        return self._messages.create(channel, webhook.id, form_, webhook_id=webhook.id)

    def _find(self, call: Call) -> Webhook:
        webhook = self._by_id.get(call.params["webhook_id"])
        if webhook is None:
            raise api_error(UNKNOWN_WEBHOOK)
        if not secrets.compare_digest(webhook.token.encode(), call.params["webhook_token"].encode()):
            raise api_error(INVALID_WEBHOOK_TOKEN)
        return webhook

    def _payload(self, webhook: Webhook) -> Json:
        return {
            "id": webhook.id,
            "type": 1,
            "name": webhook.name,
            "avatar": None,
            "channel_id": webhook.channel_id,
            "guild_id": webhook.guild_id,
            "application_id": None,
            "token": webhook.token,
            "user": user_payload(self._world.users[self._world.application.owner_id]),
        }

"""The fake Discord: one server for gateway, REST API, CDN and control API."""

# ruff: noqa: ASYNC109 - a deadline as an argument reads best where tests wait for something

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from sandbox.discord.actors import Actor
from sandbox.discord.automod import AutoMod
from sandbox.discord.cdn import Cdn
from sandbox.discord.commands import CommandRegistry
from sandbox.discord.control import Control
from sandbox.discord.encoding import Json
from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT, Channel, Message, User
from sandbox.discord.faults import Faults
from sandbox.discord.gateway import (
    DIRECT_MESSAGES_INTENT,
    GUILD_MESSAGES_INTENT,
    HEARTBEAT_INTERVAL,
    Gateway,
)
from sandbox.discord.guild_changes import GuildChanges
from sandbox.discord.installations import owners_of, types_of
from sandbox.discord.interaction_endpoint import InteractionSender
from sandbox.discord.interaction_payloads import interaction_payload, seen_member
from sandbox.discord.interactions import Interaction, InteractionKind, InteractionStore
from sandbox.discord.mentions import readable
from sandbox.discord.messages import MessageEvent, MessageStore, Publish
from sandbox.discord.notifier import PATIENCE
from sandbox.discord.permissions import Permission
from sandbox.discord.pins import Pins
from sandbox.discord.posting import Post, post_as
from sandbox.discord.ratelimits import RateLimits
from sandbox.discord.reactions import Reactions
from sandbox.discord.receiver import Receiver
from sandbox.discord.recorder import RecordedRequest, Recorder
from sandbox.discord.rest import PREFIX, UNVERSIONED, RestApi
from sandbox.discord.rest_application import ApplicationRoutes
from sandbox.discord.rest_channels import ChannelRoutes
from sandbox.discord.rest_guilds import GuildRoutes
from sandbox.discord.rest_interactions import InteractionRoutes
from sandbox.discord.rest_pins import PinRoutes
from sandbox.discord.rest_reactions import ReactionRoutes
from sandbox.discord.rest_store import StoreRoutes
from sandbox.discord.rest_threads import ThreadRoutes
from sandbox.discord.state import World
from sandbox.discord.store import Store
from sandbox.discord.threads import Threads
from sandbox.discord.webhooks import ChannelWebhooks

LARGEST_REQUEST = 512 * 1024 * 1024
"""Bytes of a request that are read before giving up; Discord's own limits are checked file by file."""

_INTENTS = {True: GUILD_MESSAGES_INTENT, False: DIRECT_MESSAGES_INTENT}


class DiscordServer(GuildChanges):
    """A private Discord.

    Time is the world's clock, so a test can move it. `rate_limits` and `record` can be turned off. Wrong use by a test
    raises at the caller; the bot's mistakes get Discord's responses.
    """

    def __init__(
        self,
        world: World,
        *,
        rate_limits: bool | RateLimits = True,
        record: bool = True,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
    ) -> None:
        self.faults = Faults()
        self.recorder = Recorder(enabled=record)
        self.rate_limits = rate_limits if isinstance(rate_limits, RateLimits) else RateLimits(enabled=rate_limits)
        self.cdn = Cdn(now=world.now, base_url=lambda: self.cdn_url)
        gateway = Gateway(world, url=lambda: self.gateway_url, heartbeat_interval=heartbeat_interval)
        super().__init__(world, gateway)
        self.commands = CommandRegistry(world)
        self.messages = MessageStore(world, self.cdn, self._publish)
        self.threads = Threads(world, self.messages, self._announce_thread)
        self.reactions = Reactions(world, self.messages, gateway)
        self.pins = Pins(world, self.messages, gateway)
        self.automod = AutoMod(world, gateway)
        self.interactions = InteractionStore(world, self.messages)
        self.endpoint = InteractionSender(world.application, world.now, self._accept_inline)
        self.webhooks = ChannelWebhooks(world, self.messages)
        self.receiver = Receiver(world.now)
        self.store = Store(world, gateway)
        self._subscribers: list[Publish] = []
        self._runner: web.AppRunner | None = None
        self._address = ("127.0.0.1", 0)
        self.application_routes = ApplicationRoutes(
            world, self.commands, lambda: self.gateway_url, lambda: self.gateway.identifies
        )
        self.app = self._build()

    @property
    def base_url(self) -> str:
        """The server's address, without a slash at the end."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def api_url(self) -> str:
        """The fake's address instead of `https://discord.com/api/v10`."""
        return self.base_url + PREFIX

    @property
    def cdn_url(self) -> str:
        """The fake's address instead of `https://cdn.discordapp.com`."""
        return self.base_url + "/cdn"

    @property
    def gateway_url(self) -> str:
        """The fake's address instead of `wss://gateway.discord.gg/`."""
        return self.base_url.replace("http", "ws", 1) + "/gateway/"

    @property
    def receiver_url(self) -> str:
        """An address for any POST, in place of another service."""
        return self.base_url + self.receiver.path

    def webhook_url(self, channel: str | Channel = "general", *, name: str = "Alerts") -> str:
        """Return the address of a channel's webhook, created if missing."""
        place = channel if isinstance(channel, Channel) else self.world.channel(channel)
        webhook = self.webhooks.of_channel(place) or self.webhooks.create(place, name)
        return f"{self.base_url}{UNVERSIONED}/webhooks/{webhook.id}/{webhook.token}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every REST request of the bot so far."""
        return self.recorder.requests

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, or_another: bool = False) -> None:
        """Listen on a port.

        Port 0 picks a free one; so does `or_another` if the given one is taken.
        """
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, backlog=1024).start()
        except OSError:
            if not or_another:
                raise
            await web.TCPSite(self._runner, host, 0, backlog=1024).start()
        self._address = (host, self._runner.addresses[0][1])

    async def close(self) -> None:
        """Hang up on the bot and stop listening."""
        self.faults.clear()
        await self.endpoint.close()
        await self.gateway.drop(code=1001)
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_ready(self, *, shards: int = 1, timeout: float = PATIENCE) -> None:
        """Return once the bot is connected, with READY sent on so many shards."""
        async with asyncio.timeout(timeout):
            while len(self.gateway.connected) < shards:
                await self.gateway.changed.wait()

    async def wait_disconnected(self, *, timeout: float = PATIENCE) -> None:
        """Return once no shard of the bot is connected."""
        async with asyncio.timeout(timeout):
            while self.gateway.connected:
                await self.gateway.changed.wait()

    async def wait_commands(self, *, guild_id: str | None = None, timeout: float = PATIENCE) -> list[Json]:
        """Return the commands once the bot has registered any."""
        async with asyncio.timeout(timeout):
            while not self.commands.registered(guild_id):
                await self.commands.changed.wait()
        return self.commands.registered(guild_id)

    def actor(self, name: str) -> Actor:
        """Return the person with this name or id, sitting at their client."""
        return Actor(
            self.world.user(name),
            world=self.world,
            commands=self.commands,
            messages=self.messages,
            cdn=self.cdn,
            threads=self.threads,
            reactions=self.reactions,
            pins=self.pins,
            begin=self._begin,
        )

    def direct_message(self, name: str) -> Channel:
        """Return the direct message between the bot and this person."""
        return self.world.direct_message(self.world.user(name).id)

    def post_as(self, name: str, post: Post, *, channel: str | Channel = "general") -> Message:
        """Post a message as another app (or webhook) of this name."""
        place = channel if isinstance(channel, Channel) else self.world.channel(channel)
        return post_as(self.world, self.cdn, self.messages, name, place, post)

    def subscribe(self, callback: Publish) -> Callable[[], None]:
        """Call `callback(event, message)` at every message change.

        The returned function unsubscribes.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def expire_tokens(self) -> None:
        """Let the tokens of all interactions so far run out."""
        self.interactions.expire_tokens()

    def expire_addresses(self) -> None:
        """Expire the signed addresses of all files so far.

        A message read after that has fresh addresses.
        """
        self.cdn.expire()

    def _build(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_REQUEST)
        rest = RestApi(
            self.world,
            rate_limits=self.rate_limits,
            faults=self.faults,
            recorder=self.recorder,
            now=self.world.now,
        )
        parts = (
            self.application_routes,
            GuildRoutes(self.world, self.automod, leave=self.leave),
            InteractionRoutes(self.interactions, self.messages, self.webhooks),
            self.webhooks,
            PinRoutes(self.world, self.messages, self.pins),
            ThreadRoutes(self.world, self.messages, self.threads),
            ReactionRoutes(self.world, self.reactions),
            ChannelRoutes(self.world, self.messages, self.threads, self),
            StoreRoutes(self.world, self.store),
        )
        rest.mount(app, [route for part in parts for route in part.routes()])
        self.receiver.mount(app)
        app.router.add_get("/gateway/", self.gateway.serve)
        app.router.add_get("/cdn/{folder}/{channel_id:\\d+}/{attachment_id:\\d+}/{filename}", self.cdn.serve)
        app.router.add_get("/cdn/{kind:embed|avatars|icons}/{rest:.*}", self.cdn.serve_avatar)
        Control(
            faults=self.faults,
            gateway=self.gateway,
            interactions=self.interactions,
            cdn=self.cdn,
            endpoint=self.endpoint,
        ).mount(app)
        return app

    def _begin(
        self,
        kind: InteractionKind,
        *,
        user: User,
        channel: Channel,
        data: Json,
        message: Message | None = None,
        opened_by: Interaction | None = None,
    ) -> Interaction:
        now = self.world.now()
        guild = None if channel.guild_id is None else self.world.guilds[channel.guild_id]
        interaction = Interaction(
            id=self.world.snowflakes.next(),
            token="aW50ZXJhY3Rpb246" + secrets.token_urlsafe(120),
            kind=kind,
            user=user,
            channel=channel,
            data=data,
            created_at=now,
            token_from=now,
            upload_limit=DEFAULT_UPLOAD_LIMIT if guild is None else guild.upload_limit,
            acknowledge_within=self.world.acknowledge_within,
            message=message,
            opened_by=opened_by,
            owners=self._owners(kind, user, channel, data, message, opened_by),
        )
        self.interactions.add(interaction)
        self.deliver(interaction)
        return interaction

    def deliver(self, interaction: Interaction) -> None:
        """Send an interaction to the bot: to its endpoint, else to the gateway.

        After a reconnect Discord may send one again.
        """
        payload = interaction_payload(interaction, self.world, self.messages)
        if not self.endpoint.send(payload):
            self.gateway.dispatch("INTERACTION_CREATE", payload, guild_id=interaction.channel.guild_id)

    def _accept_inline(self, interaction_id: str, token: str, body: Json) -> None:
        self.interactions.acknowledge(interaction_id, token, body, {})

    def _owners(
        self,
        kind: InteractionKind,
        user: User,
        channel: Channel,
        data: Json,
        message: Message | None,
        opened_by: Interaction | None,
    ) -> Json:
        """Return the installations behind an action.

        A press or a submitted form keeps the installations of the message or modal behind it.
        """
        if opened_by is not None:
            return opened_by.owners
        if kind is InteractionKind.COMPONENT:
            begun = None if message is None else message.interaction_metadata
            return begun["authorizing_integration_owners"] if begun else {"0": channel.guild_id or "0"}
        command = self.commands.find(data["name"], data["type"], channel.guild_id)
        return owners_of(types_of(command), self.world, user, channel)

    def _publish(self, event: MessageEvent, message: Message) -> None:
        for callback in list(self._subscribers):
            callback(event, message)
        # The gateway's events of reactions come from `Reactions`.
        if message.ephemeral or event == "reaction":
            return
        channel = self.world.channels[message.channel_id]
        if not self.world.may(self.world.bot.id, channel, Permission.VIEW_CHANNEL):
            return
        data: dict[str, Any] = {"id": message.id, "channel_id": channel.id}
        if event != "delete":
            data = readable(self.world, message, message.payload)
        if channel.guild_id is not None:
            data["guild_id"] = channel.guild_id
            author = self.world.users[message.author_id]
            if event != "delete" and author.id in self.world.guilds[channel.guild_id].members:
                data["member"] = {**seen_member(self.world, author, channel)}
                del data["member"]["user"]
        self.gateway.dispatch(
            f"MESSAGE_{event.upper()}",
            data,
            guild_id=channel.guild_id,
            intent=_INTENTS[channel.guild_id is not None],
        )

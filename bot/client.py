"""The Discord client: commands, presses, login and shutdown."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import discord
import structlog
import yarl
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route

from bot.command_tree import AtelierTree
from bot.engine.clock import Clock, SystemClock
from bot.gateway import (
    GatewayInfo,
    GuardedWebSocket,
    SessionStarts,
    drop_unused,
    growing_pause,
    guard_parsers,
    keep_mentions,
)
from bot.ui.command_translator import CommandTranslator
from bot.ui.delivery.bounded_requests import RateLimitCounts, note_rate_limit
from bot.ui.handlers.component_registry import ComponentRegistry
from bot.ui.handlers.interactions import (
    GuildSettingsReader,
    PurchaseCounter,
    PurchaseOffer,
    no_offers,
    no_purchases,
    no_settings,
)
from bot.ui.handlers.seen_interactions import SeenInteractions

# The names that discord.py gives to the tasks that answer commands, presses, forms and mentions.
_ANSWERING = ("CommandTree-invoker", "discord.py: on_interaction", "discord.py: on_message")
_OWNING_ROLES: Final = (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)
_UNAUTHORIZED: Final = 401
# The library takes no less. Longer pauses are left to the caller.
_LONGEST_RATE_LIMIT: Final = 30.0
# Discord asks for a new connection several times a day. Resuming takes seconds and loses no event.
_SHORT_ABSENCE_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class TokenRefusedError(Exception):
    """Discord no longer accepts the token: it was reset."""


class _LaunchFailedError(Exception):
    """A shard could not be connected."""


@asynccontextmanager
async def open_http(token: str, *, proxy: str | None = None) -> AsyncIterator[HTTPClient]:
    """Log in to Discord's REST API alone.

    Raises:
        discord.LoginFailure: Discord does not accept the token.
        discord.DiscordException: Discord refuses, or asks for a long pause.
        aiohttp.ClientError: Discord cannot be reached.
    """
    http = HTTPClient(asyncio.get_running_loop(), proxy=proxy, max_ratelimit_timeout=_LONGEST_RATE_LIMIT)
    try:
        await http.static_login(token.strip())
        yield http
    finally:
        await http.close()


class AtelierClient(commands.AutoShardedBot):
    """The Discord client.

    It connects without a privileged intent. Cogs are added before login. Each registers its commands and menus with
    `tree` and its buttons with `components`.

    `mentions` also asks for messages, of which all but those that mention the bot are dropped unparsed: `on_mention`
    answers them. Without it, the intents are `guilds` and changes of AutoMod's rules.

    An event that discord.py cannot parse is dropped. `session_starts` counts the logins to the gateway that Discord
    still allows today, and `rate_limits` counts Discord's since the start.

    `identify_turn` waits for this process's turn to log in to the gateway; None with a single process.
    `has_shards`: False for a process that only answers interactions that come over HTTP.
    `user_installs` also offers the commands to members who installed the application on their own account.
    `read_settings` is read at the begin of every interaction in a guild, so handlers know the guild's settings.
    `count_purchases` runs then too, except while a command is typed. `offer_purchases` returns the buttons to buy
    credits. `translator` translates the commands' descriptions.
    """

    def __init__(
        self,
        *,
        shard_count: int | None = None,
        shard_ids: Sequence[int] | None = None,
        has_shards: bool = True,
        identify_turn: Callable[[], Awaitable[None]] | None = None,
        user_installs: bool = False,
        mentions: bool = False,
        clock: Clock | None = None,
        proxy: str | None = None,
        read_settings: GuildSettingsReader = no_settings,
        count_purchases: PurchaseCounter = no_purchases,
        offer_purchases: PurchaseOffer = no_offers,
        translator: CommandTranslator | None = None,
    ) -> None:
        # No voice here, so no warning that voice is missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._check_answer)
        trace.on_request_end.append(note_rate_limit)
        self.rate_limits = RateLimitCounts()
        trace.on_request_end.append(self.rate_limits.note)
        shards: Any = None if shard_ids is None else list(shard_ids)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(
                guilds=True,
                auto_moderation_configuration=True,
                guild_messages=mentions,
                dm_messages=mentions and user_installs,
            ),
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=AtelierTree,
            shard_count=shard_count,
            shard_ids=shards,
            chunk_guilds_at_startup=False,
            max_messages=None,
            http_trace=trace,
            proxy=proxy,
        )
        state = self._connection
        state.parsers = guard_parsers(drop_unused(keep_mentions(state.parsers, lambda: state.self_id)))
        self._clock = clock or SystemClock()
        self.session_starts = SessionStarts(read=self._read_gateway, clock=self._clock)
        self._is_launching = False
        self._away_since: dict[int, float] = {}
        self._unauthorized = asyncio.Event()
        self.on_mention: Callable[[discord.Message], Awaitable[None]] | None = None
        self.seen = SeenInteractions()
        self.read_settings = read_settings
        self.count_purchases = count_purchases
        self.offer_purchases = offer_purchases
        self.components = ComponentRegistry(self.seen, read_settings, count_purchases)
        self._translator = translator or CommandTranslator()
        self._has_shards = has_shards
        self._identify_turn = identify_turn
        self._user_installs = user_installs

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the turn to log in.

        The library only knows the shards of this process.
        """
        if self._identify_turn is not None:
            await self._identify_turn()
        else:
            await super().before_identify_hook(shard_id, initial=initial)

    async def login(self, token: str) -> None:
        """Log in to the REST API, and try again while Discord fails.

        Raises:
            discord.LoginFailure: Discord does not accept the token.
        """
        for failures in itertools.count():
            try:
                await super().login(token)
            except discord.LoginFailure:
                raise
            except Exception as error:  # noqa: BLE001 - an odd answer is as bad as none
                pause = growing_pause(failures)
                _log.warning(
                    "discord.unreachable",
                    reason=getattr(error, "status", None) or type(error).__name__,
                    remedy="`atelier doctor` says more",
                    next_try_seconds=pause,
                )
            else:
                return
            # The library opens a new session at each login and leaves the last one open.
            await self.http.close()
            self.http.connector = discord.utils.MISSING
            await self._clock.wait(asyncio.Event(), pause)

    async def connect(self, *, reconnect: bool = True) -> None:
        """Connect to the gateway of the configured server, and serve.

        Without shards, wait for the end.
        """
        if not self._has_shards:
            await asyncio.Event().wait()
        discord.shard.DiscordWebSocket = GuardedWebSocket  # type: ignore[misc] # a name to mypy, not a variable
        gateway = await self.session_starts.wait()
        # The library would only ask its own default gateway.
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway.url)
        if not self.shard_count:
            self.shard_count = gateway.shards
        await super().connect(reconnect=reconnect)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect one shard, with repetitions."""
        if self._is_launching:
            # The library calls this method from itself after a failure, five seconds later. Without an end, a long
            # outage would end in too many nested calls.
            raise _LaunchFailedError
        for failures in itertools.count():
            await self.session_starts.wait()
            self._is_launching = True
            try:
                await super().launch_shard(gateway, shard_id, initial=initial)
            except _LaunchFailedError:
                await self._clock.wait(asyncio.Event(), growing_pause(failures))
            else:
                return
            finally:
                self._is_launching = False

    async def wait_token_refused(self) -> None:
        """Return once Discord no longer accepts the token."""
        while True:
            await self._unauthorized.wait()
            self._unauthorized.clear()
            try:
                await self.http.request(Route("GET", "/users/@me"))
            except discord.HTTPException as error:
                if error.status == _UNAUTHORIZED:
                    return
                _log.info("discord.token_not_checked", reason=error.status)
            except Exception as error:  # noqa: BLE001 - also of a session that a new login replaced
                _log.info("discord.token_not_checked", reason=type(error).__name__)  # the next 401 asks again

    async def _check_answer(
        self, session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestEndParams
    ) -> None:
        """Note a 401 for the bot's token; interactions have their own."""
        del session, context
        if params.response.status == _UNAUTHORIZED and "Authorization" in params.headers:
            self._unauthorized.set()

    async def _read_gateway(self) -> GatewayInfo:
        return GatewayInfo.from_answer(*await self.http.get_bot_gateway())

    @property
    def public_key(self) -> str | None:
        """Discord's key for signatures of interactions; None before login."""
        return None if self.application is None else self.application.verify_key

    @property
    def interactions_url(self) -> str | None:
        """Registered endpoint of interactions, as of the login.

        None: they come over the gateway.
        """
        return None if self.application is None else self.application.interactions_endpoint_url

    def begin_answer(self, payload: dict[str, Any]) -> None:
        """Handle an interaction as if it came from the gateway."""
        self._connection.parsers["INTERACTION_CREATE"](payload)

    async def setup_hook(self) -> None:
        """Prepare the cogs' commands."""
        await self.prepare_commands()

    async def prepare_commands(self) -> None:
        """Set translator and places of the cogs' commands."""
        await self.tree.set_translator(self._translator)
        self._place_commands()

    @property
    def registers_commands(self) -> bool:
        """True for the process with shard 0, and for those without shards.

        The latter may be all there are. What was sent before is not sent again.
        """
        return self.shard_ids is None or 0 in self.shard_ids

    async def command_payload(self) -> list[dict[str, Any]]:
        """Return the prepared commands as Discord takes them."""
        commands = self.tree.get_commands()
        if not self._translator.has_translations():
            # discord.py would ask for each text in each of its languages: 16,000 times.
            return [command.to_dict(self.tree) for command in commands]
        return [await command.get_translated_payload(self.tree, self._translator) for command in commands]

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Answer presses on permanent buttons and menus, and forms.

        discord.py itself answers commands.
        """
        await self.components.dispatch(interaction)

    async def on_message(self, message: discord.Message, /) -> None:
        """Answer a mention of the bot."""
        if self.on_mention is not None:
            await self.on_mention(message)

    def _place_commands(self) -> None:
        """Set the places of all commands without their own: guilds, or all."""
        for command in self.tree.get_commands():
            if command.allowed_installs is not None:
                continue
            command.allowed_installs = app_commands.AppInstallationType(guild=True, user=self._user_installs)
            if self._user_installs:
                command.guild_only = False
                command.allowed_contexts = app_commands.AppCommandContext(
                    guild=True, dm_channel=True, private_channel=True
                )

    def has_gateway(self) -> bool:
        """Return True once all shards are ready, and none is away for long.

        Without shards, nothing is missing.
        """
        if not self._has_shards:
            return True
        latest = self._clock.monotonic() - _SHORT_ABSENCE_SECONDS
        return self.is_ready() and all(since > latest for since in self._away_since.values())

    async def on_shard_disconnect(self, shard_id: int) -> None:
        """Note the begin of an absence; each failed attempt comes here too."""
        self._away_since.setdefault(shard_id, self._clock.monotonic())

    async def on_shard_connect(self, shard_id: int) -> None:
        """Note a new session."""
        self._away_since.pop(shard_id, None)

    async def on_shard_resumed(self, shard_id: int) -> None:
        """Note a resumed session."""
        self._away_since.pop(shard_id, None)

    async def on_ready(self) -> None:
        """Log the ready gateway."""
        _log.info("discord.ready", guilds=len(self.guilds))

    async def is_owner(self, user: discord.abc.User, /) -> bool:
        """Return whether a user owns the application, alone or in its team.

        `owner_id` names one person instead, if it is set. In a team, its owner, admins and developers count once they
        accepted the invitation. The answer is not kept: the team may change.
        """
        if self.owner_id:
            return user.id == self.owner_id
        application = await self.application_info()
        team = application.team
        if team is None:
            return user.id == application.owner.id
        return user.id in {
            member.id
            for member in team.members
            if member.membership_state is discord.TeamMembershipState.accepted
            and (member.id == team.owner_id or member.role in _OWNING_ROLES)
        }

    async def hang_up(self, seconds: float) -> None:
        """Take no more interactions and wait for running answers.

        The wait takes at most `seconds`.
        """
        for shard in self.shards.values():
            await shard.disconnect()
        # discord.py keeps no list of them, but names the tasks that it makes.
        answering = [task for task in asyncio.all_tasks() if task.get_name().startswith(_ANSWERING)]
        if answering:
            await asyncio.wait(answering, timeout=seconds)

"""The side panel's actions: faults, servers, the bot, and the ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from sandbox.clock import StudioClock
from sandbox.discord import Actor, ClientRefusal, DiscordServer
from sandbox.discord.encoding import Json
from sandbox.web.automod_actions import AutoModActions
from sandbox.web.bot_process import BotProcess, Ledger
from sandbox.web.fault_injection import FaultInjector
from sandbox.web.guild_actions import GuildActions
from sandbox.web.hook_actions import HookActions
from sandbox.web.store_actions import StoreActions
from sandbox.web.time_actions import ZONES, TimeActions


class Panel:
    """Runs the panel's actions."""

    def __init__(
        self,
        discord: DiscordServer,
        faults: FaultInjector,
        bot: BotProcess | None,
        ledger: Ledger | None,
        clock: StudioClock | None,
    ) -> None:
        self.faults = faults
        self._discord = discord
        self._bot = bot
        self._ledger = ledger
        self._work: asyncio.Task[None] | None = None
        self._start_error: str | None = None
        self._guilds = GuildActions(discord)
        self._hooks = HookActions(discord)
        self._store = StoreActions(discord)
        self._automod = AutoModActions(discord)
        self._time = None if clock is None else TimeActions(clock)
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {
            **self._guilds.actions,
            **self._hooks.actions,
            **self._store.actions,
            **self._automod.actions,
            **(self._time.actions if self._time is not None else {}),
            "break": self.break_,
            "mend": self.mend,
            "latency": self.latency,
            "gateway": self.gateway,
            "tokens": self.tokens,
            "addresses": self.addresses,
            "reset": self.reset,
            "bot": self.bot,
            "ledger": self.ledger,
        }

    @property
    def has_process(self) -> bool:
        """Return whether the bot can be killed and started from here."""
        return self._bot is not None

    @property
    def has_ledger(self) -> bool:
        """Return whether the ledger can be read from here."""
        return self._ledger is not None

    @property
    def zones(self) -> list[str]:
        """Return the time zones to move in; none if the time cannot be moved."""
        return [] if self._time is None else list(ZONES)

    def state(self) -> Json:
        """Return the bot's state, the active faults and the servers."""
        return {
            "bot": self._bot_state(),
            "trouble": self._start_error,
            **self.faults.state(),
            **self._guilds.state(),
            "hooks": self._hooks.state(),
            "store": self._store.state(),
            "automod": self._automod.state(),
            "offset": 0.0 if self._time is None else self._time.offset,
        }

    async def close(self) -> None:
        """Cancel a start in progress."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def break_(self, _: Actor, body: Json) -> Json:
        """Switch a fault on."""
        self.faults.enable(body.get("row"), body.get("times"))
        return self.state()

    async def mend(self, _: Actor, body: Json) -> Json:
        """Remove a fault."""
        self.faults.disable(body.get("service"), body.get("position"))
        return self.state()

    async def latency(self, _: Actor, body: Json) -> Json:
        """Set the latency of the image APIs."""
        self.faults.set_latency(body.get("queue"), body.get("work"))
        return self.state()

    async def gateway(self, _: Actor, body: Json) -> Json:
        """Disturb the gateway."""
        await self.faults.disturb_gateway(body.get("action"))
        return self.state()

    async def tokens(self, _: Actor, __: Json) -> Json:
        """Expire the tokens of all interactions."""
        self.faults.expire_tokens()
        return self.state()

    async def addresses(self, _: Actor, __: Json) -> Json:
        """Expire the signed addresses of all files."""
        self.faults.expire_addresses()
        return self.state()

    async def reset(self, _: Actor, __: Json) -> Json:
        """Remove all faults."""
        self.faults.reset()
        return self.state()

    async def bot(self, _: Actor, body: Json) -> Json:
        """Kill, stop or start the bot."""
        if self._bot is None:
            raise ClientRefusal("The bot was not started from here.")
        match body.get("action"):
            case "kill":
                await self._bot.kill_bot()
            case "stop":
                await self._bot.stop_bot()
            case "start":
                if self._bot.alive or (self._work is not None and not self._work.done()):
                    raise ClientRefusal("The bot is already running.")
                self._work = asyncio.create_task(self._start(self._bot))
            case _:
                raise ClientRefusal("The bot can be killed, stopped or started.")
        return self.state()

    async def ledger(self, actor: Actor, body: Json) -> Json:
        """Return the member's credits in a server (0: direct messages)."""
        if self._ledger is None:
            raise ClientRefusal("The ledger cannot be read from here.")
        guild = body.get("guild")
        guild_id = int(guild) if isinstance(guild, str) and guild.isdecimal() else 0
        return await self._ledger(guild_id, int(actor.user.id))

    async def _start(self, bot: BotProcess) -> None:
        self._start_error = None
        try:
            await bot.start_bot()
        except Exception as error:  # noqa: BLE001 - the page shows any error of the start
            self._start_error = f"The bot did not start: {error}"

    def _bot_state(self) -> Literal["on", "starting", "off"]:
        if self._bot is not None and not self._bot.alive:
            return "off"
        if self._discord.gateway.connected and any(map(self._discord.commands.registered, self._scopes())):
            return "on"
        return "off" if self._bot is None else "starting"

    def _scopes(self) -> list[str | None]:
        return [None, *self._discord.world.guilds]

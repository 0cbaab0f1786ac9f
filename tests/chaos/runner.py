"""The house with its ambushes: one round after the other on the same stand-ins and the same database."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Final

from sandbox.discord import ClientRefusal, Invocation, NoAnswerError
from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import ImageApiServer, Latency
from tests.chaos.fault_injector import Ambush, Blow, discord_events, provider_events
from tests.chaos.fork_server import Cradle
from tests.chaos.observations import Evidence, Placed, Witness
from tests.chaos.scenario import MEMBERS, Event, Order, Plan, Strike, UtcDateTime
from tests.chaos.webhook_proxy import Doorway
from tests.end_to_end.system_harness import BotEndedError, BotProcess, SystemHarness

_SETTLED_WITHIN: Final = 120.0
_LOOK_SECONDS: Final = 0.05
_STOPPED_WITHIN: Final = 60.0
_NEVER_ASKED: Final = 100_000
_AT_ONCE: Final = Latency(queue=0.0, work=0.0)

_SETTINGS: Final = {
    "DEFAULT_ALLOWANCE": "1000000",
    "MONTHLY_BUDGET": "100000000",
    "MAX_ACTIVE_JOBS_PER_MEMBER": "50",
    "MAX_ACTIVE_JOBS": "500",
    "LEASE_SECONDS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The end of a bot that was asked to stop: its exit code, and the seconds that it took."""

    code: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Played:
    """What was done in a round: where each strike hit, and how bots that were asked to stop did so."""

    plan: Plan
    hits: list[str] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    evidence: Evidence | None = None
    seconds: float = 0.0


class Rig:
    """A house that plays rounds. `webhooks` gives the bot a public address."""

    def __init__(self, folder: Path, *, database_url: str | None = None, webhooks: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._cradle = Cradle()
        self.house = SystemHarness(folder, database_url=database_url, launch=self._launch)
        self.house.discord.world.acknowledge_within = ACKNOWLEDGE_WITHIN  # nobody waits longer for the dead
        self._running = asyncio.Event()
        self._settings = dict(_SETTINGS)
        self._webhooks = webhooks
        self._ambush = Ambush(self._deal)
        self._doorway = Doorway(self._ambush.around(lambda _: Event.WEBHOOK))
        self._witness = Witness(self.house)
        self._was_ready = False

    async def start(self) -> None:
        """Start the stand-ins and the bot."""
        house, world = self.house, self.house.discord.world
        house.discord.app.middlewares.append(self._ambush.around(discord_events(house.discord)))
        for server in self._providers:
            server.middlewares.append(self._ambush.around(provider_events(server)))
        for name in MEMBERS:
            world.add_member(world.guild("Community"), world.add_user(name))
        await house.start_stand_ins()
        if self._webhooks:
            await self._doorway.start(f"http://127.0.0.1:{house.http_port}")
            self._settings["WEBHOOK_PUBLIC_URL"] = self._doorway.url
            house.skillboss.webhooks.retry_seconds = None  # until `release`: a second try finds the bot back
        await self._up()
        for name in MEMBERS:
            # An order is one press here, whatever it costs.
            await (await house.discord.actor(name).slash("settings set", ask_over=_NEVER_ASKED)).response()

    async def close(self) -> None:
        """End everything."""
        await self._doorway.close()
        await self.house.close()
        await self._cradle.close()

    async def play(self, plan: Plan) -> Played:
        """Carry a round out to its end, and return what came of it."""
        played, began = Played(plan=plan), time.monotonic()
        await self._up()
        self._witness.begin()
        self._spoil(plan)
        first = Blow(plan.strikes[0])
        self._ambush.lay(first)
        placing = [asyncio.create_task(self._place(order)) for order in plan.orders]
        for turn, strike in enumerate(plan.strikes):
            blow = Blow(strike) if turn else first
            self._ambush.lay(blow)
            await self._suffer(blow, played)
        self._ambush.lay(None)
        await self._up()  # first, so that webhooks that are let go find it
        self._mend()
        placed = await asyncio.gather(*placing)
        await self._settled(placed)
        played.evidence = await self._witness.testify(placed)
        played.seconds = time.monotonic() - began
        return played

    @property
    def _providers(self) -> tuple[ImageApiServer, ...]:
        return (self.house.skillboss, self.house.reve2img)

    def _spoil(self, plan: Plan) -> None:
        """Set the round's paces and mishaps."""
        for server in self._providers:
            server.latency = Latency(queue=plan.queue, work=plan.work)
        for mishap in plan.mishaps:
            first, second = mishap.where
            if mishap.server == "discord":
                self.house.discord.faults.add(first, second, **mishap.how)
            else:
                server = self.house.skillboss if mishap.server == "skillboss" else self.house.reve2img
                server.faults.add(first, second, **mishap.how)

    def _mend(self) -> None:
        """Let nothing go wrong any more, and everything end."""
        self.house.discord.faults.clear()
        for server in self._providers:
            server.latency = _AT_ONCE
            server.mend()
            for job in server.jobs:
                if not job.terminal:
                    server.finish(job)

    async def _place(self, order: Order) -> Placed:
        """Use the command, and do with its card what is planned."""
        await asyncio.sleep(order.after)
        actor = self.house.discord.actor(order.member)
        reached = bool(self.house.discord.gateway.connected)
        invocation = await actor.slash("imagine", prompt=order.prompt, options=order.options)
        strike = asyncio.create_task(self._ambush.passes(Event.DELIVERED, UtcDateTime.ANSWERED))
        with contextlib.suppress(NoAnswerError, ClientRefusal):
            await asyncio.gather(self._cancel(order, invocation), self._remove_card(order, invocation))
        await strike
        return Placed(order=order, invocation=invocation, reached=reached)

    async def _cancel(self, order: Order, invocation: Invocation) -> None:
        if order.cancel_after is None:
            return
        card = await invocation.response()
        await asyncio.sleep(order.cancel_after)
        # Without a Cancel it has ended or cannot be cancelled, and a bot that is away hears of no press.
        await self.house.discord.actor(order.member).click(card, label="Cancel")

    async def _remove_card(self, order: Order, invocation: Invocation) -> None:
        if order.gone_after is None:
            return
        card = await invocation.response()
        await asyncio.sleep(order.gone_after)
        self.house.discord.messages.delete(card)

    async def _suffer(self, blow: Blow, played: Played) -> None:
        """Have the bot running until this blow has struck and the bot has ended."""
        instant = asyncio.create_task(self._strike_at_an_instant(blow)) if blow.strike.event is None else None
        await self._up(blow)
        if instant is not None:
            await instant
            played.hits.append(str(blow.strike))
        elif await self._strikes_within(blow, played.plan.patience):
            played.hits.append(str(blow.strike))
        else:
            await self._ambush.now(blow)
            played.hits.append(f"{Strike(signal=blow.strike.signal)}, for a transition that did not come")
        began = time.monotonic()
        code = await self.house.bot_ended(within=_STOPPED_WITHIN)
        self._running.clear()
        if blow.strike.signal is SIGTERM and self._was_ready:
            played.stops.append(Stop(code=code, seconds=time.monotonic() - began))
        self._was_ready = False

    async def _strike_at_an_instant(self, blow: Blow) -> None:
        await asyncio.sleep(blow.strike.after)
        await self._running.wait()
        await self._ambush.now(blow)

    @staticmethod
    async def _strikes_within(blow: Blow, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await blow.struck.wait()
        except TimeoutError:
            return False
        return True

    async def _launch(self, environment: dict[str, str], log: Path) -> BotProcess:
        bot = await self._cradle.launch(environment, log)
        asyncio.get_running_loop().call_soon(self._running.set)  # once the house knows this one, and not its last
        return bot

    async def _deal(self, number: Signals) -> None:
        self.house.signal_bot(number)
        if number is SIGKILL:
            await self.house.bot_ended()

    async def _up(self, blow: Blow | None = None) -> None:
        """Have the bot serving, unless this blow strikes it down before that."""
        if self.house.bot_runs:
            return
        try:
            await self.house.start_bot(**self._settings)
        except BotEndedError:
            if blow is None or not blow.struck.is_set():
                raise
        else:
            self._was_ready = True

    async def _settled(self, placed: list[Placed]) -> None:
        """Wait until every job that there is has ended and was delivered, and no more can come."""
        async with self._witness.looking() as unfinished:
            deadline = time.monotonic() + _SETTLED_WITHIN  # then the evidence says what has not ended
            while time.monotonic() < deadline:
                if not any(self._may_be_answered(each) for each in placed) and not await unfinished():
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    def _may_be_answered(self, placed: Placed) -> bool:
        interaction = placed.invocation.interaction
        if not placed.reached or interaction.acknowledged_at is not None:
            return False
        return self.house.discord.world.now() - interaction.created_at <= ACKNOWLEDGE_WITHIN

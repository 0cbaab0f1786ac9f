"""Plays rounds one after the other on the same fakes and database."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Final

from bot.images.store import ImageStore
from sandbox.discord import ClientRefusal, Invocation, NoAnswerError
from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import ComfyServer, ImageApiServer, Latency
from tests.chaos.database_lock import locked
from tests.chaos.fault_injector import FaultInjector, PendingStrike, discord_events, provider_events
from tests.chaos.observations import Observations, PlacedRequest, RoundObserver
from tests.chaos.scenario import MEMBERS, Event, PlannedRequest, Scenario, Strike, StrikeMoment
from tests.chaos.studios import Studio
from tests.chaos.webhook_proxy import WebhookProxy
from tests.end_to_end.system_harness import BotEndedError, BotProcess, Launch, PrepareDatabase, SystemHarness

_SETTLE_TIMEOUT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.05
_WATCH_SECONDS: Final = 0.002
_STOP_TIMEOUT_SECONDS: Final = 60.0
_HIGHEST_THRESHOLD: Final = 100_000
_AT_ONCE: Final = Latency(queue=0.0, work=0.0)

_SETTINGS: Final = {
    "DEFAULT_ALLOWANCE": "1000000",
    "MONTHLY_BUDGET": "100000000",
    "FREE_REPEATS": "1000000",
    "MAX_ACTIVE_JOBS_PER_MEMBER": "50",
    "MAX_ACTIVE_JOBS": "500",
    "LEASE_SECONDS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Result of a requested stop: exit code and seconds."""

    code: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class RoundResult:
    """Result of a round: hits of the strikes, and requested stops."""

    scenario: Scenario
    hits: list[str] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    observations: Observations | None = None
    seconds: float = 0.0


class Runner:
    """A system for playing rounds.

    `launch` starts the bot; `webhooks` gives it a public address.
    """

    def __init__(
        self,
        folder: Path,
        *,
        launch: Launch,
        prepare: PrepareDatabase | None = None,
        database_url: str | None = None,
        webhooks: bool = False,
        studio: Studio | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._launch_bot = launch
        self.system = SystemHarness(folder, database_url=database_url, launch=self._launch, prepare=prepare)
        self.system.discord.world.acknowledge_within = ACKNOWLEDGE_WITHIN  # as Discord does
        self._running = asyncio.Event()
        self._settings = dict(_SETTINGS)
        self._webhooks = webhooks
        self._injector = FaultInjector(self._send_signal)
        self._webhook_proxy = WebhookProxy(self._injector.middleware(lambda _: Event.WEBHOOK))
        self._studio = studio
        self._servers = self._build_servers()
        self._observer = RoundObserver(self.system, self._servers, studio)
        self._was_ready = False

    @property
    def has_calls(self) -> bool:
        """True if a job may have several calls."""
        return self._studio is not None

    async def start(self) -> None:
        """Start the fakes and the bot."""
        system, world = self.system, self.system.discord.world
        system.discord.app.middlewares.append(self._injector.middleware(discord_events(system.discord)))
        for server in self._servers.values():
            server.middlewares.append(self._injector.middleware(provider_events(server)))
        for name in MEMBERS:
            world.add_member(world.guild("Community"), world.add_user(name))
        await system.start_fakes()
        if self._studio is not None:
            server = self._servers[self._studio.provider]
            await server.start()
            self._settings |= {"PROVIDER_ORDER": self._studio.order, **self._studio.settings(server, system.folder)}
        if self._webhooks:
            await self._webhook_proxy.start(f"http://127.0.0.1:{system.http_port}")
            self._settings["WEBHOOK_PUBLIC_URL"] = self._webhook_proxy.url
            system.skillboss.webhooks.retry_seconds = None  # until `release`, when the bot is back
        await self._ensure_running()
        for name in MEMBERS:
            # No confirmation: each request is one press.
            await (await system.discord.actor(name).slash("settings set", ask_over=_HIGHEST_THRESHOLD)).response()

    async def close(self) -> None:
        """End everything."""
        await self._webhook_proxy.close()
        await self.system.close()
        if self._studio is not None:
            await self._servers[self._studio.provider].close()

    async def run_round(self, scenario: Scenario) -> RoundResult:
        """Play a round to its end and return the result."""
        result, began = RoundResult(scenario=scenario), time.monotonic()
        await self._ensure_running()
        self._observer.begin()
        self._inject_incidents(scenario)
        first = PendingStrike(scenario.strikes[0])
        self._injector.arm(first)
        restarting = asyncio.create_task(self._restart_provider(scenario.restart_after))
        sending = [asyncio.create_task(self._send(planned)) for planned in scenario.requests]
        for turn, strike in enumerate(scenario.strikes):
            pending = PendingStrike(strike) if turn else first
            self._injector.arm(pending)
            await self._run_until_struck(pending, result)
        self._injector.arm(None)
        await self._ensure_running()  # before the held webhooks are released
        self._clear_incidents()
        placed = await asyncio.gather(*sending)
        restarting.cancel()
        await self._wait_until_settled(placed)
        result.observations = await self._observer.collect(placed)
        left = await asyncio.to_thread(self._sweep_kept_files)
        if left and not any(strike.signal is SIGKILL for strike in scenario.strikes):
            result.observations = replace(result.observations, kept_files=left)
        result.seconds = time.monotonic() - began
        return result

    def _build_servers(self) -> dict[str, ImageApiServer]:
        """Return the fakes of the bot's providers by name."""
        studio = self._studio
        if studio is None:
            return {"skillboss": self.system.skillboss, "reve2img": self.system.reve2img}
        servers = {studio.provider: studio.build()}
        return servers | ({"reve2img": self.system.reve2img} if "reve2img" in studio.order else {})

    def _sweep_kept_files(self) -> int:
        """Delete the files of answers, all jobs having ended; return their number."""
        store = ImageStore(self.system.folder / "data" / "pictures")
        left = store.sweep_inline(older_than=datetime.now(UTC) + timedelta(days=1))
        assert not any(self._kept_folder.glob("*"))
        return left

    @property
    def _kept_folder(self) -> Path:
        return self.system.folder / "data" / "pictures" / "inline"

    async def _restart_provider(self, after: float | None) -> None:
        """Let providers forget their jobs, as a restart does."""
        if after is None:
            return
        await asyncio.sleep(after)
        for server in self._servers.values():
            if isinstance(server, ComfyServer):
                server.forget()

    def _inject_incidents(self, scenario: Scenario) -> None:
        """Set the round's latencies and provider faults."""
        for server in self._servers.values():
            server.latency = Latency(queue=scenario.queue, work=scenario.work)
        for incident in scenario.incidents:
            first, second = incident.where
            if incident.server == "discord":
                self.system.discord.faults.add(first, second, **incident.how)
            else:
                faults = self._servers[incident.server].faults
                faults.play(second, **incident.how) if first == "case" else faults.add(first, second, **incident.how)

    def _clear_incidents(self) -> None:
        """Clear all faults and let every job end."""
        self.system.discord.faults.clear()
        for server in self._servers.values():
            server.latency = _AT_ONCE
            server.clear_faults()
            for job in server.jobs:
                if not job.terminal:
                    server.finish(job)

    async def _send(self, planned: PlannedRequest) -> PlacedRequest:
        """Use the command, then cancel or remove the card as planned."""
        await asyncio.sleep(planned.after)
        actor = self.system.discord.actor(planned.member)
        reached = bool(self.system.discord.gateway.connected)
        invocation = await actor.slash("imagine", prompt=planned.prompt, options=planned.options)
        strike = asyncio.create_task(self._injector.observe(Event.DELIVERED, StrikeMoment.ANSWERED))
        with contextlib.suppress(NoAnswerError, ClientRefusal):
            await asyncio.gather(self._cancel(planned, invocation), self._remove_card(planned, invocation))
        await strike
        return PlacedRequest(planned=planned, invocation=invocation, reached=reached)

    async def _cancel(self, planned: PlannedRequest, invocation: Invocation) -> None:
        if planned.cancel_after is None:
            return
        card = await invocation.response()
        await asyncio.sleep(planned.cancel_after)
        # The job may have ended, may not be cancellable, or the bot may be away.
        await self.system.discord.actor(planned.member).click(card, label="Cancel")

    async def _remove_card(self, planned: PlannedRequest, invocation: Invocation) -> None:
        if planned.gone_after is None:
            return
        card = await invocation.response()
        await asyncio.sleep(planned.gone_after)
        self.system.discord.messages.delete(card)

    async def _run_until_struck(self, pending: PendingStrike, result: RoundResult) -> None:
        """Run the bot until the strike hit and the bot exited."""
        instant = asyncio.create_task(self._strike_at_an_instant(pending)) if pending.strike.event is None else None
        await self._ensure_running(pending)
        watching = asyncio.create_task(self._strike_once_kept(pending))
        if instant is not None:
            await instant
            result.hits.append(str(pending.strike))
        elif await self._strikes_within(pending, result.scenario.patience):
            result.hits.append(str(pending.strike))
        else:
            await self._injector.strike_now(pending)
            result.hits.append(f"{Strike(signal=pending.strike.signal)}, for a transition that did not come")
        watching.cancel()
        began = time.monotonic()
        code = await self.system.bot_ended(within=_STOP_TIMEOUT_SECONDS)
        self._running.clear()
        if pending.strike.signal is SIGTERM and self._was_ready:
            result.stops.append(Stop(code=code, seconds=time.monotonic() - began))
        self._was_ready = False

    async def _strike_at_an_instant(self, pending: PendingStrike) -> None:
        await asyncio.sleep(pending.strike.after)
        await self._running.wait()
        await self._injector.strike_now(pending)

    async def _strike_once_kept(self, pending: PendingStrike) -> None:
        """Strike between the write of an answer's images and its record.

        A lock keeps the bot from recording it meanwhile.
        """
        if pending.strike.event is not Event.KEPT:
            return
        known = set(self._kept_folder.glob("*"))
        await _until(lambda: any(not job.terminal for server in self._servers.values() for job in server.jobs))
        async with locked(self.system.database_url):
            await _until(lambda: not known.issuperset(self._kept_folder.glob("*")))
            await self._injector.strike_now(pending)

    @staticmethod
    async def _strikes_within(pending: PendingStrike, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await pending.struck.wait()
        except TimeoutError:
            return False
        return True

    async def _launch(self, environment: dict[str, str], log: Path) -> BotProcess:
        bot = await self._launch_bot(environment, log)
        asyncio.get_running_loop().call_soon(self._running.set)  # after the system knows this process
        return bot

    async def _send_signal(self, number: Signals) -> None:
        self.system.signal_bot(number)
        if number is SIGKILL:
            await self.system.bot_ended()

    async def _ensure_running(self, pending: PendingStrike | None = None) -> None:
        """Start the bot unless it runs; the pending strike may kill it meanwhile."""
        if self.system.bot_runs:
            return
        try:
            await self.system.start_bot(**self._settings)
        except BotEndedError:
            if pending is None or not pending.struck.is_set():
                raise
        else:
            self._was_ready = True

    async def _wait_until_settled(self, placed: list[PlacedRequest]) -> None:
        """Wait until every job is delivered and no new one can arrive."""
        async with self._observer.watch_unfinished() as unfinished:
            deadline = (
                time.monotonic() + _SETTLE_TIMEOUT_SECONDS
            )  # afterwards the observations name the unfinished jobs
            while time.monotonic() < deadline:
                if not any(self._may_still_be_answered(each) for each in placed) and not await unfinished():
                    return
                await asyncio.sleep(_POLL_SECONDS)

    def _may_still_be_answered(self, placed: PlacedRequest) -> bool:
        interaction = placed.invocation.interaction
        if not placed.reached or interaction.acknowledged_at is not None:
            return False
        return self.system.discord.world.now() - interaction.created_at <= ACKNOWLEDGE_WITHIN


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a new file sets no event
        await asyncio.sleep(_WATCH_SECONDS)

"""Two processes on one PostgreSQL.

One is paused with a job and resumes too late.

`tests/engine/test_leases.py` does this with engines and stopped clocks; here the operating system stops the process
(SIGSTOP).
"""

import asyncio
import operator
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.domain.errors import FaultKind
from bot.domain.jobs import Attempt, Delivery, State
from db.attempts import AttemptRepository
from db.database import Database
from db.locks import CLAIMING, advisory_lock
from db.tables import jobs, workers
from sandbox.discord import Message
from sandbox.providers import Job
from tests.chaos.fault_injector import FaultInjector, PendingStrike, discord_events, provider_events
from tests.chaos.invariants import broken_promises
from tests.chaos.observations import PlacedRequest, RoundObserver
from tests.chaos.scenario import Event, PlannedRequest, Strike, StrikeMoment, make_prompt
from tests.end_to_end import system_harness
from tests.end_to_end.system_harness import PATIENCE, BotProcess, SystemHarness, has_images, says
from tests.support.databases import Databases
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {
    "LEASE_SECONDS": "2.5",
    "SHARD_COUNT": "2",
    "HTTP_PORT": "0",
    "MAX_ACTIVE_JOBS_PER_MEMBER": "1",
    "DEFAULT_ALLOWANCE": "10000",
}
WAITERS = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
CUT_OFF = "https://sqlalche.me/"
"""In what a process logs, with a stack, of a transaction that PostgreSQL ended while it was paused."""


class RequestHold:
    """Holds one matching request until it is opened."""

    def __init__(self) -> None:
        self.ambush = FaultInjector(self._hold)
        self._opened = asyncio.Event()
        self._blow: PendingStrike | None = None

    def arm(self, event: Event, moment: StrikeMoment) -> None:
        """Wait for the next matching request."""
        self._opened = asyncio.Event()
        self._blow = PendingStrike(Strike(event=event, moment=moment, signal=SIGSTOP))
        self.ambush.arm(self._blow)

    async def caught(self) -> None:
        """Wait until a request is held."""
        assert self._blow is not None
        async with asyncio.timeout(PATIENCE):
            await self._blow.struck.wait()

    def open(self) -> None:
        """Release the request and match no more."""
        self.ambush.arm(None)
        self._opened.set()

    async def _hold(self, _: Signals) -> None:
        await self._opened.wait()


class Pair:
    """Two bots on one database, one shard each.

    The late bot holds the job and is paused; the other is its heir. `hold` holds requests of the late bot, `heir_hold`
    those of the heir.
    """

    def __init__(self, system: SystemHarness, database: Database) -> None:
        self.system = system
        self.hold = RequestHold()
        self.heir_hold = RequestHold()
        self._database = database
        self._bots: list[BotProcess] = []
        self._workers: list[str] = []
        self._late = 0
        self._observer = RoundObserver(system)
        self._placed: list[PlacedRequest] = []
        self._random = random.Random(20)  # noqa: S311 - prompts, not secrets

    async def start(self) -> None:
        """Start the fakes and both bots."""
        system = self.system
        for hold in (self.hold, self.heir_hold):
            system.discord.app.middlewares.append(hold.ambush.middleware(discord_events(system.discord)))
            system.skillboss.middlewares.append(hold.ambush.middleware(provider_events(system.skillboss)))
        await system.start_fakes()
        for shard in ("0", "1"):
            bot = await system_harness.default_launch(
                system.environment(**SETTINGS, SHARD_IDS=shard), system.folder / "bot.log"
            )
            self._bots.append(bot)
            await self._until_it_works(bot)
        await system.discord.wait_ready(shards=2)
        await system.discord.wait_commands()

    async def _until_it_works(self, bot: BotProcess) -> None:
        """Wait until a bot holds a lease.

        Its worker id identifies it from then on.
        """
        others = select(workers.c.id).where(workers.c.id.not_in(self._workers))
        async with asyncio.timeout(PATIENCE):
            while (found := await self._database.read(lambda connection: connection.execute(others).scalar())) is None:
                assert bot.returncode is None, self.system.log()
        self._workers.append(found)

    async def stop(self) -> list[int]:
        """Stop both bots and return their exit codes."""
        for bot in self._bots:
            bot.send_signal(SIGTERM)
        async with asyncio.timeout(PATIENCE):
            return [await bot.wait() for bot in self._bots]

    async def kill(self) -> None:
        """Kill every remaining process, paused or not."""
        for bot in self._bots:
            if bot.returncode is None:
                bot.send_signal(SIGKILL)
                await bot.wait()

    def begin(self) -> None:
        """Start a test: earlier jobs belong to earlier tests."""
        self._placed.clear()
        self._observer.begin()

    async def pause(self, placed: PlacedRequest) -> Row[Any]:
        """Pause the owner of the job and return the job's row.

        A new job may have either owner.
        """
        row = await self.row(placed)
        self._late = self._workers.index(row.owner)
        self._bots[self._late].send_signal(SIGSTOP)
        return row

    async def pause_at(self, placed: PlacedRequest) -> Row[Any]:
        """Pause the bot with the held request."""
        await self.hold.caught()
        return await self.pause(placed)

    def go_on(self) -> None:
        """Release and resume everything."""
        self._bots[self._late].send_signal(SIGCONT)
        self.hold.open()

    async def wake(self) -> None:
        """Resume the late bot.

        Return once it served a command, so it saw the held answer.
        """
        self.go_on()
        after = await self.ask("member-two", "after the pause")
        self.system.skillboss.finish(await self.provider_job(after))
        await after.invocation.wait_until(has_images)

    async def use(self, member: str, about: str, *, gone_after: float | None = None) -> PlacedRequest:
        """Use `/imagine`; with `gone_after` the test deletes the card."""
        planned = PlannedRequest(member=member, prompt=make_prompt(self._random, about), gone_after=gone_after)
        invocation = await self.system.discord.actor(member).slash("imagine", prompt=planned.prompt)
        self._placed.append(PlacedRequest(planned=planned, invocation=invocation, reached=True))
        return self._placed[-1]

    async def ask(self, member: str, about: str, *, gone_after: float | None = None) -> PlacedRequest:
        """Use `/imagine`; return once the card exists and is recorded."""
        placed = await self.use(member, about, gone_after=gone_after)
        await placed.invocation.response()
        await self.until(placed, lambda row: row.acknowledged_at is not None)
        return placed

    def watch(self, placed: PlacedRequest) -> list[bool]:
        """Return a growing list: for each card edit, whether it shows images."""
        shown: list[bool] = []

        def changed(_: str, message: Message) -> None:
            if message is placed.invocation.message:
                shown.append(has_images(message))

        self.system.discord.subscribe(changed)
        return shown

    async def provider_job(self, placed: PlacedRequest) -> Job:
        """Return the provider's job once the provider has it."""

        def at_provider() -> list[Job]:
            return [job for job in self.system.skillboss.jobs if job.request.prompt == placed.planned.prompt]

        await self.system.skillboss.wait_for(at_provider)
        (job,) = at_provider()
        return job

    async def row(self, placed: PlacedRequest) -> Row[Any]:
        """Return the job's row."""
        mine = select(jobs).where(jobs.c.interaction_id == int(placed.invocation.interaction.id))
        return await self._database.read(lambda connection: connection.execute(mine).one())

    async def until(self, placed: PlacedRequest, holds: Callable[[Row[Any]], bool]) -> Row[Any]:
        """Return the job's row once a condition holds for it."""
        return await poll(lambda: self.row(placed), until=holds)

    async def in_state(self, placed: PlacedRequest, state: State) -> Row[Any]:
        """Return the job's row once it has a state."""
        return await self.until(placed, lambda row: bool(row.state == state))

    async def attempt(self, placed: PlacedRequest) -> Attempt:
        """Return the job's last attempt."""
        job_id = (await self.row(placed)).id
        return await self._database.read(lambda connection: AttemptRepository(connection).latest(job_id))

    async def both_wait_for_their_turn(self) -> None:
        """Wait until both bots wait for the dispatch lock."""
        count = partial(self._database.read, lambda connection: connection.execute(WAITERS).scalar())
        await poll(count, until=lambda waiters: waiters == 2)

    async def until_all_is_delivered(self) -> None:
        """Wait until every job has ended and is delivered."""
        async with self._observer.watch_unfinished() as unfinished:
            await poll(unfinished, until=operator.not_)

    async def assert_every_promise_is_kept(self, *, done: int) -> None:
        """Expect one submit and one delivery per job and a sound ledger.

        No credits are held.
        """
        await self.until_all_is_delivered()
        observations = await self._observer.collect(self._placed)
        stacks = tuple(line for line in observations.stacks if CUT_OFF not in line)
        assert broken_promises(replace(observations, stacks=stacks), []) == []
        jobs = [job for record in observations.records for job in record.jobs]
        assert sum(job.state == State.DONE for job in jobs) == done
        assert sum(job.charged or 0 for job in jobs) == 12 * done
        assert observations.held == 0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, postgresql_databases: Databases
) -> AsyncIterator[SystemHarness]:
    """Yield the fakes with a database for two bots."""
    url = await postgresql_databases.create(migrated=True)
    system = SystemHarness(tmp_path_factory.mktemp("system"), database_url=url)
    yield system
    await system.close()
    await postgresql_databases.drop(url)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bots(system: SystemHarness) -> AsyncIterator[Pair]:
    """Yield two bots and stop them in order."""
    database = await Database.open(system.database_url)
    pair = Pair(system, database)
    try:
        await pair.start()
        yield pair
        assert await pair.stop() == [0, 0]
    finally:
        await pair.kill()
        await database.close()


@pytest.fixture
def pair(bots: Pair) -> Iterator[Pair]:
    """Yield two running bots."""
    bots.begin()
    yield bots
    bots.heir_hold.open()
    bots.go_on()
    for job in bots.system.skillboss.jobs:
        bots.system.skillboss.store.fail(job, "the test is over")  # pictures that come late would be fetched


async def test_jobs_of_paused_process_are_finished_once(pair: Pair) -> None:
    """One job is at the provider, one waits for a slot.

    The heir finishes both.
    """
    first = await pair.ask("member", "at the provider")
    await pair.in_state(first, State.QUEUED)
    waiting = await pair.ask("member", "in line")
    before = await pair.pause(first)
    pair.system.skillboss.finish(await pair.provider_job(first))
    pair.system.skillboss.finish(await pair.provider_job(waiting))
    await waiting.invocation.wait_until(has_images)
    await pair.wake()
    assert (await pair.row(first)).fence == before.fence + 1
    await pair.assert_every_promise_is_kept(done=3)


async def test_paused_transaction_blocks_no_other_process(pair: Pair) -> None:
    """Paused while dispatching, under the lock.

    PostgreSQL ends the transaction.
    """
    first = await pair.ask("member", "at the provider")
    await pair.in_state(first, State.QUEUED)
    waiting = await pair.ask("member", "in line")
    engine = create_async_engine(pair.system.database_url)
    async with engine.begin() as connection:
        await connection.run_sync(advisory_lock, CLAIMING)
        await pair.both_wait_for_their_turn()
        await pair.pause(first)
    await engine.dispose()  # sooner or later it is the turn of the late one, which does not know it
    pair.system.skillboss.finish(await pair.provider_job(first))
    pair.system.skillboss.finish(await pair.provider_job(waiting))
    await waiting.invocation.wait_until(has_images)
    await pair.wake()
    await pair.assert_every_promise_is_kept(done=3)


async def test_submit_answered_after_pause_is_not_repeated(pair: Pair) -> None:
    """The outcome is unknown, so nothing is charged.

    The late answer only names the handle.
    """
    pair.hold.arm(Event.SUBMIT, StrikeMoment.AFTER)
    sent = await pair.ask("member", "sent or not")
    await pair.pause_at(sent)
    await sent.invocation.wait_until(says("outcome is unknown"))
    await pair.wake()
    provider_job = await pair.provider_job(sent)
    row, attempt = await pair.row(sent), await pair.attempt(sent)
    assert (row.state, row.fault, row.charged) == (State.FAILED, FaultKind.REPLY_LOST, 0)
    assert attempt.handle == provider_job.id
    assert row.reconcile_at is not None
    assert says("outcome is unknown")(await sent.invocation.response())
    await pair.assert_every_promise_is_kept(done=1)


@pytest.mark.parametrize(
    ("event", "state"), [(Event.POLL_COMPLETED, State.RUNNING), (Event.PICTURE, State.STORING)], ids=["poll", "picture"]
)
async def test_late_provider_answer_is_rejected_by_fence(pair: Pair, event: Event, state: State) -> None:
    """A status or an image is in transit during the pause.

    The fence rejects its result.
    """
    placed = await pair.ask("member", f"heard late {event}")
    provider_job = await pair.provider_job(placed)
    pair.system.skillboss.advance(provider_job)
    await pair.in_state(placed, State.RUNNING)
    pair.hold.arm(event, StrikeMoment.AFTER)
    pair.system.skillboss.finish(provider_job)
    before = await pair.pause_at(placed)
    pair.heir_hold.arm(event, StrikeMoment.AFTER)
    await pair.heir_hold.caught()
    await pair.wake()
    row = await pair.row(placed)
    assert (row.state, row.fence) == (state, before.fence + 1)
    assert row.owner not in (None, before.owner)
    pair.heir_hold.open()
    await placed.invocation.wait_until(has_images)
    await pair.assert_every_promise_is_kept(done=2)


async def test_repeated_delivery_shows_images_once(pair: Pair) -> None:
    """The heir delivers; the late upload replaces the images by the same ones."""
    placed = await pair.ask("member", "delivered twice")
    shown = pair.watch(placed)
    pair.hold.arm(Event.UPLOAD, StrikeMoment.BEFORE)
    pair.system.skillboss.finish(await pair.provider_job(placed))
    await pair.pause_at(placed)
    await placed.invocation.wait_until(has_images)
    assert shown[-1:] == [True]
    await pair.wake()
    await placed.invocation.wait_until(lambda _: shown[-2:] == [True, True])
    await pair.assert_every_promise_is_kept(done=2)


async def test_stale_card_edit_is_corrected(pair: Pair) -> None:
    """The late edit removes the images; the resumed process restores them."""
    placed = await pair.ask("member", "an older state")
    shown = pair.watch(placed)
    provider_job = await pair.provider_job(placed)
    await pair.in_state(placed, State.QUEUED)
    pair.hold.arm(Event.EDIT, StrikeMoment.BEFORE)
    pair.system.skillboss.advance(provider_job)
    await pair.pause_at(placed)
    pair.system.skillboss.finish(provider_job)
    await placed.invocation.wait_until(has_images)
    await pair.wake()
    await placed.invocation.wait_until(lambda _: shown[-3:] == [True, False, True])
    await pair.assert_every_promise_is_kept(done=2)


async def test_direct_message_from_two_processes_arrives_once(pair: Pair) -> None:
    """Both processes send; Discord accepts one by its nonce."""
    placed = await pair.ask("member", "sent directly", gone_after=0.0)
    provider_job = await pair.provider_job(placed)
    assert placed.invocation.message is not None
    pair.system.discord.messages.delete(placed.invocation.message)
    pair.hold.arm(Event.DIRECT, StrikeMoment.BEFORE)
    pair.system.skillboss.finish(provider_job)
    await pair.pause_at(placed)
    direct = pair.system.discord.direct_message("member")
    earlier = len(direct.messages)
    await pair.until_all_is_delivered()
    await pair.wake()
    assert (await pair.row(placed)).delivery == Delivery.DIRECT
    assert len(direct.messages) == earlier + 1
    await pair.assert_every_promise_is_kept(done=2)

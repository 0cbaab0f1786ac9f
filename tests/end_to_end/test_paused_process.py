"""Two real processes at one PostgreSQL: one is paused with a job in its hands, and wakes up when the other has it.

`tests/engine/test_leases.py` shows it of engines whose clocks stand still; here the system stops the process (SIGSTOP).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
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
from tests.chaos.fault_injector import Ambush, Blow, discord_events, provider_events
from tests.chaos.invariants import broken_promises
from tests.chaos.observations import Placed, Witness
from tests.chaos.scenario import Event, Order, Strike, UtcDateTime, a_prompt
from tests.end_to_end.system_harness import PATIENCE, BotProcess, SystemHarness, is_done, launch, says
from tests.support.databases import Databases

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


class Snare:
    """Holds one request of a kind until it is opened."""

    def __init__(self) -> None:
        self.ambush = Ambush(self._hold)
        self._opened = asyncio.Event()
        self._blow: Blow | None = None

    def lay(self, event: Event, moment: UtcDateTime) -> None:
        """Wait for the next such request."""
        self._opened = asyncio.Event()
        self._blow = Blow(Strike(event=event, moment=moment, signal=SIGSTOP))
        self.ambush.lay(self._blow)

    async def caught(self) -> None:
        """Return once it has the request."""
        assert self._blow is not None
        async with asyncio.timeout(PATIENCE):
            await self._blow.struck.wait()

    def open(self) -> None:
        """Let the request go on, and catch none."""
        self.ambush.lay(None)
        self._opened.set()

    async def _hold(self, _: Signals) -> None:
        await self._opened.wait()


class Pair:
    """Two bots at one database, a shard each: the one that has a job is paused and late then, the other is its heir.

    `snare` stands in the way of the late one's requests, `heirs` in the way of the heir's.
    """

    def __init__(self, house: SystemHarness, database: Database) -> None:
        self.house = house
        self.snare = Snare()
        self.heirs = Snare()
        self._database = database
        self._bots: list[BotProcess] = []
        self._workers: list[str] = []
        self._late = 0
        self._witness = Witness(house)
        self._placed: list[Placed] = []
        self._random = random.Random(20)  # noqa: S311 - prompts, not secrets

    async def start(self) -> None:
        """Start the stand-ins and both bots."""
        house = self.house
        for snare in (self.snare, self.heirs):
            house.discord.app.middlewares.append(snare.ambush.around(discord_events(house.discord)))
            house.skillboss.middlewares.append(snare.ambush.around(provider_events(house.skillboss)))
        await house.start_stand_ins()
        for shard in ("0", "1"):
            bot = await launch(house.environment(**SETTINGS, SHARD_IDS=shard), house.folder / "bot.log")
            self._bots.append(bot)
            await self._until_it_works(bot)
        await house.discord.wait_ready(shards=2)
        await house.discord.wait_commands()

    async def _until_it_works(self, bot: BotProcess) -> None:
        """Return when a bot has a lease, by whose name it is known from now on."""
        others = select(workers.c.id).where(workers.c.id.not_in(self._workers))
        async with asyncio.timeout(PATIENCE):
            while (found := await self._database.read(lambda connection: connection.execute(others).scalar())) is None:
                assert bot.returncode is None, self.house.log()
        self._workers.append(found)

    async def stop(self) -> list[int]:
        """Have both end, and return their exit codes."""
        for bot in self._bots:
            bot.send_signal(SIGTERM)
        async with asyncio.timeout(PATIENCE):
            return [await bot.wait() for bot in self._bots]

    async def kill(self) -> None:
        """End whatever still runs, paused or not."""
        for bot in self._bots:
            if bot.returncode is None:
                bot.send_signal(SIGKILL)
                await bot.wait()

    def begin(self) -> None:
        """Begin a test: what there is belongs to the others."""
        self._placed.clear()
        self._witness.begin()

    async def pause(self, placed: Placed) -> Row[Any]:
        """Pause the one that has this job, wherever it is; return the job's row. A new job is whoever's it pleases."""
        row = await self.row(placed)
        self._late = self._workers.index(row.owner)
        self._bots[self._late].send_signal(SIGSTOP)
        return row

    async def pause_at(self, placed: Placed) -> Row[Any]:
        """Pause the one whose request is held."""
        await self.snare.caught()
        return await self.pause(placed)

    def go_on(self) -> None:
        """Let everything go on."""
        self._bots[self._late].send_signal(SIGCONT)
        self.snare.open()

    async def wake(self) -> None:
        """Let the late one go on, and return when it has served somebody: by then it has seen what it held, too."""
        self.go_on()
        after = await self.ask("member-two", "after the pause")
        self.house.skillboss.finish(await self.drawn(after))
        await after.invocation.wait_until(is_done)

    async def use(self, member: str, about: str, *, gone_after: float | None = None) -> Placed:
        """Use `/imagine`; with `gone_after` the test takes the card away."""
        order = Order(member=member, prompt=a_prompt(self._random, about), gone_after=gone_after)
        invocation = await self.house.discord.actor(member).slash("imagine", prompt=order.prompt)
        self._placed.append(Placed(order=order, invocation=invocation, reached=True))
        return self._placed[-1]

    async def ask(self, member: str, about: str, *, gone_after: float | None = None) -> Placed:
        """Use `/imagine`, and return when the card is there and the bot has written that down."""
        placed = await self.use(member, about, gone_after=gone_after)
        await placed.invocation.response()
        await self.until(placed, lambda row: row.acknowledged_at is not None)
        return placed

    def watch(self, placed: Placed) -> list[bool]:
        """Return what grows by each change of the card: whether it shows its pictures then."""
        shown: list[bool] = []

        def changed(_: str, message: Message) -> None:
            if message is placed.invocation.message:
                shown.append(is_done(message))

        self.house.discord.subscribe(changed)
        return shown

    async def drawn(self, placed: Placed) -> Job:
        """Return what the provider has of it, once it has it."""

        def there() -> list[Job]:
            return [job for job in self.house.skillboss.jobs if job.order.prompt == placed.order.prompt]

        await self.house.skillboss.wait_for(there)
        (job,) = there()
        return job

    async def row(self, placed: Placed) -> Row[Any]:
        """Return the job's row."""
        mine = select(jobs).where(jobs.c.interaction_id == int(placed.invocation.interaction.id))
        return await self._database.read(lambda connection: connection.execute(mine).one())

    async def until(self, placed: Placed, holds: Callable[[Row[Any]], bool]) -> Row[Any]:
        """Return the job's row once this is true of it."""
        async with asyncio.timeout(PATIENCE):
            while not holds(row := await self.row(placed)):
                pass
        return row

    async def in_state(self, placed: Placed, state: State) -> Row[Any]:
        """Return the job's row once it is in a state."""
        return await self.until(placed, lambda row: bool(row.state == state))

    async def attempt(self, placed: Placed) -> Attempt:
        """Return the job's last attempt."""
        job_id = (await self.row(placed)).id
        return await self._database.read(lambda connection: AttemptRepository(connection).latest(job_id))

    async def both_wait_for_their_turn(self) -> None:
        """Return once both wait for their turn to give slots."""
        async with asyncio.timeout(PATIENCE):
            while await self._database.read(lambda connection: connection.execute(WAITERS).scalar()) != 2:
                pass

    async def until_all_is_delivered(self) -> None:
        """Return once every job has ended, and its member has the end."""
        async with self._witness.looking() as unfinished, asyncio.timeout(PATIENCE):
            while await unfinished():
                pass

    async def assert_every_promise_is_kept(self, *, done: int) -> None:
        """Expect one submit a job, its pictures in one message and once, no credits held, and books that balance."""
        await self.until_all_is_delivered()
        evidence = await self._witness.testify(self._placed)
        stacks = tuple(line for line in evidence.stacks if CUT_OFF not in line)
        assert broken_promises(replace(evidence, stacks=stacks), []) == []
        booked = [job for case in evidence.cases for job in case.booked]
        assert sum(job.state == State.DONE for job in booked) == done
        assert sum(job.charged or 0 for job in booked) == 12 * done
        assert evidence.held == 0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, postgresql_databases: Databases
) -> AsyncIterator[SystemHarness]:
    """The stand-ins, and a database for two bots."""
    url = await postgresql_databases.create(migrated=True)
    house = SystemHarness(tmp_path_factory.mktemp("house"), database_url=url)
    yield house
    await house.close()
    await postgresql_databases.drop(url)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bots(house: SystemHarness) -> AsyncIterator[Pair]:
    """Two bots, which end in order."""
    database = await Database.open(house.database_url)
    pair = Pair(house, database)
    try:
        await pair.start()
        yield pair
        assert await pair.stop() == [0, 0]
    finally:
        await pair.kill()
        await database.close()


@pytest.fixture
def pair(bots: Pair) -> Iterator[Pair]:
    """Two bots that are awake."""
    bots.begin()
    yield bots
    bots.heirs.open()
    bots.go_on()
    for job in bots.house.skillboss.jobs:
        bots.house.skillboss.studio.fail(job, "the test is over")  # pictures that come late would be fetched


async def test_a_job_in_line_is_drawn_by_the_heir_once(pair: Pair) -> None:
    """Paused with one job at the provider and one waiting for its slot: the heir brings both to their end."""
    first = await pair.ask("member", "at the provider")
    await pair.in_state(first, State.QUEUED)
    waiting = await pair.ask("member", "in line")
    before = await pair.pause(first)
    pair.house.skillboss.finish(await pair.drawn(first))
    pair.house.skillboss.finish(await pair.drawn(waiting))
    await waiting.invocation.wait_until(is_done)
    await pair.wake()
    assert (await pair.row(first)).fence == before.fence + 1
    await pair.assert_every_promise_is_kept(done=3)


async def test_a_transaction_that_stands_still_keeps_nobody_waiting(pair: Pair) -> None:
    """Paused while it gives slots, when nobody else may: PostgreSQL takes its turn away from it."""
    first = await pair.ask("member", "at the provider")
    await pair.in_state(first, State.QUEUED)
    waiting = await pair.ask("member", "in line")
    engine = create_async_engine(pair.house.database_url)
    async with engine.begin() as connection:
        await connection.run_sync(advisory_lock, CLAIMING)
        await pair.both_wait_for_their_turn()
        await pair.pause(first)
    await engine.dispose()  # sooner or later it is the turn of the late one, which does not know it
    pair.house.skillboss.finish(await pair.drawn(first))
    pair.house.skillboss.finish(await pair.drawn(waiting))
    await waiting.invocation.wait_until(is_done)
    await pair.wake()
    await pair.assert_every_promise_is_kept(done=3)


async def test_a_submit_that_is_answered_late_is_never_sent_again(pair: Pair) -> None:
    """Paused while the provider answers: nobody can know, so nothing is charged; the late answer only names the job."""
    pair.snare.lay(Event.SUBMIT, UtcDateTime.AFTER)
    sent = await pair.ask("member", "sent or not")
    await pair.pause_at(sent)
    await sent.invocation.wait_until(says("outcome is unknown"))
    await pair.wake()
    drawn = await pair.drawn(sent)
    row, attempt = await pair.row(sent), await pair.attempt(sent)
    assert (row.state, row.fault, row.charged) == (State.FAILED, FaultKind.REPLY_LOST, 0)
    assert attempt.handle == drawn.id
    assert row.reconcile_at is not None
    assert says("outcome is unknown")(await sent.invocation.response())
    await pair.assert_every_promise_is_kept(done=1)


@pytest.mark.parametrize(
    ("event", "state"), [(Event.POLL_COMPLETED, State.RUNNING), (Event.PICTURE, State.STORING)], ids=["poll", "picture"]
)
async def test_what_is_heard_late_is_not_written(pair: Pair, event: Event, state: State) -> None:
    """Paused with a status or a picture on its way: what comes of it is refused, though the job is as it was."""
    placed = await pair.ask("member", f"heard late {event}")
    drawn = await pair.drawn(placed)
    pair.house.skillboss.advance(drawn)
    await pair.in_state(placed, State.RUNNING)
    pair.snare.lay(event, UtcDateTime.AFTER)
    pair.house.skillboss.finish(drawn)
    before = await pair.pause_at(placed)
    pair.heirs.lay(event, UtcDateTime.AFTER)
    await pair.heirs.caught()
    await pair.wake()
    row = await pair.row(placed)
    assert (row.state, row.fence) == (state, before.fence + 1)
    assert row.owner not in (None, before.owner)
    pair.heirs.open()
    await placed.invocation.wait_until(is_done)
    await pair.assert_every_promise_is_kept(done=2)


async def test_a_delivery_that_comes_again_shows_the_pictures_once(pair: Pair) -> None:
    """Paused while it uploads: the heir delivers, and the upload that comes late replaces it by the same."""
    placed = await pair.ask("member", "delivered twice")
    shown = pair.watch(placed)
    pair.snare.lay(Event.UPLOAD, UtcDateTime.BEFORE)
    pair.house.skillboss.finish(await pair.drawn(placed))
    await pair.pause_at(placed)
    await placed.invocation.wait_until(is_done)
    assert shown[-1:] == [True]
    await pair.wake()
    await placed.invocation.wait_until(lambda _: shown[-2:] == [True, True])
    await pair.assert_every_promise_is_kept(done=2)


async def test_an_older_card_that_comes_late_is_put_right(pair: Pair) -> None:
    """Paused while it says that the drawing has begun: that takes the pictures off, and the woken one restores them."""
    placed = await pair.ask("member", "an older state")
    shown = pair.watch(placed)
    drawn = await pair.drawn(placed)
    await pair.in_state(placed, State.QUEUED)
    pair.snare.lay(Event.EDIT, UtcDateTime.BEFORE)
    pair.house.skillboss.advance(drawn)
    await pair.pause_at(placed)
    pair.house.skillboss.finish(drawn)
    await placed.invocation.wait_until(is_done)
    await pair.wake()
    await placed.invocation.wait_until(lambda _: shown[-3:] == [True, False, True])
    await pair.assert_every_promise_is_kept(done=2)


async def test_a_direct_message_comes_once(pair: Pair) -> None:
    """Paused while it sends the pictures of a card that is gone: of two who send them, Discord takes one."""
    placed = await pair.ask("member", "sent directly", gone_after=0.0)
    drawn = await pair.drawn(placed)
    assert placed.invocation.message is not None
    pair.house.discord.messages.delete(placed.invocation.message)
    pair.snare.lay(Event.DIRECT, UtcDateTime.BEFORE)
    pair.house.skillboss.finish(drawn)
    await pair.pause_at(placed)
    direct = pair.house.discord.direct_message("member")
    earlier = len(direct.messages)
    await pair.until_all_is_delivered()
    await pair.wake()
    assert (await pair.row(placed)).delivery == Delivery.DIRECT
    assert len(direct.messages) == earlier + 1
    await pair.assert_every_promise_is_kept(done=2)

"""Random sequences of job and credit events against a real database.

Stale values are written all the time and must be rejected.
"""

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, select

from bot.domain.credits import Account
from bot.domain.errors import CreditsError, FaultKind, JobStateError, ProviderError, QueueFullError, StaleJobError
from bot.domain.jobs import AT_PROVIDER, LIVE, Job, Outcome, State
from bot.engine.callback_urls import hash_token
from bot.engine.card_store import CardStore
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.storage_gate import StorageGate
from bot.engine.worker_store import WorkerStore
from bot.providers.base import Failed, Finished, Pending
from bot.services.access import AccessService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.request_gate import RequestGate
from db.accounts import AccountRepository
from db.audit import audit
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.tables import accounts, attempts, budgets, holds, jobs, movements, pictures, postings
from tests.support.catalogue import SKILLBOSS
from tests.support.clock import ManualClock
from tests.support.costs import in_credits
from tests.support.databases import SqliteDatabases
from tests.support.factories import GUILD, make_context, make_id, make_image, make_request

T = TypeVar("T")
Write = Callable[[], Awaitable[object]]

AVAILABLE = {"skillboss": 1_000}
URL = "https://cdn.example/1.png"
UNIT = 12
CHANGING = (jobs, attempts, holds, movements, postings, pictures, accounts, budgets)
NUMBER = st.integers(0, 1_000)
FAULTS = st.sampled_from([FaultKind.UNAVAILABLE, FaultKind.SERVER_ERROR, FaultKind.INVALID, FaultKind.RATE_LIMITED])


@cache
def _files() -> tuple[tempfile.TemporaryDirectory[str], SqliteDatabases]:
    folder = tempfile.TemporaryDirectory(prefix="atelier-machine-")
    return folder, SqliteDatabases(Path(folder.name))


class _Unlimited:
    """Space for every job."""

    def check_space(self) -> None:
        """Accept the job."""

    def check_room(self, *_: object) -> None:
        """Accept the job."""


class _Idle:
    """An idle engine for the job service."""

    def __init__(self, worker_id: str) -> None:
        self.worker_id = worker_id

    def schedule_ack_check(self, job_id: str) -> None:
        """Do nothing."""

    def wake(self) -> None:
        """Do nothing."""

    def is_blocked(self, _: object) -> bool:
        """Return False: every provider accepts jobs."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """One of two processes."""

    lease: Lease
    job_store: JobStore
    worker_store: WorkerStore


class JobMachine(RuleBasedStateMachine):
    """Two workers with one database.

    Every outdated value of a job is kept and written again later.
    """

    MEMBERS: ClassVar = (1, 2)

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.url = self.run(_files()[1].create(migrated=True))
        self.database = self.run(Database.open(self.url))
        self.ledger = Ledger(allowance=60, budget=1_000, new_id=make_id)
        self.reconciliations = ReconciliationStore(database=self.database, ledger=self.ledger, clock=self.clock)
        self.hooks = 0
        self.workers = [self.worker() for _ in range(2)]
        self.services = [self.service(worker) for worker in self.workers]
        for worker in self.workers:
            self.run(worker.worker_store.renew_lease())
        self.stale: list[Job] = []
        self.jobs: dict[str, Job] = {}

    def teardown(self) -> None:
        """Close and delete the database."""
        self.run(self.database.close())
        self.run(_files()[1].drop(self.url))
        self.runner.close()

    def worker(self) -> _Worker:
        """Return a worker with a new lease."""
        lease = Lease(worker_id=make_id(), seconds=15, is_alone=False, clock=self.clock)
        job_store = JobStore(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            config=EngineConfig(active_per_member=2, active_per_guild=3, waiting_per_member=4),
            lease=lease,
            catalogue=SKILLBOSS,
            new_callback_url=self.new_callback_url,
        )
        worker_store = WorkerStore(database=self.database, clock=self.clock, lease=lease)
        return _Worker(lease=lease, job_store=job_store, worker_store=worker_store)

    def service(self, worker: _Worker) -> JobService:
        """Return the job service of a worker."""
        return JobService(
            database=self.database,
            job_store=worker.job_store,
            card_store=CardStore(database=self.database, clock=self.clock),
            engine=cast("Engine", _Idle(worker.lease.worker_id)),
            ledger=self.ledger,
            gate=RequestGate(
                database=self.database,
                access=AccessService(database=self.database, admitted="*", now=self.clock.now),
                catalogue=SKILLBOSS,
                now=self.clock.now,
            ),
            clock=self.clock,
            config=EngineConfig(waiting_per_member=4),
            catalogue=SKILLBOSS,
            new_id=make_id,
            storage_gate=cast("StorageGate", _Unlimited()),
            snapshots=JobSnapshotService(
                catalogue=SKILLBOSS, database=self.database, ledger=self.ledger, clock=self.clock, hard_deadline=7200
            ),
        )

    def new_callback_url(self, provider: str) -> CallbackUrl:
        """Return a webhook URL for one submit."""
        self.hooks += 1
        return CallbackUrl(url=f"https://studio.example/{provider}", hash=hash_token(str(self.hooks)))

    def run(self, awaitable: Awaitable[T]) -> T:
        """Return the result of a coroutine."""

        async def main() -> T:
            return await awaitable

        return self.runner.run(main())

    def read(self, function: Callable[[Connection], T]) -> T:
        """Return the result of a read transaction."""
        return self.run(self.database.read(function))

    def contents(self) -> list[Any]:
        """Return every row."""
        return self.read(lambda connection: [connection.execute(select(table)).all() for table in CHANGING])

    def refresh(self) -> None:
        """Read all jobs again and keep the outdated values."""
        current = self.read(
            lambda connection: {
                job_id: JobRepository(connection).get(job_id)
                for job_id in connection.execute(select(jobs.c.id).order_by(jobs.c.id)).scalars()
            }
        )
        for job_id, job in self.jobs.items():
            now = current[job_id]
            if (job.state, job.fence) != (now.state, now.fence):
                self.stale.append(job)
        self.jobs = current

    def pick(self, number: int, *states: State) -> Job | None:
        """Return one of the jobs in these states."""
        found = [job for job in self.jobs.values() if job.state in states]
        return found[number % len(found)] if found else None

    def do(self, write: Awaitable[object]) -> None:
        """Do a write and keep the outdated values."""
        self.run(write)
        self.refresh()

    @property
    def job_store(self) -> JobStore:
        """The job store of either worker: only the fence counts."""
        return self.workers[0].job_store

    @rule(member=st.sampled_from(MEMBERS), worker=st.integers(0, 1), images=st.integers(1, 4))
    def request(self, member: int, worker: int, images: int) -> None:
        """Request images.

        Too few credits or a full queue must change nothing.
        """
        before = self.contents()
        place = make_context(member_id=member, guild_id=GUILD)
        try:
            self.run(self.services[worker].create(place, make_request(images=images)))
        except (CreditsError, QueueFullError):
            assert self.contents() == before
        self.refresh()

    @rule(number=NUMBER)
    def acknowledge(self, number: int) -> None:
        """Acknowledge a card."""
        if job := self.pick(number, State.HELD):
            self.do(CardStore(database=self.database, clock=self.clock).mark_acknowledged(job.id, 1))

    @rule(number=NUMBER)
    def abandon(self, number: int) -> None:
        """Abandon a job without a card."""
        if job := self.pick(number, State.HELD):
            self.do(self.services[0].abandon(job))

    @rule(worker=st.integers(0, 1), most=st.integers(1, 4))
    def claim(self, worker: int, most: int) -> None:
        """Claim slots: at most two a member and three a guild."""
        turn = self.run(self.workers[worker].job_store.claim_batch(most, AVAILABLE))
        self.refresh()
        assert {self.jobs[claim.job.id] for claim in turn.claims} == {claim.job for claim in turn.claims}
        active = Counter(job.place.member_id for job in self.jobs.values() if job.state in AT_PROVIDER)
        assert max(active.values(), default=0) <= 2
        assert active.total() <= 3

    @rule(number=NUMBER, running=st.booleans())
    def accept(self, number: int, *, running: bool) -> None:
        """Let the provider accept the job."""
        if job := self.pick(number, State.SUBMITTING):
            self.do(self.job_store.mark_accepted(job, Pending(handle=job.id, running=running, cost=in_credits(10))))

    @rule(number=NUMBER)
    def release_claim(self, number: int) -> None:
        """Release a claim before its submit."""
        if job := self.pick(number, State.SUBMITTING):
            self.do(self.job_store.release_claim(job))

    @rule(number=NUMBER, fault=FAULTS)
    def refuse(self, number: int, fault: FaultKind) -> None:
        """Let the provider refuse the job."""
        if job := self.pick(number, State.SUBMITTING):
            self.do(self.job_store.mark_refused(job, ProviderError(fault, provider="skillboss"), 2.0))

    @rule(number=NUMBER, has_callback=st.booleans())
    def lose_reply(self, number: int, *, has_callback: bool) -> None:
        """Lose the reply to a submit."""
        if job := self.pick(number, State.SUBMITTING):
            self.do(self.job_store.mark_reply_lost(job, has_callback=has_callback))

    @rule(number=NUMBER)
    def give_up(self, number: int) -> None:
        """Give up an unknown job."""
        if job := self.pick(number, State.UNKNOWN):
            self.do(self.job_store.give_up(job))

    @rule(number=NUMBER)
    def start_running(self, number: int) -> None:
        """Let the provider begin."""
        if job := self.pick(number, State.QUEUED):
            self.do(self.job_store.mark_running(job))

    @rule(number=NUMBER)
    def store(self, number: int) -> None:
        """Let the provider finish."""
        if job := self.pick(number, State.SUBMITTING, State.UNKNOWN, State.QUEUED, State.RUNNING):
            self.do(self.job_store.mark_storing(job, Finished(handle=job.id, image_urls=(URL,))))

    @rule(number=NUMBER, arrived=st.integers(1, 4))
    def finish(self, number: int, arrived: int) -> None:
        """Let some of the images arrive."""
        if job := self.pick(number, State.STORING):
            count = min(arrived, job.request.images)
            self.do(self.job_store.mark_done(job, [make_image(job, position=position) for position in range(count)]))

    @rule(number=NUMBER)
    def fail(self, number: int) -> None:
        """Let the provider fail."""
        if job := self.pick(number, *LIVE):
            self.do(self.job_store.mark_failed(job, FaultKind.GENERATION, Failed(kind=FaultKind.GENERATION)))

    @rule(number=NUMBER)
    def cancel(self, number: int) -> None:
        """Cancel in time."""
        if job := self.pick(number, State.HELD, State.QUEUED, State.RUNNING):
            self.do(self.job_store.mark_cancelled(job))

    @rule(number=NUMBER)
    def lose(self, number: int) -> None:
        """Let the hard deadline pass."""
        if job := self.pick(number, State.HELD, State.QUEUED, State.RUNNING, State.STORING):
            self.do(self.job_store.mark_lost(job))

    @rule(number=NUMBER)
    def request_cancel(self, number: int) -> None:
        """Press Cancel at any moment."""
        if job := self.pick(number, *State):
            self.do(self.job_store.request_cancel(job.id))

    @rule(number=NUMBER, worker=st.integers(0, 1))
    def adopt(self, number: int, worker: int) -> None:
        """Receive a press or a webhook at the other worker."""
        if job := self.pick(number, *State):
            self.do(self.workers[worker].worker_store.adopt(job.id))

    @rule(survivor=st.integers(0, 1))
    def take_over(self, survivor: int) -> None:
        """Let one worker be silent for a lease, and return after the take-over."""
        worker_store, silent = self.workers[survivor].worker_store, self.workers[1 - survivor]
        self.run(worker_store.renew_lease())
        self.clock.advance(15)
        self.run(worker_store.renew_lease())
        taken = {job.id for job in self.run(worker_store.take_over())}
        self.refresh()
        mine = {
            job.id for job in self.jobs.values() if job.owner == silent.lease.worker_id and job.delivered_at is None
        }
        assert mine == set()
        assert taken <= self.jobs.keys()
        self.run(silent.worker_store.renew_lease())
        self.refresh()

    @rule(number=NUMBER, count=st.integers(0, 4), again=st.booleans())
    def reconcile(self, number: int, count: int, *, again: bool) -> None:
        """Reconcile an ended job: late images are free and arrive once."""
        job = self.pick(number, State.FAILED, State.LOST, State.DONE, State.CANCELLED)
        if job is None:
            return
        before = self.count_images(job)
        late = [make_image(job, position=position) for position in range(count)]
        for _ in range(1 + again):
            self.do(self.reconciliations.finish(job, late))
        may_come = job.state in (State.FAILED, State.LOST) and not before
        assert self.count_images(job) == (len(late) if may_come else before)

    def count_images(self, job: Job) -> int:
        """Return the number of a job's images."""
        return len(self.read(lambda connection: ResultImageRepository(connection).list_for(job.id)))

    @rule(hours=st.sampled_from([1, 23, 24, 24 * 31]))
    def let_time_pass(self, hours: int) -> None:
        """Let hours, days or a month pass; both workers stay alive."""
        self.clock.advance(hours * 3600)
        for worker in self.workers:
            self.run(worker.worker_store.renew_lease())
        self.refresh()

    @rule(hours=st.integers(-48, 48))
    def set_clock(self, hours: int) -> None:
        """Set the clock wrong by up to two days."""
        self.clock.set_now(self.clock.now() + timedelta(hours=hours))

    @rule(member=st.sampled_from(MEMBERS), amount=st.integers(1, 50))
    def grant(self, member: int, amount: int) -> None:
        """Grant credits to a member."""
        now = self.clock.now()
        self.run(
            self.database.write(
                lambda connection: self.ledger.grant(
                    connection, guild_id=GUILD, member_id=member, amount=amount, actor=9, reason="prize", now=now
                )
            )
        )

    @precondition(lambda self: self.stale)
    @rule(number=NUMBER, step=NUMBER)
    def write_late(self, number: int, step: int) -> None:
        """Write with an outdated value: it is rejected and changes nothing."""
        job = self.stale[number % len(self.stale)]
        steps = self.steps(job)
        before = self.contents()
        try:
            self.run(steps[step % len(steps)]())
        except (StaleJobError, JobStateError):
            assert self.contents() == before
        else:
            raise AssertionError(f"a late write went through: {job.state} at fence {job.fence}")

    def steps(self, job: Job) -> list[Write]:
        """Return every possible write, legal or not."""
        job_store = self.job_store
        refusal = ProviderError(FaultKind.UNAVAILABLE, provider="skillboss")
        return [
            lambda: job_store.mark_accepted(job, Pending(handle="late", running=False)),
            lambda: job_store.mark_refused(job, refusal, 1.0),
            lambda: job_store.mark_reply_lost(job, has_callback=True),
            lambda: job_store.mark_reply_lost(job, has_callback=False),
            lambda: job_store.give_up(job),
            lambda: job_store.release_claim(job),
            lambda: job_store.mark_running(job),
            lambda: job_store.mark_storing(job, Finished(handle="late", image_urls=(URL,))),
            lambda: job_store.mark_done(job, [make_image(job)]),
            lambda: job_store.mark_failed(job, FaultKind.INTERNAL),
            lambda: job_store.mark_cancelled(job),
            lambda: job_store.mark_lost(job),
            lambda: job_store.mark_cancel_refused(job),
        ]

    @invariant()
    def check_everything(self) -> None:
        """Check all invariants in one transaction."""
        self.read(self.check_rows)

    def check_rows(self, connection: Connection) -> None:
        """Run the audit, and check the facts beyond its reach."""
        assert audit(connection) == []
        live: Counter[int] = Counter()
        arrived = Counter(connection.execute(select(pictures.c.job_id)).scalars())
        outcomes: defaultdict[str, list[str]] = defaultdict(list)
        for job_id, outcome in connection.execute(
            select(attempts.c.job_id, attempts.c.outcome).order_by(attempts.c.job_id, attempts.c.number)
        ):
            outcomes[job_id].append(outcome)
        for job in self.jobs.values():
            live[job.place.member_id] += 0 if job.state.ended else job.price
            self.check_charge(job, arrived[job.id])
            # At most one of a job's submits may have been accepted, and it is the last.
            assert set(outcomes[job.id][:-1]) <= {Outcome.REFUSED}
            assert outcomes[job.id].count(Outcome.OPEN) <= (job.state in AT_PROVIDER)
        for member in self.MEMBERS:
            account = AccountRepository(connection).find(GUILD, member) or Account(guild_id=GUILD, member_id=member)
            assert min(account.allowance, account.granted) >= 0
            assert account.held == live[member]
        # Each hold is settled once, at its job's end.
        settled = connection.execute(select(movements.c.settles).where(movements.c.settles.is_not(None))).scalars()
        assert Counter(settled) == Counter(job.id for job in self.jobs.values() if job.state.ended)

    @staticmethod
    def check_charge(job: Job, arrived: int) -> None:
        """Check the charge: unit price times images of a done job, else 0."""
        if not job.state.ended:
            assert job.charged is None
        elif job.state is State.DONE:
            assert job.charged == UNIT * arrived
            assert job.charged <= job.price
        else:
            assert job.charged == 0


TestJobMachine = JobMachine.TestCase
TestJobMachine.__doc__ = "Any order of events: the ledger balances, and late writes change nothing."
TestJobMachine.settings = settings(max_examples=12, stateful_step_count=30)

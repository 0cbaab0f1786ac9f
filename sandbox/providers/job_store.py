"""The core that both stand-ins share: jobs that move by a clock or by hand, and who was billed for them."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sandbox.providers.inputs import Input, InputError

RETENTION_SECONDS: Final = 7 * 86_400.0
"""Seed: "We retain completed results for 7 days, then they expire"."""


class State(StrEnum):
    """A job's life (seed: "Status enum")."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


TERMINAL: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long a job waits and works, in seconds; None: for ever, until a test moves it by hand."""

    queue: float | None = 1.0
    work: float | None = 4.0


MANUAL: Final = Latency(queue=None, work=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for: `images` pictures of `width` x `height` pixels, `cost` in the provider's units for all.

    `cut_out` pictures have no background; `effect` is the name of one. `input_urls` are where the pictures are that
    are to be edited.
    """

    prompt: str
    model: str
    images: int
    width: int
    height: int
    format: str
    cost: int
    cut_out: bool = False
    effect: str | None = None
    input_urls: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A job as the provider has it. `fails_for` is the reason it will fail for, `stuck_in` where it stays.

    `asked` is the body of its submit. `inputs` are the pictures that were fetched for it; `pushed` is one that a hand
    has told to end while they come.
    """

    id: str
    record_id: str
    owner: str
    order: Order
    state: State = State.IN_QUEUE
    shape: str = "strings"
    empty: bool = False
    fails_for: str | None = None
    stuck_in: State | None = None
    error: str | None = None
    webhook_url: str | None = None
    ended_at: float | None = None
    asked: Any = None
    inputs: tuple[Input, ...] = ()
    pushed: bool = False
    preparing: asyncio.Task[None] | None = field(default=None, repr=False)
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def terminal(self) -> bool:
        """Return whether the job has ended."""
        return self.state in TERMINAL

    @property
    def lacks_inputs(self) -> bool:
        """Return whether there are pictures to fetch before it can work."""
        return len(self.inputs) < len(self.order.input_urls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What an account was billed for a job, in the provider's units."""

    job_id: str
    owner: str
    prompt: str
    cost: int


class Studio:
    """Keeps the jobs and the account.

    `balance` is None for an account without a bottom. With `prepaid`, credits are taken when a job is made and given
    back when it fails (reve2img); without, a job is charged when it completes (SkillBoss: "you're charged only on
    COMPLETED"). `clock` returns seconds and only decides when results expire; waiting uses the event loop's timers.
    `told` is called with each job as it ends; `prepare` fetches a job's inputs, when it starts.
    """

    def __init__(
        self,
        *,
        latency: Latency,
        balance: int | None = None,
        prepaid: bool = False,
        clock: Callable[[], float] = time.monotonic,
        ids: Callable[[], str] = lambda: uuid.uuid4().hex,
        told: Callable[[Job], None] = lambda _: None,
        prepare: Callable[[Job], Awaitable[None]] | None = None,
    ) -> None:
        self.latency = latency
        self.balance = balance
        self.jobs: dict[str, Job] = {}
        self.billed: list[Charge] = []
        self._prepaid = prepaid
        self._clock = clock
        self._ids = ids
        self._told = told
        self._prepare = prepare
        self._changed = asyncio.Event()

    def can_pay(self, cost: int) -> bool:
        """Return whether the balance covers a cost."""
        return self.balance is None or self.balance >= cost

    def open(self, order: Order, *, owner: str, at_once: bool = False) -> Job:
        """Make a job and let it begin to wait; `at_once` completes it here and now."""
        job = Job(id=self._ids(), record_id=f"rec_{self._ids()[:16]}", owner=owner, order=order)
        self.jobs[job.id] = job
        if self._prepaid:
            self._charge(job)
        if at_once:
            self.complete(job)
        self.changed()
        return job

    def schedule(self, job: Job) -> None:
        """Set the timer of the job's next step, unless it has none."""
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
        if job.terminal or job.stuck_in is job.state:
            return
        waiting = job.state is State.IN_QUEUE
        seconds = self.latency.queue if waiting else self.latency.work
        if seconds is not None:
            job.timer = asyncio.get_running_loop().call_later(seconds, self.start if waiting else self.complete, job)

    def start(self, job: Job) -> None:
        """Let a worker claim the job; from here on it cannot be cancelled."""
        if job.state is State.IN_QUEUE:
            job.state = State.IN_PROGRESS
            if job.lacks_inputs and self._prepare is not None:
                job.preparing = asyncio.create_task(self._prepared(job, self._prepare))
            else:
                self.schedule(job)
            self.changed()

    def complete(self, job: Job) -> None:
        """End the job as it is meant to end: with pictures, or FAILED for its reason or for want of balance.

        One that has yet to fetch its inputs ends when it has them: `ended` waits for that.
        """
        if job.terminal:
            return
        if job.fails_for is not None:
            self.fail(job, job.fails_for)
        elif job.lacks_inputs and self._prepare is not None:
            job.pushed = True
            self.start(job)
        elif not self._prepaid and not self.can_pay(job.order.cost):
            self.fail(job, "insufficient balance")
        else:
            if not self._prepaid:
                self._charge(job)
            self._end(job, State.COMPLETED)

    def fail(self, job: Job, reason: str) -> None:
        """End the job as FAILED; what was taken for it is given back."""
        if job.terminal:
            return
        job.error = reason
        self._refund(job)
        self._end(job, State.FAILED)

    def cancel(self, job: Job) -> bool:
        """Cancel the job if it still waits, and return whether it did."""
        if job.state is not State.IN_QUEUE:
            return False
        self._refund(job)
        self._end(job, State.CANCELLED)
        return True

    def find(self, job_id: str, *, owner: str | None = None) -> Job | None:
        """Return a job that its owner may see and whose result has not expired."""
        job = self.jobs.get(job_id)
        if job is None or (owner is not None and job.owner != owner):
            return None
        expired = job.ended_at is not None and self._clock() - job.ended_at >= RETENTION_SECONDS
        return None if expired else job

    def changed(self) -> None:
        """Wake those who wait for something to happen."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, condition: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Return once the condition is true; it is looked at whenever a job moves or a request was answered."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self._changed.wait()

    async def ended(self, job: Job) -> None:
        """Return once the job has ended, however long that takes."""
        while not job.terminal:
            await self._changed.wait()

    def close(self) -> None:
        """Stop all timers."""
        for job in self.jobs.values():
            if job.timer is not None:
                job.timer.cancel()
            if job.preparing is not None:
                job.preparing.cancel()

    async def _prepared(self, job: Job, prepare: Callable[[Job], Awaitable[None]]) -> None:
        """Fetch what the job edits, then let it work; one whose inputs are of no use fails."""
        try:
            await prepare(job)
        except InputError as error:
            self.fail(job, str(error))
            return
        if job.pushed:
            self.complete(job)
        else:
            self.schedule(job)
            self.changed()

    def _charge(self, job: Job) -> None:
        if self.balance is not None:
            self.balance -= job.order.cost
        self.billed.append(Charge(job_id=job.id, owner=job.owner, prompt=job.order.prompt, cost=job.order.cost))

    def _refund(self, job: Job) -> None:
        charge = next((charge for charge in self.billed if charge.job_id == job.id), None)
        if charge is not None:
            self.billed.remove(charge)
            if self.balance is not None:
                self.balance += charge.cost

    def _end(self, job: Job, state: State) -> None:
        job.state = state
        job.ended_at = self._clock()
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
        self._told(job)
        self.changed()

"""Jobs and charges of a fake: jobs move by timers or by a test's calls."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sandbox.providers.inputs import Input, InputError

RETENTION_SECONDS: Final = 7 * 86_400.0
"""Seed: "We retain completed results for 7 days, then they expire"."""


Cost = int | Decimal
"""Units of the provider (int) or US dollars (Decimal)."""


class State(StrEnum):
    """The states of a job (seed: "Status enum")."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


TERMINAL: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds in the queue and at work; None waits until a test moves the job."""

    queue: float | None = 1.0
    work: float | None = 4.0


MANUAL: Final = Latency(queue=None, work=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A validated request: `images` images of `width` x `height` pixels.

    `cost` is for all images, in the provider's units. `cut_out` images have no background; `effect` is an effect's
    name. `input_urls` are the addresses of the images to edit. A `mask` is an encoded alpha channel: an edit changes
    only its transparent part.
    """

    prompt: str
    model: str
    images: int
    width: int
    height: int
    format: str
    cost: Cost
    cut_out: bool = False
    effect: str | None = None
    input_urls: tuple[str, ...] = ()
    mask: bytes = field(default=b"", repr=False)


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A job at the provider.

    A job with a `failure_reason` will fail; one with a `stuck_state` stays in that state. `submit_body` is the body of
    its submit. `inputs` are its fetched images; `pictures` are the files of a result that was sent in a reply.
    `completes_on_inputs` is set if a test completes the job during the fetch. The key of its `owner` alone may read it.
    `first_number` is the number of its first picture, among those of the same prompt.
    """

    id: str
    record_id: str
    owner: str
    request: JobRequest
    state: State = State.IN_QUEUE
    shape: str = "strings"
    empty: bool = False
    failure_reason: str | None = None
    stuck_state: State | None = None
    error: str | None = None
    webhook_url: str | None = None
    ended_at: float | None = None
    submit_body: Any = None
    inputs: tuple[Input, ...] = ()
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
    completes_on_inputs: bool = False
    first_number: int = 0
    fetch_task: asyncio.Task[None] | None = field(default=None, repr=False)
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def terminal(self) -> bool:
        """Return whether the job has ended."""
        return self.state in TERMINAL

    @property
    def needs_inputs(self) -> bool:
        """Return whether inputs must be fetched before the job can work."""
        return len(self.inputs) < len(self.request.input_urls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge to an account for one job, in the provider's units."""

    job_id: str
    owner: str
    prompt: str
    cost: Cost


class JobStore:
    """Keeps the jobs and the account's balance.

    A `balance` of None is unlimited. With `prepaid`, credits are taken when a job is made and refunded when it fails
    (reve2img); otherwise a job is charged when it completes (SkillBoss: "you're charged only on COMPLETED"). `clock`
    returns seconds and only decides when results expire; waiting uses the event loop's timers. `on_job_end` is called
    with each job as it ends; `fetch_inputs` fetches a job's inputs at its start. With `varies_repeats`, jobs with an
    equal prompt have different pictures; otherwise the same ones.
    """

    def __init__(
        self,
        *,
        latency: Latency,
        balance: Cost | None = None,
        prepaid: bool = False,
        clock: Callable[[], float] = time.monotonic,
        ids: Callable[[], str] = lambda: uuid.uuid4().hex,
        on_job_end: Callable[[Job], None] = lambda _: None,
        fetch_inputs: Callable[[Job], Awaitable[None]] | None = None,
    ) -> None:
        self.latency = latency
        self.balance = balance
        self.jobs: dict[str, Job] = {}
        self.billed: list[Charge] = []
        self.varies_repeats = False
        self._pictures_of: Counter[str] = Counter()
        self._prepaid = prepaid
        self._clock = clock
        self._ids = ids
        self._on_job_end = on_job_end
        self._fetch_inputs = fetch_inputs
        self._changed = asyncio.Event()

    def can_pay(self, cost: Cost) -> bool:
        """Return whether the balance covers a cost."""
        return self.balance is None or self.balance >= cost

    def open(
        self,
        request: JobRequest,
        *,
        owner: str,
        complete_now: bool = False,
        inputs: tuple[Input, ...] = (),
        job_id: str | None = None,
    ) -> Job:
        """Create a queued job; `complete_now` completes it at once.

        `inputs` are the images that came with the request. A `job_id` is the client's.
        """
        record_id = f"rec_{self._ids()[:16]}"
        job = Job(id=job_id or self._ids(), record_id=record_id, owner=owner, request=request, inputs=inputs)
        if self.varies_repeats:
            job.first_number = self._pictures_of[request.prompt]
            self._pictures_of[request.prompt] += request.images
        self.jobs[job.id] = job
        if self._prepaid:
            self._charge(job)
        if complete_now:
            self.complete(job)
        self.notify()
        return job

    def schedule(self, job: Job) -> None:
        """Set the timer of the job's next step, if it has one."""
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
        if job.terminal or job.stuck_state is job.state:
            return
        queued = job.state is State.IN_QUEUE
        seconds = self.latency.queue if queued else self.latency.work
        if seconds is not None:
            job.timer = asyncio.get_running_loop().call_later(seconds, self.start if queued else self.complete, job)

    def start(self, job: Job) -> None:
        """Start the job; from now on it cannot be cancelled."""
        if job.state is State.IN_QUEUE:
            job.state = State.IN_PROGRESS
            if job.needs_inputs and self._fetch_inputs is not None:
                job.fetch_task = asyncio.create_task(self._start_after_inputs(job, self._fetch_inputs))
            else:
                self.schedule(job)
            self.notify()

    def complete(self, job: Job) -> None:
        """End the job with images, or as FAILED (its reason, or no balance).

        A job without its inputs fetches them first and ends afterwards: `wait_ended` waits for the end.
        """
        if job.terminal:
            return
        if job.failure_reason is not None:
            self.fail(job, job.failure_reason)
        elif job.needs_inputs and self._fetch_inputs is not None:
            job.completes_on_inputs = True
            self.start(job)
        elif not self._prepaid and not self.can_pay(job.request.cost):
            self.fail(job, "insufficient balance")
        else:
            if not self._prepaid:
                self._charge(job)
            self._end(job, State.COMPLETED)

    def fail(self, job: Job, reason: str) -> None:
        """End the job as FAILED and refund its charge."""
        if job.terminal:
            return
        job.error = reason
        self._refund(job)
        self._end(job, State.FAILED)

    def cancel(self, job: Job) -> bool:
        """Cancel the job if it is queued, and return whether it was."""
        if job.state is not State.IN_QUEUE:
            return False
        self._refund(job)
        self._end(job, State.CANCELLED)
        return True

    def refund(self, job: Job) -> None:
        """Return the job's charge, if it has one; its state is unchanged."""
        self._refund(job)
        self.notify()

    def drop(self, job: Job) -> None:
        """End a job as CANCELLED in any state, uncharged."""
        if not job.terminal:
            self._refund(job)
            self._end(job, State.CANCELLED)

    def find(self, job_id: str, *, owner: str | None = None) -> Job | None:
        """Return the owner's job unless its result has expired; None if missing."""
        job = self.jobs.get(job_id)
        if job is None or (owner is not None and job.owner != owner):
            return None
        expired = job.ended_at is not None and self._clock() - job.ended_at >= RETENTION_SECONDS
        return None if expired else job

    def new_id(self) -> str:
        """Return a new id."""
        return self._ids()

    def notify(self) -> None:
        """Wake all waiting calls of `wait_for` and `wait_ended`."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, condition: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Return once the condition is true.

        It is checked whenever a job moves or a request was answered.

        Raises:
            TimeoutError: `seconds` have passed.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                await self._changed.wait()

    async def wait_ended(self, job: Job) -> None:
        """Return once the job has ended; there is no time limit."""
        while not job.terminal:
            await self._changed.wait()

    def close(self) -> None:
        """Stop all timers and fetches."""
        for job in self.jobs.values():
            if job.timer is not None:
                job.timer.cancel()
            if job.fetch_task is not None:
                job.fetch_task.cancel()

    async def _start_after_inputs(self, job: Job, fetch_inputs: Callable[[Job], Awaitable[None]]) -> None:
        """Fetch the job's inputs, then let it work; unusable inputs fail it."""
        try:
            await fetch_inputs(job)
        except InputError as error:
            self.fail(job, str(error))
            return
        if job.completes_on_inputs:
            self.complete(job)
        else:
            self.schedule(job)
            self.notify()

    def _charge(self, job: Job) -> None:
        if self.balance is not None:
            self.balance -= job.request.cost
        self.billed.append(Charge(job_id=job.id, owner=job.owner, prompt=job.request.prompt, cost=job.request.cost))

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
        self._on_job_end(job)
        self.notify()

"""The engine: gives slots to waiting jobs, follows them at the providers, stores their pictures, takes up old ones."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from bot.domain.errors import FaultKind, JobStateError, StaleJobError
from bot.domain.jobs import Attempt, Job, State
from bot.domain.requests import GenerationRequest
from bot.engine.claimer import Claim
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.delay_queue import DelayQueue
from bot.engine.executor import ACKNOWLEDGED_WITHIN, JobExecutor
from bot.engine.job_store import TAKEN_AT_ONCE, JobStore
from bot.engine.lease import Lease
from bot.engine.observer import JobObserver
from bot.engine.step_result import StepResult

_log = structlog.get_logger(__name__)

_CLAIMS_AT_ONCE: Final = 64
# Far more than what waits for a provider's answer at once; steps that are many have bounds of their own.
_STEPS_AT_ONCE: Final = 512
_LINE_PAUSE_SECONDS: Final = 2.0
# Slots that another process frees, and jobs that it leaves in line, are seen by looking.
_LOOK_AT_LINE_SECONDS: Final = 2.0
# With the presenter's, under the ten seconds after which a supervisor would kill.
_GRACE_SECONDS: Final = 5.0
_BACK_OFF_AFTER_OUR_FAULT: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 0.5
# Discord gives an answer three seconds, and a picture takes many: of two hundred commands at once, none should be late
# because the first ones' pictures are being made. A constant flow of commands must not keep the line waiting, though.
_ANSWERS_FIRST_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 30.0
_RECONCILED_AT_ONCE: Final = 20


class Engine:
    """Runs from `start` to `stop`. Everything it knows is in the database; a killed engine is taken up by the next."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        executor: JobExecutor,
        observer: JobObserver,
        clock: Clock,
        config: EngineConfig,
        lease: Lease,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._executor = executor
        self._observer = observer
        self._clock = clock
        self._config = config
        self._lease = lease
        self._random = randomness
        self._schedule = DelayQueue(clock, self._advance, concurrency=_STEPS_AT_ONCE)
        self._claims: dict[str, Claim] = {}
        self._claiming = False
        self._in_doubt: set[str] = set()
        # Whether a claim's outcome never reached us: jobs may have a slot of which nothing here knows.
        self._perhaps_claimed = False
        # Whether a take-over is under way, or its outcome never reached us: what another may have sent then looks as if
        # claimed here.
        self._taking = False
        self._perhaps_taken = False
        self._answers = 0
        self._put_off_since: float | None = None
        self._waiting = asyncio.Event()
        self._stopping = asyncio.Event()
        self._line_shown_at = float("-inf")
        self._following: asyncio.Task[None] | None = None
        self._dispatching: list[asyncio.Task[None]] = []
        self._duties: list[asyncio.Task[None]] = []

    @property
    def worker_id(self) -> str:
        """The owner of the jobs that are made here."""
        return self._lease.worker_id

    async def start(self) -> None:
        """Take up the jobs of processes that are gone, then begin to serve."""
        await self._job_store.renew_lease()
        await self._take_over()
        if self._stopping.is_set():
            return
        self._following = asyncio.create_task(self._schedule.run())
        self._dispatching = [asyncio.create_task(self._dispatch())]
        self._duties = [
            asyncio.create_task(self._every(self._lease.pause, self._keep_lease)),
            asyncio.create_task(self._every(_SWEEP_SECONDS, self._sweep)),
            asyncio.create_task(self._every(_SWEEP_SECONDS, self._reconcile)),
        ]

    async def stop(self) -> None:
        """Begin nothing new and let what is under way finish (bounded); the rest is taken up by the next process."""
        self._stopping.set()
        self._waiting.set()
        for duty in self._duties:
            duty.cancel()  # one may be fetching late pictures for minutes; what it began to write is carried through
        # Claiming is waited for: it is one transaction, and whoever leaves in its midst does not know what it claimed.
        await asyncio.gather(*self._dispatching, *self._duties, return_exceptions=True)
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._schedule.drain(_GRACE_SECONDS)
        await self._put_back(list(self._claims.values()))

    async def release_lease(self) -> None:
        """Give the lease back, once nothing here touches a job any more."""
        try:
            await self._job_store.release_lease()
        except Exception:  # noqa: BLE001 - the lease ends by itself
            _log.exception("engine.lease_not_released")

    def is_blocked(self, request: GenerationRequest) -> bool:
        """Return whether nobody who offers this takes jobs until the operator does something."""
        return self._executor.shut(request)

    def wake(self) -> None:
        """Hear that a job may be submitted now."""
        self._waiting.set()

    @contextmanager
    def pause_dispatch(self) -> Iterator[None]:
        """Give out no slots meanwhile, for a moment at most: somebody waits for an answer."""
        self._answers += 1
        try:
            yield
        finally:
            self._answers -= 1
            if not self._answers and self._put_off_since is not None:
                self._waiting.set()

    def schedule_inputs(self, job_id: str) -> None:
        """Hear that what a job starts from may be fetched now."""
        self._schedule.set(job_id)

    def schedule_ack_check(self, job_id: str) -> None:
        """Hear of a new job: if nobody has acknowledged it in a while, the engine sees to it itself."""
        self._schedule.set(job_id, ACKNOWLEDGED_WITHIN)

    async def schedule_now(self, job_id: str, *, interrupt: bool = False) -> None:
        """Hear that something about a job asks for a look now.

        `interrupt`: its member wants it cancelled, so nothing more is fetched for it.
        """
        await self._job_store.adopt(job_id)
        if interrupt:
            self._executor.interrupt(job_id)
        self._schedule.set(job_id)

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Hear that a provider has called about a job; False where nothing is known of such a call.

        It is only a hint: the status is read before anything is believed. `handle` is what the call says that the job
        is named there; it counts only where the submit's own answer was lost.
        """
        found = await self._job_store.find_by_webhook(webhook_hash)
        if found is None or found[1].provider != provider:
            return False
        job, attempt = found
        if handle is not None and attempt.handle is None and job.fault in (None, FaultKind.REPLY_LOST):
            await self._job_store.record_handle(attempt, handle)
            job, _ = await self._job_store.get(job.id)  # it may have been given up meanwhile
        if job.state.ended:
            if job.state is State.LOST or job.fault is FaultKind.REPLY_LOST:
                await self._job_store.schedule_reconciliation(job)
        else:
            await self.schedule_now(job.id)
        return True

    def _schedule_adopted(self, jobs: tuple[Job, ...]) -> None:
        """Schedule jobs of other processes; their polls are spread, so as to be no denser than in the steady state."""
        live = [job for job in jobs if not job.state.ended]
        for job in live:
            if job.state is State.SUBMITTING:
                self._in_doubt.add(job.id)
            at_provider = job.state in (State.QUEUED, State.RUNNING)
            self._schedule.set(job.id, self._random.uniform(0, self._config.poll_ceiling) if at_provider else 0.0)
        for job in jobs:
            if job.state.ended:
                self._observer.changed(job.id)
        if jobs:
            _log.info("engine.took_over", live=len(live), undelivered=len(jobs) - len(live))
        self._waiting.set()

    async def _every(self, seconds: float, duty: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await self._clock.wait(self._stopping, seconds)
            if self._stopping.is_set():
                return
            try:
                await duty()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("engine.duty_failed", duty=duty.__name__)

    async def _keep_lease(self) -> None:
        await self._job_store.renew_lease()
        await self._take_over()

    async def _take_over(self) -> None:
        """Take up the jobs of workers that are gone, page by page."""
        taken: tuple[Job, ...] | None = None
        while (taken is None or len(taken) == TAKEN_AT_ONCE) and not self._stopping.is_set():
            self._taking = True
            try:
                taken = await self._job_store.take_over()
            except BaseException:
                self._perhaps_taken = True
                raise
            finally:
                self._taking = False
            self._schedule_adopted(taken)

    async def _sweep(self) -> None:
        """Take up what has fallen out of memory."""
        live, undelivered = await self._job_store.list_owned()
        for job_id in live:
            if job_id not in self._schedule:
                self._schedule.set(job_id)
        for job_id in undelivered:
            self._observer.changed(job_id)

    async def _reconcile(self) -> None:
        """Ask about jobs that ended without an answer."""
        for job in await self._job_store.claim_reconciliations(_RECONCILED_AT_ONCE):
            try:
                _, attempt = await self._job_store.get(job.id)
                await self._executor.reconcile(job, attempt)
            except Exception:  # noqa: BLE001 - the others are asked about all the same; this one again later
                _log.exception("engine.not_reconciled", job=job.id)

    async def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._waiting.clear()
            delay: float | None = _BACK_OFF_AFTER_OUR_FAULT
            self._claiming = True
            try:
                delay = await self._give_slots()
            except StaleJobError:
                delay = 0.0  # a job was cancelled while it was being claimed
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("engine.claim_failed")
                self._perhaps_claimed = True
            finally:
                self._claiming = False
            await self._clock.wait(self._waiting, delay)

    async def _give_slots(self) -> float | None:
        """Claim jobs and schedule their submits; return the seconds to the next look (None: when something changes)."""
        if not self._lease.held:
            return _LOOK_AGAIN_SECONDS
        if (pause := self._answers_first()) > 0:
            return pause
        unseen = self._line_shown_at + _LINE_PAUSE_SECONDS - self._clock.monotonic()
        result = await self._job_store.claim_batch(_CLAIMS_AT_ONCE, self._executor.room(), with_queue=unseen <= 0)
        if self._stopping.is_set():
            await self._put_back(list(result.claims))
            return None
        for claim in result.claims:
            self._claims[claim.job.id] = claim
            self._executor.begun(claim)
            self._schedule.set(claim.job.id)
            self._observer.changed(claim.job.id)
        if self._perhaps_claimed:
            await self._look_at_unknown_claims()
        if len(result.claims) == _CLAIMS_AT_ONCE:
            return 0.0
        self._show_line(result.queue)
        delays = [result.next_retry_in]
        if result.has_waiting:
            if unseen > 0:
                delays.append(unseen)
            delays.append(self._executor.next_probe())
            if not self._lease.alone:
                delays.append(_LOOK_AT_LINE_SECONDS)
        return min((delay for delay in delays if delay is not None), default=None)

    def _answers_first(self) -> float:
        """Return the seconds for which giving slots is put off, at most; none where it was for long enough."""
        if not self._answers:
            self._put_off_since = None
            return 0.0
        now = self._clock.monotonic()
        since = now if self._put_off_since is None else self._put_off_since
        left = since + _ANSWERS_FIRST_SECONDS - now
        self._put_off_since = since if left > 0 else None
        return left

    async def _look_at_unknown_claims(self) -> None:
        for job_id in await self._job_store.list_submitting():
            if job_id not in self._claims and job_id not in self._in_doubt:
                self._schedule.set(job_id)
        self._perhaps_claimed = False

    async def _put_back(self, claims: list[Claim]) -> None:
        """Put claimed jobs back in line that were surely not sent."""
        for claim in claims:
            self._claims.pop(claim.job.id, None)
            try:
                await self._job_store.release_claim(claim.job)
            except StaleJobError:
                pass  # another process has it by now
            except Exception:  # noqa: BLE001 - then the next process cannot know, and will say so
                _log.exception("engine.not_put_back", job=claim.job.id)

    def _show_line(self, line: tuple[str, ...]) -> None:
        """Have the places in line shown anew."""
        if line:
            self._line_shown_at = self._clock.monotonic()
        for job_id in line:
            self._observer.changed(job_id)

    async def _advance(self, job_id: str) -> None:
        """Do the next thing for one job and set when to look at it again."""
        if not self._lease.held:
            self._schedule.set(job_id, self._random.uniform(1.0, 2.0) * self._lease.pause)
            return
        term = self._lease.term
        try:
            job, attempt = await self._job_store.get(job_id)
            if job.owner != self.worker_id and not job.state.ended:
                self._forget(job_id)  # another process has it
                return
            before = job.state
            if before is State.SUBMITTING:
                step = await self._submit(job, attempt, term)
            else:
                step = await self._executor.advance(job, attempt)
            if before is State.SUBMITTING:
                # A look that had read an earlier state says nothing of a submit that has begun since.
                self._in_doubt.discard(job_id)
        except (StaleJobError, JobStateError):
            # Somebody else moved it: read it again.
            self._schedule.set(job_id)
            return
        except Exception:  # noqa: BLE001 - a fault of ours must not lose the job
            _log.exception("engine.step_failed", job=job_id)
            self._schedule.set(job_id, _BACK_OFF_AFTER_OUR_FAULT)
            await self._end_overdue(job_id)
            return
        self._follow_up(before, step)

    async def _end_overdue(self, job_id: str) -> None:
        """Let a job go that cannot be brought on and is past its hard deadline: no fault holds credits for ever."""
        try:
            job, _ = await self._job_store.get(job_id)
            if not job.state.ended and self._executor.overdue(job):
                self._follow_up(job.state, await self._executor.abandon(job))
        except Exception:  # noqa: BLE001 - it is looked at again
            _log.exception("engine.not_ended", job=job_id)

    async def _submit(self, job: Job, attempt: Attempt | None, term: int) -> StepResult:
        """Send a job that was claimed here, or see to one whose submit is in doubt."""
        # Only here: a look that read the job before it was claimed must leave the claim to the next one.
        claim = self._claims.get(job.id)
        if claim is not None and claim.job.fence == job.fence:
            if self._stopping.is_set():
                return StepResult(job=job)  # `stop` puts it back
            if not self._lease.held or self._lease.term != term:
                return StepResult(job=job, again=0.0)  # the lease ended while the job was read: perhaps another has it
            del self._claims[job.id]
            self._in_doubt.add(job.id)  # from here on nobody but a written answer can tell that it was not sent
            return await self._executor.submit(claim)
        if job.id in self._in_doubt:
            return await self._executor.handle_interrupted(job, attempt)
        if self._claiming or self._taking:
            return StepResult(
                job=job, again=_LOOK_AGAIN_SECONDS
            )  # the claim, or who may have sent it, is on its way here
        if self._perhaps_taken:
            return await self._executor.handle_interrupted(job, attempt)
        # It was claimed by a transaction whose outcome never reached us, so nobody has sent it.
        return StepResult(job=await self._job_store.release_claim(job))

    def _forget(self, job_id: str) -> None:
        self._claims.pop(job_id, None)
        self._in_doubt.discard(job_id)
        self._executor.forget(job_id)

    def _follow_up(self, before: State, step: StepResult) -> None:
        job = step.job
        if job.state is not before or step.show:
            self._observer.changed(job.id)
        if job.state is State.HELD or job.state.ended:
            self._waiting.set()  # a slot is free
        if step.again is not None:
            self._schedule.set(job.id, step.again)

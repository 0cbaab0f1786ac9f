"""The engine: gives slots to waiting jobs, follows them at the providers, stores their pictures, takes up old ones."""

import asyncio
import random

import structlog

from bot.domain.errors import JobStateError, StaleJobError
from bot.domain.jobs import State
from bot.engine.clock import Clock
from bot.engine.journal import Claim, Journal
from bot.engine.limits import Limits
from bot.engine.observer import JobObserver
from bot.engine.schedule import Schedule
from bot.engine.steps import Step, Steps

_log = structlog.get_logger(__name__)

_CLAIMS_AT_ONCE = 64
_STEPS_AT_ONCE = 64
# Cards that show a place in line are refreshed as far back as a member would watch it move.
_LINE_SHOWN = 20
_LINE_PAUSE_SECONDS = 2.0
# With the presenter's, under the ten seconds after which a supervisor would kill.
_GRACE_SECONDS = 5.0
_BACK_OFF_AFTER_OUR_FAULT = 10.0
_LOOK_AGAIN_SECONDS = 0.5
# Discord takes an answer for 3 seconds; whatever is not there by now never will be.
_ACKNOWLEDGED_WITHIN = 20.0


class Engine:
    """Runs from `start` to `stop`. Everything it knows is in the database; a killed engine is taken up by the next."""

    def __init__(
        self,
        *,
        journal: Journal,
        steps: Steps,
        observer: JobObserver,
        clock: Clock,
        limits: Limits,
        randomness: random.Random,
    ) -> None:
        self._journal = journal
        self._steps = steps
        self._observer = observer
        self._clock = clock
        self._limits = limits
        self._random = randomness
        self._schedule = Schedule(clock, self._advance, concurrency=_STEPS_AT_ONCE)
        self._claims: dict[str, Claim] = {}
        self._inherited: set[str] = set()
        self._waiting = asyncio.Event()
        self._line_shown_at = float("-inf")
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up the jobs of earlier processes, then begin to serve."""
        live, undelivered = await self._journal.take_over()
        self._inherited = {job.id for job in live if job.state in (State.SUBMITTING, State.UNKNOWN)}
        self._loops = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._schedule.run())]
        for job in live:
            # Spread over one ceiling, so that a start polls no faster than the steady state does.
            at_provider = job.state in (State.QUEUED, State.RUNNING)
            self._schedule.set(job.id, self._random.uniform(0, self._limits.poll_ceiling) if at_provider else 0.0)
        for job in undelivered:
            self._observer.changed(job.id)
        if live or undelivered:
            _log.info("engine.took_over", live=len(live), undelivered=len(undelivered))
        self._waiting.set()

    async def stop(self) -> None:
        """Begin nothing new and let what is under way finish (bounded); the rest is taken up at the next start."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        await self._schedule.drain(_GRACE_SECONDS)

    def wake(self) -> None:
        """Hear that a job may be submitted now."""
        self._waiting.set()

    def watch(self, job_id: str) -> None:
        """Hear of a new job: if nobody has acknowledged it in a while, the engine sees to it itself."""
        self._schedule.set(job_id, _ACKNOWLEDGED_WITHIN)

    def look_at(self, job_id: str) -> None:
        """Hear that something about a job asks for a look now (a cancel, a hint that it moved)."""
        self._schedule.set(job_id)

    async def _dispatch(self) -> None:
        while True:
            self._waiting.clear()
            delay: float | None = _BACK_OFF_AFTER_OUR_FAULT
            try:
                claims, line, delay = await self._journal.claim(_CLAIMS_AT_ONCE)
            except StaleJobError:
                delay = 0.0  # a job was cancelled while it was being claimed
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("engine.claim_failed")
            else:
                for claim in claims:
                    self._claims[claim.job.id] = claim
                    self._schedule.set(claim.job.id)
                    self._observer.changed(claim.job.id)
                if len(claims) == _CLAIMS_AT_ONCE:
                    delay = 0.0
                delay = _sooner(delay, self._show_line(line))
            await self._clock.wait(self._waiting, delay)

    def _show_line(self, line: tuple[str, ...]) -> float | None:
        """Have the places in line shown anew, now and then; return the seconds until that may be done again."""
        if not line:
            return None
        wait = self._line_shown_at + _LINE_PAUSE_SECONDS - self._clock.monotonic()
        if wait > 0:
            return wait
        self._line_shown_at = self._clock.monotonic()
        for job_id in line[:_LINE_SHOWN]:
            self._observer.changed(job_id)
        return None

    async def _advance(self, job_id: str) -> None:
        """Do the next thing for one job and set when to look at it again."""
        try:
            job, attempt = await self._journal.get(job_id)
            before = job.state
            if job.state in (State.SUBMITTING, State.UNKNOWN):
                # Only here: a look that read the job before it was claimed must leave the claim to the next one.
                claim = self._claims.pop(job_id, None)
                if claim is not None and claim.job.fence == job.fence:
                    step = await self._steps.submit(claim)
                elif job_id in self._inherited:
                    step = await self._steps.interrupted(job)
                else:
                    step = Step(job=job, again=_LOOK_AGAIN_SECONDS)  # claimed a moment ago
            else:
                step = await self._steps.advance(job, attempt)
            self._inherited.discard(job_id)
        except (StaleJobError, JobStateError):
            # Somebody else moved it: read it again.
            self._schedule.set(job_id)
            return
        except Exception:  # noqa: BLE001 - a fault of ours must not lose the job
            _log.exception("engine.step_failed", job=job_id)
            self._schedule.set(job_id, _BACK_OFF_AFTER_OUR_FAULT)
            return
        self._follow_up(before, step)

    def _follow_up(self, before: State, step: Step) -> None:
        job = step.job
        if job.state is not before or step.show:
            self._observer.changed(job.id)
        if job.state is State.HELD or job.state.ended:
            self._waiting.set()  # a slot is free
        if step.again is not None:
            self._schedule.set(job.id, step.again)


def _sooner(first: float | None, second: float | None) -> float | None:
    delays = [delay for delay in (first, second) if delay is not None]
    return min(delays, default=None)

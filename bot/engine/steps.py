"""One step of one job: ask the provider or the picture store, write down what came of it, say when to look again."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from bot.domain.errors import AtelierError, FaultKind, PictureError, PictureProblem, ProviderError
from bot.domain.jobs import Attempt, Job, Picture, State
from bot.engine.clock import Clock
from bot.engine.decisions import back_off, poll_pause
from bot.engine.health import HealthBoard
from bot.engine.journal import Claim, Journal
from bot.engine.limits import Limits
from bot.engine.observer import JobObserver
from bot.images.keeper import PictureKeeper
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, Pending, Provider

_log = structlog.get_logger(__name__)

# A status that is not found right after the submit may only be late.
_NOT_FOUND_TRIES: Final = 3
_FETCH_TRIES: Final = 5
_LONGEST_INSISTING_PAUSE: Final = 30.0
# Faults that say nothing of the provider's health.
_THE_REQUEST_ITSELF: Final = frozenset({FaultKind.INVALID, FaultKind.CONTENT, FaultKind.NOT_FOUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The job after a step; `again` is the seconds to the next look (None: not by itself)."""

    job: Job
    again: float | None = None
    show: bool = False


@dataclass(slots=True)
class _Progress:
    """What is remembered of a job between looks; losing it in a restart only makes the next look sooner."""

    polls: int = 0
    not_found: int = 0
    fetches: int = 0
    told_late: bool = False


class Steps:
    """What can be done for a job in each state."""

    def __init__(
        self,
        *,
        journal: Journal,
        providers: Mapping[str, Provider],
        keeper: PictureKeeper,
        observer: JobObserver,
        clock: Clock,
        limits: Limits,
        health: HealthBoard,
        randomness: random.Random,
    ) -> None:
        self._journal = journal
        self._providers = providers
        self._keeper = keeper
        self._observer = observer
        self._clock = clock
        self._limits = limits
        self._health = health
        self._random = randomness
        self._progress: dict[str, _Progress] = {}

    async def submit(self, claim: Claim) -> Step:
        """Send a claimed job once, and write down what came of it."""
        job = claim.job
        try:
            answer = await self._providers[claim.offer.provider].submit(job.request, claim.offer)
        except ProviderError as error:
            self._note_fault(error)
            if error.maybe_accepted:
                _log.error("submit.reply_lost", job=job.id, provider=error.provider, fault=error.kind)
                return Step(job=await self._insist(partial(self._journal.reply_lost, job)))
            _log.warning("submit.refused", job=job.id, provider=error.provider, fault=error.kind, detail=error.detail)
            delay = back_off(job.tries + 1, self._random.random(), error)
            refused = await self._insist(partial(self._journal.refused, job, error, delay))
            return Step(job=refused, again=0.0 if refused.state is State.HELD else None)
        except Exception:  # noqa: BLE001 - whatever it was, it may have come after the request was sent
            _log.exception("submit.broke", job=job.id, provider=claim.offer.provider)
            return Step(job=await self._journal.reply_lost(job))
        self._health.good(claim.offer.provider, self._clock.now())
        match answer:
            case Pending():
                accepted = await self._insist(lambda: self._journal.accepted(job, answer))
                return Step(job=accepted, again=self._limits.poll_floor)
            case Finished():
                return Step(job=await self._insist(lambda: self._journal.storing(job, answer)), again=0.0)
            case Failed():
                return Step(job=await self._insist(lambda: self._fail(job, answer)))

    async def _insist(self, write: Callable[[], Awaitable[Job]]) -> Job:
        """Write down a submit's answer however long the database is away: it exists nowhere else."""
        pause = 1.0
        while True:
            try:
                return await write()
            except AtelierError:
                raise
            except Exception:  # noqa: BLE001 - a full disk, a locked file, a lost connection
                _log.exception("submit.not_written", pause=pause)
            await self._clock.wait(asyncio.Event(), pause)
            pause = min(2 * pause, _LONGEST_INSISTING_PAUSE)

    async def interrupted(self, job: Job) -> Step:
        """An earlier process sent the job, or was about to: nobody can know, so it is never sent again."""
        _log.error("submit.interrupted", job=job.id, provider=job.provider)
        return Step(job=await self._journal.reply_lost(job))

    async def advance(self, job: Job, attempt: Attempt | None) -> Step:
        """Do what the job's state asks for."""
        if job.state.ended:
            self._progress.pop(job.id, None)
            return Step(job=job)
        match job.state:
            case State.HELD:
                return await self._look_at_waiting(job)
            case State.SUBMITTING | State.UNKNOWN:
                return Step(job=job)  # `submit` or `interrupted` has it
            case _:
                if self._age(job) > self._limits.hard_deadline:
                    _log.error("job.lost", job=job.id, provider=job.provider)
                    return self._ended(await self._journal.lost(job))
                assert attempt is not None, "a job at a provider has an attempt"  # noqa: S101 - an invariant
                if job.state is State.STORING:
                    return await self._store(job, attempt)
                return await self._follow(job, attempt)

    async def _look_at_waiting(self, job: Job) -> Step:
        if job.acknowledged_at is None:
            found = await self._observer.find_card(job)
            if found is None:
                return Step(job=job, again=self._limits.poll_ceiling)
            if not found:
                _log.warning("job.unacknowledged", job=job.id)
                return self._ended(await self._journal.failed(job, FaultKind.UNACKNOWLEDGED))
            await self._journal.acknowledged(job.id, None)
            return Step(job=job, again=0.0)
        if job.cancel_requested_at is not None:
            return self._ended(await self._journal.cancelled(job))
        age = self._age(job)
        if age > self._limits.hard_deadline:
            return self._ended(await self._journal.lost(job))
        # The dispatcher gives it a slot; this only sees to it that a job no provider takes ends some day.
        late = age > self._limits.soft_deadline
        deadline = self._limits.hard_deadline if late else self._limits.soft_deadline
        return Step(job=job, again=deadline - age + 1.0, show=late)

    async def _follow(self, job: Job, attempt: Attempt) -> Step:
        if attempt.handle is None:
            return self._ended(await self._journal.failed(job, FaultKind.MALFORMED))
        provider = self._providers.get(attempt.provider)
        progress = self._progress.setdefault(job.id, _Progress())
        if provider is None:
            # The operator took the provider out of the settings; it may come back.
            return self._later(job, progress)
        if job.cancel_requested_at is not None and not job.cancel_refused:
            step = await self._try_cancel(job, provider, attempt.handle, progress)
            if step is not None:
                return step
        try:
            status = await provider.poll(attempt.handle)
        except ProviderError as error:
            self._note_fault(error)
            return await self._poll_failed(job, progress, error)
        self._health.good(provider.name, self._clock.now())
        progress.not_found = 0
        if isinstance(status, Failed) and status.kind is FaultKind.ACCOUNT_EMPTY:
            self._health.bad(provider.name, status.kind, self._clock.now())
        match status:
            case Pending(running=True) if job.state is State.QUEUED:
                return self._later(await self._journal.running(job), progress)
            case Pending():
                return self._later(job, progress)
            case Finished():
                storing = await self._journal.storing(job, replace(status, handle=attempt.handle))
                return await self._store(storing, replace(attempt, result=status.image_urls))
            case Failed():
                return Step(job=await self._fail(job, status))
            case Cancelled():
                return self._ended(await self._journal.cancelled(job))

    async def _try_cancel(self, job: Job, provider: Provider, handle: str, progress: _Progress) -> Step | None:
        """Ask the provider to drop the job; None where its answer leaves it to the status."""
        try:
            outcome = await provider.cancel(handle)
        except ProviderError as error:
            _log.warning("cancel.failed", job=job.id, provider=provider.name, fault=error.kind)
            return None  # the status is read all the same: it may have finished
        match outcome:
            case CancelOutcome.CANCELLED:
                return self._ended(await self._journal.cancelled(job))
            case CancelOutcome.STARTED | CancelOutcome.UNSUPPORTED:
                return self._later(await self._journal.cancel_refused(job), progress, show=True)
            case CancelOutcome.READ_AGAIN | CancelOutcome.UNKNOWN_JOB:
                return None

    async def _poll_failed(self, job: Job, progress: _Progress, error: ProviderError) -> Step:
        _log.warning("poll.failed", job=job.id, provider=error.provider, fault=error.kind, detail=error.detail)
        if error.kind is FaultKind.NOT_FOUND:
            progress.not_found += 1
            if progress.not_found >= _NOT_FOUND_TRIES:
                return self._ended(await self._journal.failed(job, FaultKind.NOT_FOUND))
        step = self._later(job, progress)
        if error.retry_after is not None and step.again is not None:
            return replace(step, again=max(step.again, error.retry_after))
        return step

    async def _store(self, job: Job, attempt: Attempt) -> Step:
        progress = self._progress.setdefault(job.id, _Progress())
        progress.fetches += 1
        pictures: list[Picture] = []
        problems: list[PictureProblem] = []
        for url in attempt.result[: job.request.images]:
            try:
                stored = await self._keeper.keep(url)
            except PictureError as error:
                _log.warning("picture.unusable", job=job.id, provider=attempt.provider, problem=error.problem)
                problems.append(error.problem)
                continue
            pictures.append(
                Picture(
                    job_id=job.id,
                    position=len(pictures),
                    sha256=stored.sha256,
                    media_type=stored.media_type,
                    width=stored.width,
                    height=stored.height,
                    size=stored.size,
                )
            )
        if PictureProblem.UNREACHABLE in problems and progress.fetches < _FETCH_TRIES:
            return Step(job=job, again=2.0**progress.fetches)
        if not pictures:
            return self._ended(await self._journal.failed(job, FaultKind.NO_PICTURES))
        return self._ended(await self._journal.done(job, pictures))

    def _note_fault(self, error: ProviderError) -> None:
        if error.kind not in _THE_REQUEST_ITSELF:
            self._health.bad(error.provider, error.kind, self._clock.now())

    async def _fail(self, job: Job, answer: Failed) -> Job:
        _log.warning("job.failed", job=job.id, provider=job.provider, fault=answer.kind, detail=_reason(job, answer))
        self._progress.pop(job.id, None)
        return await self._journal.failed(job, answer.kind, answer)

    def _later(self, job: Job, progress: _Progress, *, show: bool = False) -> Step:
        progress.polls += 1
        late = not progress.told_late and self._age(job) > self._limits.soft_deadline
        progress.told_late = progress.told_late or late
        return Step(
            job=job,
            again=poll_pause(progress.polls, self._random.random(), self._limits),
            show=show or late,
        )

    def _ended(self, job: Job) -> Step:
        self._progress.pop(job.id, None)
        return Step(job=job)

    def _age(self, job: Job) -> float:
        return (self._clock.now() - job.created_at) / timedelta(seconds=1)


def _reason(job: Job, answer: Failed) -> str:
    """Return the provider's words without the prompt, which has no place in a log."""
    return answer.detail.replace(job.request.prompt, "(prompt)")

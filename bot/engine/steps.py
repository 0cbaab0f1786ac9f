"""One step of one job: ask the provider or the picture store, write down what came of it, say when to look again."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from bot.domain.errors import AtelierError, FaultKind, ProviderError, StaleJobError
from bot.domain.inputs import SERVED, InputPolicy
from bot.domain.jobs import Attempt, Job, State
from bot.domain.requests import GenerationRequest, offers_for
from bot.engine.breaker import Breakers
from bot.engine.claiming import Claim
from bot.engine.clock import Clock
from bot.engine.decisions import back_off, poll_pause, polls_by
from bot.engine.fetching import Fetched, Fetcher
from bot.engine.health import HealthBoard
from bot.engine.journal import Journal
from bot.engine.limits import Limits
from bot.engine.observer import JobObserver
from bot.engine.preparing import Preparer
from bot.images.keeper import PictureKeeper
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, Pending, Provider, Status, Submission

_log = structlog.get_logger(__name__)

# Discord takes an answer for 3 seconds; whatever is not there by now never will be.
ACKNOWLEDGED_WITHIN: Final = 20.0

# A status that is not found right after the submit may only be late.
_NOT_FOUND_TRIES: Final = 3
_NOT_FOUND_SECONDS: Final = 60.0
# Pictures are kept for a day and more by the providers, so an outage of theirs or of ours is waited out.
_FETCH_SECONDS: Final = 900.0
_LONGEST_FETCH_PAUSE: Final = 60.0
_LONGEST_POLL_PAUSE: Final = 60.0
_POLLS_AT_ONCE: Final = 64
_LOOK_AT_LATE_SECONDS: Final = 60.0
# A provider that calls by itself is asked this many times more slowly: polling is only the safety net then.
_HOOKED_SLOWER: Final = 4
_LONGEST_INSISTING_PAUSE: Final = 30.0
# Values that no database takes, or a fault of ours: another try would not fare better, and the job must end some day.
_NEVER_WRITTEN: Final = (ArithmeticError, ValueError, TypeError, DataError, IntegrityError, ProgrammingError)
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
    not_found_since: float = 0.0
    fetches: int = 0
    fetching_since: float = 0.0
    fetched: Fetched = field(default_factory=Fetched)
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
        breakers: Breakers,
        randomness: random.Random,
        policy: InputPolicy = SERVED,
    ) -> None:
        self._journal = journal
        self._providers = providers
        self._observer = observer
        self._clock = clock
        self._limits = limits
        self._health = health
        self._breakers = breakers
        self._random = randomness
        self._progress: dict[str, _Progress] = {}
        self._eras: dict[str, int] = {}
        # One for each provider, so that one which hangs does not keep the others' jobs waiting.
        self._polling = {provider: asyncio.Semaphore(_POLLS_AT_ONCE) for provider in providers}
        self._fetcher = Fetcher(keeper)
        self._preparer = Preparer(keeper, knows=policy.knows, served=policy.served)

    def room(self) -> dict[str, int]:
        """Return how many submits each provider may be sent now."""
        now = self._clock.monotonic()
        return {provider: self._breakers.room(provider, now) for provider in self._providers}

    def shut(self, request: GenerationRequest) -> bool:
        """Return whether every provider of what is asked for lets nobody in until its operator does something."""
        now = self._clock.monotonic()
        offers = offers_for(request, tuple(self._providers))
        return bool(offers) and all(self._breakers.shut(offer.provider, now) for offer in offers)

    def begun(self, claim: Claim) -> None:
        """Hear that a claimed job is about to be submitted: a provider in trouble gets one at a time."""
        self._eras[claim.job.id] = self._breakers.begun(claim.offer.provider, self._clock.monotonic())

    def next_probe(self) -> float | None:
        """Return the seconds until a provider that was in trouble may be tried again."""
        return self._breakers.next_change(self._clock.monotonic())

    def forget(self, job_id: str) -> None:
        """Forget a job that another worker has taken."""
        self._preparer.interrupt(job_id)
        self._preparer.forget(job_id)
        self._progress.pop(job_id, None)
        self._eras.pop(job_id, None)

    def interrupt(self, job_id: str) -> None:
        """Stop fetching what a job starts from: its member wants something else."""
        self._preparer.interrupt(job_id)

    async def submit(self, claim: Claim) -> Step:
        """Send a claimed job once, and write down what came of it."""
        job, provider = claim.job, claim.offer.provider
        url = None if claim.hook is None else claim.hook.url
        era = self._eras.pop(job.id, None)
        try:
            answer = await self._providers[provider].submit(job.request, claim.offer, webhook_url=url)
        except ProviderError as error:
            self._note_fault(error)
            self._trip(provider, error.kind, era)
            if error.maybe_accepted:
                _log.error("submit.reply_lost", job=job.id, provider=provider, fault=error.kind)
                return await self._reply_lost(job, hooked=url is not None)
            _log.warning("submit.refused", job=job.id, provider=provider, fault=error.kind, detail=error.detail)
            delay = back_off(job.tries + 1, self._random.random(), error)
            refused = await self._insist(partial(self._journal.refused, job, error, delay))
            return Step(job=refused, again=0.0 if refused.state is State.HELD else None)
        except Exception:  # noqa: BLE001 - whatever it was, it may have come after the request was sent
            _log.exception("submit.broke", job=job.id, provider=provider)
            self._trip(provider, FaultKind.REPLY_LOST, era)
            return await self._reply_lost(job, hooked=url is not None)
        self._health.good(provider, self._clock.now())
        self._hear_submit(provider, answer, era)
        try:
            return await self._submitted(job, answer)
        except StaleJobError:
            # Another worker has given it up meanwhile, but how the provider names it is known here alone.
            if answer.handle is not None:
                await self._journal.answered_late(job, answer.handle)
            raise

    def _hear_submit(self, provider: str, answer: Submission, era: int | None) -> None:
        if isinstance(answer, Failed) and answer.kind is FaultKind.ACCOUNT_EMPTY:
            self._trip(provider, answer.kind, era)
        elif isinstance(answer, Pending) and self._breakers.fault(provider) is FaultKind.ACCOUNT_EMPTY:
            pass  # a provider that takes what it cannot pay for is only believed once it has drawn something
        else:
            self._breakers.succeeded(provider, era)

    async def _submitted(self, job: Job, answer: Submission) -> Step:
        """Write down what a provider answered to a submit."""
        match answer:
            case Pending():
                accepted = await self._insist(lambda: self._journal.accepted(job, answer))
                return Step(job=accepted, again=self._limits.poll_floor)
            case Finished():
                return Step(job=await self._insist(lambda: self._journal.storing(job, answer)), again=0.0)
            case Failed():
                return Step(job=await self._insist(lambda: self._fail(job, answer)))

    async def _reply_lost(self, job: Job, *, hooked: bool) -> Step:
        """Write down that nobody knows what became of a submit."""
        unknown = await self._insist(partial(self._journal.reply_lost, job, hooked=hooked))
        # At once: a webhook may have been quicker than the reply, and have named the job to another process.
        return Step(job=unknown, again=None if unknown.state.ended else 0.0)

    async def _insist(self, write: Callable[[], Awaitable[Job]]) -> Job:
        """Write down a submit's answer however long the database is away: it exists nowhere else."""
        pause = 1.0
        while True:
            try:
                return await write()
            except (AtelierError, *_NEVER_WRITTEN):
                raise
            except Exception:  # noqa: BLE001 - a full disk, a locked file, a lost connection
                _log.exception("submit.not_written", pause=pause)
            await self._clock.wait(asyncio.Event(), pause)
            pause = min(2 * pause, _LONGEST_INSISTING_PAUSE)

    def overdue(self, job: Job) -> bool:
        """Return whether a job is past its hard deadline by more than the time in which its pictures may be fetched."""
        return self._age(job) > self._limits.hard_deadline + _FETCH_SECONDS

    async def abandon(self, job: Job) -> Step:
        """End a job in whatever state it is."""
        _log.error("job.abandoned", job=job.id, provider=job.provider, state=job.state)
        match job.state:
            case State.SUBMITTING:
                return self._ended(await self._journal.reply_lost(job, hooked=False))
            case State.UNKNOWN:
                return self._ended(await self._journal.give_up(job))
            case _:
                return self._ended(await self._journal.lost(job))

    async def interrupted(self, job: Job, attempt: Attempt | None) -> Step:
        """An earlier process sent the job, or was about to: nobody can know, so it is never sent again."""
        _log.error("submit.interrupted", job=job.id, provider=job.provider)
        return await self._reply_lost(job, hooked=attempt is not None and attempt.webhook_hash is not None)

    async def advance(self, job: Job, attempt: Attempt | None) -> Step:
        """Do what the job's state asks for."""
        if job.state.ended:
            self._progress.pop(job.id, None)
            return Step(job=job)
        match job.state:
            case State.HELD:
                return await self._look_at_waiting(job)
            case State.SUBMITTING:
                return Step(job=job)  # `submit` or `interrupted` has it
            case _:
                assert attempt is not None, "a job at a provider has an attempt"  # noqa: S101 - an invariant
                if job.state is State.UNKNOWN:
                    return await self._look_at_unknown(job, attempt)
                if job.state is State.STORING:
                    return await self._store(job, attempt)
                return await self._follow(job, attempt)

    async def _look_at_unknown(self, job: Job, attempt: Attempt) -> Step:
        """Read the status once a webhook has named the job; give up when none came in time."""
        waited = (self._clock.now() - attempt.started_at) / timedelta(seconds=1)
        provider = self._providers.get(attempt.provider)
        if attempt.handle is not None and provider is not None:
            status = await self._read(job, provider, attempt.handle)
            if isinstance(status, Finished):
                return Step(job=await self._journal.storing(job, status), again=0.0)
            if isinstance(status, Failed):
                return Step(job=await self._fail(job, status))
            if isinstance(status, Cancelled):
                return self._ended(await self._journal.failed(job, FaultKind.GENERATION))
        left = self._limits.unknown_wait - abs(waited)  # a clock that was set back must not hold it for ever
        if attempt.webhook_hash is None or left <= 0:
            _log.error("job.unknown", job=job.id, provider=attempt.provider)
            return self._ended(await self._journal.give_up(job))
        return Step(job=job, again=left if attempt.handle is None else min(left, self._limits.poll_ceiling))

    async def _read(self, job: Job, provider: Provider, handle: str) -> Status | ProviderError:
        """Read a job's status, and note what the answer says of the provider."""
        try:
            async with self._polling[provider.name]:
                status = await provider.poll(handle, hide=(job.request.prompt,))
        except ProviderError as error:
            self._note_fault(error)
            _log.warning("poll.failed", job=job.id, provider=error.provider, fault=error.kind, detail=error.detail)
            return error
        self._health.good(provider.name, self._clock.now())
        if isinstance(status, Failed) and status.kind is FaultKind.ACCOUNT_EMPTY:
            # SkillBoss takes jobs that it cannot pay for, and says so afterwards.
            self._health.bad(provider.name, status.kind, self._clock.now())
            self._trip(provider.name, status.kind)
        elif isinstance(status, Finished) and self._breakers.fault(provider.name) is FaultKind.ACCOUNT_EMPTY:
            self._breakers.succeeded(provider.name)
        return status

    async def reconcile(self, job: Job, attempt: Attempt | None) -> None:
        """Ask what became of a job that ended without its provider's answer; pictures that come now are free."""
        known_until = job.created_at + timedelta(seconds=self._limits.reconcile_for)
        provider = None if attempt is None else self._providers.get(attempt.provider)
        if attempt is None or attempt.handle is None or self._clock.now() > known_until:
            await self._journal.reconciled(job)
            return
        if provider is None:
            return  # the operator took it out of the settings; it may come back
        status = await self._read(job, provider, attempt.handle)
        if isinstance(status, Finished):
            fetched = Fetched()
            if await self._fetcher.fetch(job, attempt.provider, status.image_urls, fetched):
                pictures = fetched.pictures(job, status.image_urls)
                _log.info("job.came_late", job=job.id, provider=attempt.provider, pictures=len(pictures))
                await self._journal.reconciled(job, pictures, status.cost)
        elif isinstance(status, Failed | Cancelled) or _is_not_found(status):
            await self._journal.reconciled(job)

    async def _look_at_waiting(self, job: Job) -> Step:
        if job.acknowledged_at is None:
            young = ACKNOWLEDGED_WITHIN - self._age(job)
            if young > 0:
                return Step(job=job, again=min(young, ACKNOWLEDGED_WITHIN))  # its answer may be on the way
            found = await self._observer.find_card(job)
            if found is None:
                return Step(job=job, again=self._limits.poll_ceiling)
            if not found.there:
                _log.warning("job.unacknowledged", job=job.id)
                return self._ended(await self._journal.failed(job, FaultKind.UNACKNOWLEDGED))
            await self._journal.acknowledged(job.id, found.message_id)
            return Step(job=job, again=0.0)
        if job.cancel_requested_at is not None:
            return self._ended(await self._journal.cancelled(job))
        age = self._age(job)
        if age > self._limits.hard_deadline:
            return self._ended(await self._journal.lost(job))
        if not job.prepared:
            return await self._prepare(job)
        # The dispatcher gives it a slot; this only sees to it that a job no provider takes ends some day.
        late = age > self._limits.soft_deadline
        trouble = self._trouble(job) if late else None
        if trouble is not None:
            # Whoever offers this is in trouble and has been for long: the member is better told than kept waiting.
            return self._ended(await self._journal.failed(job, trouble))
        deadline = self._limits.hard_deadline if late else self._limits.soft_deadline
        again = min(deadline - age + 1.0, _LOOK_AT_LATE_SECONDS) if late else deadline - age + 1.0
        return Step(job=job, again=again, show=late)

    async def _prepare(self, job: Job) -> Step:
        """Fetch and check what the job starts from; then it stands in line, or fails."""
        outcome = await self._preparer.prepare(job, self._clock.monotonic())
        if isinstance(outcome, float):
            return Step(job=job, again=outcome)
        if outcome.fault is not None:
            _log.warning("job.unprepared", job=job.id, fault=outcome.fault)
            return self._ended(await self._journal.unprepared(job, outcome.fault, outcome.files))
        prepared = await self._journal.prepared(job, outcome.files)
        self._preparer.forget(job.id)
        return Step(job=prepared, again=0.0, show=True)

    def _trouble(self, job: Job) -> FaultKind | None:
        """Return what keeps every provider from taking the job; None while any might."""
        now, long = self._clock.monotonic(), self._limits.soft_deadline
        faults = [
            self._breakers.lasting(offer.provider, now, long)
            for offer in offers_for(job.request, tuple(self._providers))
        ]
        return None if None in faults else next(iter(faults), None)

    async def _follow(self, job: Job, attempt: Attempt) -> Step:
        if attempt.handle is None:
            return self._ended(await self._journal.failed(job, FaultKind.MALFORMED))
        provider = self._providers.get(attempt.provider)
        if job.id not in self._progress:
            polled = polls_by((self._clock.now() - attempt.started_at) / timedelta(seconds=1), self._limits)
            self._progress[job.id] = _Progress(polls=polled)
        progress = self._progress[job.id]
        hooked = attempt.webhook_hash is not None
        if provider is None:
            # The operator took the provider out of the settings; it may come back.
            return await self._later(job, progress, hooked=hooked)
        if job.cancel_requested_at is not None and not job.cancel_refused:
            outcome = await self._try_cancel(job, provider, attempt.handle)
            if outcome is CancelOutcome.CANCELLED:
                return self._ended(await self._journal.cancelled(job))
            if outcome in (CancelOutcome.STARTED, CancelOutcome.UNSUPPORTED):
                refused = await self._journal.cancel_refused(job)
                return await self._later(refused, progress, hooked=hooked, show=True)
        return await self._heard(job, attempt, progress, await self._read(job, provider, attempt.handle))

    async def _heard(self, job: Job, attempt: Attempt, progress: _Progress, status: Status | ProviderError) -> Step:
        """Write down what a job's status says."""
        hooked = attempt.webhook_hash is not None
        match status:
            case ProviderError():
                return await self._poll_failed(job, progress, status, hooked=hooked)
            case Pending(running=True) if job.state is State.QUEUED:
                progress.not_found = 0
                return await self._later(await self._journal.running(job), progress, hooked=hooked)
            case Pending():
                progress.not_found = 0
                return await self._later(job, progress, hooked=hooked)
            case Finished():
                storing = await self._journal.storing(job, replace(status, handle=attempt.handle))
                return await self._store(storing, replace(attempt, result=status.image_urls))
            case Failed():
                return Step(job=await self._fail(job, status))
            case Cancelled():
                return self._ended(await self._journal.cancelled(job))

    async def _try_cancel(self, job: Job, provider: Provider, handle: str) -> CancelOutcome | None:
        """Ask the provider to drop the job; None where it cannot be asked now."""
        try:
            return await provider.cancel(handle)
        except ProviderError as error:
            _log.warning("cancel.failed", job=job.id, provider=provider.name, fault=error.kind)
            return None  # the status is read all the same: it may have finished

    async def _poll_failed(self, job: Job, progress: _Progress, error: ProviderError, *, hooked: bool) -> Step:
        if error.kind is FaultKind.NOT_FOUND:
            now = self._clock.monotonic()
            if progress.not_found == 0:
                progress.not_found_since = now
            progress.not_found += 1
            long_gone = now - progress.not_found_since >= _NOT_FOUND_SECONDS
            if long_gone and progress.not_found >= _NOT_FOUND_TRIES:
                return self._ended(await self._journal.failed(job, FaultKind.NOT_FOUND))
        return await self._later(job, progress, hooked=hooked, at_least=error.retry_after or 0.0)

    async def _store(self, job: Job, attempt: Attempt) -> Step:
        progress = self._progress.setdefault(job.id, _Progress())
        now = self._clock.monotonic()
        if progress.fetches == 0:
            progress.fetching_since = now
        progress.fetches += 1
        complete = await self._fetcher.fetch(job, attempt.provider, attempt.result, progress.fetched)
        if not complete and now - progress.fetching_since <= _FETCH_SECONDS:
            return Step(job=job, again=min(2.0**progress.fetches, _LONGEST_FETCH_PAUSE))
        pictures = progress.fetched.pictures(job, attempt.result)
        if not pictures:
            known = not complete and attempt.handle is not None
            return self._ended(await self._journal.failed(job, FaultKind.NO_PICTURES, reconcile=known))
        return self._ended(await self._journal.done(job, pictures))

    def _trip(self, provider: str, fault: FaultKind, era: int | None = None) -> None:
        """Tell the provider's circuit breaker of a submit's fault, and the operator if that opens it."""
        before = self._breakers.fault(provider)
        self._breakers.failed(provider, fault, self._clock.monotonic(), era)
        if before is None and self._breakers.fault(provider) is not None:
            _log.error("provider.left_alone", provider=provider, fault=fault)

    def _note_fault(self, error: ProviderError) -> None:
        if error.kind not in _THE_REQUEST_ITSELF:
            self._health.bad(error.provider, error.kind, self._clock.now())

    async def _fail(self, job: Job, answer: Failed) -> Job:
        _log.warning("job.failed", job=job.id, provider=job.provider, fault=answer.kind, detail=answer.detail)
        self._progress.pop(job.id, None)
        return await self._journal.failed(job, answer.kind, answer)

    async def _later(
        self, job: Job, progress: _Progress, *, hooked: bool, show: bool = False, at_least: float = 0.0
    ) -> Step:
        """Look again after a pause, unless this was the last look before the hard deadline."""
        age = self._age(job)
        if age >= self._limits.hard_deadline:
            _log.error("job.lost", job=job.id, provider=job.provider)
            return self._ended(await self._journal.lost(job))
        late = age > self._limits.soft_deadline and not progress.told_late
        progress.told_late = progress.told_late or late
        pause = poll_pause(progress.polls, self._random.random(), self._limits) * (_HOOKED_SLOWER if hooked else 1)
        progress.polls += 1
        pause = min(max(pause, at_least), max(_LONGEST_POLL_PAUSE, self._limits.poll_floor))
        return Step(job=job, again=min(pause, self._limits.hard_deadline - age), show=show or late)

    def _ended(self, job: Job) -> Step:
        self._preparer.forget(job.id)
        self._progress.pop(job.id, None)
        return Step(job=job)

    def _age(self, job: Job) -> float:
        return (self._clock.now() - job.created_at) / timedelta(seconds=1)


def _is_not_found(answer: object) -> bool:
    return isinstance(answer, ProviderError) and answer.kind is FaultKind.NOT_FOUND

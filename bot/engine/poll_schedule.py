"""Time of a job's next poll, and the ends of patience."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.job_store import JobStore
from bot.engine.result_downloader import ResultDownloadProgress
from bot.engine.retry_policy import expected_polls, poll_pause
from bot.engine.step_result import StepResult

_log = structlog.get_logger(__name__)

LONGEST_POLL_PAUSE_SECONDS: Final = 60.0
ASK_SECONDS: Final = 30.0
"""Between two questions for a call without a reply: a provider may list it some time after its end."""

# A 404 right after the submit may only be a delay at the provider.
_NOT_FOUND_TRIES: Final = 3
_NOT_FOUND_SECONDS: Final = 60.0
# With a webhook, polling is only a safety net and this many times slower.
_CALLBACK_SLOWDOWN: Final = 4


@dataclass(slots=True)
class Absence:
    """Answers in a row without knowledge of a job."""

    tries: int = 0
    since: float = 0.0


@dataclass(slots=True)
class PollProgress:
    """Progress of a job between its steps.

    A restart loses it; the next step only comes sooner. `absences` are by the number of the call. `asked_at` is when
    the provider was asked for calls without a reply; `may_come` if it may know one later.
    """

    polls: int = 0
    absences: dict[int, Absence] = field(default_factory=dict)
    downloads: int = 0
    downloading_since: float = 0.0
    download: ResultDownloadProgress = field(default_factory=ResultDownloadProgress)
    asked_at: float | None = None
    may_come: bool = False
    slow_shown: bool = False
    hold_shown: bool = False


class PollSchedule:
    """Decides when jobs are polled, and keeps their progress."""

    def __init__(self, *, job_store: JobStore, clock: Clock, config: EngineConfig, randomness: random.Random) -> None:
        self._job_store = job_store
        self._clock = clock
        self._config = config
        self._random = randomness
        self._progress: dict[str, PollProgress] = {}

    def forget(self, job_id: str) -> PollProgress | None:
        """Forget an ended job, or a job of another worker; return its progress."""
        return self._progress.pop(job_id, None)

    def progress_of(self, job: Job, attempt: Attempt | None = None) -> PollProgress:
        """Return a job's progress.

        That of a job polled by an ended process goes on where it would be now; `attempt` tells its age.
        """
        if job.id not in self._progress:
            polls = 0
            if attempt is not None:
                seconds = (self._clock.now() - attempt.started_at) / timedelta(seconds=1)
                polls = expected_polls(seconds, self._config)
            self._progress[job.id] = PollProgress(polls=polls)
        return self._progress[job.id]

    async def next_poll(
        self,
        job: Job,
        progress: PollProgress,
        *,
        has_callback: bool,
        refresh_card: bool = False,
        at_least: float = 0.0,
    ) -> StepResult:
        """Return the pause to the next poll; past the hard deadline, give up."""
        age = self.age(job)
        if age >= self._config.hard_deadline:
            _log.error("job.lost", job=job.id, provider=job.provider)
            return StepResult(job=await self._job_store.mark_lost(job))
        late = age > self._config.soft_deadline and not progress.slow_shown
        progress.slow_shown = progress.slow_shown or late
        pause = poll_pause(progress.polls, self._random.random(), self._config) * (
            _CALLBACK_SLOWDOWN if has_callback else 1
        )
        progress.polls += 1
        pause = min(max(pause, at_least), max(LONGEST_POLL_PAUSE_SECONDS, self._config.poll_floor))
        return StepResult(
            job=job, next_step_in=min(pause, self._config.hard_deadline - age), refresh_card=refresh_card or late
        )

    def is_long_gone(self, progress: PollProgress, attempt: Attempt, error: ProviderError) -> bool:
        """Count a fault of a poll; return True if the call is long gone."""
        if error.kind is not FaultKind.NOT_FOUND:
            return False
        now = self._clock.monotonic()
        absence = progress.absences.setdefault(attempt.number, Absence(since=now))
        absence.tries += 1
        return now - absence.since >= _NOT_FOUND_SECONDS and absence.tries >= _NOT_FOUND_TRIES

    def may_ask(self, progress: PollProgress) -> bool:
        """Return whether to ask for calls without a reply now, and note it."""
        now = self._clock.monotonic()
        if progress.asked_at is not None and now - progress.asked_at < ASK_SECONDS:
            return False
        progress.asked_at = now
        return True

    def unknown_time_left(self, job: Job, attempt: Attempt) -> float:
        """Return the seconds left for news of a call after a lost reply.

        The wait ends before the card does, so that the card can show the end.
        """
        now = self._clock.now()
        waited = (now - attempt.started_at) / timedelta(seconds=1)
        left = self._config.unknown_wait - abs(waited)  # a clock set back must not hold credits for ever
        left = min(left, self.time_left(job))
        closes = job.card_closes_at
        return left if closes is None else min(left, (closes - now) / timedelta(seconds=1))

    def time_left(self, job: Job) -> float:
        """Return the seconds to a job's hard deadline."""
        return self._config.hard_deadline - self.age(job)

    def age(self, job: Job) -> float:
        """Return the seconds since a job was made."""
        return (self._clock.now() - job.created_at) / timedelta(seconds=1)

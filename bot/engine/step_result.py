"""What a step of a job comes to."""

from dataclasses import dataclass

from bot.domain.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The job after a step; `next_step_in` is the seconds to the next look (None: not by itself)."""

    job: Job
    next_step_in: float | None = None
    refresh_card: bool = False

"""The result of one step of a job."""

from dataclasses import dataclass

from bot.domain.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The job after a step.

    `next_step_in` is the seconds to the next step (None: none is scheduled). `refresh_card` redraws the card
    although the state is the same.
    """

    job: Job
    next_step_in: float | None = None
    refresh_card: bool = False

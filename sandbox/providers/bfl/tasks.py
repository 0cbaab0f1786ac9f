"""Tasks of the Black Forest Labs fake: validated bodies and poll replies."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from sandbox.providers.bfl.cases import ERROR, FAILURES, Failure
from sandbox.providers.bfl.models import Model, Values, check_size
from sandbox.providers.inputs import Input
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.schema import Mismatch, build_error, validate
from sandbox.providers.server import RequestError

_MEGAPIXEL: Final = 1_000_000
_CREDITS_PER_USD: Final = 100
INPUT_LIMITS: Final = "Value error, an image has 256x256 pixels to 16 megapixels, at most 64:1"
_MIN_SIDE_PIXELS: Final = 256
_MAX_PIXELS: Final = 16_000_000
_MAX_RATIO: Final = 64


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """A task beside its job.

    `failure` is the end that it will have or had. `polls` counts the reads while it works; `ended_at` is in Unix
    seconds. `decoded` are the inputs from its body, by their place in the list of inputs.
    """

    model: Model
    values: Values
    started_at: float
    decoded: dict[int, Input]
    failure: Failure | None = None
    case: str = ""
    polls: int = 0
    ended_at: float | None = None

    @property
    def cost(self) -> Decimal:
        """Return its price in US dollars."""
        return self.model.price(self.values, self.model.size(self.values, None))

    @property
    def input_megapixels(self) -> float:
        """Return the megapixels of the inputs in its body."""
        return round(sum(each.width * each.height for each in self.decoded.values()) / _MEGAPIXEL, 2)

    @property
    def has_webhook(self) -> bool:
        """Return whether its end is announced."""
        return self.values.get("webhook_url") is not None


def to_credits(usd: Decimal) -> float:
    """Return US dollars as credits of one cent."""
    return float(usd * _CREDITS_PER_USD)


def parse_body(model: Model, body: Any) -> Values:
    """Return the values of a submit.

    Raises:
        RequestError: A field is invalid or unknown.
    """
    values, errors = validate(model.schema, body, extra=False)
    if not errors:
        try:
            check_size(values)
        except Mismatch as error:
            errors = [build_error(error.type, error.message, ("body",), body)]
    if errors:
        raise invalid(errors)
    return values


def is_input_size(image: Input) -> bool:
    """Return whether an input is neither too small, too large nor too narrow."""
    sides = image.width, image.height
    is_narrow = max(sides) > _MAX_RATIO * min(sides)
    return min(sides) >= _MIN_SIDE_PIXELS and sides[0] * sides[1] <= _MAX_PIXELS and not is_narrow


def invalid(errors: list[dict[str, Any]]) -> RequestError:
    """Return the refusal of an invalid body."""
    return RequestError(422, "invalid body", body={"detail": errors})


def build_task(model: Model, values: Values, *, case: str, started_at: float, decoded: dict[int, Input]) -> Task:
    """Return a new task; a `case` may be its end."""
    return Task(
        model=model, values=values, case=case, started_at=started_at, decoded=decoded, failure=FAILURES.get(case)
    )


def build_job_request(task: Task, *, ratio: float | None = None) -> JobRequest:
    """Return the image to make; `ratio` is the first input's aspect ratio."""
    width, height = task.model.size(task.values, ratio)
    made = JobRequest(
        prompt=str(task.values["prompt"]),
        model=task.model.name,
        images=1,
        width=width,
        height=height,
        format=task.values.get("output_format") or "jpeg",
        cost=task.cost,
        input_urls=tuple(image for _, image in task.model.inputs(task.values)),
    )
    return replace(made, input_urls=()) if task.failure is not None else made


def task_body(job: Job, task: Task, *, sample: str | None) -> dict[str, Any]:
    """Return a task as a poll and a webhook have it."""
    body: dict[str, Any] = {"id": job.id, "status": _word(job, task), "result": None, "cost": to_credits(task.cost)}
    if job.state is State.IN_PROGRESS:
        body["progress"] = min(0.9, 0.1 + 0.2 * task.polls)
    if not job.terminal:
        return body
    if job.state is State.COMPLETED and task.failure is None:
        if sample is not None:
            body["result"] = _result(task, sample)
        return body
    failure = task.failure or Failure(word=ERROR, details={"error": job.error})
    body["details"] = failure.details
    if not failure.is_billed:
        body["cost"] = 0.0
    return body


def _word(job: Job, task: Task) -> str:
    match job.state:
        case State.IN_QUEUE:
            return "Pending"
        case State.IN_PROGRESS:
            return "Reasoning" if task.model.reasons and task.polls == 0 else "Generating"
        case _ if task.failure is not None:
            return task.failure.word
        case State.COMPLETED:
            return "Ready"
        case _:
            return ERROR


def _result(task: Task, sample: str) -> dict[str, Any]:
    ended_at = task.ended_at or task.started_at
    result = {
        "sample": sample,
        "prompt": f"{task.values['prompt']}, in fine detail",
        "start_time": task.started_at,
        "end_time": ended_at,
        "duration": round(ended_at - task.started_at, 3),
    }
    if "seed" in task.model.schema:
        result["seed"] = 7 if task.values["seed"] is None else task.values["seed"]
    return result

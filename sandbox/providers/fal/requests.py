"""Requests of the fal fake: the submit's options, and the job's outcome."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from sandbox.providers.fal.cases import FAILURES, Failure, invalid_input
from sandbox.providers.fal.endpoints import Endpoint
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.schema import validate
from sandbox.providers.server import RequestError

_QUEUED_AHEAD: Final = 2


@dataclass(slots=True, kw_only=True, eq=False)
class FalRequest:
    """A submitted request beside its job.

    `failure` is the end that it will have or had. `positions_left` counts down with each status read in the queue.
    `lifetime_seconds` is the one of its media, None for ever. Times are Unix seconds.
    """

    endpoint: Endpoint
    body: Any
    values: dict[str, Any]
    account: str
    sent_at: float
    ended_at: float | None = None
    state: State = State.IN_QUEUE
    failure: Failure | None = None
    case: str = ""
    positions_left: int = _QUEUED_AHEAD
    lifetime_seconds: float | None = None
    start_seconds: float | None = None
    is_stored: bool = True
    gateway_id: str = ""
    unknown_fields: tuple[str, ...] = ()

    @property
    def is_black(self) -> bool:
        """Return whether its pictures are black, for their refused content."""
        return self.case == "refused_output"

    @property
    def status_code(self) -> int:
        """Return the HTTP status of its result."""
        return 200 if self.failure is None else self.failure.status

    @property
    def prompt(self) -> str:
        """Return its prompt; empty if invalid."""
        return str(self.values.get("prompt") or "")

    @property
    def duration(self) -> float:
        """Return the seconds from the submit to the end; 0 before the end."""
        return round(max(0.0, (self.ended_at or self.sent_at) - self.sent_at), 3)

    def billed_units(self, job: Job) -> int:
        """Return the number of billed images of a job."""
        return job.request.images if self.failure is None and not job.empty else 0

    def price(self, job_request: JobRequest) -> Decimal:
        """Return the price of all its images."""
        return self.endpoint.price(self.values, (job_request.width, job_request.height)) * job_request.images


def build_request(
    endpoint: Endpoint, record: RecordedRequest, *, account: str, sent_at: float, gateway_id: str, case: str
) -> FalRequest:
    """Return the request of a submit; an invalid input becomes its failure.

    Raises:
        RequestError: The body is no JSON object, or a platform header is invalid.
    """
    if not isinstance(record.body, dict):
        raise bad_request("The request body must be a JSON object.")
    values, errors = validate(endpoint.schema, record.body)
    failure = invalid_input(errors) if errors else None
    if failure is None and case in FAILURES:
        failure = FAILURES[case](str(values["prompt"]))
    return FalRequest(
        endpoint=endpoint,
        body=record.body,
        values=values,
        account=account,
        sent_at=sent_at,
        failure=failure,
        case=case,
        lifetime_seconds=_lifetime(record.headers),
        start_seconds=_seconds(record.headers, "x-fal-request-timeout"),
        is_stored=record.headers.get("x-fal-store-io") != "0",
        gateway_id=gateway_id,
        unknown_fields=tuple(name for name in record.body if name not in endpoint.schema),
    )


def build_job_request(request: FalRequest, *, ratio: float | None = None) -> JobRequest:
    """Return the images to make; `ratio` is the first input's aspect ratio."""
    if request.failure is not None:
        cost = Decimal(0)
        return JobRequest(
            prompt=request.prompt, model=request.endpoint.id, images=1, width=64, height=64, format="png", cost=cost
        )
    values = request.values
    width, height = request.endpoint.size(values, ratio)
    urls = tuple(values.get("image_urls") or ())[-request.endpoint.inputs_used :]
    made = JobRequest(
        prompt=request.prompt,
        model=request.endpoint.id,
        images=values.get("num_images") or 1,
        width=width,
        height=height,
        format=values.get("output_format") or request.endpoint.default_format,
        cost=Decimal(0),
        input_urls=urls,
    )
    return replace(made, cost=request.price(made))


def bad_request(detail: str) -> RequestError:
    """Return the platform's error for an unreadable request."""
    body = {"detail": detail, "error_type": "bad_request"}
    return RequestError(400, detail, body=body, headers={"X-Fal-Error-Type": "bad_request"})


def _seconds(headers: Mapping[str, str], name: str) -> float | None:
    if name not in headers:
        return None
    try:
        seconds = float(headers[name])
    except ValueError as error:
        raise bad_request(f"{name} must be a number of seconds.") from error
    if not 0 < seconds < 86_400 * 366:
        raise bad_request(f"{name} must be a positive number of seconds.")
    return seconds


def _lifetime(headers: Mapping[str, str]) -> float | None:
    raw = headers.get("x-fal-object-lifecycle-preference")
    if raw is None:
        return None
    try:
        seconds = json.loads(raw)["expiration_duration_seconds"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise bad_request("x-fal-object-lifecycle-preference must be JSON.") from error
    if seconds is not None and (type(seconds) is not int or seconds < 1):
        raise bad_request("expiration_duration_seconds must be a positive integer.")
    return seconds

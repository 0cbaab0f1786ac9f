"""Named cases of the Black Forest Labs fake."""

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.cases import LOST_REPLIES, Case
from sandbox.providers.faults import Endpoint
from sandbox.providers.schema import build_error

ERROR: Final = "Error"
NOT_FOUND: Final = "Task not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The end of a task without a picture: its status word and details.

    A billed one costs as much as a picture. `http_status` is the one of the poll's reply.
    """

    word: str
    details: dict[str, Any] = field(default_factory=dict)
    http_status: int = 200
    is_billed: bool = False


_REASONS: Final = {"Moderation Reasons": ["Safety Filter"]}

FAILURES: Final = {
    "refused_input": Failure(word="Request Moderated", details={"Moderation Reasons": ["Derivative Works Filter"]}),
    "refused_output": Failure(word="Content Moderated", details=_REASONS, is_billed=True),
    "refused_output_free": Failure(word="Content Moderated", details=_REASONS),
    "failed": Failure(word=ERROR, details={"error": "Internal error"}),
    "failed_503": Failure(word=ERROR, details={"error": "Service overloaded"}, http_status=503),
    "moderated_503": Failure(word="Content Moderated", details=_REASONS, http_status=503),
}
"""Ends of a task, by case."""


def _case(status: int, detail: Any, **headers: str) -> Case:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case(status=status, body=lambda _: {"detail": detail}, headers=named)


def active_tasks_detail(most: int) -> str:
    """Return the text of a refusal for too many active tasks."""
    return f"You have exceeded the number of active tasks ({most}). Please wait for them to finish."


MAX_ACTIVE_TASKS: Final = 24

CASES: Final = {
    **LOST_REPLIES,
    # Replies to the submit; no task exists.
    "account_empty": _case(402, "Insufficient credits"),
    "key_refused": _case(401, "Not authenticated - Invalid Authentication"),
    "key_forbidden": _case(403, "Not authenticated"),
    "rate_limited": _case(429, active_tasks_detail(MAX_ACTIVE_TASKS), Retry_After="5"),
    "overloaded": _case(503, "Service unavailable"),
    "server_error": _case(500, "Internal Server Error"),
    "bad_request": _case(400, "Bad request"),
    "bad_input": Case(
        status=422,
        body=lambda prompt: {
            "detail": [build_error("value_error", "Value error, the prompt is invalid", ("body", "prompt"), prompt)]
        },
    ),
    "bad_input_text": Case(status=422, body=lambda prompt: {"detail": f"Invalid prompt: {prompt}"}),
    "unknown_field": Case(
        status=422,
        body=lambda _: {
            "detail": [build_error("extra_forbidden", "Extra inputs are not permitted", ("body", "seed"), 7)]
        },
    ),
    "model_retired": _case(404, "Not Found"),
    # Ends of the task.
    **{name: Case() for name in FAILURES},
    "nothing": Case(),  # Ready with the result null
    # Polls.
    "overloaded_task": Case(endpoint=Endpoint.STATUS),  # HTTP 503 with the task's normal body
    "task_not_found": Case(endpoint=Endpoint.STATUS),
    # Pictures.
    "sample_expired": Case(endpoint=Endpoint.PICTURE),
    # Webhooks.
    "bad_signature": Case(endpoint=Endpoint.WEBHOOK),
}

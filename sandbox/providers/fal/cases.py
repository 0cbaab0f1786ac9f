"""Named cases of the fal fake: refusals, failures and broken webhooks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.cases import LOST_REPLIES, Case
from sandbox.providers.faults import Endpoint
from sandbox.providers.schema import build_error

POLICY: Final = "The content could not be processed because it contained material flagged by a content checker."
NOT_FOUND: Final = {"status": "NOT_FOUND"}
_DOCUMENTATION: Final = "https://docs.fal.ai/errors#"
_TOP_UP: Final = "Top up your balance at fal.ai/dashboard/billing."


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The end of a failed job: the reply of its result, and its error type."""

    status: int
    body: dict[str, Any]
    error_type: str
    is_retryable: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def model_error(
    status: int, type_: str, message: str, location: tuple[str | int, ...], quoted: Any, **context: Any
) -> Failure:
    """Return a model's failure; its error list quotes the input."""
    error = build_error(type_, message, location, quoted, **context) | {"url": f"{_DOCUMENTATION}{type_}"}
    return Failure(status=status, body={"detail": [error]}, error_type=type_)


def invalid_input(errors: list[dict[str, Any]]) -> Failure:
    """Return the failure of an input with these errors."""
    return Failure(status=422, body={"detail": errors}, error_type=errors[0]["type"])


def platform_error(status: int, type_: str, detail: str, *, is_retryable: bool = False) -> Failure:
    """Return a failure of the platform around the model."""
    body = {"detail": detail, "error_type": type_}
    return Failure(status=status, body=body, error_type=type_, is_retryable=is_retryable)


def download_error(at: int, url: str) -> Failure:
    """Return the failure of an input without a download."""
    message = "Failed to download the file. Please check if the URL is accessible and try again."
    return model_error(422, "file_download_error", message, ("body", "image_urls", at), url)


def locked(reason: str) -> dict[str, Any]:
    """Return the body of a locked account."""
    return {"detail": f"User is locked. Reason: {reason}. {_TOP_UP}"}


CANCELLED: Final = platform_error(499, "client_cancelled", "Request was cancelled by the client")


def _of_prompt(status: int, type_: str, message: str) -> Callable[[str], Failure]:
    return lambda prompt: model_error(status, type_, message, ("body", "prompt"), prompt)


def _of_image(type_: str, message: str, **context: Any) -> Callable[[str], Failure]:
    return lambda _: model_error(422, type_, message, ("body", "image_urls", 0), "https://files.example/a", **context)


def _of_platform(status: int, type_: str, detail: str) -> Callable[[str], Failure]:
    return lambda _: platform_error(status, type_, detail, is_retryable=status >= 503)  # noqa: PLR2004 - the statuses to try again


FAILURES: Final[dict[str, Callable[[str], Failure]]] = {
    "refused_input": _of_prompt(422, "content_policy_violation", POLICY),
    "refused_input_text": lambda prompt: Failure(
        status=422, body={"detail": f"{POLICY} Prompt: {prompt}"}, error_type="content_policy_violation"
    ),
    "bad_input": lambda _: download_error(0, "https://files.example/a.png"),
    "file_too_large": _of_image("file_too_large", "File size exceeds the maximum allowed size.", max_size=20_971_520),
    "image_too_large": _of_image("image_too_large", "Image dimensions are too large.", max_height=4096, max_width=4096),
    "image_too_small": _of_image("image_too_small", "Image dimensions are too small.", min_height=256, min_width=256),
    "feature_not_supported": _of_prompt(422, "feature_not_supported", "This feature is not supported."),
    "generation_timeout": _of_prompt(504, "generation_timeout", "The generation took too long."),
    "downstream_error": _of_prompt(502, "downstream_service_error", "A downstream service failed."),
    "internal_error": _of_prompt(500, "internal_server_error", "Internal server error."),
    "startup_timeout": _of_platform(504, "startup_timeout", "The runner did not start in time."),
    "request_timeout": _of_platform(504, "request_timeout", "The request did not finish in time."),
    "runner_disconnected": _of_platform(500, "runner_disconnected", "The runner disconnected."),
    "runner_scheduling_failure": _of_platform(500, "runner_scheduling_failure", "No runner could be scheduled."),
}
"""Ends of a job, by case: built from the prompt."""


def _case(status: int, body: Any, *, headers: dict[str, str] | None = None) -> Case:
    return Case(status=status, body=lambda _: body, headers=headers or {})


def _typed(status: int, type_: str, detail: str, **headers: str) -> Case:
    return _case(
        status,
        {"detail": detail, "error_type": type_},
        headers={"X-Fal-Error-Type": type_, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )


CASES: Final = {
    **LOST_REPLIES,
    # Replies to the submit; no job exists.
    "account_empty": _case(403, locked("Exhausted balance")),
    "account_top_up": _case(403, locked("TOP_UP")),
    "account_locked": _case(403, locked("Admin lock")),
    "key_refused": _case(401, {"detail": "Authentication is required to access this application."}),
    "rate_limited": _typed(429, "concurrent_requests_limit", "Too many concurrent requests.", Retry_After="3"),
    "overloaded": _typed(504, "startup_timeout", "The runner did not start in time.", X_Fal_Needs_Retry="1"),
    "server_error": _typed(500, "runner_connection_error", "The runner could not be reached."),
    "model_retired": _case(404, {"detail": "Application not found"}),
    "bad_request": _typed(400, "bad_request", "The request could not be read."),
    # Ends of the job.
    **{name: Case() for name in FAILURES},
    "refused_output": Case(),  # a black picture with has_nsfw_concepts
    "nothing": Case(),  # images: []
    # Cancelling.
    "cancel_obeyed": Case(endpoint=Endpoint.CANCEL),  # the running model stops
    # Pictures.
    "picture_gone": Case(endpoint=Endpoint.PICTURE, status=404, body=lambda _: {"detail": "Not Found"}),
    # Webhooks.
    "bad_signature": Case(endpoint=Endpoint.WEBHOOK),
    "old_timestamp": Case(endpoint=Endpoint.WEBHOOK),
    "payload_null": Case(endpoint=Endpoint.WEBHOOK),
    "webhook_error": Case(endpoint=Endpoint.WEBHOOK),  # ERROR, whatever the result is
    # The platform's list of requests.
    "history_empty": Case(endpoint=Endpoint.ACCOUNT),
    "history_twin": Case(endpoint=Endpoint.ACCOUNT),  # the latest request is listed twice, with two ids
    "history_without_payloads": Case(endpoint=Endpoint.ACCOUNT),
}

"""Documented errors and refusals of Gemini's API, and its named cases."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.providers.cases import LOST_REPLIES, Case

STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
BLOCK_REASONS: Final = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY")
REFUSED_REASONS: Final = (
    "SAFETY",
    "IMAGE_SAFETY",
    "PROHIBITED_CONTENT",
    "IMAGE_PROHIBITED_CONTENT",
    "BLOCKLIST",
    "SPII",
    "RECITATION",
    "IMAGE_RECITATION",
)
FAILED_REASONS: Final = ("NO_IMAGE", "IMAGE_OTHER")
_TYPE: Final = "type.googleapis.com/google.rpc."


def error_body(code: int, message: str, *, status: str | None = None, details: list[Any] | None = None) -> Any:
    """Return an error in the documented envelope."""
    status = status or STATUSES.get(code, "UNKNOWN")
    return {"error": {"code": code, "message": message, "status": status, "details": details or []}}


def _error(code: int, message: str, *, status: str | None = None, details: list[Any] | None = None) -> Case:
    def build(prompt: str) -> Any:
        return error_body(code, message.replace("{prompt}", prompt), status=status, details=details)

    return Case(status=code, body=build)


def _blocked(reason: str) -> Callable[[str], Any]:
    return lambda _: {
        "promptFeedback": {"blockReason": reason},
        "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
        "modelVersion": "sandbox",
        "responseId": "blocked",
    }


def _unfinished(reason: str) -> Callable[[str], Any]:
    return lambda _: {
        "candidates": [{"content": {"role": "model"}, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
        "modelVersion": "sandbox",
        "responseId": "unfinished",
    }


KEY_INVALID: Final = _error(
    400,
    "API key not valid. Please pass a valid API key.",
    details=[{"@type": f"{_TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
)
PREPAY_EMPTY: Final = _error(402, "Your prepayment credits are depleted.")
_EXHAUSTED: Final = "You exceeded your current quota, please check your plan and billing details."

CASES: Final[Mapping[str, Case]] = {
    **LOST_REPLIES,
    **{f"refused_input_{each.lower()}": Case(body=_blocked(each)) for each in BLOCK_REASONS},
    **{f"refused_output_{each.lower()}": Case(body=_unfinished(each), late=True) for each in REFUSED_REASONS},
    **{f"failed_{each.lower()}": Case(body=_unfinished(each), late=True) for each in FAILED_REASONS},
    "refused_input": Case(body=_blocked("PROHIBITED_CONTENT")),
    "refused_output": Case(body=_unfinished("IMAGE_SAFETY"), late=True),
    "nothing": Case(),  # a STOP with text only
    "only_thoughts": Case(),  # thoughts without a picture
    "account_empty": PREPAY_EMPTY,
    "account_empty_quota": _error(429, _EXHAUSTED),
    "account_empty_billing": _error(400, "Billing is not enabled for this project.", status="FAILED_PRECONDITION"),
    "region_refused": _error(400, "User location is not supported for the API use.", status="FAILED_PRECONDITION"),
    "key_refused": KEY_INVALID,
    "key_forbidden": _error(403, "The caller does not have permission."),
    "key_unauthenticated": _error(401, "Request had invalid authentication credentials."),
    "rate_limited": _error(429, _EXHAUSTED, details=[{"@type": f"{_TYPE}RetryInfo", "retryDelay": "37s"}]),
    "overloaded": _error(503, "The model is overloaded. Please try again later."),
    "server_error": _error(500, "An internal error has occurred."),
    "deadline": _error(504, "The request timed out."),
    "bad_input": _error(400, "Invalid value at 'contents[0].parts[0]' (TYPE_STRING), \"{prompt}\""),
    "model_retired": _error(404, "models/gemini-2.5-flash-image is not found for API version v1beta."),
}

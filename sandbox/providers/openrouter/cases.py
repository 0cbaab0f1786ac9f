"""Documented errors of OpenRouter's Image API, and its named cases."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.providers.cases import LOST_REPLIES, Case

_MAX_FLAGGED_CHARS: Final = 100
_TYPES: Final = {
    400: "invalid_request",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    500: "server",
    502: "provider_unavailable",
    503: "provider_overloaded",
}


def error_body(code: int, message: str, *, error_type: str | None = None) -> Any:
    """Return an error in the documented envelope."""
    metadata = {"error_type": error_type or _TYPES.get(code, "unmapped")}
    return {"error": {"code": code, "message": message, "metadata": metadata}}


def _error(
    code: int,
    message: str,
    *,
    error_type: str | None = None,
    headers: Mapping[str, str] | None = None,
    late: bool = False,
) -> Case:
    def build(prompt: str) -> Any:
        return error_body(code, message.replace("{prompt}", prompt), error_type=error_type)

    return Case(status=code, body=build, headers=headers or {}, late=late)


def _flagged(prompt: str) -> Any:
    """Return a moderation error; it quotes at most 100 characters."""
    half = _MAX_FLAGGED_CHARS // 2
    quoted = prompt if len(prompt) <= _MAX_FLAGGED_CHARS else f"{prompt[:half]}...{prompt[-half:]}"
    metadata = {
        "reasons": ["violence"],
        "flagged_input": quoted,
        "provider_name": "OpenAI",
        "model_slug": "openai/gpt-image-2.5-flare",
    }
    return {"error": {"code": 403, "message": "Your input was flagged by moderation.", "metadata": metadata}}


def _guardrail(prompt: str) -> Any:
    metadata = {"patterns": [prompt]}
    message = "Request blocked: prompt injection patterns detected"
    return {"error": {"code": 403, "message": message, "metadata": metadata}}


NO_CREDITS: Final = _error(402, "Insufficient credits. Add more using https://openrouter.ai/credits")

CASES: Final[Mapping[str, Case]] = {
    **LOST_REPLIES,
    "refused_input": _error(
        400, "The request was rejected by a content filter: {prompt}", error_type="content_policy_violation"
    ),
    "refused_input_flagged": Case(status=403, body=_flagged),
    "refused_input_guardrail": Case(status=403, body=_guardrail),
    "refused_output": _error(400, "The model refused to create this image.", error_type="refusal", late=True),
    "nothing": Case(),
    "fewer": Case(),  # one picture less than asked for
    "first_provider_down": Case(),  # a fallback at the next provider's price, if allowed
    "account_empty": NO_CREDITS,
    "key_refused": _error(401, "User not found."),
    "key_forbidden": _error(403, "This key may not use this model."),
    "rate_limited": _error(429, "Rate limit exceeded", headers={"Retry-After": "15"}),
    "overloaded": _error(502, "Provider returned error"),
    "overloaded_all": _error(529, "Provider overloaded", error_type="provider_overloaded"),
    "no_provider": _error(503, "No available model provider meets your routing requirements"),
    "server_error": _error(500, "Internal Server Error"),
    "edge_timeout": _error(524, "Edge network timeout", error_type="timeout", late=True),
    "timeout": _error(408, "Request timed out", error_type="timeout", late=True),
    "too_large": _error(413, "Request body too large"),
    "bad_input": _error(400, "Could not download input_references[0]", error_type="image_download_failed"),
    "bad_input_format": _error(400, "Unsupported image", error_type="unsupported_image_format"),
    "bad_input_large": _error(400, "Image too large", error_type="image_too_large"),
    "bad_input_small": _error(400, "Image too small", error_type="image_too_small"),
    "model_retired": _error(404, "No endpoints found for this model."),
}

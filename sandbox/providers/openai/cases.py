"""Documented errors of OpenAI's Images API, and its named cases."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.providers.cases import LOST_REPLIES, Case

_USER_ERROR: Final = "image_generation_user_error"
_REQUEST_ERROR: Final = "invalid_request_error"


def error_body(message: str, *, kind: str = _REQUEST_ERROR, param: str | None = None, code: str | None) -> Any:
    """Return an error in the documented envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _error(message: str, **fields: Any) -> Callable[[str], Any]:
    """Return a body builder; it replaces `{prompt}` in the message."""
    return lambda prompt: error_body(message.replace("{prompt}", prompt), **fields)


def _blocked(stage: str) -> Callable[[str], Any]:
    def build(_: str) -> Any:
        body = error_body(
            "Your request was rejected by the safety system. If you believe this is an error, contact us at "
            "help.openai.com and include the request ID. safety_violations=[violence].",
            kind=_USER_ERROR,
            code="moderation_blocked",
        )
        body["error"]["moderation_details"] = {"categories": ["violence"], "moderation_stage": stage}
        return body

    return build


_POLICY: Final = "This request has been blocked by our content filters: {prompt}"


def _azure_inner(prompt: str) -> Any:
    body = error_body(_POLICY.replace("{prompt}", prompt), code="BadRequest")
    body["error"]["inner_error"] = {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_results": {"violence": {"filtered": True, "severity": "medium"}},
        "error_code": "content_policy_violation",
    }
    return body


_LIMIT: Final = _error(
    "Rate limit reached for images per minute. Limit: 5 / 1min.", kind="requests", code="rate_limit_exceeded"
)
_QUOTA: Final = _error(
    "You exceeded your current quota, please check your plan and billing details.",
    kind="insufficient_quota",
    code="insufficient_quota",
)
_FAILED: Final = _error("The server had an error while processing your request.", kind="server_error", code=None)

CASES: Final[Mapping[str, Case]] = {
    **LOST_REPLIES,
    "refused_input": Case(status=400, body=_blocked("input")),
    "refused_output": Case(status=400, body=_blocked("output"), late=True),
    "refused_unknown_stage": Case(status=400, body=_blocked("unknown"), late=True),
    "refused_policy": Case(status=400, body=_error(_POLICY, kind=_USER_ERROR, code="content_policy_violation")),
    "refused_azure_inner_error": Case(status=400, body=_azure_inner),
    "refused_xai_picture": Case(),  # a 200 with respect_moderation false
    "nothing": Case(),
    "no_usage": Case(),
    "account_empty": Case(status=429, body=_QUOTA),
    "account_empty_hard_limit": Case(
        status=400,
        body=_error("Billing hard limit has been reached.", kind=_USER_ERROR, code="billing_hard_limit_reached"),
    ),
    "key_refused": Case(status=401, body=_error("Incorrect API key provided: sk-...ab12.", code="invalid_api_key")),
    "key_unverified": Case(
        status=403,
        body=_error("Your organization must be verified to use the model `gpt-image-2.6-flare`.", code=None),
    ),
    "rate_limited": Case(status=429, body=_LIMIT, headers={"Retry-After": "12"}),
    "rate_limited_reset": Case(
        status=429,
        body=_LIMIT,
        headers={"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-reset-tokens": "250ms"},
    ),
    "overloaded": Case(
        status=503, body=_error("The engine is currently overloaded.", kind="service_unavailable", code=None)
    ),
    "server_error": Case(status=500, body=_FAILED),
    "server_error_late": Case(status=500, body=_FAILED, late=True),
    "bad_input": Case(status=400, body=_error("Invalid value: '{prompt}'.", param="prompt", code="invalid_value")),
    "model_retired": Case(
        status=404,
        body=_error("The model `gpt-image-1` does not exist or you do not have access to it.", code="model_not_found"),
    ),
}

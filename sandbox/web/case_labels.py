"""Words for the named cases of the fakes, in groups."""

from collections.abc import Mapping
from typing import Final

REFUSALS: Final = "Refusals"
ACCOUNT: Final = "Account and limits"
ERRORS: Final = "Errors and lost replies"
RESULTS: Final = "The job itself"

_LOST: Final = {
    "reply_lost": "Reply lost: it was done all the same",
    "reply_half": "Half a reply: it was done all the same",
}
_NOTHING: Final = {"nothing": "Done, but without a picture"}
_KEY: Final = "Key refused"

CASE_LABELS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "fal": {
        REFUSALS: {
            "refused_input": "Prompt refused",
            "refused_input_text": "Prompt refused, with a plain text",
            "refused_output": "Picture refused: a black one comes",
        },
        ACCOUNT: {
            "account_empty": "Account locked: balance exhausted",
            "account_top_up": "Account locked: top up",
            "account_locked": "Account locked by fal",
            "key_refused": _KEY,
            "rate_limited": "Too many jobs at once, retry after 3 s",
        },
        ERRORS: {
            **_LOST,
            "history_empty": "History without the job (play with a lost reply)",
            "history_twin": "History with the job twice (play with a lost reply)",
            "history_without_payloads": "History without prompts (play with a lost reply)",
            "overloaded": "No runner started in time",
            "server_error": "Runner out of reach",
            "bad_request": "Request unreadable",
            "model_retired": "Model gone",
        },
        RESULTS: {
            **_NOTHING,
            "bad_input": "Input image cannot be fetched",
            "file_too_large": "Input file too large",
            "image_too_large": "Input image too large",
            "image_too_small": "Input image too small",
            "feature_not_supported": "Feature not supported",
            "generation_timeout": "Generation took too long",
            "downstream_error": "Service behind the model failed",
            "internal_error": "Internal error of the model",
            "startup_timeout": "Runner did not start in time",
            "request_timeout": "Job did not end in time",
            "runner_disconnected": "Runner disconnected",
            "runner_scheduling_failure": "No runner for the job",
        },
        "Cancel": {"cancel_obeyed": "Running job really stops"},
        "Pictures": {"picture_gone": "404 Picture is gone"},
        "Webhooks": {
            "bad_signature": "Webhook with a false signature",
            "old_timestamp": "Webhook signed long ago",
            "payload_null": "Webhook without its result",
            "webhook_error": "Webhook claims an error",
        },
    },
    "bfl": {
        REFUSALS: {
            "refused_input": "Prompt refused",
            "refused_output": "Picture refused, and billed",
            "refused_output_free": "Picture refused, not billed",
            "moderated_503": "Picture refused, in a 503",
        },
        ACCOUNT: {
            "account_empty": "Credits used up",
            "key_refused": _KEY,
            "key_forbidden": "No key sent",
            "rate_limited": "Too many active tasks, retry after 5 s",
        },
        ERRORS: {
            **_LOST,
            "overloaded": "Overloaded",
            "server_error": "Server error",
            "bad_request": "Bad request",
            "bad_input": "Prompt invalid",
            "bad_input_text": "Prompt invalid, with a plain text",
            "unknown_field": "Unknown field in the request",
            "model_retired": "Model gone",
        },
        RESULTS: {
            **_NOTHING,
            "failed": "Task fails: internal error",
            "failed_503": "Task fails: overloaded, in a 503",
        },
        "Status": {
            "overloaded_task": "503 with the task's normal state",
            "task_not_found": "Task unknown",
        },
        "Pictures": {"sample_expired": "Picture's address has expired"},
        "Webhooks": {"bad_signature": "Webhook with a false signature"},
    },
    "openai": {
        REFUSALS: {
            "refused_input": "Prompt refused",
            "refused_output": "Picture refused",
            "refused_unknown_stage": "Refused, without its stage",
            "refused_policy": "Prompt refused by a content filter",
        },
        ACCOUNT: {
            "account_empty": "Quota used up",
            "account_empty_hard_limit": "Billing limit reached",
            "key_refused": _KEY,
            "key_unverified": "Organization not verified",
            "rate_limited": "Too many pictures, retry after 12 s",
            "rate_limited_reset": "Too many pictures, reset in 1 min 30 s",
        },
        ERRORS: {
            **_LOST,
            "overloaded": "Overloaded",
            "server_error": "Server error at once",
            "server_error_late": "Server error after the work",
            "bad_input": "Prompt invalid, and quoted",
            "model_retired": "Model gone",
        },
        RESULTS: {**_NOTHING, "no_usage": "Picture without a token count"},
    },
    "openrouter": {
        REFUSALS: {
            "refused_input": "Prompt refused, and quoted",
            "refused_input_flagged": "Prompt flagged by moderation",
            "refused_input_guardrail": "Prompt blocked by a guardrail",
            "refused_output": "Picture refused by the model",
        },
        ACCOUNT: {
            "account_empty": "Credits used up",
            "key_refused": _KEY,
            "key_forbidden": "Key not allowed for this model",
            "rate_limited": "Too many requests, retry after 15 s",
        },
        ERRORS: {
            "reply_lost": "Reply lost: not billed",
            "reply_half": "Half a reply: not billed",
            "overloaded": "Provider behind OpenRouter failed",
            "overloaded_all": "Provider overloaded",
            "no_provider": "No provider for the request",
            "server_error": "Server error",
            "edge_timeout": "Network timeout after the work",
            "timeout": "Timeout after the work",
            "too_large": "Request too large",
            "bad_input": "Input image cannot be fetched",
            "bad_input_format": "Input format not supported",
            "bad_input_large": "Input image too large",
            "bad_input_small": "Input image too small",
            "model_retired": "Model gone",
        },
        RESULTS: {
            **_NOTHING,
            "fewer": "One picture less than asked for",
            "first_provider_down": "First provider down, another one works",
        },
    },
    "gemini": {
        REFUSALS: {
            "refused_input": "Prompt refused",
            "refused_output": "Picture refused",
        },
        ACCOUNT: {
            "account_empty": "Prepaid credits used up",
            "account_empty_quota": "Quota used up",
            "account_empty_billing": "Billing not enabled",
            "region_refused": "Location not supported",
            "key_refused": _KEY,
            "key_forbidden": "Key without permission",
            "key_unauthenticated": "Credentials invalid",
            "rate_limited": "Too many requests, retry after 37 s",
        },
        ERRORS: {
            **_LOST,
            "overloaded": "Model overloaded",
            "server_error": "Server error",
            "deadline": "Deadline exceeded",
            "bad_input": "Prompt invalid, and quoted",
            "model_retired": "Model gone",
        },
        RESULTS: {
            **_NOTHING,
            "only_thoughts": "Thoughts, but no picture",
            "failed_no_image": "Ended without a picture",
            "failed_image_other": "Ended for another reason",
        },
    },
    "comfyui": {
        ERRORS: {
            **_LOST,
            "model_retired": "Workflow refused: model file missing",
            "invalid_prompt": "Workflow refused: node missing",
            "no_prompt": "Workflow refused: empty",
            "no_outputs": "Workflow refused: no outputs",
            "key_refused": "Proxy asks for a password",
        },
        RESULTS: {
            **_NOTHING,
            "partial_errors": "Some nodes are invalid, the rest runs",
            "execution_error": "Node fails",
            "out_of_memory": "Graphics card out of memory",
            "interrupted": "Interrupted by somebody else",
            "forgotten": "Forgotten, as after a restart",
            "long_queue": "12 workflows of others come first",
        },
        "Pictures": {"view_gone": "404 Picture is gone"},
    },
}
"""Label of each case, by service and group.

Cases with the effect of another one are left out: Gemini's other reasons, ComfyUI's bad input. So are those of other
profiles of OpenAI's fake.
"""

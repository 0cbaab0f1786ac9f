"""Results of fal's requests: images, refusals and failures."""

from typing import Any, Final

from bot.domain.errors import FaultKind
from bot.providers.base import Cancelled, Failed, Finished
from bot.providers.error_details import Reason, failure_kind, reason_of
from bot.providers.http import Answer, ProviderHttp
from bot.providers.parsing import image_urls
from bot.providers.redaction import is_code

CANCELLED: Final = "client_cancelled"
_TYPE_HEADER: Final = "x-fal-error-type"
_OF_THE_READ: Final = frozenset({401, 403, 404, 429})
_SERVER_ERROR: Final = 500
_INVALID: Final = frozenset({400, 422})
_KINDS: Final = {
    "content_policy_violation": FaultKind.CONTENT,
    "file_download_error": FaultKind.INPUT_NOT_FETCHED,
    "file_too_large": FaultKind.INPUT_TOO_LARGE,
    "image_too_large": FaultKind.INPUT_TOO_LARGE,
    "image_too_small": FaultKind.INPUT_TOO_SMALL,
    "request_timeout": FaultKind.UNAVAILABLE,
    "startup_timeout": FaultKind.UNAVAILABLE,
    "internal_error": FaultKind.SERVER_ERROR,
}
_RUNNER: Final = "runner_"


def finished(document: dict[str, Any], *, handle: str, record_id: str | None) -> Finished | Failed:
    """Return the end of a successful request.

    An image with a flag in `has_nsfw_concepts` is a black one, so it is left out; it is billed.
    """
    listed = document.get("images")
    images = listed if isinstance(listed, list) else []
    flags = document.get("has_nsfw_concepts")
    flags = flags if isinstance(flags, list) else []
    shown = [image for at, image in enumerate(images) if flags[at : at + 1] != [True]]
    if urls := image_urls(shown):
        return Finished(image_urls=urls, handle=handle, record_id=record_id)
    if len(shown) < len(images):
        return Failed(kind=FaultKind.CONTENT, handle=handle, record_id=record_id, made_images=True)
    return Failed(kind=FaultKind.NO_PICTURES, handle=handle, record_id=record_id)


def is_failure(answer: Answer, *, announced: bool) -> bool:
    """Return whether an error is the request's own, not its read's.

    `announced`: the status named it.
    """
    detail = answer.document.get("detail") if isinstance(answer.document, dict) else None
    if announced or isinstance(detail, list):  # a model lists its errors, the platform does not
        return True
    return answer.status not in _OF_THE_READ and answer.status < _SERVER_ERROR


def failed(answer: Answer, http: ProviderHttp, *, named: str, handle: str, hide: tuple[str, ...]) -> Failed | Cancelled:
    """Return the end of a failed request; `named` is its type in the status."""
    found = reason_of(answer.document)
    codes = tuple(dict.fromkeys(code for code in (named, error_type(answer), *found.codes) if code))
    if CANCELLED in codes:
        return Cancelled(handle=handle)
    reason = Reason(found.text, codes)
    return Failed(
        kind=_kind(answer.status, reason, hide),
        detail=http.detail(reason, hide),
        handle=handle,
        record_id=answer.record_id,
    )


def error_type(answer: Answer) -> str:
    """Return the type of error in a body or its headers, or ""."""
    body = answer.document if isinstance(answer.document, dict) else {}
    types = (answer.headers.get(_TYPE_HEADER), body.get("error_type"))
    return next((each for each in types if is_code(each)), "")


def _kind(status: int, reason: Reason, hide: tuple[str, ...]) -> FaultKind:
    for code in reason.codes:
        if code in _KINDS:
            return _KINDS[code]
        if code.startswith(_RUNNER):
            return FaultKind.SERVER_ERROR
    kind = failure_kind(reason.without(hide))
    return FaultKind.INVALID if kind is FaultKind.GENERATION and status in _INVALID else kind

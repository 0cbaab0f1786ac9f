"""Client of fal's queue."""

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.addresses import AN_ADDRESS, Address
from bot.providers.base import (
    CancelOutcome,
    Failed,
    LostCall,
    Pending,
    ProviderDefaults,
    Status,
    Submission,
)
from bot.providers.error_mapping import REFUSALS
from bot.providers.fal import results
from bot.providers.fal.input_shapes import SHAPES, InputShape
from bot.providers.fal.past_requests import UnknownInputError, find_matches
from bot.providers.http import Answer, Call, HttpRules, ProviderHttp
from bot.providers.inline_images import data_uris
from bot.providers.redaction import is_code
from bot.providers.spec import ExtraSetting, ProviderSpec
from bot.providers.unknown_statuses import UnknownWords

PLATFORM_URL: Final = "https://api.fal.ai"
JWKS_URL: Final = "https://rest.fal.ai/.well-known/jwks.json"

_ENDPOINT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+")
_APP_SEGMENTS: Final = 2
# `owner/app/requests/id`: it reads, cancels and fetches the request on the queue's host alone.
_HANDLE: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}/[A-Za-z0-9][A-Za-z0-9._-]{0,59}/requests/[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
)
_FAL_DOMAIN: Final = ".fal.run"
_ERRORS: Final = frozenset(range(400, 600))
_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_ACCEPTED: Final = 202
_LOCKED: Final = "user is locked"
_MEDIA_SECONDS: Final = 24 * 3600
_START_SECONDS: Final = 3600
_SLACK: Final = timedelta(minutes=2)
_LOOK_BACK: Final = timedelta(hours=3)
_MOST_REMEMBERED: Final = 10_000
_HEADERS: Final = {
    "X-Fal-No-Retry": "1",  # the server itself would repeat a failed run
    "X-Fal-Request-Timeout": str(_START_SECONDS),  # to start: no bill for a job given up long ago
    # Media are public and kept for ever otherwise.
    "X-Fal-Object-Lifecycle-Preference": json.dumps({"expiration_duration_seconds": _MEDIA_SECONDS}),
}


def _kind_of(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    """Return ACCOUNT_EMPTY for a locked user; it happens at a zero balance."""
    del headers
    detail = document.get("detail") if isinstance(document, dict) else None
    is_locked = status == _FORBIDDEN and isinstance(detail, str) and detail.casefold().startswith(_LOCKED)
    return FaultKind.ACCOUNT_EMPTY if is_locked else None


class Fal(ProviderDefaults):
    """The provider `fal`.

    `platform_url` has the history of requests, `jwks_url` the keys of webhooks. `now` returns the aware time (default:
    that of `http`). With the queue at a host of the operator's, fal's own history is not read.
    """

    name: Final = "fal"
    takes_webhooks = True

    def __init__(
        self,
        http: ProviderHttp,
        *,
        platform_url: str = PLATFORM_URL,
        jwks_url: str = JWKS_URL,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        # Not at the top: cryptography takes 9 MB, also of studios without fal.
        from bot.providers.fal.webhook_signatures import SigningKeys  # noqa: PLC0415

        self._http = http
        # The key of a gateway is no key of fal's, so it goes to the gateway alone.
        is_foreign = platform_url == PLATFORM_URL and not _is_fal(http.base_url)
        self._platform = None if is_foreign else http.at(platform_url)
        parts = urlsplit(jwks_url)
        keys = http.at(f"{parts.scheme}://{parts.netloc}", with_key=False)
        self._now = now or http.now
        self._keys = SigningKeys(lambda: _read_keys(keys, parts.path), now=lambda: self._now().timestamp())
        self._unknown = UnknownWords(self.name, structlog.get_logger(__name__))
        self._answered: deque[str] = deque(maxlen=_MOST_REMEMBERED)

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"Fal({self._http!r})"

    async def submit(self, submission: Submission) -> Pending | Failed:
        """Send the request; its webhook is announced in the query."""
        endpoint, shape = self._target(submission)
        body = shape.body(submission, await data_uris(submission.inputs))
        url = submission.webhook_url
        answer = await self._http.submit(
            f"/{endpoint}",
            body,
            params=None if url is None else {"fal_webhook": url},
            headers=_HEADERS,
            hide=(submission.request.instruction, submission.request.negative),
            secrets=() if url is None else (url,),
        )
        document = answer.document if isinstance(answer.document, dict) else {}
        handle = self._handle(endpoint, document, answer.record_id)
        if handle is None:
            raise answer.fault or self._http.error(
                FaultKind.MALFORMED, Call.SUBMIT, detail="no request", headers=answer.headers
            )
        self._answered.append(handle)
        return Pending(handle=handle, running=False, record_id=answer.record_id, position=_position(document))

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Read the status, then the result of a completed request.

        A completed request may be a failed one.
        """
        address = self._address(handle)
        answer = await self._http.read_url(f"{address}/status", hide=hide)
        document = answer.document if isinstance(answer.document, dict) else {}
        word = document.get("status")
        if answer.fault is not None or not isinstance(word, str):
            raise answer.fault or self._http.error(FaultKind.MALFORMED, Call.READ, detail="no status")
        match word.upper():
            case "COMPLETED":
                return await self._result(address, handle, document, hide=hide)
            case "IN_QUEUE":
                position = _position(document)
                return Pending(handle=handle, running=False, record_id=answer.record_id, position=position)
            case "IN_PROGRESS":
                return Pending(handle=handle, running=True, record_id=answer.record_id)
            case unknown:
                self._unknown.log_once(self._http.status_word(unknown, hide))
                return Pending(handle=handle, running=True, record_id=answer.record_id)

    async def cancel(self, handle: str) -> CancelOutcome:
        """Ask to drop the request; a running model decides itself."""
        answers = frozenset({_BAD_REQUEST, _NOT_FOUND})
        answer = await self._http.cancel(f"{self._address(handle)}/cancel", answers=answers, method="PUT")
        word = answer.document.get("status") if isinstance(answer.document, dict) else None
        if answer.status == _NOT_FOUND:
            return CancelOutcome.UNKNOWN_JOB
        if answer.status == _BAD_REQUEST:
            return CancelOutcome.STARTED
        is_dropped = word == "OK" and answer.status != _ACCEPTED
        return CancelOutcome.CANCELLED if is_dropped else CancelOutcome.READ_AGAIN

    async def find_lost(self, submission: Submission) -> str | LostCall:
        """Look for the request in the history.

        Only one request with this very input counts. Ended requests are listed, running ones perhaps not.

        Raises:
            ProviderError: the history cannot be read now.
        """
        endpoint, shape = self._target(submission)
        if self._platform is None:
            return LostCall.UNDECIDED
        if submission.sent_at is None and not shape.is_unique(submission):
            return LostCall.UNDECIDED  # an equal input is no proof
        now = self._now()
        start, end = (now - _LOOK_BACK, now) if submission.sent_at is None else _around(submission.sent_at)
        body = shape.body(submission, ["" for _ in submission.request.inputs])
        try:
            ids = await find_matches(self._platform, endpoint, body, start=start, end=end)
        except UnknownInputError:
            return LostCall.UNDECIDED
        handles = [f"{_app(endpoint)}/requests/{each}" for each in ids]
        left = [each for each in handles if each not in self._answered and _HANDLE.fullmatch(each)]
        if not left:
            return LostCall.ASK_AGAIN  # it may not have ended yet
        return left[0] if len(left) == 1 else LostCall.UNDECIDED

    async def verify_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Return whether fal has signed the body in the last five minutes."""
        del url
        return await self._keys.verify(headers, body)

    def _target(self, submission: Submission) -> tuple[str, InputShape]:
        """Return the endpoint and the shape of its input.

        Raises:
            ProviderError: INVALID if the offer has none, or not in this size; nothing was sent.
        """
        offer = submission.offer
        endpoint = offer.remote_edit_model if submission.request.inputs else offer.remote_model
        shape = SHAPES.get(offer.shape)
        if endpoint is None or shape is None or not _ENDPOINT.fullmatch(endpoint):
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="no endpoint for this request")
        if not shape.can_make(submission):
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="no size for this request")
        return endpoint, shape

    def _handle(self, endpoint: str, document: Mapping[str, Any], named: str | None) -> str | None:
        """Return the handle by the address or the id of a new request.

        `named` is the id in the answer's headers: the body may be lost.
        """
        address, base = document.get("response_url"), f"{self._http.base_url}/"
        request_id = document.get("request_id")
        request_id = request_id if isinstance(request_id, str) else named
        handles = [] if request_id is None else [f"{_app(endpoint)}/requests/{request_id}"]
        if isinstance(address, str):  # of another host, it is no handle
            handles.insert(0, address.removeprefix(base).removesuffix("/response"))
        return next((each for each in handles if _HANDLE.fullmatch(each)), None)

    def _address(self, handle: str) -> str:
        """Return a request's address on the queue's host.

        Raises:
            ProviderError: NOT_FOUND if the handle is none of fal's.
        """
        if not _HANDLE.fullmatch(handle):
            raise ProviderError(FaultKind.NOT_FOUND, provider=self.name)
        return f"{self._http.base_url}/{handle}"

    async def _result(self, address: str, handle: str, status: Mapping[str, Any], *, hide: tuple[str, ...]) -> Status:
        """Read the result of a completed request."""
        error, error_type = status.get("error"), status.get("error_type")
        announced = bool(error or error_type)
        answer = await self._http.read_url(address, hide=hide, answers=_ERRORS)
        if answer.status >= _BAD_REQUEST:
            if results.is_failure(answer, announced=announced):
                named = error_type if is_code(error_type) else ""
                return results.failed(answer, self._http, named=named, handle=handle, hide=hide)
            raise self._http.refusal(
                answer.status, Call.READ, document=answer.document, headers=answer.headers, hide=hide
            )
        if answer.fault is not None or not isinstance(answer.document, dict):
            raise answer.fault or self._http.error(FaultKind.MALFORMED, Call.READ, detail="no result")
        return results.finished(answer.document, handle=handle, record_id=answer.record_id)


def _is_fal(base_url: str) -> bool:
    return (urlsplit(base_url).hostname or "").endswith(_FAL_DOMAIN)


async def _read_keys(http: ProviderHttp, path: str) -> object:
    answer: Answer = await http.read(path)
    if answer.fault is not None:
        raise answer.fault
    return answer.document


def _app(endpoint: str) -> str:
    """Return `owner/app` of an endpoint: requests are not below its path."""
    return "/".join(endpoint.split("/")[:_APP_SEGMENTS])


def _position(document: Mapping[str, Any]) -> int | None:
    """Return the place in the queue from 1; fal counts those before it."""
    ahead = document.get("queue_position")
    return ahead + 1 if type(ahead) is int and ahead >= 0 else None


def _around(moment: datetime) -> tuple[datetime, datetime]:
    return moment - _SLACK, moment + _SLACK


SPEC: Final = ProviderSpec(
    name=Fal.name,
    display_name="fal",
    key_setting="fal_key",
    key_description="takes a fal key, such as id:secret",
    url_setting="fal_api_url",
    default_url="https://queue.fal.run",
    probe_path="/fal-ai/flux-2-pro/requests/00000000-0000-0000-0000-000000000000/status",
    build=Fal,
    can_cancel=True,
    picture_hosts=("v3.fal.media",),
    rules=HttpRules(
        key_prefix="Key ",
        refusals=REFUSALS - {500, 503},
        kind_of=_kind_of,
        record_header="x-fal-request-id",
    ),
    extras=(
        ExtraSetting(
            setting="fal_platform_url",
            keyword="platform_url",
            kind=Address,
            default=PLATFORM_URL,
            description=AN_ADDRESS,
        ),
        ExtraSetting(
            setting="fal_jwks_url", keyword="jwks_url", kind=Address, default=JWKS_URL, description=AN_ADDRESS
        ),
    ),
    shapes=tuple(SHAPES),
)

"""HTTP access to one provider: URL, key, timeouts and fault mapping."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.error_details import Reason, reason_of, refusal_kind, refuses_content
from bot.providers.error_mapping import FOREIGN, REFUSALS, kind_of_exception, kind_of_status, seconds_to_wait
from bot.providers.parsing import handle_of
from bot.providers.redaction import DROPPED, known_code, loggable_code

_log = structlog.get_logger(__name__)

MAX_JSON_BYTES: Final = 8 * 1024 * 1024
SUBMIT_READ_SECONDS: Final = 120.0
READ_SECONDS: Final = 30.0

_CONNECT_SECONDS: Final = 10.0
# aiohttp counts the wait for a free connection and the connecting together.
_POOL_SECONDS: Final = 15.0
# A server that sends a byte now and then is never silent: the whole exchange has an end too.
_SLACK_SECONDS: Final = 30.0
_KEY: Final = re.compile(r"[!-~]+")
_MAYBE_CONTENT: Final = frozenset({400, 403, 422})
# To a submit: the path is always the same, so what is missing is the model.
_MISSING: Final = frozenset({404, 410})


class Call(Enum):
    """Purpose of a request; it decides the meaning of faults."""

    SUBMIT = "submit"  # paid: a lost reply may be an accepted job
    READ = "read"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer without a fault by its status.

    `document` is its JSON. If it has none, `document` is None and `fault` is the error for that.
    """

    status: int
    headers: httpx.Headers
    document: object
    fault: ProviderError | None = None

    @property
    def record_id(self) -> str | None:
        """Return the id for the provider's support, if any.

        Seed: "1. Submit", x-record-id.
        """
        return handle_of(self.headers.get("x-record-id"))


class ProviderHttp:
    """Sends requests to one origin with its key, once each.

    Nothing is retried and no redirect followed here. The client is shared, and its builder closes it.
    `base_url` may have a path; URLs are only ever built from it, so the key goes nowhere else. `clock` returns
    the aware time to compare a Retry-After date with.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        key: str,
        client: httpx.AsyncClient,
        submit_read_timeout: float = SUBMIT_READ_SECONDS,
        read_timeout: float = READ_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(f"{name}: the address must be http(s)://host[:port][/path]")
        if not _KEY.fullmatch(key):
            raise ValueError(f"{name}: the key must be printable ASCII without spaces")
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._client = client
        self._submit_read_timeout = submit_read_timeout
        self._read_timeout = read_timeout
        self._clock = clock

    def __repr__(self) -> str:
        """Return the provider's name; never its key."""
        return f"{type(self).__name__}(name={self.name!r})"

    async def submit(
        self, path: str, payload: Mapping[str, Any], *, hide: tuple[str, ...] = (), secrets: tuple[str, ...] = ()
    ) -> Answer:
        """Send a paid job once.

        `hide` are words, such as the prompt, to keep out of an error's detail. So are `secrets`, such as our URLs, but
        they may decide about whose fault the error is.
        """
        return await self._exchange(Call.SUBMIT, "POST", path, payload=payload, hide=hide, secrets=secrets)

    async def read(self, path: str, params: Mapping[str, str] | None = None, *, hide: tuple[str, ...] = ()) -> Answer:
        """Read a status once; `hide` as in `submit`."""
        return await self._exchange(Call.READ, "GET", path, params=params, hide=hide)

    async def cancel(self, path: str, *, answers: frozenset[int]) -> Answer:
        """Ask to drop a job; statuses in `answers` are answers, not faults.

        The caller of a cancel has no prompt to hide, so the faults come without the provider's words.
        """
        return await self._exchange(Call.CANCEL, "POST", path, answers=answers)

    def detail(self, reason: Reason, hide: tuple[str, ...] = ()) -> str:
        """Return the code of a reason, and log its words at DEBUG.

        Neither has a word of the key and of the texts in `hide`.
        """
        hide = (self._key, *hide)
        if words := reason.detail(hide):
            _log.debug("provider.reason", provider=self.name, words=words)
        return reason.code(hide)

    def status_word(self, word: str, hide: tuple[str, ...] = ()) -> str:
        """Return an unknown status, if loggable; log its words at DEBUG."""
        hide = (self._key, *hide)
        _log.debug("provider.status", provider=self.name, words=loggable_code(word, hide))
        return known_code(word, hide) or DROPPED

    def error(
        self,
        kind: FaultKind,
        call: Call,
        *,
        detail: str = "",
        status: int | None = None,
        headers: httpx.Headers | None = None,
    ) -> ProviderError:
        """Return the error of this provider.

        `detail` is our own text, or comes from `detail()`.
        """
        # UNAVAILABLE without a status: nothing was sent.
        maybe_accepted = call is Call.SUBMIT and kind is not FaultKind.UNAVAILABLE and status not in REFUSALS
        return ProviderError(
            kind,
            provider=self.name,
            detail=detail,
            status=status,
            retry_after=seconds_to_wait(headers.get("retry-after"), self._clock()) if headers is not None else None,
            maybe_accepted=maybe_accepted,
            record_id=handle_of(headers.get("x-record-id")) if headers is not None else None,
        )

    def refusal(
        self,
        status: int,
        call: Call,
        *,
        document: object,
        headers: httpx.Headers,
        hide: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
    ) -> ProviderError:
        """Return the error of a status, with the reason in the body.

        The status is that of HTTP or of an envelope. `hide` and `secrets` are as in `submit`.
        """
        reason = Reason() if call is Call.CANCEL else reason_of(document)
        kind = kind_of_status(status)
        if call is Call.SUBMIT and kind is FaultKind.INVALID and status in REFUSALS:
            kind = refusal_kind(reason.without(hide))
        elif call is Call.SUBMIT and status in _MISSING:
            kind = FaultKind.MODEL_UNAVAILABLE
        if status in _MAYBE_CONTENT:
            if refuses_content(reason.without(hide)):
                kind = FaultKind.CONTENT
            elif kind is FaultKind.KEY_REJECTED and refuses_content(reason.without(())):
                # The prompt has the same words: it may be a content refusal, so the key is not to blame.
                kind = FaultKind.INVALID
        detail = self.detail(reason, (*hide, *secrets))
        return self.error(kind, call, detail=detail, status=status, headers=headers)

    async def _exchange(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        payload: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        answers: frozenset[int] = frozenset(),
        hide: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
    ) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        read_timeout = self._submit_read_timeout if call is Call.SUBMIT else self._read_timeout
        request = self._client.build_request(
            method,
            self._base_url + path,
            json=payload,
            params=params,
            headers=headers,
            timeout=httpx.Timeout(connect=_CONNECT_SECONDS, read=read_timeout, write=read_timeout, pool=_POOL_SECONDS),
        )
        response: httpx.Response | None = None
        fault: ProviderError | None = None
        body = b""
        try:
            async with asyncio.timeout(_POOL_SECONDS + read_timeout + _SLACK_SECONDS):
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    body = await _read_capped(response)
                finally:
                    await response.aclose()
        except FOREIGN as error:
            # Raised only after this block: the foreign exceptions hold the request's headers, and so the key.
            fault = self.error(kind_of_exception(error), call, detail=type(error.__cause__ or error).__name__)
        if response is None:
            raise fault or self.error(FaultKind.INTERNAL, call)
        status = response.status_code
        document = _parsed(body) if fault is None else None
        if not (httpx.codes.is_success(status) or status in answers):
            raise self.refusal(status, call, document=document, headers=response.headers, hide=hide, secrets=secrets)
        if document is None and fault is None:
            fault = self.error(FaultKind.MALFORMED, call, detail="not JSON", status=status, headers=response.headers)
        return Answer(status=status, headers=response.headers, document=document, fault=fault)


class _TooLongError(httpx.StreamError):
    """The body is longer than any answer of the contract."""


async def _read_capped(response: httpx.Response) -> bytes:
    """Return the body, or raise once it passes the cap; the rest is not read."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise _TooLongError("too long")
    return bytes(body)


def _parsed(body: bytes) -> object:
    """Return the JSON of a body, or None if there is none.

    A bare `null` is no answer either.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None

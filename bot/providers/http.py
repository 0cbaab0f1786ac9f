"""HTTP access to one provider: URL, key, timeouts and fault mapping."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
MAX_INLINE_BYTES: Final = 128 * 1024 * 1024
"""Of an answer with the images themselves."""
SUBMIT_READ_SECONDS: Final = 120.0
SYNCHRONOUS_SECONDS: Final = 300.0
"""Silence of a provider that answers a submit with the images."""
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
# A larger answer is parsed in a thread: it would hold up the event loop.
_LARGE_BYTES: Final = 256 * 1024
_VALUES: Final = (b",", b"[", b"{")
_MOST_VALUES: Final = 2_000_000

FormField = tuple[str, str | tuple[str, bytes, str]]
"""A name, and a text or a file: its name, its bytes, its media type."""


class Call(Enum):
    """Purpose of a request; it decides the meaning of faults."""

    SUBMIT = "submit"  # paid: a lost reply may be an accepted job
    READ = "read"
    CANCEL = "cancel"


def _no_kind(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    del status, document, headers
    return None


def _no_wait(headers: httpx.Headers, document: object) -> float | None:
    del headers, document
    return None


def _no_other(url: str) -> bool:
    del url
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRules:
    """Rules for the HTTP of one provider.

    The key goes into the header `key_header`, after `key_prefix`. `refusals` are the statuses by which a submit is
    surely not accepted. `kind_of` returns the fault of an error's status, JSON and headers if this provider has an own
    meaning for it, else None; `wait_of` the seconds to wait, if they are not in `Retry-After`. `is_own_url` accepts
    other addresses of the API, to which the key may go. `record_header` has the id for the provider's support.
    `submit_seconds` is the longest silence of a submit, `max_bytes` the length of the longest answer.
    """

    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    refusals: frozenset[int] = REFUSALS
    kind_of: Callable[[int, object, httpx.Headers], FaultKind | None] = _no_kind
    wait_of: Callable[[httpx.Headers, object], float | None] = _no_wait
    is_own_url: Callable[[str], bool] = _no_other
    record_header: str = "x-record-id"
    submit_seconds: float = SUBMIT_READ_SECONDS
    max_bytes: int = MAX_JSON_BYTES


DEFAULT_RULES: Final = HttpRules()


def utc_now() -> datetime:
    """Return the machine's time in UTC, with its time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request to a provider, its duration and its fault, if any."""

    provider: str
    call: Call
    seconds: float
    fault: FaultKind | None


RecordExchange = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer without a fault by its status.

    `document` is its JSON. If it has none, `document` is None and `fault` is the error for that. `record_id` is the id
    for the provider's support, if any (seed: "1. Submit", x-record-id).
    """

    status: int
    headers: httpx.Headers
    document: object
    fault: ProviderError | None = None
    record_id: str | None = None


class ProviderHttp:
    """Sends requests to one API with its key, once each.

    Nothing is retried and no redirect followed here. The client is shared, and its builder closes it.
    `base_url` may have a path. URLs are built from it or accepted by the rules, so the key goes nowhere else. `key` is
    None for an API without keys. `clock` returns the aware time to compare dates of the API with. `record` is called
    with each exchange.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        key: str | None,
        client: httpx.AsyncClient,
        rules: HttpRules = DEFAULT_RULES,
        submit_read_timeout: float | None = None,
        read_timeout: float = READ_SECONDS,
        clock: Callable[[], datetime] = utc_now,
        record: RecordExchange | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(f"{name}: the address must be http(s)://host[:port][/path]")
        if key is not None and not _KEY.fullmatch(key):
            raise ValueError(f"{name}: the key must be printable ASCII without spaces")
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._client = client
        self._rules = rules
        self._submit_read_timeout = rules.submit_seconds if submit_read_timeout is None else submit_read_timeout
        self._read_timeout = read_timeout
        self.now = clock
        self._record = record

    def at(self, base_url: str, *, with_key: bool = True) -> "ProviderHttp":
        """Return the access to another host of the same provider."""
        return ProviderHttp(
            name=self.name,
            base_url=base_url,
            key=self._key if with_key else None,
            client=self._client,
            rules=self._rules,
            submit_read_timeout=self._submit_read_timeout,
            read_timeout=self._read_timeout,
            clock=self.now,
            record=self._record,
        )

    def __repr__(self) -> str:
        """Return the provider's name; never its key."""
        return f"{type(self).__name__}(name={self.name!r})"

    @property
    def key_header(self) -> dict[str, str]:
        """The header with the key, empty without one; only for the API's own host."""
        return {} if self._key is None else {self._rules.key_header: f"{self._rules.key_prefix}{self._key}"}

    @property
    def base_url(self) -> str:
        """The API's URL, without a slash at its end."""
        return self._base_url

    async def submit(
        self,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        form: Sequence[FormField] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        hide: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
    ) -> Answer:
        """Send a paid job once, as JSON or as a form.

        `hide` are words, such as the prompt, to keep out of an error's detail. So are `secrets`, such as our URLs, but
        they may decide about whose fault the error is.
        """
        return await self._exchange(
            _Request(Call.SUBMIT, "POST", self._base_url + path, payload, form, params, headers),
            hide=hide,
            secrets=secrets,
        )

    async def read(self, path: str, params: Mapping[str, str] | None = None, *, hide: tuple[str, ...] = ()) -> Answer:
        """Read a status once; `hide` as in `submit`."""
        return await self._exchange(_Request(Call.READ, "GET", self._base_url + path, params=params), hide=hide)

    async def read_url(self, url: str, *, hide: tuple[str, ...] = (), answers: frozenset[int] = frozenset()) -> Answer:
        """Read an address that the API named; statuses in `answers` are answers.

        Raises:
            ProviderError: MALFORMED if the address is none of the API's, so that the key never goes elsewhere; or as
                `read`.
        """
        return await self._exchange(_Request(Call.READ, "GET", self._own(url)), hide=hide, answers=answers)

    async def send(
        self,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        form: Sequence[FormField] | None = None,
        hide: tuple[str, ...] = (),
    ) -> Answer:
        """Send a free POST, such as an upload; `hide` as in `submit`."""
        return await self._exchange(
            _Request(Call.READ, "POST", self._base_url + path, payload=payload, form=form), hide=hide
        )

    async def fetch(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Download a file of the API itself."""
        _, body = await self._bytes(_Request(Call.READ, "GET", self._base_url + path, params=params))
        return body

    async def cancel(
        self,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        answers: frozenset[int] = frozenset(),
        method: str = "POST",
    ) -> Answer:
        """Ask to drop a job; statuses in `answers` are answers, not faults.

        `path` may also be one of the API's own addresses. The caller of a cancel has no prompt to hide, so the faults
        come without the provider's words.
        """
        url = self._base_url + path if path.startswith("/") else self._own(path)
        return await self._exchange(_Request(Call.CANCEL, method, url, payload=payload), answers=answers)

    def is_own_url(self, url: str) -> bool:
        """Return whether the key may go to an address: it is the API's own."""
        return url.startswith(f"{self._base_url}/") or self._rules.is_own_url(url)

    def _own(self, url: str) -> str:
        if not self.is_own_url(url):
            raise self.error(FaultKind.MALFORMED, Call.READ, detail="an address of another host")
        return url

    def detail(self, reason: Reason, hide: tuple[str, ...] = ()) -> str:
        """Return the code of a reason, and log its words at DEBUG.

        Neither has a word of the key and of the texts in `hide`.
        """
        hide = (*self._secret, *hide)
        if words := reason.detail(hide):
            _log.debug("provider.reason", provider=self.name, words=words)
        return reason.code(hide)

    def status_word(self, word: str, hide: tuple[str, ...] = ()) -> str:
        """Return an unknown status, if loggable; log its words at DEBUG."""
        hide = (*self._secret, *hide)
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
        document: object = None,
    ) -> ProviderError:
        """Return the error of this provider.

        `detail` is our own text, or comes from `detail()`. `document` is the error's JSON, if any.
        """
        surely_refused = status in self._rules.refusals or (kind is FaultKind.UNAVAILABLE and status is None)
        return ProviderError(
            kind,
            provider=self.name,
            detail=detail,
            status=status,
            retry_after=None if headers is None else self._wait(headers, document),
            maybe_accepted=call is Call.SUBMIT and not surely_refused,
            record_id=None if headers is None else handle_of(headers.get(self._rules.record_header)),
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
        detail = self.detail(reason, (*hide, *secrets))
        kind = self._rules.kind_of(status, document, headers) or self._kind(status, call, reason, hide)
        return self.error(kind, call, detail=detail, status=status, headers=headers, document=document)

    def _kind(self, status: int, call: Call, reason: Reason, hide: tuple[str, ...]) -> FaultKind:
        """Return the fault of a status and its reason."""
        kind = kind_of_status(status)
        if call is Call.SUBMIT and kind is FaultKind.INVALID and status in self._rules.refusals:
            kind = refusal_kind(reason.without(hide))
        elif call is Call.SUBMIT and status in _MISSING:
            kind = FaultKind.MODEL_UNAVAILABLE
        if status in _MAYBE_CONTENT:
            if refuses_content(reason.without(hide)):
                kind = FaultKind.CONTENT
            elif kind is FaultKind.KEY_REJECTED and refuses_content(reason.without(())):
                # The prompt has the same words: it may be a content refusal, so the key is not to blame.
                kind = FaultKind.INVALID
        return kind

    def _wait(self, headers: httpx.Headers, document: object) -> float | None:
        """Return the seconds to wait, by Retry-After or by the rules."""
        seconds = seconds_to_wait(headers.get("retry-after"), self.now())
        return self._rules.wait_of(headers, document) if seconds is None else seconds

    @property
    def _secret(self) -> tuple[str, ...]:
        return () if self._key is None else (self._key,)

    async def _exchange(
        self,
        request: "_Request",
        *,
        answers: frozenset[int] = frozenset(),
        hide: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
    ) -> Answer:
        call, document = request.call, None
        with self._recorded(call) as faults:
            response, body, fault = await self._send(request)
            headers, status = response.headers, response.status_code
            if fault is None:
                document = await asyncio.to_thread(_parsed, body) if len(body) > _LARGE_BYTES else _parsed(body)
            if not (httpx.codes.is_success(status) or status in answers):
                raise self.refusal(status, call, document=document, headers=headers, hide=hide, secrets=secrets)
            if document is None and fault is None:
                fault = self.error(FaultKind.MALFORMED, call, detail="not JSON", status=status, headers=headers)
            if fault is not None:
                faults.append(fault.kind)
        record_id = handle_of(headers.get(self._rules.record_header))
        return Answer(status=status, headers=headers, document=document, fault=fault, record_id=record_id)

    async def _bytes(self, request: "_Request") -> tuple[httpx.Response, bytes]:
        """Return a successful answer of any type."""
        with self._recorded(request.call):
            response, body, fault = await self._send(request)
            if not httpx.codes.is_success(response.status_code):
                raise self.refusal(response.status_code, request.call, document=None, headers=response.headers)
            if fault is not None:
                raise fault
        return response, body

    @contextmanager
    def _recorded(self, call: Call) -> Iterator[list[FaultKind]]:
        """Record the exchange inside, with its fault.

        The fault is raised, or added to the yielded list. An exchange that is cut off from our side is not recorded.
        """
        faults: list[FaultKind] = []
        begin = time.perf_counter()
        try:
            yield faults
        except ProviderError as error:
            self._note(call, begin, error.kind)
            raise
        self._note(call, begin, *faults)

    def _note(self, call: Call, begin: float, fault: FaultKind | None = None) -> None:
        if self._record is not None:
            seconds = time.perf_counter() - begin
            self._record(Exchange(provider=self.name, call=call, seconds=seconds, fault=fault))

    async def _send(self, request: "_Request") -> tuple[httpx.Response, bytes, ProviderError | None]:
        """Send a request and return its answer; the fault if the body broke off.

        Raises:
            ProviderError: there is no answer.
        """
        call = request.call
        read_timeout = self._submit_read_timeout if call is Call.SUBMIT else self._read_timeout
        timeout = httpx.Timeout(connect=_CONNECT_SECONDS, read=read_timeout, write=read_timeout, pool=_POOL_SECONDS)
        headers = self._headers(request.headers)
        content = None
        if request.payload is not None:
            headers["Content-Type"] = "application/json"
            content = await _dumped(request.payload)
        built = self._client.build_request(
            request.method,
            request.url,
            content=content,
            files=None if request.form is None else [_part(*each) for each in request.form],
            params=request.params,
            headers=headers,
            timeout=timeout,
        )
        response: httpx.Response | None = None
        fault: ProviderError | None = None
        body = b""
        try:
            async with asyncio.timeout(_POOL_SECONDS + read_timeout + _SLACK_SECONDS):
                response = await self._client.send(built, stream=True, follow_redirects=False)
                try:
                    body = await _read_capped(response, self._rules.max_bytes)
                finally:
                    await response.aclose()
        except FOREIGN as error:
            # Raised only after this block: the foreign exceptions hold the request's headers, and so the key.
            fault = self.error(kind_of_exception(error), call, detail=type(error.__cause__ or error).__name__)
        if response is None:
            raise fault or self.error(FaultKind.INTERNAL, call)
        return response, body, fault

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {"Accept": "application/json", "Accept-Encoding": "identity", **(more or {}), **self.key_header}


@dataclass(frozen=True, slots=True)
class _Request:
    """A request before it is built."""

    call: Call
    method: str
    url: str
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Sequence[FormField] | None = field(default=None, repr=False)
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None


async def _dumped(payload: Mapping[str, Any]) -> bytes:
    """Return the JSON of a payload; one with images is dumped in a thread."""
    if _is_large(payload):
        return await asyncio.to_thread(_dump, payload)
    return _dump(payload)


def _dump(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _is_large(value: object) -> bool:
    """Return whether any text in a payload is as long as an image's."""
    if isinstance(value, str):
        return len(value) > _LARGE_BYTES
    if isinstance(value, Mapping):
        return any(_is_large(each) for each in value.values())
    return isinstance(value, Sequence) and any(_is_large(each) for each in value)


def _part(name: str, value: str | tuple[str, bytes, str]) -> tuple[str, tuple[str | None, str | bytes, str | None]]:
    """Return a field of a form for httpx; a text has no file name."""
    return (name, (None, value, None)) if isinstance(value, str) else (name, value)


class _TooLongError(httpx.StreamError):
    """The body is longer than any answer of the contract."""


async def _read_capped(response: httpx.Response, most: int) -> bytes:
    """Return the body, or raise once it passes the cap; the rest is not read."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            raise _TooLongError("too long")
    return bytes(body)


def _parsed(body: bytes) -> object:
    """Return the JSON of a body, or None if there is none.

    A bare `null` is no answer either. Nor is JSON with millions of values: it would take twenty times its length in
    memory, while that of images is a few long texts.
    """
    if len(body) > _LARGE_BYTES and sum(map(body.count, _VALUES)) > _MOST_VALUES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None

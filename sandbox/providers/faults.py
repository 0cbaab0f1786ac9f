"""Faults of the fakes: the request they hit, their kind, and their count."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final


class Endpoint(StrEnum):
    """The requests for a fault. The fake itself makes the webhook request."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"  # of an ended job, where it is a separate request
    CANCEL = "cancel"
    PICTURE = "picture"
    WEBHOOK = "webhook"
    UPLOAD = "upload"  # of an input image
    MODELS = "models"  # lists of models and prices
    ACCOUNT = "account"  # balances, charges and past requests


class Kind(StrEnum):
    """The kinds of faults."""

    # Any endpoint.
    STATUS = "status"  # responds with the HTTP `status` and its documented body
    DELAY = "delay"  # waits `seconds`, then goes on
    RESET_BEFORE = "reset_before"  # the connection breaks before any processing
    RESET_AFTER = "reset_after"  # the connection breaks after all processing: the reply is lost
    MALFORMED = "malformed"  # processed, but the response is a proxy's half page
    HALF = "half"  # processed, but the connection closes after half of the response
    CASE = "case"  # the provider's named `case`, after `seconds`
    # Submit: faults of the new job.
    INLINE = "inline"  # completes at once, in the submit response
    FAIL = "fail"  # ends as FAILED for `reason`
    STUCK = "stuck"  # stays in `state` forever
    EMPTY = "empty"  # completes without a picture
    SQUARE = "square"  # delivers square pictures, whatever the requested aspect ratio
    SHAPE = "shape"  # delivers its pictures in `shape`
    # Status.
    WORD = "word"  # an undocumented status `word`
    # Cancel.
    UNSAID = "unsaid"  # a 200 without `cancelled`; nothing is cancelled
    # Picture.
    HTML = "html"  # a page instead of a picture
    ENDLESS = "endless"  # the picture's start, then endless bytes
    TRUNCATED = "truncated"  # half of the picture, then the connection breaks
    REDIRECT = "redirect"  # to the address `to`
    # Webhook.
    LOST = "lost"  # never delivered
    TWICE = "twice"  # delivered twice at the same time
    EARLY = "early"  # the job ends and its webhook is delivered before the submit response
    LATE = "late"  # delayed by `seconds`; 0: until released


JOB_FAULTS: Final = frozenset({Kind.INLINE, Kind.FAIL, Kind.STUCK, Kind.EMPTY, Kind.SQUARE, Kind.SHAPE})
_COMMON: Final = frozenset(
    {Kind.STATUS, Kind.DELAY, Kind.RESET_BEFORE, Kind.RESET_AFTER, Kind.MALFORMED, Kind.HALF, Kind.CASE}
)
_ALLOWED: Final = {
    Endpoint.SUBMIT: _COMMON | JOB_FAULTS,
    Endpoint.STATUS: _COMMON | {Kind.WORD},
    Endpoint.RESULT: _COMMON,
    Endpoint.CANCEL: _COMMON | {Kind.UNSAID},
    Endpoint.PICTURE: (_COMMON - {Kind.RESET_AFTER, Kind.MALFORMED, Kind.HALF})
    | {Kind.HTML, Kind.ENDLESS, Kind.TRUNCATED, Kind.REDIRECT},
    Endpoint.WEBHOOK: frozenset({Kind.LOST, Kind.TWICE, Kind.EARLY, Kind.LATE, Kind.CASE}),
    Endpoint.UPLOAD: _COMMON,
    Endpoint.MODELS: _COMMON,
    Endpoint.ACCOUNT: _COMMON,
}

# Reasons by name; any other text is used as it is.
REASONS: Final = {
    "vendor": "upstream vendor error: the model did not return a result",
    "balance": "insufficient balance: please top up your wallet",
    "input": "Failed to download image_urls[0]",
    "content": "the request was rejected by the safety system (content policy violation)",
}
SHAPES: Final = ("strings", "objects", "images", "top_level")
STATES: Final = ("IN_QUEUE", "IN_PROGRESS")


class FaultError(ValueError):
    """An invalid fault; its text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault; it hits `times` requests, or all of them if `times` is None.

    `status`, `message`, `retry_after` and `in_envelope` belong to STATUS (`in_envelope`: HTTP 200 with the status as
    the envelope's code, if there is an envelope), `seconds` to DELAY, LATE and CASE, `reason` to FAIL, `state` to
    STUCK, `shape` to SHAPE, `word` to WORD, `to` to REDIRECT, `case` to CASE.
    """

    endpoint: Endpoint
    kind: Kind
    times: int | None = 1
    status: int = 500
    message: str | None = None
    retry_after: str | None = None
    in_envelope: bool = False
    seconds: float = 0.0
    reason: str = "vendor"
    state: str = "IN_PROGRESS"
    shape: str = "strings"
    word: str = "WARMING_UP"
    to: str = "http://127.0.0.1:1/"
    case: str = ""

    def __post_init__(self) -> None:
        """Validate the fault.

        Raises:
            FaultError: The endpoint has no such fault, or a field is out of range.
        """
        if self.kind not in _ALLOWED[self.endpoint]:
            raise FaultError(f"{self.endpoint} has no fault {self.kind}")
        if self.shape not in SHAPES:
            raise FaultError(f"shape is one of {', '.join(SHAPES)}")
        if self.state not in STATES:
            raise FaultError(f"state is one of {', '.join(STATES)}")
        if self.times is not None and self.times < 1:
            raise FaultError("times is at least 1, or null")

    @property
    def reason_text(self) -> str:
        """Return the text of the reason of FAIL."""
        return REASONS.get(self.reason, self.reason)


class Faults:
    """The active faults, in the order of their addition.

    `cases` are the endpoints of the provider's named cases.
    """

    def __init__(self, cases: Mapping[str, Endpoint] | None = None) -> None:
        self.cases: Final = dict(cases or {})
        self._entries: list[tuple[Fault, int | None]] = []

    def add(self, endpoint: Endpoint | str, kind: Kind | str, **options: Any) -> Fault:
        """Add a fault; `options` are the fields of `Fault`.

        Raises:
            FaultError: The fault is invalid.
        """
        try:
            fault = Fault(endpoint=Endpoint(endpoint), kind=Kind(kind), **options)
        except (TypeError, ValueError) as error:
            raise FaultError(str(error)) from error
        if fault.kind is Kind.CASE and self.cases.get(fault.case) is not fault.endpoint:
            raise FaultError(f"{fault.endpoint} has no case {fault.case}")
        self._entries.append((fault, fault.times))
        return fault

    def play(self, case: str, *, times: int | None = 1, seconds: float = 0.0) -> Fault:
        """Add a named case for its endpoint.

        Raises:
            FaultError: The provider has no such case.
        """
        if case not in self.cases:
            raise FaultError(f"there is no case {case}")
        return self.add(self.cases[case], Kind.CASE, case=case, times=times, seconds=seconds)

    def clear(self) -> None:
        """Remove all faults."""
        self._entries.clear()

    def take(self, endpoint: Endpoint, kinds: frozenset[Kind]) -> Fault | None:
        """Return the first fault of these kinds for a request, and count the hit."""
        for at, (fault, left) in enumerate(self._entries):
            if fault.endpoint is endpoint and fault.kind in kinds:
                if left == 1:
                    del self._entries[at]
                elif left is not None:
                    self._entries[at] = (fault, left - 1)
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """Return the active faults; `times` is the number of hits left."""
        return [{**asdict(fault), "times": left} for fault, left in self._entries]

    def add_json(self, value: object) -> None:
        """Add one fault (an object), or replace all faults (a list).

        Raises:
            FaultError: A fault is invalid; then nothing has changed.
        """
        known = {field.name for field in fields(Fault)}
        trial = Faults(self.cases)  # a mistake in one entry must leave all as it was
        for entry in value if isinstance(value, list) else [value]:
            if not (isinstance(entry, dict) and {"endpoint", "kind"} <= entry.keys() <= known):
                raise FaultError(f"a fault has an endpoint, a kind, and of the rest: {', '.join(sorted(known))}")
            trial.add(**entry)
        if isinstance(value, list):
            self.clear()
        self._entries.extend(trial._entries)

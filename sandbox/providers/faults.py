"""Faults that can be switched on from outside: which request is hit, how, and how often."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final


class Endpoint(StrEnum):
    """Which requests a fault is for; a webhook is the one that the stand-in makes itself."""

    SUBMIT = "submit"
    STATUS = "status"
    CANCEL = "cancel"
    PICTURE = "picture"
    WEBHOOK = "webhook"


class Kind(StrEnum):
    """What goes wrong."""

    # Any endpoint.
    STATUS = "status"  # answer with the HTTP `status` and its documented body
    DELAY = "delay"  # wait `seconds`, then go on
    RESET_BEFORE = "reset_before"  # the connection breaks and nothing was done
    RESET_AFTER = "reset_after"  # all was done, then the connection breaks: the reply is lost
    MALFORMED = "malformed"  # done, but a proxy's half page comes back instead of the answer
    # Submit: the fate of the job that it makes.
    INLINE = "inline"  # done at once, in the answer itself
    FAIL = "fail"  # ends as FAILED for `reason`
    STUCK = "stuck"  # stays in `state` for ever
    EMPTY = "empty"  # completes without a picture
    SHAPE = "shape"  # delivers its pictures in `shape`
    # Status.
    WORD = "word"  # a status `word` that no document lists
    # Cancel.
    UNSAID = "unsaid"  # a 200 that does not say `cancelled`; nothing was done
    # Picture.
    HTML = "html"  # a page instead of a picture
    ENDLESS = "endless"  # a picture's beginning, then bytes without end
    TRUNCATED = "truncated"  # half of the picture, then the connection breaks
    REDIRECT = "redirect"  # to the address `to`
    # Webhook.
    LOST = "lost"  # is never delivered
    TWICE = "twice"  # is delivered twice at once
    EARLY = "early"  # the job ends and its webhook is delivered before the answer to its submit goes out
    LATE = "late"  # is held back for `seconds`; 0: until it is released


FATES: Final = frozenset({Kind.INLINE, Kind.FAIL, Kind.STUCK, Kind.EMPTY, Kind.SHAPE})
_COMMON: Final = frozenset({Kind.STATUS, Kind.DELAY, Kind.RESET_BEFORE, Kind.RESET_AFTER, Kind.MALFORMED})
_ALLOWED: Final = {
    Endpoint.SUBMIT: _COMMON | FATES,
    Endpoint.STATUS: _COMMON | {Kind.WORD},
    Endpoint.CANCEL: _COMMON | {Kind.UNSAID},
    Endpoint.PICTURE: (_COMMON - {Kind.RESET_AFTER, Kind.MALFORMED})
    | {Kind.HTML, Kind.ENDLESS, Kind.TRUNCATED, Kind.REDIRECT},
    Endpoint.WEBHOOK: frozenset({Kind.LOST, Kind.TWICE, Kind.EARLY, Kind.LATE}),
}

# Reasons by name; any other text is taken as it is.
REASONS: Final = {
    "vendor": "upstream vendor error: the model did not return a result",
    "balance": "insufficient balance: please top up your wallet",
    "input": "Failed to download image_urls[0]",
    "content": "the request was rejected by the safety system (content policy violation)",
}
SHAPES: Final = ("strings", "objects", "images", "top_level")
STATES: Final = ("IN_QUEUE", "IN_PROGRESS")


class FaultError(ValueError):
    """A fault that makes no sense; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `times` is how many requests it hits; None is all until it is removed.

    `status`, `message`, `retry_after` and `in_envelope` belong to STATUS (`in_envelope`: HTTP 200 with the status as
    the envelope's code, where there is one), `seconds` to DELAY and LATE, `reason` to FAIL, `state` to STUCK, `shape`
    to SHAPE, `word` to WORD, `to` to REDIRECT.
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

    def __post_init__(self) -> None:
        """Refuse what no endpoint can do."""
        if self.kind not in _ALLOWED[self.endpoint]:
            raise FaultError(f"{self.endpoint} has no fault {self.kind}")
        if self.shape not in SHAPES:
            raise FaultError(f"shape is one of {', '.join(SHAPES)}")
        if self.state not in STATES:
            raise FaultError(f"state is one of {', '.join(STATES)}")
        if self.times is not None and self.times < 1:
            raise FaultError("times is at least 1, or null")

    @property
    def words(self) -> str:
        """Return the reason of FAIL in words."""
        return REASONS.get(self.reason, self.reason)


class Faults:
    """The faults that are switched on, in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: list[tuple[Fault, int | None]] = []

    def add(self, endpoint: Endpoint | str, kind: Kind | str, **options: Any) -> Fault:
        """Switch a fault on; `options` are the fields of `Fault`."""
        try:
            fault = Fault(endpoint=Endpoint(endpoint), kind=Kind(kind), **options)
        except (TypeError, ValueError) as error:
            raise FaultError(str(error)) from error
        self._entries.append((fault, fault.times))
        return fault

    def clear(self) -> None:
        """Switch all faults off."""
        self._entries.clear()

    def take(self, endpoint: Endpoint, kinds: frozenset[Kind]) -> Fault | None:
        """Return the first fault of these kinds for a request, and count it."""
        for at, (fault, left) in enumerate(self._entries):
            if fault.endpoint is endpoint and fault.kind in kinds:
                if left == 1:
                    del self._entries[at]
                elif left is not None:
                    self._entries[at] = (fault, left - 1)
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults that are left; `times` is how often each will still hit."""
        return [{**asdict(fault), "times": left} for fault, left in self._entries]

    def add_json(self, value: object) -> None:
        """Add one fault given as an object, or put a list of them in the place of all."""
        known = {field.name for field in fields(Fault)}
        trial = Faults()  # so that a mistake in the third leaves all as it was
        for entry in value if isinstance(value, list) else [value]:
            if not (isinstance(entry, dict) and {"endpoint", "kind"} <= entry.keys() <= known):
                raise FaultError(f"a fault has an endpoint, a kind, and of the rest: {', '.join(sorted(known))}")
            trial.add(**entry)
        if isinstance(value, list):
            self.clear()
        self._entries.extend(trial._entries)

"""What a round will do, decided by a seed alone: who orders what and when, what goes wrong, where the kill strikes."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Final

MEMBERS: Final = tuple(f"victim-{number}" for number in range(4))

_SOONEST_SECOND_ORDER: Final = 0.4
_LONGEST_QUEUE: Final = 0.5
_LONGEST_WORK: Final = 0.8
# A bot needs a second or two to start, so that many of the later strikes hit one that takes up its jobs.
_FIRST_INSTANT: Final = 2.5
_LATER_INSTANT: Final = 4.0
_REACTION: Final = 0.03


class Event(StrEnum):
    """What can be struck at: a request of the bot, or one to it."""

    DELIVERED = "delivered"  # an interaction has gone out to the bot
    CALLBACK = "callback"  # the bot answers a command with its card
    LOOKUP = "lookup"  # the bot looks whether a card of an earlier process is there
    EDIT = "edit"  # a card's edit without pictures
    UPLOAD = "upload"  # a card's edit with pictures
    DIRECT = "direct"  # the pictures go to their member directly, because the card is gone
    PRESS = "press"  # the bot answers a pressed button
    SUBMIT = "submit"
    POLL_QUEUED = "poll-queued"  # a status that says "in the queue", and so on
    POLL_RUNNING = "poll-running"
    POLL_COMPLETED = "poll-completed"
    POLL_FAILED = "poll-failed"
    CANCEL = "cancel"  # the bot asks the provider to cancel
    PICTURE = "picture"  # the bot downloads a picture
    WEBHOOK = "webhook"  # a provider calls the bot
    START = "start"  # the bot asks for the gateway: it is starting


class UtcDateTime(StrEnum):
    """When an event is struck at."""

    BEFORE = "before"  # it has arrived; a killed bot's request never takes effect
    AFTER = "after"  # it has taken effect, and no answer goes out before the strike
    HALFWAY = "halfway"  # half of the answer has gone out
    ANSWERED = "answered"  # the whole answer has gone out


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A signal at an event's moment (passing over the first `skip`), or, without an event, at a random instant.

    `after` is in seconds: from the moment, or from the round's beginning or the last strike for a random instant.
    """

    event: Event | None = None
    moment: UtcDateTime = UtcDateTime.BEFORE
    signal: Signals = SIGKILL
    skip: int = 0
    after: float = 0.0

    def __str__(self) -> str:
        """Return it as the summary names it."""
        where = "random instant" if self.event is None else f"{self.event} {self.moment}"
        return f"{where} {self.signal.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One use of `/imagine`, `after` seconds.

    `cancel_after` is seconds from its card to a press of Cancel, `gone_after` to the card's removal by a moderator.
    """

    member: str
    prompt: str
    after: float = 0.0
    cancel_after: float | None = None
    gone_after: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """The prompt's last word, which is in no other and needs no escaping."""
        return self.prompt.rpartition(" ")[2]

    @property
    def images(self) -> int:
        """How many pictures are asked for."""
        images: int = self.options.get("images", 1)
        return images


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """A fault of a stand-in ("discord", "skillboss" or "reve2img"); `where` and `how` are what its `faults` take."""

    server: str
    where: tuple[str, str]
    how: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A round. `queue` and `work` are the seconds that the providers' jobs take until the last strike is over.

    A transition that does not come within `patience` seconds is not waited for: the bot is struck then.
    """

    name: str
    orders: tuple[Order, ...]
    strikes: tuple[Strike, ...]
    mishaps: tuple[Mishap, ...] = ()
    queue: float = 0.1
    work: float = 0.1
    patience: float = 3.0


def a_prompt(randomness: random.Random, about: str) -> str:
    """Return a prompt that is no other's and is told from everything else in a log."""
    return f"{about} {randomness.getrandbits(64):016x}"


def random_plan(seed: int, number: int, *, jobs: int) -> Plan:
    """Return round `number` of a campaign, with up to so many jobs. The same arguments give the same plan."""
    randomness = random.Random(f"{seed}:{number}")  # noqa: S311 - to be repeated, not a secret
    return Plan(
        name=f"round {number}",
        orders=tuple(_order(randomness) for _ in range(randomness.randint(1, jobs))),
        strikes=tuple(_strike(randomness, first=not turn) for turn in range(randomness.choice((1, 1, 1, 1, 2, 2, 3)))),
        mishaps=tuple(_mishap(randomness) for _ in range(randomness.choice((0, 0, 1, 2)))),
        queue=randomness.uniform(0.0, _LONGEST_QUEUE),
        work=randomness.uniform(0.0, _LONGEST_WORK),
    )


_WANTS: Final[tuple[dict[str, Any], ...]] = (
    {},  # SkillBoss's model
    {"aspect_ratio": "16:9"},
    {"detail": 2},  # what only reve2img offers of it
    {"model": "nano-banana"},
    {"model": "seedream-5"},
)


def _order(randomness: random.Random) -> Order:
    return Order(
        member=randomness.choice(MEMBERS),
        prompt=a_prompt(randomness, randomness.choice(("a fox", "two boats", "an atelier", "rain"))),
        after=randomness.uniform(0.0, _SOONEST_SECOND_ORDER),
        cancel_after=randomness.uniform(0.0, 1.0) if randomness.random() < 0.25 else None,
        gone_after=randomness.uniform(0.0, 2.0) if randomness.random() < 0.1 else None,
        options={
            **randomness.choice(_WANTS),
            "images": randomness.choice((1, 1, 2, 3, 4)),
            "format": randomness.choice(("png", "jpeg", "webp")),
        },
    )


_THRICE: Final = (UtcDateTime.BEFORE, UtcDateTime.AFTER, UtcDateTime.ANSWERED)
# What most rounds have. The rest has rounds of its own, and is hit at random instants.
_COMMON: Final[dict[Event, tuple[UtcDateTime, ...]]] = {
    Event.DELIVERED: (UtcDateTime.ANSWERED,),
    Event.CALLBACK: _THRICE,
    Event.EDIT: _THRICE,
    Event.UPLOAD: _THRICE,
    Event.SUBMIT: _THRICE,
    Event.POLL_RUNNING: _THRICE,
    Event.POLL_COMPLETED: _THRICE,
    Event.PICTURE: tuple(UtcDateTime),
}
_LATER: Final[dict[Event, tuple[UtcDateTime, ...]]] = {
    Event.START: _THRICE,
    Event.LOOKUP: _THRICE,
    Event.UPLOAD: _THRICE,
    Event.POLL_COMPLETED: _THRICE,
    Event.PICTURE: tuple(UtcDateTime),
}


def _strike(randomness: random.Random, *, first: bool) -> Strike:
    number = SIGKILL if randomness.random() < 0.8 else SIGTERM
    if randomness.random() < 0.6:
        latest = _FIRST_INSTANT if first else _LATER_INSTANT
        return Strike(signal=number, after=randomness.uniform(0.0, latest))
    likely = _COMMON if first else _LATER
    event = randomness.choice(tuple(likely))
    return Strike(
        event=event,
        moment=randomness.choice(likely[event]),
        signal=number,
        skip=randomness.choice((0, 0, 1)),
        after=randomness.uniform(0.0, _REACTION),
    )


_PROVIDER_MISHAPS: Final[tuple[tuple[tuple[str, str], dict[str, Any]], ...]] = (
    (("submit", "status"), {"status": 429, "retry_after": "0"}),
    (("submit", "status"), {"status": 503, "retry_after": "0"}),
    (("submit", "status"), {"status": 500, "retry_after": "0"}),
    (("submit", "fail"), {"reason": "vendor"}),
    (("submit", "fail"), {"reason": "content"}),
    (("submit", "delay"), {"seconds": 0.5}),
    (("submit", "reset_before"), {}),
    (("submit", "reset_after"), {}),
    (("submit", "malformed"), {}),
    (("submit", "inline"), {}),
    (("submit", "empty"), {}),
    (("submit", "stuck"), {"state": "IN_PROGRESS"}),
    (("submit", "shape"), {"shape": "objects"}),
    (("status", "status"), {"status": 500}),
    (("status", "status"), {"status": 429, "retry_after": "0"}),
    (("status", "reset_after"), {}),
    (("status", "malformed"), {}),
    (("status", "word"), {}),
    (("status", "delay"), {"seconds": 0.3}),
    (("picture", "status"), {"status": 404}),
    (("picture", "status"), {"status": 503}),
    (("picture", "truncated"), {}),
    (("picture", "html"), {}),
    (("picture", "delay"), {"seconds": 0.3}),
    (("cancel", "unsaid"), {}),
    (("cancel", "status"), {"status": 500}),
    (("cancel", "reset_after"), {}),
)
_DISCORD_MISHAPS: Final[tuple[tuple[tuple[str, str], dict[str, Any]], ...]] = (
    (("PATCH", "@original"), {"status": 429, "retry_after": 0.05}),
    (("PATCH", "@original"), {"status": 500}),
    (("PATCH", "@original"), {"reset": True}),
    (("PATCH", "@original"), {"reset": True, "when": "after"}),
    (("POST", "callback$"), {"status": 500}),
    (("POST", "callback$"), {"reset": True, "when": "after"}),
    (("POST", "callback$"), {"reset": True}),
    (("POST", "callback$"), {"delay": 0.3}),
    (("GET", "@original"), {"status": 500}),
)


def _mishap(randomness: random.Random) -> Mishap:
    server = randomness.choice(("skillboss", "reve2img", "discord"))
    where, how = randomness.choice(_DISCORD_MISHAPS if server == "discord" else _PROVIDER_MISHAPS)
    return Mishap(server=server, where=where, how=how)

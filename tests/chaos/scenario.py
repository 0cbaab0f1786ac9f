"""Contents of a round, decided by a seed: requests, incidents and strikes."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Final

MEMBERS: Final = tuple(f"victim-{number}" for number in range(4))

_SOONEST_SECOND_ORDER: Final = 0.4
_LONGEST_QUEUE: Final = 0.5
_LONGEST_WORK: Final = 0.8
# A start takes a second or two, so many later strikes hit a bot that is taking over jobs.
_FIRST_INSTANT: Final = 2.5
_LATER_INSTANT: Final = 4.0
_REACTION: Final = 0.03


class Event(StrEnum):
    """A request of the bot, or one to it: a target of strikes."""

    DELIVERED = "delivered"  # an interaction has gone out to the bot
    CALLBACK = "callback"  # the bot answers a command with its card
    LOOKUP = "lookup"  # the bot looks up a card of an earlier process
    EDIT = "edit"  # a card's edit without pictures
    UPLOAD = "upload"  # a card's edit with pictures
    DIRECT = "direct"  # a direct message, because the card is gone
    PRESS = "press"  # the bot answers a pressed button
    SUBMIT = "submit"
    POLL_QUEUED = "poll-queued"  # a status with this state; likewise below
    POLL_RUNNING = "poll-running"
    POLL_COMPLETED = "poll-completed"
    POLL_FAILED = "poll-failed"
    CANCEL = "cancel"  # the bot asks the provider to cancel
    PICTURE = "picture"  # the bot downloads a picture
    WEBHOOK = "webhook"  # a provider calls the bot
    START = "start"  # the bot asks for the gateway: it is starting
    KEPT = "kept"  # the images of an answer are on the disk, and no transaction has recorded that


class StrikeMoment(StrEnum):
    """Moment of a strike within an event."""

    BEFORE = "before"  # it has arrived; a killed bot's request never takes effect
    OPEN = "open"  # it takes effect, and its answer is not ready
    AFTER = "after"  # it has taken effect, and no answer goes out before the strike
    HALFWAY = "halfway"  # half of the answer has gone out
    ANSWERED = "answered"  # the whole answer has gone out


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A signal at a moment of an event; without an event at a random instant.

    The first `skip` matches are passed over. `after` is in seconds: from the moment, or for a random instant from the
    start of the round or the last strike.
    """

    event: Event | None = None
    moment: StrikeMoment = StrikeMoment.BEFORE
    signal: Signals = SIGKILL
    skip: int = 0
    after: float = 0.0

    def __str__(self) -> str:
        """Return the name used in the summary."""
        where = "random instant" if self.event is None else f"{self.event} {self.moment}"
        return f"{where} {self.signal.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """One use of `/imagine`, `after` seconds into the round.

    `cancel_after` is seconds from the card to a press of Cancel, `gone_after` to the card's removal by a moderator.
    """

    member: str
    prompt: str
    after: float = 0.0
    cancel_after: float | None = None
    gone_after: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """Last word of the prompt: unique, and free of escapes."""
        return self.prompt.rpartition(" ")[2]

    @property
    def images(self) -> int:
        """Number of requested images."""
        images: int = self.options.get("images", 1)
        return images


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A fault of a fake: "discord" or the name of a provider.

    `where` and `how` are the arguments of its `faults`.
    """

    server: str
    where: tuple[str, str]
    how: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A round.

    `queue` and `work` are the latencies of the providers in seconds until the last strike is over. After `patience`
    seconds without the transition, the bot is struck anyway. After `restart_after` seconds the providers that forget
    their jobs at a restart do so.
    """

    name: str
    requests: tuple[PlannedRequest, ...]
    strikes: tuple[Strike, ...]
    incidents: tuple[Incident, ...] = ()
    queue: float = 0.1
    work: float = 0.1
    patience: float = 3.0
    restart_after: float | None = None


def make_prompt(randomness: random.Random, about: str) -> str:
    """Return a unique prompt, distinct from anything else in a log."""
    return f"{about} {randomness.getrandbits(64):016x}"


def random_scenario(seed: int, number: int, *, jobs: int) -> Scenario:
    """Return round `number` of a suite with at most `jobs` jobs.

    Equal arguments give equal scenarios.
    """
    randomness = random.Random(f"{seed}:{number}")  # noqa: S311 - to be repeated, not a secret
    return Scenario(
        name=f"round {number}",
        requests=tuple(_planned_request(randomness) for _ in range(randomness.randint(1, jobs))),
        strikes=tuple(_strike(randomness, first=not turn) for turn in range(randomness.choice((1, 1, 1, 1, 2, 2, 3)))),
        incidents=tuple(_incident(randomness) for _ in range(randomness.choice((0, 0, 1, 2)))),
        queue=randomness.uniform(0.0, _LONGEST_QUEUE),
        work=randomness.uniform(0.0, _LONGEST_WORK),
    )


_OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {},  # SkillBoss's model
    {"aspect_ratio": "16:9"},
    {"detail": 2},  # what only reve2img offers of it
    {"model": "nano-banana"},
    {"model": "seedream-5"},
)


def _planned_request(randomness: random.Random) -> PlannedRequest:
    return PlannedRequest(
        member=randomness.choice(MEMBERS),
        prompt=make_prompt(randomness, randomness.choice(("a fox", "two boats", "an atelier", "rain"))),
        after=randomness.uniform(0.0, _SOONEST_SECOND_ORDER),
        cancel_after=randomness.uniform(0.0, 1.0) if randomness.random() < 0.25 else None,
        gone_after=randomness.uniform(0.0, 2.0) if randomness.random() < 0.1 else None,
        options={
            **randomness.choice(_OPTIONS),
            "images": randomness.choice((1, 1, 2, 3, 4)),
            "format": randomness.choice(("png", "jpeg", "webp")),
        },
    )


_COMMON_MOMENTS: Final = (StrikeMoment.BEFORE, StrikeMoment.AFTER, StrikeMoment.ANSWERED)
# Most rounds have these. `transitions.py` and random instants cover the rest.
_COMMON: Final[dict[Event, tuple[StrikeMoment, ...]]] = {
    Event.DELIVERED: (StrikeMoment.ANSWERED,),
    Event.CALLBACK: _COMMON_MOMENTS,
    Event.EDIT: _COMMON_MOMENTS,
    Event.UPLOAD: _COMMON_MOMENTS,
    Event.SUBMIT: _COMMON_MOMENTS,
    Event.POLL_RUNNING: _COMMON_MOMENTS,
    Event.POLL_COMPLETED: _COMMON_MOMENTS,
    Event.PICTURE: tuple(StrikeMoment),
}
_LATER: Final[dict[Event, tuple[StrikeMoment, ...]]] = {
    Event.START: _COMMON_MOMENTS,
    Event.LOOKUP: _COMMON_MOMENTS,
    Event.UPLOAD: _COMMON_MOMENTS,
    Event.POLL_COMPLETED: _COMMON_MOMENTS,
    Event.PICTURE: tuple(StrikeMoment),
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


_PROVIDER_INCIDENTS: Final[tuple[tuple[tuple[str, str], dict[str, Any]], ...]] = (
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
_DISCORD_INCIDENTS: Final[tuple[tuple[tuple[str, str], dict[str, Any]], ...]] = (
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


def _incident(randomness: random.Random) -> Incident:
    server = randomness.choice(("skillboss", "reve2img", "discord"))
    where, how = randomness.choice(_DISCORD_INCIDENTS if server == "discord" else _PROVIDER_INCIDENTS)
    return Incident(server=server, where=where, how=how)

"""A job: its states, the legal transitions between them, and what is known of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bot.domain.errors import FaultKind, JobStateError
from bot.domain.images import ResultImage
from bot.domain.requests import GenerationRequest

DEFAULT_LOCALE: Final = "en-US"
TOKEN_LIFE: Final = timedelta(minutes=15)
"""How long Discord lets an interaction token be used."""


class State(StrEnum):
    """Where a job is. The last four are ends."""

    HELD = "held"  # credits are held; waits for a slot
    SUBMITTING = "submitting"  # the paid request is under way
    UNKNOWN = "unknown"  # its reply was lost: perhaps accepted, never repeated
    QUEUED = "queued"  # in the provider's line
    RUNNING = "running"
    STORING = "storing"  # the provider is done; the pictures are being fetched
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # the hard deadline passed

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return not TRANSITIONS[self]


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.HELD: frozenset({State.SUBMITTING, State.CANCELLED, State.FAILED, State.LOST}),
    # Back to HELD (another try, another provider, a stop) only when the provider surely did not accept.
    State.SUBMITTING: frozenset({State.HELD, State.QUEUED, State.RUNNING, State.STORING, State.UNKNOWN, State.FAILED}),
    State.UNKNOWN: frozenset({State.STORING, State.FAILED}),
    State.QUEUED: frozenset({State.RUNNING, State.STORING, State.CANCELLED, State.FAILED, State.LOST}),
    State.RUNNING: frozenset({State.STORING, State.CANCELLED, State.FAILED, State.LOST}),
    State.STORING: frozenset({State.DONE, State.FAILED, State.LOST}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.LOST: frozenset(),
}

LIVE: Final = tuple(state for state in State if TRANSITIONS[state])
AT_PROVIDER: Final = (State.SUBMITTING, State.UNKNOWN, State.QUEUED, State.RUNNING, State.STORING)
"""The states that take a slot."""


def check_transition(current: State, wanted: State) -> None:
    """Raise `JobStateError` unless the step is in the table."""
    if wanted not in TRANSITIONS[current]:
        raise JobStateError(current, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionContext:
    """Where on Discord a job came from and where its one message is.

    `token` is a secret that lives 15 minutes; it is None once erased. `message_id` is None until the card is known
    to be there. `upload_limit` is in bytes. `private` is a message that only its member sees: no bot token reaches it.
    `locale` is the language of the message, as Discord names it.
    """

    interaction_id: int
    application_id: int
    guild_id: int
    channel_id: int
    member_id: int
    token: str | None
    message_id: int | None = None
    upload_limit: int = 10 * 1024 * 1024
    private: bool = False
    locale: str = DEFAULT_LOCALE


class Action(StrEnum):
    """What a member did with an earlier job that made this one."""

    AGAIN = "again"  # the same once more
    VARY = "vary"  # the same prompt, starting from a picture
    EDIT = "edit"  # a new prompt, changing a picture
    UPSCALE = "upscale"
    CUT_OUT = "cutout"  # the background removed
    REFERENCE = "reference"  # a new prompt, with a picture to go by


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The job that a job was made from; `position` is the picture, None where it was the whole job."""

    action: Action
    job_id: str
    position: int | None = None


LONGEST_CHAIN: Final = 8
"""How many steps back from a job are looked at, to tell where it came from and to find it by their words."""


class Delivery(StrEnum):
    """Where a job's member finds its end."""

    CARD = "card"  # in the job's one message
    DIRECT = "direct"  # in a direct message, because the card could not be reached
    HISTORY = "history"  # in `/history` alone
    NOWHERE = "nowhere"  # there was nothing to give and no way to say so


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the database has it. Times are aware UTC; credits are integers.

    `owner` is the worker that sees to it; `fence` grows whenever another takes it over, and with each claim, so that
    whoever is late is rejected. `due_at` is when a waiting job may be tried next. `charged` is None until the hold is
    settled. `tries` counts submits that were surely not accepted. `direct_at` is when a direct message was first
    intended. `reconcile_at` is when the provider is asked again what became of a job that ended without its answer.
    `prepared` is False while its inputs are still to be fetched and checked. `origin` is the job that it was made from;
    `deleted_at` is when its member or a moderator took it away.
    """

    id: str
    place: InteractionContext
    request: GenerationRequest
    price: int
    state: State
    fence: int
    tries: int
    created_at: datetime
    due_at: datetime
    acknowledged_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_refused: bool = False
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    delivered_at: datetime | None = None
    provider: str | None = None
    fault: FaultKind | None = None
    charged: int | None = None
    owner: str | None = None
    delivery: Delivery | None = None
    direct_at: datetime | None = None
    reconcile_at: datetime | None = None
    prepared: bool = True
    origin: Origin | None = None
    deleted_at: datetime | None = None

    @property
    def unit_price(self) -> int:
        """Credits for one of its pictures."""
        return self.price // self.request.images

    def token_alive(self, now: datetime) -> bool:
        """Whether the interaction's token can still be used; a minute is kept in reserve."""
        return self.place.token is not None and now < self.created_at + TOKEN_LIFE - timedelta(minutes=1)

    def card_in_reach(self, now: datetime) -> bool:
        """Whether its card can be edited, as far as is known: some listen to their interaction's token alone.

        Those are the private ones, and those where the bot itself is not.
        """
        return self.token_alive(now) or not (self.place.private or self.place.guild_id == 0)


class Outcome(StrEnum):
    """What became of one submit."""

    OPEN = "open"  # under way, or accepted and not ended
    REFUSED = "refused"  # surely not accepted
    UNKNOWN = "unknown"  # the reply was lost
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # the hard deadline passed before it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One submit to one provider.

    `cost` is in the provider's units; `result` holds the pictures' addresses between the provider's answer and
    their being stored. `webhook_hash` is the SHA-256 of the secret in the address that the provider may call.
    """

    job_id: str
    number: int
    provider: str
    outcome: Outcome
    started_at: datetime
    fault: FaultKind | None = None
    handle: str | None = None
    record_id: str | None = None
    cost: int | None = None
    result: tuple[str, ...] = ()
    webhook_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a card shows. `place_in_line` counts from 1 and is None once it does not wait here.

    `available` is what the member can spend now; `usual_seconds` is (median, 90th percentile) of the model where
    enough was measured.
    """

    job: Job
    pictures: tuple[ResultImage, ...] = ()
    place_in_line: int | None = None
    available: int = 0
    usual_seconds: tuple[int, int] | None = None

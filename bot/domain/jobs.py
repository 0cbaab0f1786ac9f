"""Jobs: their states, legal transitions and records."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bot.domain.costs import Cost
from bot.domain.errors import FaultKind, JobStateError
from bot.domain.images import ResultImage
from bot.domain.pauses import Pause
from bot.domain.preferences import Notice
from bot.domain.requests import GenerationRequest

DEFAULT_LOCALE: Final = "en-US"
TOKEN_LIFE: Final = timedelta(minutes=15)
"""Life of an interaction token on Discord."""
CARD_CLOSES_AFTER: Final = TOKEN_LIFE - timedelta(minutes=2)
"""Age of a job at which a card that only its token can edit gets its last words."""


class State(StrEnum):
    """A job's state. The last four are final."""

    HELD = "held"  # credits are held; waits for a slot
    SUBMITTING = "submitting"  # the paid request is running
    UNKNOWN = "unknown"  # its reply was lost: perhaps accepted, never repeated
    QUEUED = "queued"  # in the provider's queue
    RUNNING = "running"
    STORING = "storing"  # the provider is done; the pictures are being fetched
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # the hard deadline passed

    @property
    def ended(self) -> bool:
        """True if the state is final."""
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
    """Check a transition against the table.

    Raises:
        JobStateError: the transition is not in the table.
    """
    if wanted not in TRANSITIONS[current]:
        raise JobStateError(current, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionContext:
    """The place on Discord of a job and of its one message.

    `token` is a secret that lives 15 minutes; it is None once erased. `message_id` is None until the card is known to
    exist. `upload_limit` is in bytes. `private` is a message that only its member sees: no bot token reaches it.
    `locale` is the language of the message, as Discord names it. `roles` are the member's in the guild, and
    `parent_channel_id` is the channel of a thread, and `in_age_restricted` is the channel's flag; `is_flag_unknown` if
    Discord does not say it. `manages_guild` is the member's right Manage Server. These are known with the interaction
    only and are not stored.
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
    roles: tuple[int, ...] = field(default=(), compare=False)
    parent_channel_id: int | None = field(default=None, compare=False)
    in_age_restricted: bool = field(default=False, compare=False)
    is_flag_unknown: bool = field(default=False, compare=False)
    manages_guild: bool = field(default=False, compare=False)


class Action(StrEnum):
    """The action on an earlier job, leading to this job."""

    AGAIN = "again"  # the same once more
    VARY = "vary"  # the same prompt, starting from a picture
    EDIT = "edit"  # a new prompt, changing a picture
    UPSCALE = "upscale"
    CUT_OUT = "cutout"  # the background removed
    REFERENCE = "reference"  # a new prompt, with a picture to go by


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The parent of a job.

    `position` is the image, None if it was the whole job. `submission_id`: the parent was used by its post in the
    showcase. It is kept until the job is made, because the post may go while its member is asked.
    """

    action: Action
    job_id: str
    position: int | None = None
    submission_id: str | None = field(default=None, compare=False)


LONGEST_CHAIN: Final = 8
"""Origins followed back from a job, for its details and for the search of its history."""


class Delivery(StrEnum):
    """The place of a job's result."""

    CARD = "card"  # in the job's one message
    DIRECT = "direct"  # in a direct message, because the card could not be reached
    HISTORY = "history"  # in `/history` alone
    NOWHERE = "nowhere"  # there was no result and no way to say so


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the database stores it.

    Times are aware UTC; credits are integers. `owner` is the worker that handles the job. `fence` grows at each
    takeover and at each claim, so writes of a former owner are rejected. `due_at` is the earliest time of the next
    try of a waiting job. `charged` is None until the hold is settled. `tries` counts submits that were surely not
    accepted. `direct_at` is the planned time of its direct message. `reconcile_at` is the time to ask
    the provider again about a job that ended without its answer. `prepared` is False while its inputs are still to
    be fetched and checked. `decode_tries` counts decodings of its images that began and did not end. `origin` is the
    job that it was made from. `deleted_at` is the time when its member or a moderator deleted it. `notice` is the
    message that tells its member that it is done, `notice_at` that message's planned time. `public_at` is
    the time when its member made a private one public, `public_message_id` the message that shows it then.
    `favourite_at` is the time when its member chose it as a favourite. `own_key`: it uses the guild's own provider keys
    alone, and the operator owes nothing for it. `age_restricted`: it was made in an age-restricted channel, or from
    such a picture; this never changes. `duel_id` is the duel that it was made for: its message is the duel's.
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
    decode_tries: int = 0
    origin: Origin | None = None
    deleted_at: datetime | None = None
    notice: Notice | None = None
    notice_at: datetime | None = None
    public_at: datetime | None = None
    public_message_id: int | None = None
    favourite_at: datetime | None = None
    own_key: bool = False
    age_restricted: bool = False
    duel_id: str | None = None

    @property
    def is_private(self) -> bool:
        """True if only its member may see it."""
        return self.place.private and self.public_at is None

    @property
    def unit_price(self) -> int:
        """Credits for one of its images."""
        return self.price // self.request.images

    def token_alive(self, now: datetime) -> bool:
        """Return whether the interaction token is usable.

        One minute is kept in reserve.
        """
        return self.place.token is not None and now < self.created_at + TOKEN_LIFE - timedelta(minutes=1)

    def card_in_reach(self, now: datetime) -> bool:
        """Return whether the card can be edited, as far as is known.

        Private cards, and cards where the bot is not installed, can be edited by the interaction token only.
        """
        return self.token_alive(now) or self.card_closes_at is None

    @property
    def card_closes_at(self) -> datetime | None:
        """The time of the last edit of a running job's card.

        None for a card that the bot token can edit.
        """
        only_by_token = self.place.private or self.place.guild_id == 0
        return self.created_at + CARD_CLOSES_AFTER if only_by_token else None


class Outcome(StrEnum):
    """The outcome of one submit."""

    OPEN = "open"  # running, or accepted and not ended
    REFUSED = "refused"  # surely not accepted
    UNKNOWN = "unknown"  # the reply was lost
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # the hard deadline passed before it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One submit to one provider.

    Calls sent together for one job are a batch, named by the number of its first call. They count their parts from 0; a
    part that was refused may be sent again in its batch. `images` are those of this call, None for all of the job.
    `result` holds the images' addresses between the provider's answer and their storage. `webhook_hash` is the SHA-256
    of the secret in the callback URL. `retry_at` is the time from which the provider that refused it may be asked again
    for this job. `key_id` is the guild's own key of the call, None if it has the operator's.
    """

    job_id: str
    number: int
    provider: str
    outcome: Outcome
    started_at: datetime
    fault: FaultKind | None = None
    handle: str | None = None
    record_id: str | None = None
    batch: int = 1
    part: int = 0
    images: int | None = None
    cost: Cost | None = None
    result: tuple[str, ...] = ()
    webhook_hash: str | None = None
    retry_at: datetime | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All data of a card.

    `queue_position` is the queue position; it counts from 1 and is None once the job does not wait here.
    `forecast_seconds` is the time until the end of a job that waits for others, if enough was measured. `own_first` is
    how many other jobs of the member come first, if their own limit is the reason to wait.
    `available` is the member's spendable credits, None if unlimited. `usual_seconds` is (median, 90th percentile) of
    the model if enough was measured. `waits_for_storage`: its images could not be stored at present, so it waits.
    `held_until` is the latest end of an UNKNOWN job's hold if its member has no free repeat left. `at_work`: the
    provider answers a submit with the images, so it works on them already. `remote_position` is the place in the
    provider's queue, `percent` the provider's word on its work. `pause` is what keeps a queued job from its submit.
    `is_shareable`: its server has a showcase for its pictures. `removed` counts the images that are not kept any more,
    `taken_down` those of them that takedowns removed. `is_hidden`: members reported
    it, and no moderator has decided yet.
    """

    job: Job
    pictures: tuple[ResultImage, ...] = ()
    queue_position: int | None = None
    forecast_seconds: int | None = None
    own_first: int = 0
    available: int | None = 0
    usual_seconds: tuple[int, int] | None = None
    waits_for_storage: bool = False
    pause: Pause | None = None
    held_until: datetime | None = None
    at_work: bool = False
    remote_position: int | None = None
    percent: int | None = None
    is_shareable: bool = False
    removed: int = 0
    taken_down: int = 0
    is_hidden: bool = False

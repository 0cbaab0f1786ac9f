"""Messages of the bot about rows of the database."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MessageKind(StrEnum):
    """A kind of message, for a kind of subject."""

    REVIEW = "review"  # a submission's card for the moderators
    SHOWCASE = "showcase"  # a submission's post in the showcase
    NOTICE = "notice"  # a decision, by direct message; the number is the submission's revision
    QUEUE = "queue"  # a server's review queue; the subject is the server
    CARD = "card"  # an edit of a finished job's public card
    REPORT = "report"  # reports of a picture, for the moderators
    CHALLENGE = "challenge"  # a challenge: its card, numbered pages of entries, and its winners
    APPEAL = "appeal"  # a member's appeal against a prompt rule, for the moderators
    PICKS = "picks"  # a server's picks of a week; the subject is the server, the number the week


def guild_subject(guild_id: int) -> str:
    """Return a guild's id as the subject of a message, in 32 digits."""
    return f"{guild_id:032d}"


class OutboxEnd(StrEnum):
    """The end of a message."""

    DROPPED = "dropped"  # nothing to show, or it was deleted as wanted
    CLOSED = "closed"  # the channel is gone, or the bot may not post there
    REFUSED = "refused"  # Discord refuses the content
    DELETED = "deleted"  # somebody deleted it on Discord


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLane:
    """Messages in a common queue.

    They are new ones, or edits, of one kind in one guild.
    """

    guild_id: int
    kind: MessageKind
    is_posted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A message, and how far Discord shows it.

    It is due while `wanted` exceeds `shown`. `channel_id` is set at the first post; of a forum's post it is the thread,
    and `home_id` is the forum. `begun_at` is the time of the first try to create the message: after a crash the channel
    is searched since then. `direct_at` is the planned time of a direct message. `content` names its attached files.
    """

    id: str
    kind: MessageKind
    subject_id: str
    number: int
    guild_id: int
    wanted: int
    shown: int
    tries: int
    due_at: datetime
    channel_id: int | None = None
    message_id: int | None = None
    home_id: int | None = None
    begun_at: datetime | None = None
    direct_at: datetime | None = None
    end: OutboxEnd | None = None
    content: str = ""

"""Snapshots of challenges for their messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.guild_settings import GuildSettings
from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.sharing.challenges import ENTRIES_A_PAGE, Challenge, ChallengeState, Entry, Placing, placings
from bot.domain.sharing.submissions import Submission, SubmissionState
from bot.engine.clock import Clock
from db.challenges import ChallengeRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.submissions import SubmissionRepository

CARD: Final = 0
"""The number of a challenge's card in the outbox; its pages count from 1."""
WINNERS: Final = 99
"""The number of the winners' post."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry with its submission, job and picture.

    The picture is None if it is not kept, or may not be shown any more.
    """

    entry: Entry
    submission: Submission
    job: Job
    picture: ResultImage | None

    @property
    def is_gone(self) -> bool:
        """True if it was withdrawn, hidden or taken down."""
        return self.submission.state is not SubmissionState.APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeSnapshot:
    """A challenge with everything on its messages.

    `counts` are entries by state, before the vote; `entries` those of the vote, at the end also the
    ones that are gone since. `pages` are the messages of entries,
    and `winners_post` is that of the winners.
    """

    challenge: Challenge
    guild: GuildSettings
    counts: dict[SubmissionState, int]
    entries: tuple[ShownEntry, ...]
    placings: tuple[Placing, ...]
    voters: int
    card: OutboxMessage | None
    pages: tuple[OutboxMessage, ...]
    winners_post: OutboxMessage | None


class ChallengeSnapshots:
    """Read access to challenges, each from one state of the database."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, challenge_id: str) -> ChallengeSnapshot:
        """Return a snapshot.

        Raises:
            ChallengeGoneError: there is no such challenge.
        """
        now = self._clock.now()
        return await self._database.read(lambda connection: _snapshot(connection, challenge_id, now))


def _snapshot(connection: Connection, challenge_id: str, now: datetime) -> ChallengeSnapshot:
    repository, outbox = ChallengeRepository(connection), OutboxRepository(connection)
    submissions, pictures = SubmissionRepository(connection), ResultImageRepository(connection)
    challenge = repository.get(challenge_id)
    is_ended = challenge.state is ChallengeState.ENDED
    entries = repository.list_results(challenge_id) if is_ended else repository.list_entries(challenge, now)
    shown = []
    for entry in entries:
        submission = submissions.get(entry.submission_id)
        kept = [each for each in pictures.list_for(submission.job_id) if each.position in submission.positions]
        if submission.state is not SubmissionState.APPROVED:
            kept = []
        job = JobRepository(connection).get(submission.job_id)
        shown.append(ShownEntry(entry=entry, submission=submission, job=job, picture=kept[0] if kept else None))
    last = -(-max((each.number for each in entries), default=0) // ENTRIES_A_PAGE)
    found = (outbox.find(MessageKind.CHALLENGE, challenge_id, number) for number in range(1, last + 1))
    return ChallengeSnapshot(
        challenge=challenge,
        guild=GuildRepository(connection).settings(challenge.guild_id),
        counts=repository.count_entries(challenge_id),
        entries=tuple(shown),
        placings=placings(entries) if is_ended else (),
        voters=repository.count_voters(challenge_id),
        card=outbox.find(MessageKind.CHALLENGE, challenge_id, CARD),
        pages=tuple(each for each in found if each is not None),
        winners_post=outbox.find(MessageKind.CHALLENGE, challenge_id, WINNERS),
    )

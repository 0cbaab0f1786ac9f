"""Posts in the showcase: their ends on Discord, and another try."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import NotAllowedError, SubmissionStateError
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind
from bot.domain.sharing.submissions import Submission, SubmissionState
from bot.engine.clock import Clock
from bot.services.jobs import Actor
from bot.services.sharing.transitions import SubmissionTransitions
from db.database import Database
from db.outbox import OutboxRepository
from db.submissions import SubmissionRepository

# The publisher records a post, or its end, after this service has noted it.
_REVIEW_AFTER: Final = timedelta(seconds=5)
_POSTED: Final = (SubmissionState.APPROVED, SubmissionState.HIDDEN)

Wake = Callable[[Sequence[str]], None]
"""Publishes due messages at once, by their ids."""


class ShowcaseService:
    """Notes ends of posts on Discord, and posts them again."""

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str], wake: Wake) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._transitions = SubmissionTransitions(new_id=new_id)

    async def note_deleted(self, submission_id: str, bot_id: int) -> None:
        """Take down a submission after a deletion of its post on Discord.

        Only moderators can: it is their decision, without a name.
        """
        now = self._clock.now()

        def write(connection: Connection) -> list[str]:
            current = SubmissionRepository(connection).get(submission_id, lock=True)
            if current.state not in _POSTED:
                return []
            return self._transitions.move(connection, current, SubmissionState.TAKEN_DOWN, now, actor_id=bot_id)[1]

        self._wake(await self._database.write(write))

    async def update_review(self, submission_id: str) -> None:
        """Bring a review card up to date: its post failed, or is tried again."""
        at = self._clock.now() + _REVIEW_AFTER
        await self._database.write(
            lambda connection: OutboxRepository(connection).refresh((MessageKind.REVIEW,), (submission_id,), at)
        )

    async def post_again(self, submission_id: str, actor: Actor) -> Submission:
        """Try again to post an approved submission.

        Raises:
            SubmissionNotFoundError: there is no such submission.
            NotAllowedError: the actor does not moderate its server.
            SubmissionStateError: it is not approved.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Submission:
            current = SubmissionRepository(connection).get(submission_id, lock=True)
            if not actor.moderator or actor.guild_id != current.guild_id:
                raise NotAllowedError(LazyText("a moderator"))
            if current.state is not SubmissionState.APPROVED:
                raise SubmissionStateError(current.state, SubmissionState.APPROVED)
            due.append(self._transitions.publish(connection, current, now))
            return current

        due: list[str] = []
        submission = await self._database.write(write)
        self._wake(due[-1:])
        return submission

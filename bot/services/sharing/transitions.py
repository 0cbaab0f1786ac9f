"""Transitions of submissions: the row, its audit entry, its messages."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import AlreadyDecidedError
from bot.domain.outbox import MessageKind, guild_subject
from bot.domain.sharing.submissions import Submission, SubmissionState
from db.audit_log import AuditLogRepository
from db.challenges import ChallengeRepository
from db.outbox import OutboxRepository
from db.submissions import SubmissionRepository
from db.votes import PickRepository

_ACTIONS: Final[Mapping[SubmissionState, str]] = {
    SubmissionState.WAITING: "share.resubmit",
    SubmissionState.CHANGES_ASKED: "share.ask",
    SubmissionState.APPROVED: "share.approve",
    SubmissionState.HIDDEN: "share.hide",
    SubmissionState.REFUSED: "share.refuse",
    SubmissionState.WITHDRAWN: "share.withdraw",
    SubmissionState.TAKEN_DOWN: "share.takedown",
}
QUEUE_DELAY: Final = timedelta(seconds=5)
"""The queue card is edited once for all changes of this time."""
_OF_SHOWCASE: Final = (SubmissionState.APPROVED, SubmissionState.HIDDEN)


class SubmissionTransitions:
    """Changes submissions within a caller's transaction.

    Each change writes an audit entry and makes messages due: the review card, the showcase post, the queue card, and
    the member's notice of another person's decision. The caller wakes the publisher with the returned ids.
    """

    def __init__(self, *, new_id: Callable[[], str]) -> None:
        self._new_id = new_id

    def submit(self, connection: Connection, submission: Submission) -> list[str]:
        """Log a new submission and make its messages due; return their ids."""
        at = submission.created_at
        self._log(connection, submission, "share.submit", submission.member_id, at)
        if submission.state is SubmissionState.APPROVED:
            return self._request_post(connection, submission, at)
        review = self._request(connection, MessageKind.REVIEW, submission, at)
        return [review, self._request_queue(connection, submission.guild_id, at)]

    def publish(self, connection: Connection, submission: Submission, at: datetime) -> str:
        """Make the post in the showcase due; return its id."""
        return self._request(connection, MessageKind.SHOWCASE, submission, at)

    def move(
        self,
        connection: Connection,
        submission: Submission,
        to: SubmissionState,
        at: datetime,
        *,
        actor_id: int,
        by_moderator: bool = False,
        reason: str = "",
        is_spoiler: bool | None = None,
    ) -> tuple[Submission, list[str]]:
        """Move a submission on; return it and the ids of its due messages.

        `submission` is as the actor saw it. `by_moderator` names the actor as the one who decided.

        Raises:
            SubmissionStateError: the transition is illegal.
            AlreadyDecidedError: the submission changed meanwhile.
        """
        repository = SubmissionRepository(connection)
        decided_by = actor_id if by_moderator else None
        if not repository.move(submission, to, at, decided_by=decided_by, reason=reason, is_spoiler=is_spoiler):
            current = repository.get(submission.id)
            raise AlreadyDecidedError(state=current.state, by=current.decided_by, at=current.at)
        moved = repository.get(submission.id)
        if submission.state in _OF_SHOWCASE:
            PickRepository(connection).refresh([submission.id], at)
        waited = None
        if submission.state is SubmissionState.WAITING and by_moderator:
            waited = int((at - submission.waiting_since).total_seconds())
        self._log(connection, moved, _ACTIONS[to], actor_id, at, reason=reason, waited=waited)
        due = [self._request(connection, MessageKind.REVIEW, moved, at)] if _has_review(connection, moved, to) else []
        if to is SubmissionState.APPROVED or submission.state in _OF_SHOWCASE:
            due += self._request_post(connection, moved, at)
        if actor_id != submission.member_id and to is not SubmissionState.HIDDEN:
            due.append(self._request(connection, MessageKind.NOTICE, moved, at, number=moved.revision))
        if submission.state.awaits_review or to.awaits_review:
            due.append(self._request_queue(connection, moved.guild_id, at))
        return moved, due

    def refresh_review(self, connection: Connection, submission: Submission, at: datetime) -> list[str]:
        """Make a submission's card due again; return its id."""
        return [self._request(connection, MessageKind.REVIEW, submission, at)]

    def _request(
        self, connection: Connection, kind: MessageKind, submission: Submission, at: datetime, *, number: int = 0
    ) -> str:
        return OutboxRepository(connection).request(
            kind, submission.id, new_id=self._new_id(), guild_id=submission.guild_id, at=at, number=number
        )

    def _request_post(self, connection: Connection, submission: Submission, at: datetime) -> list[str]:
        """Make a submission's post due; an entry's is its challenge."""
        challenge_id = ChallengeRepository(connection).find_of(submission.id)
        if challenge_id is None:
            return [self._request(connection, MessageKind.SHOWCASE, submission, at)]
        return OutboxRepository(connection).refresh((MessageKind.CHALLENGE,), [challenge_id], at)

    def _request_queue(self, connection: Connection, guild_id: int, at: datetime) -> str:
        outbox = OutboxRepository(connection)
        outbox.refresh((MessageKind.QUEUE,), [guild_subject(guild_id)], at + QUEUE_DELAY)  # reminders, too
        return outbox.request(
            MessageKind.QUEUE, guild_subject(guild_id), new_id=self._new_id(), guild_id=guild_id, at=at + QUEUE_DELAY
        )

    def _log(
        self,
        connection: Connection,
        submission: Submission,
        action: str,
        actor_id: int,
        at: datetime,
        *,
        reason: str = "",
        waited: int | None = None,
    ) -> None:
        """Write the audit entry; `waited` are the seconds until a decision."""
        AuditLogRepository(connection).add(
            AuditEntry(
                id=self._new_id(),
                guild_id=submission.guild_id,
                actor_id=actor_id,
                action=action,
                at=at,
                target_id=submission.member_id,
                detail={"submission": submission.id} | ({} if waited is None else {"waited": waited}),
                reason=reason,
            )
        )


def _has_review(connection: Connection, submission: Submission, to: SubmissionState) -> bool:
    """Return whether a submission has a review card, or needs one now."""
    if to.awaits_review:
        return True
    return OutboxRepository(connection).find(MessageKind.REVIEW, submission.id) is not None

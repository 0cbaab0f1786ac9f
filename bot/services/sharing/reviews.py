"""Moderators' side of sharing: claims and decisions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.errors import AlreadyDecidedError, NotAllowedError, SharingError, SubmissionClaimedError
from bot.domain.lazy_text import LazyText
from bot.domain.requests import require_prompt
from bot.domain.sharing.settings import CLAIM_LASTS
from bot.domain.sharing.submissions import MAX_REASON, QueueSummary, Submission, SubmissionState
from bot.engine.clock import Clock
from bot.services.jobs import Actor
from bot.services.sharing.submissions import Waker
from bot.services.sharing.transitions import SubmissionTransitions
from db.database import Database
from db.jobs import JobRepository
from db.submissions import SubmissionRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A moderator's decision about a submission as they saw it.

    `revision` is the one on the moderator's card. `is_spoiler` replaces the member's choice; None leaves it.
    `as_admin`: an admin decides, also about their own submission.
    """

    submission_id: str
    revision: int
    to: SubmissionState
    reason: str = ""
    is_spoiler: bool | None = None
    as_admin: bool = False


class ReviewService:
    """Claims and decisions of moderators, each in one transaction.

    Moderators are checked at each call: `actor` has the rights of the press. Only admins decide about their own
    submissions: there may be nobody else, and an admin can switch the review off. The audit log says so.
    """

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str], waker: Waker) -> None:
        self._database = database
        self._clock = clock
        self._waker = waker
        self._transitions = SubmissionTransitions(new_id=new_id)

    async def get(self, submission_id: str, actor: Actor) -> Submission:
        """Return a submission to a moderator of its server.

        Raises:
            SubmissionNotFoundError: there is no such submission.
            NotAllowedError: the actor moderates another server, or none.
        """
        submission = await self._database.read(lambda connection: SubmissionRepository(connection).get(submission_id))
        _require_moderator(submission, actor)
        return submission

    async def get_prompt(self, submission_id: str, actor: Actor) -> str:
        """Return a submission's whole prompt; raises as `get` does.

        Raises:
            AlreadyDecidedError: its member withdrew it.
            PromptError: the prompt is no longer kept.
        """

        def read(connection: Connection) -> str:
            submission = SubmissionRepository(connection).get(submission_id)
            _require_moderator(submission, actor)
            if submission.state is SubmissionState.WITHDRAWN:
                raise AlreadyDecidedError(state=submission.state, by=submission.decided_by, at=submission.at)
            request = JobRepository(connection).get(submission.job_id).request
            require_prompt(request)
            return request.prompt

        return await self._database.read(read)

    async def claim(self, submission_id: str, actor: Actor, *, as_admin: bool = False) -> Submission:
        """Claim a submission for some minutes; raises as `get` does.

        `as_admin` is as of `Decision`. A claim again lasts longer. Their card shows it.

        Raises:
            SubmissionClaimedError: another moderator is at work on it.
            AlreadyDecidedError: it is decided.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Submission, list[str]]:
            repository = SubmissionRepository(connection)
            current = repository.get(submission_id, lock=True)
            _require_moderator(current, actor)
            _require_other(current, actor, as_admin=as_admin)
            _require_undecided(current)
            _require_unclaimed(current, actor.member_id, now)
            repository.claim(current, actor.member_id, now + CLAIM_LASTS, now)
            return repository.get(submission_id), self._transitions.refresh_review(connection, current, now)

        claimed, due = await self._database.write(write)
        self._waker.wake(due)
        return claimed

    async def release(self, submission_id: str, actor: Actor) -> bool:
        """End the actor's claim; return False if there is none."""
        return await self._database.write(
            lambda connection: SubmissionRepository(connection).release_claim(submission_id, actor.member_id)
        )

    async def decide(
        self, decision: Decision, actor: Actor, *, besides: Callable[[Connection], object] | None = None
    ) -> Submission:
        """Carry out a decision, and `besides` in its transaction.

        Raises as `claim` does.

        Raises:
            SubmissionStateError: the decision does not fit the submission's state.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Submission, list[str]]:
            decided = self._decide(connection, decision, actor, now)
            if besides is not None:
                besides(connection)
            return decided

        submission, due = await self._database.write(write)
        self._waker.wake(due)
        return submission

    async def decide_all(
        self, decisions: Sequence[Decision], actor: Actor
    ) -> tuple[list[Submission], list[tuple[str, SharingError | NotAllowedError]]]:
        """Carry out several decisions, each in a transaction.

        Return the decided submissions, and the ids of the others with their errors.
        """
        done: list[Submission] = []
        failed: list[tuple[str, SharingError | NotAllowedError]] = []
        for each in decisions:
            try:
                done.append(await self.decide(each, actor))
            except (SharingError, NotAllowedError) as error:
                failed.append((each.submission_id, error))
        return done, failed

    async def list_waiting(
        self, actor: Actor, *, limit: int, after: tuple[datetime, str] | None = None
    ) -> tuple[Submission, ...]:
        """Return waiting submissions of the actor's server, longest waiting first.

        Raises:
            NotAllowedError: the actor does not moderate it.
        """
        _require_moderator_of(actor.guild_id, actor)
        return await self._database.read(
            lambda connection: SubmissionRepository(connection).list_awaiting_review(
                actor.guild_id, limit=limit, after=after
            )
        )

    async def queue(self, guild_id: int) -> QueueSummary:
        """Return a summary of a server's review queue."""
        return await self._database.read(lambda connection: SubmissionRepository(connection).queue(guild_id))

    def _decide(
        self, connection: Connection, decision: Decision, actor: Actor, now: datetime
    ) -> tuple[Submission, list[str]]:
        current = SubmissionRepository(connection).get(decision.submission_id, lock=True)
        _require_moderator(current, actor)
        _require_other(current, actor, as_admin=decision.as_admin)
        if current.revision != decision.revision:
            raise AlreadyDecidedError(state=current.state, by=current.decided_by, at=current.at)
        _require_unclaimed(current, actor.member_id, now)
        return self._transitions.move(
            connection,
            current,
            decision.to,
            now,
            actor_id=actor.member_id,
            by_moderator=True,
            reason=decision.reason[:MAX_REASON],
            is_spoiler=decision.is_spoiler,
        )


def _require_moderator(submission: Submission, actor: Actor) -> None:
    _require_moderator_of(submission.guild_id, actor)


def _require_moderator_of(guild_id: int, actor: Actor) -> None:
    if not actor.moderator or actor.guild_id != guild_id:
        raise NotAllowedError(LazyText("a moderator"))


def _require_other(submission: Submission, actor: Actor, *, as_admin: bool) -> None:
    if submission.member_id == actor.member_id and not as_admin:
        raise NotAllowedError(LazyText("another moderator"))


def _require_undecided(submission: Submission) -> None:
    if not submission.state.awaits_review:
        raise AlreadyDecidedError(state=submission.state, by=submission.decided_by, at=submission.at)


def _require_unclaimed(submission: Submission, moderator_id: int, now: datetime) -> None:
    if submission.is_claimed_by_other(moderator_id, now):
        assert submission.claimed_by is not None and submission.claimed_until is not None  # noqa: S101, PT018
        raise SubmissionClaimedError(by=submission.claimed_by, until=submission.claimed_until)

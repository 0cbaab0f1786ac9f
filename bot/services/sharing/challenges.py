"""Challenges: start, entries, votes, and the end of each phase."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.age_restriction import may_show
from bot.domain.audit_log import AuditEntry
from bot.domain.bans import BanScope
from bot.domain.credits import month_end
from bot.domain.errors import (
    AgeRestrictedError,
    AlreadyEnteredError,
    ChallengeFullError,
    ChallengeGoneError,
    ChallengeLimitError,
    ChallengeStateError,
    ChallengeTimesError,
    GrantTooLargeError,
    NotAllowedError,
    NoVotesLeftError,
    OwnEntryError,
    PrizeError,
    RoleNeededToVoteError,
    SharingOffError,
)
from bot.domain.jobs import Job
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind
from bot.domain.sharing.challenges import (
    CANCELLED,
    ENTRIES_A_PAGE,
    LONGEST,
    MAX_ENTRIES,
    MAX_OPEN,
    MAX_THEME,
    SHORTEST,
    TOO_LATE,
    VOTES_A_MEMBER,
    Challenge,
    ChallengeState,
    Placing,
    placings,
    prize_shares,
)
from bot.domain.sharing.settings import ReviewMode
from bot.domain.sharing.submissions import LIVE, Submission, SubmissionOptions, SubmissionState
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from bot.engine.repeat import repeat
from bot.services.access import AccessService
from bot.services.jobs import Actor
from bot.services.request_gate import check_ban
from bot.services.sharing.challenge_snapshots import CARD, WINNERS, ChallengeSnapshot, ChallengeSnapshots
from bot.services.sharing.submissions import Sharer, SubmissionService, Waker
from bot.services.sharing.transitions import SubmissionTransitions
from db.audit_log import AuditLogRepository
from db.challenges import ChallengeRepository
from db.database import Database
from db.guilds import GuildRepository
from db.outbox import OutboxRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository

# Entries that wait for a moderator at the deadline are waited for.
_REVIEW_WAIT: Final = timedelta(hours=24)
_REVIEW_CHECK: Final = timedelta(minutes=15)
_FEWEST_TO_VOTE: Final = 2
_CHECK_SECONDS: Final = 20.0
# The card is edited once for all votes of this time.
_CARD_DELAY: Final = timedelta(minutes=1)
_UNDECIDED: Final = (SubmissionState.WAITING, SubmissionState.CHANGES_ASKED)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengePlan:
    """A challenge as its moderator asks for it."""

    theme: str
    channel_id: int
    entries_for: timedelta
    votes_for: timedelta
    prize: int = 0
    is_age_restricted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A member's votes in a challenge: numbers of entries, votes left."""

    numbers: tuple[int, ...]
    left: int


class ChallengeService:
    """Challenges of servers. Each change is one transaction with its messages."""

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        submissions: SubmissionService,
        identity: MemberIdentity,
        ledger: Ledger,
        clock: Clock,
        new_id: Callable[[], str],
        randomness: random.Random,
        waker: Waker,
    ) -> None:
        self._database = database
        self._snapshots = ChallengeSnapshots(database=database, clock=clock)
        self._transitions = SubmissionTransitions(new_id=new_id)
        self._access = access
        self._submissions = submissions
        self._identity = identity
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._random = randomness
        self._waker = waker

    async def start(self, plan: ChallengePlan, actor: Actor, *, is_admin: bool) -> Challenge:
        """Start a challenge; its card follows.

        Raises:
            NotAllowedError: the actor is no moderator, or no admin and there is a prize.
            NotAdmittedError: the server is not admitted.
            ChallengeTimesError: a time is too short or too long.
            ChallengeLimitError: the server has several already.
            PrizeError: the server's budget does not cover the prize.
            SharingOffError: every entry needs a review, and the server has no channel for it.
        """
        _require_moderator(actor.guild_id, actor)
        if plan.prize and not is_admin:
            raise NotAllowedError(LazyText("an admin of this server"))
        if not all(SHORTEST <= each <= LONGEST for each in (plan.entries_for, plan.votes_for)):
            raise ChallengeTimesError
        now = self._clock.now()
        challenge = Challenge(
            id=self._new_id(),
            guild_id=actor.guild_id,
            channel_id=plan.channel_id,
            theme=" ".join(plan.theme.split())[:MAX_THEME],
            created_by=actor.member_id,
            created_at=now,
            state=ChallengeState.OPEN,
            closes_at=now + plan.entries_for,
            ends_at=now + plan.entries_for + plan.votes_for,
            prize=plan.prize,
            is_age_restricted=plan.is_age_restricted,
        )

        def write(connection: Connection) -> list[str]:
            self._access.check(connection, challenge.guild_id)
            settings = GuildRepository(connection).settings(challenge.guild_id, lock=True)
            rules = SharingSettingsRepository(connection).get(challenge.guild_id)
            if settings.review_channel_id is None and rules.review is ReviewMode.ALL:
                raise SharingOffError(is_review=True)
            repository = ChallengeRepository(connection)
            if len(repository.list_running(challenge.guild_id)) >= MAX_OPEN:
                raise ChallengeLimitError(MAX_OPEN)
            left = self._left(connection, challenge.guild_id, now)
            if challenge.prize > left:
                raise PrizeError(left=left, renews_at=month_end(now))
            repository.add(challenge)
            self._log(connection, challenge, "challenge.start", actor.member_id, now)
            return [self._request(connection, challenge, CARD, now)]

        self._waker.wake(await self._database.write(write))
        return challenge

    async def list_running(self, guild_id: int) -> tuple[Challenge, ...]:
        """Return a server's challenges before their end, oldest first."""
        return await self._database.read(lambda connection: ChallengeRepository(connection).list_running(guild_id))

    async def snapshot(self, challenge_id: str) -> ChallengeSnapshot:
        """Return a challenge as its messages show it.

        Raises:
            ChallengeGoneError: there is no such challenge.
        """
        return await self._snapshots.get(challenge_id)

    async def check_entry(self, challenge_id: str, sharer: Sharer) -> Challenge:
        """Check that a member may enter, before they choose a picture.

        Raises:
            ChallengeGoneError: there is no such challenge in the server.
            ChallengeStateError: it takes no entries now.
            ChallengeFullError: it has the most entries.
            AlreadyEnteredError: the member has an entry.
            BannedError: the member may not share.
        """
        contest = _Entry(self, challenge_id, sharer, self._clock.now())

        def read(connection: Connection) -> Challenge:
            check_ban(connection, sharer.guild_id, sharer.member_id, self._clock.now(), BanScope.SHARING)
            return contest.checked(connection)

        return await self._database.read(read)

    async def list_shareable(self, challenge: Challenge, member_id: int, limit: int) -> tuple[tuple[Job, int], ...]:
        """Return a member's pictures for an entry, latest first: job and position."""
        return await self._database.read(
            lambda connection: SubmissionRepository(connection).list_shareable(
                challenge.guild_id, member_id, limit=limit, restricted=challenge.is_age_restricted
            )
        )

    async def allows_anonymous(self, guild_id: int) -> bool:
        """Return whether a server allows anonymous entries."""
        rules = await self._database.read(lambda connection: SharingSettingsRepository(connection).get(guild_id))
        return rules.allows_anonymous

    async def ballot(self, challenge_id: str, member_id: int) -> Ballot:
        """Return a member's votes.

        Raises:
            ChallengeGoneError: there is no such challenge.
            ChallengeStateError: there is no vote now.
        """
        now = self._clock.now()

        def read(connection: Connection) -> tuple[int, ...]:
            repository = ChallengeRepository(connection)
            challenge = repository.get(challenge_id)
            if challenge.state is not ChallengeState.VOTING:
                raise ChallengeStateError(challenge.state)
            return repository.list_votes(challenge, member_id, now)

        numbers = await self._database.read(read)
        return Ballot(numbers=numbers, left=VOTES_A_MEMBER - len(numbers))

    async def enter(
        self, challenge_id: str, job_id: str, position: int, options: SubmissionOptions, sharer: Sharer
    ) -> Submission:
        """Submit a picture to a challenge.

        Raises as `check_entry` and `SubmissionService.share` do.

        Raises:
            AgeRestrictedError: the picture is age-restricted and the challenge's channel is not.
        """
        contest = _Entry(self, challenge_id, sharer, self._clock.now())
        submission = await self._submissions.share(job_id, [position], options, sharer, contest=contest)
        self._waker.wake(contest.due)
        return submission

    async def vote(self, challenge_id: str, number: int, voter: Sharer) -> Ballot:
        """Vote for an entry, or take the vote back.

        Raises:
            ChallengeGoneError: there is no such challenge or entry in the server.
            ChallengeStateError: it takes no votes now.
            OwnEntryError: the entry is the voter's.
            NoVotesLeftError: the member has voted often enough.
            RoleNeededToVoteError: the server lets some roles vote.
            BannedError: the member may not share.
            DeletionRunningError: everything about the member is being deleted.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Ballot:
            repository = ChallengeRepository(connection)
            # Locked, so that presses at once cannot exceed the votes of a member.
            challenge = repository.get(challenge_id, lock=True)
            _require_guild(challenge, voter.guild_id)
            if challenge.state is not ChallengeState.VOTING:
                raise ChallengeStateError(challenge.state)
            if challenge.ends_at <= now:
                raise ChallengeStateError(ChallengeState.ENDED)
            self._identity.welcome(connection, voter.member_id)
            check_ban(connection, challenge.guild_id, voter.member_id, now, BanScope.SHARING)
            roles = SharingSettingsRepository(connection).get(challenge.guild_id).voter_roles
            if roles and not set(roles) & set(voter.roles):
                raise RoleNeededToVoteError(roles)
            entry = next((each for each in repository.list_entries(challenge, now) if each.number == number), None)
            if entry is None:
                raise ChallengeGoneError
            if entry.member_id == voter.member_id:
                raise OwnEntryError
            if not repository.remove_vote(challenge_id, voter.member_id, number):
                if len(repository.list_votes(challenge, voter.member_id, now)) >= VOTES_A_MEMBER:
                    raise NoVotesLeftError(VOTES_A_MEMBER)
                repository.set_vote(challenge_id, voter.member_id, number, now)
            self._request(connection, challenge, CARD, now + _CARD_DELAY)
            numbers = repository.list_votes(challenge, voter.member_id, now)
            return Ballot(numbers=numbers, left=VOTES_A_MEMBER - len(numbers))

        return await self._database.write(write)

    async def close_phase(self, challenge_id: str, actor: Actor) -> Challenge:
        """End a challenge's entries, or its vote, now.

        Raises:
            NotAllowedError: the actor does not moderate its server.
            ChallengeGoneError: it has ended.
        """
        return await self._change(challenge_id, actor, self._advance)

    async def cancel(self, challenge_id: str, actor: Actor) -> Challenge:
        """Cancel a challenge without winners; raises as `close_phase` does."""
        return await self._change(challenge_id, actor, self._cancel)

    async def run(self) -> None:
        """End due phases until cancelled."""
        await repeat(
            self.advance_due,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("challenges.not_advanced"),
        )

    async def advance_due(self) -> int:
        """End the due phases of all servers; return their number."""
        now = self._clock.now()
        due = await self._database.read(lambda connection: ChallengeRepository(connection).list_due(now, 50))
        advanced = 0
        for challenge_id in due:
            try:
                woken = await self._database.write(
                    lambda connection, at=challenge_id: self._advance_if_due(connection, at, now)  # type: ignore[misc]
                )
            except Exception:  # noqa: BLE001 - one challenge does not hold up the others
                _log.exception("challenge.not_advanced", challenge=challenge_id)
                continue
            advanced += 1
            self._waker.wake(woken)
        return advanced

    async def _change(
        self,
        challenge_id: str,
        actor: Actor,
        change: Callable[[Connection, Challenge, datetime, int], list[str]],
    ) -> Challenge:
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Challenge, list[str]]:
            repository = ChallengeRepository(connection)
            challenge = repository.get(challenge_id, lock=True)
            _require_guild(challenge, actor.guild_id)
            _require_moderator(challenge.guild_id, actor)
            if challenge.due_at is None:
                raise ChallengeGoneError
            woken = change(connection, challenge, now, actor.member_id)
            return repository.get(challenge_id), woken

        challenge, woken = await self._database.write(write)
        self._waker.wake(woken)
        return challenge

    def _advance_if_due(self, connection: Connection, challenge_id: str, now: datetime) -> list[str]:
        repository = ChallengeRepository(connection)
        challenge = repository.get(challenge_id, lock=True)
        if challenge.due_at is None or challenge.due_at > now:
            return []
        waits = repository.count_entries(challenge_id).get(SubmissionState.WAITING, 0)
        is_open = challenge.state is ChallengeState.OPEN
        if is_open and waits and now < challenge.closes_at + _REVIEW_WAIT:
            repository.postpone(challenge_id, now + _REVIEW_CHECK)
            return [self._request(connection, challenge, CARD, now)]
        return self._advance(connection, challenge, now, 0)

    def _advance(self, connection: Connection, challenge: Challenge, now: datetime, actor_id: int) -> list[str]:
        """End the present phase."""
        repository = ChallengeRepository(connection)
        woken = []
        if challenge.state is ChallengeState.OPEN:
            woken = self._close_entries(connection, challenge, _UNDECIDED, TOO_LATE, now, actor_id)
        approved = repository.list_approved(challenge, now)
        if challenge.state is ChallengeState.OPEN and len(approved) >= _FEWEST_TO_VOTE:
            return woken + self._begin_vote(connection, challenge, approved, now, actor_id)
        return woken + self._end(connection, challenge, now, actor_id)

    def _close_entries(
        self,
        connection: Connection,
        challenge: Challenge,
        states: Sequence[SubmissionState],
        reason: str,
        now: datetime,
        actor_id: int,
    ) -> list[str]:
        """Withdraw entries; their pictures can be shared again."""
        submissions, woken = SubmissionRepository(connection), list[str]()
        # All are locked before the first is changed: decisions lock theirs, and then the challenge's messages.
        ids = ChallengeRepository(connection).list_submissions(challenge.id, states)
        entries = [submissions.get(each, lock=True) for each in ids]
        for entry in entries:
            if entry.state in states:
                _moved, due = self._transitions.move(
                    connection, entry, SubmissionState.WITHDRAWN, now, actor_id=actor_id, reason=str(reason)
                )
                woken += due
        return woken

    def _begin_vote(
        self, connection: Connection, challenge: Challenge, approved: Sequence[str], now: datetime, actor_id: int
    ) -> list[str]:
        repository = ChallengeRepository(connection)
        # A vote lasts as long as planned, also if the entries were closed early or late.
        ends_at = now + (challenge.ends_at - challenge.closes_at)
        if not repository.move(challenge, ChallengeState.VOTING, ends_at=ends_at):
            return []
        shuffled = list(approved)
        self._random.shuffle(shuffled)
        repository.number_entries(challenge.id, shuffled)
        self._log(connection, challenge, "challenge.vote", actor_id, now)
        pages = -(-len(shuffled) // ENTRIES_A_PAGE)
        return [self._request(connection, challenge, number, now) for number in range(pages + 1)]

    def _end(self, connection: Connection, challenge: Challenge, now: datetime, actor_id: int) -> list[str]:
        repository = ChallengeRepository(connection)
        if not repository.move(challenge, ChallengeState.ENDED):
            return []
        entries = repository.list_entries(challenge, now) if challenge.state is ChallengeState.VOTING else ()
        repository.settle(challenge.id, entries)
        winners = placings(entries)
        paid = self._pay(connection, challenge, winners, now)
        repository.set_paid(challenge.id, paid)
        self._log(connection, challenge, "challenge.end", actor_id, now, paid=paid)
        woken = OutboxRepository(connection).refresh((MessageKind.CHALLENGE,), [challenge.id], now)
        return [*woken, self._request(connection, challenge, WINNERS, now)] if winners else woken

    def _cancel(self, connection: Connection, challenge: Challenge, now: datetime, actor_id: int) -> list[str]:
        repository = ChallengeRepository(connection)
        if not repository.move(challenge, ChallengeState.CANCELLED):
            return []
        repository.remove_votes(challenge.id)
        woken = self._close_entries(connection, challenge, LIVE, CANCELLED, now, actor_id)
        self._log(connection, challenge, "challenge.cancel", actor_id, now)
        return woken + OutboxRepository(connection).refresh((MessageKind.CHALLENGE,), [challenge.id], now)

    def _pay(self, connection: Connection, challenge: Challenge, winners: Sequence[Placing], now: datetime) -> int:
        """Grant the prize; return the credits granted.

        Nothing is granted if the server's budget has no room any more.
        """
        shares = {member: share for member, share in prize_shares(challenge.prize, winners).items() if member > 0}
        if sum(shares.values()) > self._left(connection, challenge.guild_id, now):
            return 0
        paid = 0
        for member_id, share in shares.items():
            try:
                self._ledger.grant(
                    connection,
                    guild_id=challenge.guild_id,
                    member_id=member_id,
                    amount=share,
                    actor=challenge.created_by,
                    reason=challenge.theme,
                    now=now,
                )
            except GrantTooLargeError:
                continue
            paid += share
        return paid

    def _left(self, connection: Connection, guild_id: int, now: datetime) -> int:
        """Return the credits left in the server's budget."""
        return min(self._ledger.guild_budget(connection, guild_id, now).left, self._ledger.budget(connection, now).left)

    def _request(self, connection: Connection, challenge: Challenge, number: int, at: datetime) -> str:
        return OutboxRepository(connection).request(
            MessageKind.CHALLENGE,
            challenge.id,
            new_id=self._new_id(),
            guild_id=challenge.guild_id,
            at=at,
            number=number,
        )

    def _log(
        self,
        connection: Connection,
        challenge: Challenge,
        action: str,
        actor_id: int,
        at: datetime,
        **detail: int,
    ) -> None:
        AuditLogRepository(connection).add(
            AuditEntry(
                id=self._new_id(),
                guild_id=challenge.guild_id,
                actor_id=actor_id,
                action=action,
                at=at,
                target_id=challenge.channel_id,
                detail={"challenge": challenge.id, "prize": challenge.prize, **detail},
            )
        )


class _Entry:
    """A `Contest` for a member's entry."""

    def __init__(self, service: ChallengeService, challenge_id: str, sharer: Sharer, now: datetime) -> None:
        self._service = service
        self._challenge_id = challenge_id
        self._sharer = sharer
        self._now = now
        self.due: list[str] = []

    def checked(self, connection: Connection, *, lock: bool = False) -> Challenge:
        """Return the challenge after all checks."""
        repository = ChallengeRepository(connection)
        challenge = repository.get(self._challenge_id, lock=lock)
        _require_guild(challenge, self._sharer.guild_id)
        if challenge.state is not ChallengeState.OPEN or challenge.closes_at <= self._now:
            raise ChallengeStateError(challenge.state)
        counts = repository.count_entries(challenge.id)
        if sum(counts.get(state, 0) for state in LIVE) >= MAX_ENTRIES:
            raise ChallengeFullError(MAX_ENTRIES)
        if repository.has_live_entry(challenge.id, self._sharer.member_id):
            raise AlreadyEnteredError
        return challenge

    def check(self, connection: Connection) -> None:
        """Check that the member may enter now."""
        # Locked, so that entries at once cannot exceed the limits.
        self.checked(connection, lock=True)

    def enter(self, connection: Connection, submission: Submission) -> None:
        """Store the entry, and make the challenge's card due."""
        repository = ChallengeRepository(connection)
        challenge = repository.get(self._challenge_id)
        restricted = submission.is_age_restricted
        if not may_show(is_age_restricted=restricted, in_age_restricted=challenge.is_age_restricted):
            raise AgeRestrictedError
        repository.enter(self._challenge_id, submission.member_id, submission.id)
        self.due = [self._service._request(connection, challenge, CARD, self._now)]  # noqa: SLF001 - one module


def _require_guild(challenge: Challenge, guild_id: int) -> None:
    if challenge.guild_id != guild_id:
        raise ChallengeGoneError


def _require_moderator(guild_id: int, actor: Actor) -> None:
    if not guild_id or not actor.moderator or actor.guild_id != guild_id:
        raise NotAllowedError(LazyText("a moderator"))

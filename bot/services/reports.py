"""Members' reports of pictures, and moderators' decisions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.bans import BanScope
from bot.domain.duels import Duel, Phase
from bot.domain.errors import (
    AlreadyReportedError,
    CaseClosedError,
    CaseNotFoundError,
    JobDeletedError,
    NotAllowedError,
    NothingToReportError,
    OwnPictureError,
    ReportLimitError,
    SubmissionNotFoundError,
)
from bot.domain.guild_settings import GuildSettings
from bot.domain.images import ResultImage
from bot.domain.jobs import Job, State
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.reports import MAX_WORDS, Report, ReportCase, ReportOutcome, ReportReason
from bot.domain.sharing.submissions import Submission, SubmissionState
from bot.domain.takedowns import TakedownKind
from bot.engine.clock import Clock
from bot.engine.member_identity import MemberIdentity
from bot.services.access import AccessService
from bot.services.job_cards import request_card
from bot.services.jobs import Actor, check_visible
from bot.services.moderation import ModerationService, Target
from bot.services.request_gate import check_ban
from bot.services.sharing.submissions import Waker
from bot.services.sharing.transitions import SubmissionTransitions
from bot.services.takedown_extent import Subject
from bot.services.takedowns import TakedownService
from db.audit_log import AuditLogRepository
from db.database import Database
from db.duels import DuelRepository
from db.guild_presence import GuildPresenceRepository
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.reports import ReportRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository, drop_shared
from db.takedowns import TakedownRepository

_SCOPES = {
    ReportOutcome.BANNED_FROM_SHARING: BanScope.SHARING,
    ReportOutcome.BANNED_FROM_STUDIO: BanScope.STUDIO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportForm:
    """A member's choices in the form. `position` is the picture; None is all."""

    reason: ReportReason
    position: int | None = None
    words: str = ""


class ReportRoute(Enum):
    """The way of a report to the moderators of its server."""

    CHANNEL = auto()
    NO_CHANNEL = auto()  # the server has none for them
    NO_BOT = auto()  # the bot has left the server


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOffer:
    """The pictures of a target to choose from in a report.

    `positions` are those in a job, or in a duel if `is_duel`.
    """

    positions: tuple[int, ...]
    is_duel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSnapshot:
    """A case with everything on its card.

    `pictures` are those still kept; of a private job, the shared ones. `is_blind`: the job is in a duel before its end.
    `posts` are its posts in the showcase of the case's server.
    """

    case: ReportCase
    reports: tuple[Report, ...]
    job: Job
    pictures: tuple[ResultImage, ...]
    guild: GuildSettings
    is_blind: bool = False
    posts: tuple[OutboxMessage, ...] = ()

    @property
    def channel_id(self) -> int | None:
        """The moderators' channel: for the review, else for the log."""
        return self.guild.review_channel_id or self.guild.log_channel_id


class ReportService:
    """Reports and their cases, each change in one transaction."""

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        takedowns: TakedownService,
        moderation: ModerationService,
        identity: MemberIdentity,
        clock: Clock,
        new_id: Callable[[], str],
        waker: Waker,
    ) -> None:
        self._database = database
        self._access = access
        self._takedowns = takedowns
        self._moderation = moderation
        self._identity = identity
        self._clock = clock
        self._new_id = new_id
        self._waker = waker
        self._transitions = SubmissionTransitions(new_id=new_id)

    async def find_shown(self, channel_id: int, message_id: int) -> str | None:
        """Return the job on a message without buttons, or None."""
        return await self._database.read(
            lambda connection: TakedownRepository(connection).find_by_message(channel_id, message_id)
        )

    async def check(self, target_id: str, actor: Actor) -> ReportOffer:
        """Check that a member may report a job, a post or a duel.

        A job of a duel stands for the duel.

        Raises:
            NothingToReportError: there is no such job, post or duel with pictures in the server.
            JobDeletedError: the job was deleted.
            NotAllowedError: the job is another member's private one, and it is not the post that is reported.
            NotAdmittedError: the server is not admitted.
            BannedError: the member is banned from the studio.
            OwnPictureError: the job is the member's own.
            AlreadyReportedError: the member reported it before.
            ReportLimitError: the member's reports of a day are used up.
        """
        return (await self._database.read(lambda connection: self._reportable(connection, target_id, actor)))[0]

    async def report(self, target_id: str, form: ReportForm, actor: Actor) -> ReportRoute:
        """Store a report; return its way to the moderators.

        The target is a job, a post or a duel. Enough members' reports hide the job's pictures on its public card and
        its posts in the showcase, or the picture of the duel. Raises as `check` does.

        Raises:
            DeletionRunningError: everything about the member is being deleted.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[list[str], ReportRoute]:
            self._identity.welcome(connection, actor.member_id)
            offer, job_ids = self._reportable(connection, target_id, actor)
            if form.position is not None and form.position not in job_ids:
                raise NothingToReportError
            position = offer.positions[0] if form.position is None else form.position
            job = JobRepository(connection).get(job_ids[position], hold=True)
            reports = ReportRepository(connection)
            new = ReportCase(id=self._new_id(), guild_id=job.place.guild_id, job_id=job.id, at=now)
            case = reports.open_case(new)
            report = Report(
                case_id=case.id,
                member_id=actor.member_id,
                reason=form.reason,
                at=now,
                position=0 if offer.is_duel else form.position,
                words=form.words.strip()[:MAX_WORDS],
            )
            if not reports.add(report):
                raise AlreadyReportedError(is_open=True)
            due = self._hide(connection, case, len(reports.list_for(case.id)), now)
            due.append(self._request_card(connection, case, now))
            return due, _route(connection, case.guild_id)

        due, route = await self._database.write(write)
        self._waker.wake(due)
        return route

    async def get(self, case_id: str) -> ReportSnapshot:
        """Return a case with its job.

        Raises:
            CaseNotFoundError: there is no such case.
        """

        def read(connection: Connection) -> ReportSnapshot:
            case = ReportRepository(connection).get(case_id)
            job = JobRepository(connection).get(case.job_id)
            pictures = ResultImageRepository(connection).list_for(job.id)
            if job.is_private:  # its member shared some of them
                shared = {at for each in SubmissionRepository(connection).list_of_job(job.id) for at in each.positions}
                pictures = tuple(each for each in pictures if each.position in shared)
            duel = None if job.duel_id is None else DuelRepository(connection).find_unended(job.duel_id)
            return ReportSnapshot(
                case=case,
                reports=ReportRepository(connection).list_for(case_id),
                job=job,
                pictures=pictures,
                guild=GuildRepository(connection).settings(case.guild_id),
                is_blind=duel is not None,
                posts=_posts(connection, job.id, case.guild_id),
            )

        return await self._database.read(read)

    async def get_open(self, case_id: str, actor: Actor) -> ReportSnapshot:
        """Return an open case to a moderator of its server.

        Raises as `get` does.

        Raises:
            NotAllowedError: the actor does not moderate the server.
            CaseClosedError: somebody else was faster.
        """
        snapshot = await self.get(case_id)
        _require_open(snapshot.case, actor)
        return snapshot

    async def decide(
        self,
        case_id: str,
        outcome: ReportOutcome,
        actor: Actor,
        *,
        positions: frozenset[int] | None = None,
        reason: str = "",
        target: Target | None = None,
        term: timedelta | None = None,
        as_admin: bool = False,
    ) -> ReportCase:
        """Close a case: the first decision wins. Bans take pictures down, too.

        `positions` are the pictures to be taken down; None is the whole job. `target` is the pictures' member for a
        ban; `as_admin`: an admin decides, also about their own picture. Raises as `get_open` does.

        Raises:
            NotAllowedError: a moderator, but no admin, dismisses reports of a picture that they made.
            BanRefusedError: the member cannot be banned; nothing is decided.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[ReportCase, list[str]]:
            reports = ReportRepository(connection)
            case = reports.get(case_id, lock=True)
            _require_open(case, actor)
            if not outcome.takes_down and not as_admin:
                _require_other(JobRepository(connection).get(case.job_id), actor)
            if not reports.close(case_id, outcome, now, actor.member_id):
                raise CaseNotFoundError
            due = self._settle_submissions(connection, case, outcome, positions, actor, now, reason)
            if outcome.takes_down:
                self._takedowns.record(
                    connection,
                    Subject(job_id=case.job_id, positions=positions),
                    kind=TakedownKind.REPORTS,
                    reason=reason,
                    guild_id=case.guild_id,
                    actor_id=actor.member_id,
                    at=now,
                )
            else:
                self._log_dismissal(connection, case, actor, now)
                if case.hidden_at is not None:
                    due += self._request_job_card(connection, case, now)
            if target is not None and outcome in _SCOPES:
                self._moderation.plan_ban(
                    case.guild_id,
                    target,
                    scope=_SCOPES[outcome],
                    term=term,
                    reason=reason,
                    actor_id=actor.member_id,
                )(connection)
            return reports.get(case_id), [*due, self._request_card(connection, case, now)]

        case, due = await self._database.write(write)
        self._takedowns.wake()
        self._waker.wake(due)
        return case

    def _reportable(
        self, connection: Connection, target_id: str, actor: Actor
    ) -> tuple[ReportOffer, Mapping[int, str]]:
        """Return the pictures of a target, and the job of each."""
        jobs, positions = JobRepository(connection), None
        job = jobs.find(target_id)
        duel = DuelRepository(connection).find(target_id if job is None or job.duel_id is None else job.duel_id)
        if duel is not None:
            return self._reportable_of_duel(connection, duel, actor)
        if job is None:
            post = _find_post(connection, target_id)
            job, positions = jobs.get(post.job_id), post.positions
        self._check_member(connection, job.place.guild_id, actor)
        if positions is None:
            check_visible(job, actor)
        elif job.deleted_at is not None:
            raise JobDeletedError
        if job.place.member_id == actor.member_id:
            raise OwnPictureError
        reports = ReportRepository(connection)
        earlier = reports.find_of_member(job.id, actor.member_id)
        if earlier is not None:
            raise AlreadyReportedError(is_open=earlier.closed_at is None)
        self._check_limit(connection, actor)
        offered = tuple(range(job.request.images)) if positions is None else positions
        return ReportOffer(positions=offered), dict.fromkeys(offered, job.id)

    def _reportable_of_duel(
        self, connection: Connection, duel: Duel, actor: Actor
    ) -> tuple[ReportOffer, Mapping[int, str]]:
        """Return the pictures of a duel without a report of a member."""
        self._check_member(connection, duel.guild_id, actor)
        jobs = JobRepository(connection).list_by_id([entry.job_id for entry in duel.entries])
        if any(job.deleted_at is not None for job in jobs):
            raise JobDeletedError
        done = {job.id for job in jobs if job.state is State.DONE}
        made = {entry.position: entry.job_id for entry in duel.entries if entry.job_id in done}
        if duel.phase is Phase.RUNNING or not made:
            raise NothingToReportError
        if duel.member_id == actor.member_id:
            raise OwnPictureError
        reports = ReportRepository(connection)
        earlier = {at: reports.find_of_member(job_id, actor.member_id) for at, job_id in made.items()}
        left = {at: job_id for at, job_id in made.items() if earlier[at] is None}
        if not left:
            raise AlreadyReportedError(is_open=any(each and each.closed_at is None for each in earlier.values()))
        self._check_limit(connection, actor)
        return ReportOffer(positions=tuple(left), is_duel=True), left

    def _check_member(self, connection: Connection, guild_id: int, actor: Actor) -> None:
        """Check that a member may report in a guild."""
        if not actor.guild_id or guild_id != actor.guild_id:
            raise NothingToReportError
        self._access.check(connection, actor.guild_id)
        check_ban(connection, actor.guild_id, actor.member_id, self._clock.now())

    def _check_limit(self, connection: Connection, actor: Actor) -> None:
        record = ReportRepository(connection).record_of(actor.guild_id, actor.member_id, self._clock.now())
        if record.today >= record.limit:
            raise ReportLimitError(record.limit)

    def _hide(self, connection: Connection, case: ReportCase, count: int, now: datetime) -> list[str]:
        """Hide the job's card and posts once enough members reported it."""
        threshold = SharingSettingsRepository(connection).get(case.guild_id).report_threshold
        due: list[str] = []
        if threshold and count >= threshold:
            for submission in SubmissionRepository(connection).list_of_job(case.job_id, live=True, lock=True):
                if submission.state is SubmissionState.APPROVED:
                    _, ids = self._transitions.move(connection, submission, SubmissionState.HIDDEN, now, actor_id=0)
                    due += ids
            if case.hidden_at is None and ResultImageRepository(connection).files_by_position(case.job_id):
                ReportRepository(connection).set_hidden(case.id, now)
                due += self._request_job_card(connection, case, now)
        return due

    def _request_job_card(self, connection: Connection, case: ReportCase, now: datetime) -> list[str]:
        """Make the job's own card due."""
        job = JobRepository(connection).get(case.job_id)
        return request_card(connection, job, new_id=self._new_id, at=now)

    def _settle_submissions(
        self,
        connection: Connection,
        case: ReportCase,
        outcome: ReportOutcome,
        positions: frozenset[int] | None,
        actor: Actor,
        now: datetime,
        reason: str,
    ) -> list[str]:
        """Take the job's submissions down, or show hidden ones again.

        One with another picture stays, and is shown without the others. The reason is for the audit log. A banned
        member reads it, others do not.
        """
        told = reason if outcome in _SCOPES else ""
        repository, due = SubmissionRepository(connection), list[str]()

        def move(submission: Submission, to: SubmissionState) -> None:
            _, ids = self._transitions.move(
                connection, submission, to, now, actor_id=actor.member_id, by_moderator=True, reason=told
            )
            due.extend(ids)

        if outcome.takes_down:
            for each in repository.list_of_job(case.job_id, live=True, lock=True):
                if positions is None or positions.issuperset(each.positions):
                    move(each, SubmissionState.TAKEN_DOWN)
            if positions is not None:
                drop_shared(connection, case.job_id, positions, now)
        for each in repository.list_of_job(case.job_id, live=True, lock=True):
            if each.state is SubmissionState.HIDDEN:
                move(each, SubmissionState.APPROVED)
        return due

    def _request_card(self, connection: Connection, case: ReportCase, now: datetime) -> str:
        return OutboxRepository(connection).request(
            MessageKind.REPORT, case.id, new_id=self._new_id(), guild_id=case.guild_id, at=now
        )

    def _log_dismissal(self, connection: Connection, case: ReportCase, actor: Actor, now: datetime) -> None:
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=case.guild_id,
            actor_id=actor.member_id,
            action="report.dismiss",
            at=now,
            target_id=JobRepository(connection).get(case.job_id).place.member_id,
        )
        AuditLogRepository(connection).add(entry)


def _route(connection: Connection, guild_id: int) -> ReportRoute:
    if GuildPresenceRepository(connection).has_left(guild_id):
        return ReportRoute.NO_BOT
    settings = GuildRepository(connection).settings(guild_id)
    has_channel = settings.review_channel_id is not None or settings.log_channel_id is not None
    return ReportRoute.CHANNEL if has_channel else ReportRoute.NO_CHANNEL


def _require_open(case: ReportCase, actor: Actor) -> None:
    if not actor.moderator or actor.guild_id != case.guild_id:
        raise NotAllowedError(LazyText("a moderator"))
    if case.closed_at is not None:
        raise CaseClosedError(outcome=case.outcome or ReportOutcome.GONE, by=case.closed_by, at=case.closed_at)


def _require_other(job: Job, actor: Actor) -> None:
    if job.place.member_id == actor.member_id:
        raise NotAllowedError(LazyText("another moderator"))


def _posts(connection: Connection, job_id: str, guild_id: int) -> tuple[OutboxMessage, ...]:
    """Return a job's posts in a server's showcase."""
    shared = SubmissionRepository(connection).list_of_job(job_id, live=True)
    found = [OutboxRepository(connection).find(MessageKind.SHOWCASE, each.id) for each in shared]
    return tuple(each for each in found if each is not None and each.guild_id == guild_id)


def _find_post(connection: Connection, submission_id: str) -> Submission:
    """Return a submission with a post in the showcase."""
    try:
        post = SubmissionRepository(connection).get(submission_id)
    except SubmissionNotFoundError:
        raise NothingToReportError from None
    if post.state not in (SubmissionState.APPROVED, SubmissionState.HIDDEN):
        raise NothingToReportError
    return post

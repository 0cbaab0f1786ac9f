"""Members' side of sharing: share, revise, withdraw, list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection

from bot.domain.age_restriction import may_show
from bot.domain.bans import BanScope
from bot.domain.errors import (
    AgeRestrictedShareError,
    AlreadyDecidedError,
    AlreadySharedError,
    AnonymousOffError,
    ImageGoneError,
    JobDeletedError,
    JobRunningError,
    NotAllowedError,
    NotOfferedError,
    RefusedBeforeError,
    SharingOffError,
    SubmissionLimitError,
    SubmissionNotFoundError,
)
from bot.domain.guild_settings import GuildSettings
from bot.domain.images import ResultImage
from bot.domain.jobs import Job, State
from bot.domain.lazy_text import LazyText
from bot.domain.provenance import MAX_DISTANCE, distance
from bot.domain.sharing.settings import SharingSettings
from bot.domain.sharing.submissions import (
    MAX_PICTURES,
    MAX_TITLE,
    Flag,
    FlagKind,
    Submission,
    SubmissionOptions,
    SubmissionState,
)
from bot.engine.clock import Clock
from bot.services.access import AccessService
from bot.services.job_sources import check_usable
from bot.services.jobs import Actor
from bot.services.request_gate import check_ban
from bot.services.sharing.transitions import SubmissionTransitions
from db.challenges import ChallengeRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.reports import ReportRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository
from db.takedowns import TakedownRepository

MAX_WAITING: Final = 20
"""Submissions of a member that may wait for moderators at a time, in a server."""


class Waker(Protocol):
    """Publishes due messages at once."""

    def wake(self, message_ids: Sequence[str]) -> None:
        """Publish due messages; called after the transaction."""
        ...


class Contest(Protocol):
    """Takes a submission in place of the showcase."""

    def check(self, connection: Connection) -> None:
        """Check that the member may enter now, before anything is stored."""
        ...

    def enter(self, connection: Connection, submission: Submission) -> None:
        """Store a submission as the member's entry."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer(Actor):
    """The acting member with their roles.

    `restricted_channels` are the age-restricted ones among the server's channels for sharing, as Discord has them.
    """

    roles: tuple[int, ...] = ()
    restricted_channels: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePlace:
    """The server of a job, 0 if none, and its channels for sharing."""

    guild_id: int
    is_age_restricted: bool
    channel_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOffer:
    """A job's pictures for sharing, and the server's rules.

    `shared` maps the positions of pictures in live submissions to those.
    """

    job: Job
    pictures: tuple[ResultImage, ...]
    shared: dict[int, Submission]
    settings: SharingSettings
    needs_review: bool


class SubmissionService:
    """Submissions of members, each change in one transaction.

    `tries` returns whether a prompt rule in its dry run matches a job.
    """

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        clock: Clock,
        new_id: Callable[[], str],
        waker: Waker,
        tries: Callable[[Connection, Job], bool] | None = None,
    ) -> None:
        self._database = database
        self._access = access
        self._tries = tries
        self._clock = clock
        self._new_id = new_id
        self._waker = waker
        self._transitions = SubmissionTransitions(new_id=new_id)

    async def place_of(self, job_id: str, member_id: int) -> SharePlace:
        """Return the place of a member's job.

        Raises:
            JobNotFoundError: there is no such job.
            NotAllowedError: the job is another member's.
        """

        def read(connection: Connection) -> SharePlace:
            job = JobRepository(connection).get(job_id)
            if job.place.member_id != member_id:
                raise NotAllowedError(LazyText("its member"))
            settings = GuildRepository(connection).settings(job.place.guild_id)
            channels = (settings.showcase_channel_id, settings.review_channel_id)
            return SharePlace(
                guild_id=job.place.guild_id,
                is_age_restricted=job.age_restricted,
                channel_ids=tuple(each for each in channels if each is not None),
            )

        return await self._database.read(read)

    async def offer(self, job_id: str, sharer: Sharer, *, submission_id: str | None = None) -> ShareOffer:
        """Return the pictures of a job to share, after checking the right to.

        `submission_id` is the submission to be revised.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            JobRunningError: the job has not ended.
            NotAllowedError: the job is another member's.
            NotOfferedError: the job has no server or no pictures.
            PicturesHiddenError: its pictures are hidden after reports.
            DuelOpenError: the job is in a duel before its end.
            NotAdmittedError: its server is not admitted.
            BannedError: the member is banned from sharing.
            SharingOffError: the server has no showcase, or no channel for the review.
            AgeRestrictedShareError: the pictures may not be shown in one of these channels.
            ImageGoneError: the pictures are no longer kept.
        """
        return await self._database.read(
            lambda connection: self._offer(
                connection, job_id, sharer, needs_showcase=not _is_entry(connection, submission_id)
            )
        )

    async def share(
        self,
        job_id: str,
        positions: Sequence[int],
        options: SubmissionOptions,
        sharer: Sharer,
        *,
        contest: Contest | None = None,
    ) -> Submission:
        """Submit pictures of a job to the showcase, or to a contest instead.

        Without review they are approved at once. Raises as `offer` and `Contest.check` do.

        Raises:
            AnonymousOffError: the server's rules allow no anonymous submission.
            AlreadySharedError: a picture is in a live submission.
            RefusedBeforeError: the moderators refused a picture.
            SubmissionLimitError: too many submissions of the member wait.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Submission, list[str]]:
            if contest is not None:
                contest.check(connection)
            JobRepository(connection).get(job_id, hold=True)
            offer = self._offer(connection, job_id, sharer, needs_showcase=contest is None)
            positions_ = self._check(connection, offer, positions, options)
            repository = SubmissionRepository(connection)
            guild_id = offer.job.place.guild_id
            if repository.count_waiting(guild_id, sharer.member_id) >= MAX_WAITING:
                raise SubmissionLimitError(MAX_WAITING)
            state = SubmissionState.WAITING if offer.needs_review else SubmissionState.APPROVED
            submission = Submission(
                id=self._new_id(),
                guild_id=guild_id,
                member_id=sharer.member_id,
                job_id=job_id,
                positions=positions_,
                options=options,
                is_age_restricted=offer.job.age_restricted,
                flags=self._flags(connection, offer, sharer.member_id),
                state=state,
                revision=1,
                created_at=now,
                waiting_since=now,
                at=now,
            )
            if not repository.add(submission):
                raise _shared_error(repository, job_id, positions_)
            if contest is not None:
                contest.enter(connection, submission)
            return submission, self._transitions.submit(connection, submission)

        submission, due = await self._database.write(write)
        self._waker.wake(due)
        return submission

    async def revise(
        self,
        seen: Submission,
        positions: Sequence[int],
        options: SubmissionOptions,
        sharer: Sharer,
    ) -> Submission:
        """Submit a changed submission again; raises as `share` does.

        Without review it is approved at once. `seen` is the submission as its member saw it.

        Raises:
            AlreadyDecidedError: it changed meanwhile.
            SubmissionStateError: nobody asked for changes.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Submission, list[str]]:
            repository = SubmissionRepository(connection)
            # The job first, as its deletion does.
            JobRepository(connection).get(seen.job_id, hold=True)
            current = repository.get(seen.id, lock=True)
            if current.member_id != sharer.member_id:
                raise NotAllowedError(LazyText("its member"))
            if current.revision != seen.revision:
                raise AlreadyDecidedError(state=current.state, by=current.decided_by, at=current.at)
            is_entry = _is_entry(connection, current.id)
            offer = self._offer(connection, current.job_id, sharer, needs_showcase=not is_entry)
            positions_ = self._check(connection, offer, positions, options)
            if not repository.revise(current, options, positions_, self._flags(connection, offer, sharer.member_id)):
                raise _shared_error(repository, current.job_id, positions_, besides=current.id)
            revised, due = self._transitions.move(
                connection, current, SubmissionState.WAITING, now, actor_id=sharer.member_id
            )
            if offer.needs_review:
                return revised, due
            # The server's rule changed since: nobody reviews it now.
            approved, more = self._transitions.move(
                connection, revised, SubmissionState.APPROVED, now, actor_id=sharer.member_id
            )
            return approved, [*due, *more]

        submission, due = await self._database.write(write)
        self._waker.wake(due)
        return submission

    async def withdraw(self, submission_id: str, member_id: int) -> Submission:
        """Withdraw a member's submission, also from the showcase.

        Raises:
            SubmissionNotFoundError: there is none of this member.
            SubmissionStateError: it has ended.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Submission, list[str]]:
            current = SubmissionRepository(connection).get(submission_id, lock=True)
            if current.member_id != member_id:
                raise SubmissionNotFoundError
            return self._transitions.move(connection, current, SubmissionState.WITHDRAWN, now, actor_id=member_id)

        submission, due = await self._database.write(write)
        self._waker.wake(due)
        return submission

    async def get(self, submission_id: str, member_id: int) -> Submission:
        """Return a member's submission.

        Raises:
            SubmissionNotFoundError: there is none of this member.
        """
        found = await self._database.read(lambda connection: SubmissionRepository(connection).get(submission_id))
        if found.member_id != member_id:
            raise SubmissionNotFoundError
        return found

    def _offer(self, connection: Connection, job_id: str, sharer: Sharer, *, needs_showcase: bool = True) -> ShareOffer:
        job = JobRepository(connection).get(job_id)
        guild_id = job.place.guild_id
        if job.place.member_id != sharer.member_id:
            raise NotAllowedError(LazyText("its member"))
        if job.deleted_at is not None:
            raise JobDeletedError
        if not job.state.ended:
            raise JobRunningError
        if job.state is not State.DONE or not guild_id:
            raise NotOfferedError
        check_usable(connection, job)
        self._access.check(connection, guild_id)
        check_ban(connection, guild_id, sharer.member_id, self._clock.now(), BanScope.SHARING)
        settings = SharingSettingsRepository(connection).get(guild_id)
        moderates = sharer.moderator and sharer.guild_id == guild_id
        needs_review = settings.needs_review(sharer.roles, is_moderator=moderates)
        guild = GuildRepository(connection).settings(guild_id)
        _require_channels(guild, needs_review=needs_review, needs_showcase=needs_showcase)
        if job.age_restricted and needs_showcase:
            _require_restricted(guild, sharer, needs_review=needs_review)
        pictures = tuple(ResultImageRepository(connection).list_for(job_id))
        if not pictures:
            raise ImageGoneError
        repository = SubmissionRepository(connection)
        live = repository.list_live(job_id)
        by_id = {each: repository.get(each) for each in set(live.values())}
        shared = {position: by_id[submission_id] for position, submission_id in live.items()}
        return ShareOffer(job=job, pictures=pictures, shared=shared, settings=settings, needs_review=needs_review)

    def _check(
        self, connection: Connection, offer: ShareOffer, positions: Sequence[int], options: SubmissionOptions
    ) -> tuple[int, ...]:
        """Check the member's choices; return the chosen positions in order."""
        kept = {each.position for each in offer.pictures}
        chosen = tuple(sorted(set(positions)))
        if not chosen or len(chosen) > MAX_PICTURES or len(options.title) > MAX_TITLE:
            raise NotOfferedError
        if not kept.issuperset(chosen):
            raise ImageGoneError
        if options.is_anonymous and not offer.settings.allows_anonymous:
            raise AnonymousOffError
        refused = SubmissionRepository(connection).find_refused(offer.job.place.guild_id, offer.job.id, chosen)
        if refused is not None:
            raise RefusedBeforeError(reason=refused.reason)
        return chosen

    def _flags(self, connection: Connection, offer: ShareOffer, member_id: int) -> tuple[Flag, ...]:
        guild_id = offer.job.place.guild_id
        record = SubmissionRepository(connection).record_of(guild_id, member_id)
        takedowns = TakedownRepository(connection)
        looks = ResultImageRepository(connection).list_fingerprints(offer.job.id)
        found = {
            FlagKind.AGE_RESTRICTED: offer.job.age_restricted,
            FlagKind.FIRST: not (record.approved or record.refused or record.taken_down),
            FlagKind.LIKE_TAKEN_DOWN: any(
                _is_like_taken_down(takedowns, guild_id, sha256, look) for sha256, look in looks
            ),
            FlagKind.REPORTED: ReportRepository(connection).count_of_job(offer.job.id) > 0,
            FlagKind.PROMPT_RULE: self._tries is not None and self._tries(connection, offer.job),
        }
        return tuple(Flag(kind=kind) for kind, is_found in found.items() if is_found)


def _is_like_taken_down(takedowns: TakedownRepository, guild_id: int, sha256: str, look: str) -> bool:
    """Return whether a picture looks like a removed one."""
    candidates = takedowns.list_refused(guild_id, (sha256,), look)
    return any(other is not None and distance(look, other) <= MAX_DISTANCE for _, _, other in candidates)


def _require_channels(settings: GuildSettings, *, needs_review: bool, needs_showcase: bool) -> None:
    if needs_showcase and settings.showcase_channel_id is None:
        raise SharingOffError(is_review=False)
    if needs_review and settings.review_channel_id is None:
        raise SharingOffError(is_review=True)


def _is_entry(connection: Connection, submission_id: str | None) -> bool:
    """Return whether a submission belongs to a challenge."""
    return submission_id is not None and ChallengeRepository(connection).find_of(submission_id) is not None


def _require_restricted(settings: GuildSettings, sharer: Sharer, *, needs_review: bool) -> None:
    channels = [(settings.showcase_channel_id, False), *([(settings.review_channel_id, True)] if needs_review else [])]
    for channel_id, is_review in channels:
        in_restricted = channel_id in sharer.restricted_channels
        if not may_show(is_age_restricted=True, in_age_restricted=in_restricted):
            raise AgeRestrictedShareError(channel_id=channel_id or 0, is_review=is_review)


def _shared_error(
    repository: SubmissionRepository, job_id: str, positions: Sequence[int], *, besides: str | None = None
) -> AlreadySharedError:
    live = repository.list_live(job_id)
    others = (live[each] for each in positions if each in live and live[each] != besides)
    submission_id = next(others, None)
    if submission_id is None:
        raise SubmissionNotFoundError  # withdrawn within this very moment
    return AlreadySharedError(submission_id=submission_id, state=repository.get(submission_id).state)

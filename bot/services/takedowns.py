"""Takedowns: pictures removed with their copies, messages and addresses."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import JobDeletedError, TakedownGoneError
from bot.domain.jobs import Job
from bot.domain.takedowns import EVERYWHERE, MAX_REASON, Takedown, TakedownKind, make_code, read_code
from bot.engine.clock import Clock
from bot.images.image_service import ImageService
from bot.services.deletion_register import DeletionRegister
from bot.services.deletions import MessageEraser
from bot.services.job_cards import request_card
from bot.services.jobs import Actor, check_manageable
from bot.services.takedown_extent import Extent, Subject, find_extent, find_parts
from db.audit_log import AuditLogRepository
from db.database import Database
from db.job_deletions import JobDeletionRepository
from db.jobs import JobRepository
from db.takedowns import PendingJob, Positions, TakedownRepository, is_covered

_log = structlog.get_logger(__name__)

# Another process may have written the takedown: `atelier takedown` does.
_CHECK_SECONDS: Final = 15.0
# A picture compared with the list just before the takedown is stored within this time: its download takes that long.
_SEARCHED_FOR: Final = timedelta(minutes=20)
# A card that was being edited when its pictures went is erased once more after this.
_SETTLED: Final = timedelta(minutes=1)
# After this time, messages out of reach stay: their channel or Discord itself was not there.
_MESSAGES_WITHIN: Final = timedelta(days=1)
# A row that refers to a file stored just now may not be written yet; maintenance removes such files minutes later.
_RECENT: Final = timedelta(minutes=2)
_CODE_BITS: Final = 64
_MOST_LISTED: Final = 50


class EndSoon(Protocol):
    """Part of the engine: the end of jobs after a cancellation request."""

    async def schedule_now(self, job_id: str, *, interrupt: bool = False) -> None:
        """Run the job's next step now."""
        ...


class CardEraser(MessageEraser, Protocol):
    """The way to delete jobs' messages, also private cards alone."""

    async def erase_private(self, job: Job) -> None:
        """Delete the private card of a job, while its token lives."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A takedown before it is carried out; `members` and `guilds` are numbers."""

    extent: Extent
    jobs: tuple[Job, ...]

    @property
    def members(self) -> int:
        """Number of members with jobs to be removed."""
        return len({job.place.member_id for job in self.jobs})

    @property
    def guilds(self) -> int:
        """Number of guilds with jobs to be removed."""
        return len({job.place.guild_id for job in self.jobs if job.place.guild_id})


class TakedownService:
    """Takes pictures down, with their copies and messages.

    The decision is a row; each step after it may be done twice, and a start takes up what is left. Without `engine` and
    `eraser`, the process of the bot does their part: the command line has neither.
    """

    def __init__(
        self,
        *,
        database: Database,
        image_service: ImageService,
        register: DeletionRegister,
        clock: Clock,
        new_id: Callable[[], str],
        engine: EndSoon | None = None,
        eraser: CardEraser | None = None,
    ) -> None:
        self._database = database
        self._image_service = image_service
        self._register = register
        self._clock = clock
        self._new_id = new_id
        self._engine = engine
        self._eraser = eraser
        self._requested = asyncio.Event()

    async def preview(self, subject: Subject, guild_id: int = EVERYWHERE) -> Preview:
        """Return the extent of a takedown within a scope.

        Raises:
            JobNotFoundError: there is no such job.
        """

        def read(connection: Connection) -> Preview:
            extent = find_extent(connection, subject, guild_id)
            return Preview(extent=extent, jobs=tuple(JobRepository(connection).list_by_id(extent.job_ids)))

        return await self._database.read(read, long_running=True)

    async def take_down(
        self,
        subject: Subject,
        *,
        kind: TakedownKind,
        reason: str,
        guild_id: int = EVERYWHERE,
        actor_id: int = 0,
    ) -> Takedown:
        """Store a takedown within a scope, and have all of it removed.

        The caller has checked the right of the actor; 0 is the operator.

        Raises:
            JobNotFoundError: there is no such job.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Takedown:
            return self.record(
                connection, subject, kind=kind, reason=reason, guild_id=guild_id, actor_id=actor_id, at=now
            )

        takedown = await self._database.write(write)
        self.wake()
        return takedown

    async def take_down_job(self, job_id: str, positions: Positions, actor: Actor, *, reason: str) -> Takedown:
        """Take down pictures of a job for a moderator, in their guild.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            NotAllowedError: the actor does not moderate the job's guild, or cannot see the job.
        """
        job = await self._database.read(lambda connection: JobRepository(connection).get(job_id))
        check_manageable(job, actor)
        if job.deleted_at is not None:
            raise JobDeletedError
        return await self.take_down(
            Subject(job_id=job_id, positions=positions),
            kind=TakedownKind.MODERATOR,
            reason=reason,
            guild_id=actor.guild_id,
            actor_id=actor.member_id,
        )

    async def delete_own_copies(self, job_id: str, member_id: int) -> int:
        """Delete exactly the pictures of a job in a member's other jobs.

        A job without others goes. Return their number. Nothing is refused later: members may make a picture again.
        """
        now = self._clock.now()

        def write(connection: Connection) -> int:
            takedowns = TakedownRepository(connection)
            of_job = takedowns.results_of([job_id])
            if not of_job:
                return 0
            found = takedowns.find_exact({each.sha256 for each in of_job}, EVERYWHERE)
            same = {(each.job_id, each.position) for each in found if each.job_id != job_id}
            own: dict[str, Positions] = {
                job.id: None
                for job in JobRepository(connection).list_by_id(sorted({each for each, _ in same}))
                if job.place.member_id == member_id and job.state.ended
            }
            if own:
                takedown = self._new(TakedownKind.AUTHOR, "", EVERYWHERE, member_id, now, Subject(job_id=job_id))
                takedowns.add(takedown, ())
                takedowns.add_jobs(takedown.id, own | find_parts(takedowns, same, own, EVERYWHERE))
            return len(own)

        count = await self._database.write(write)
        if count:
            self.wake()
        return count

    def record(
        self,
        connection: Connection,
        subject: Subject,
        *,
        kind: TakedownKind,
        reason: str,
        guild_id: int,
        actor_id: int,
        at: datetime,
    ) -> Takedown:
        """Store a takedown in the caller's transaction; `wake` follows it.

        Raises as `take_down` does.
        """
        extent = find_extent(connection, subject, guild_id)
        takedown = self._new(kind, reason, guild_id, actor_id, at, subject)
        takedowns = TakedownRepository(connection)
        takedowns.add(takedown, extent.pictures)
        self._add_jobs(connection, takedown, extent.removed)
        author = None if subject.job_id is None else JobRepository(connection).get(subject.job_id).place.member_id
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=guild_id,
            actor_id=actor_id,
            action="takedown.add",
            at=at,
            target_id=author,
            detail={"code": takedown.code, "jobs": len(extent.job_ids)},
            reason=takedown.reason,
        )
        AuditLogRepository(connection).add(entry)
        return takedown

    def wake(self) -> None:
        """Carry out recorded takedowns."""
        self._requested.set()

    async def list(self) -> Sequence[Takedown]:
        """Return the latest takedowns, newest first."""
        return await self._database.read(lambda connection: TakedownRepository(connection).list_latest(_MOST_LISTED))

    async def lift(self, typed: str, *, actor_id: int = 0) -> Takedown:
        """Allow the pictures of a takedown again; removed ones stay away.

        What is not removed yet is kept.

        Raises:
            TakedownGoneError: no takedown has this code, or it is lifted already.
        """
        code, now = read_code(typed), self._clock.now()

        def write(connection: Connection) -> Takedown:
            takedowns = TakedownRepository(connection)
            takedown = None if code is None else takedowns.find(code)
            if takedown is None or not takedowns.lift(takedown.id, now):
                raise TakedownGoneError
            takedowns.spare_kept(takedown.id)
            entry = AuditEntry(
                id=self._new_id(),
                guild_id=takedown.guild_id,
                actor_id=actor_id,
                action="takedown.lift",
                at=now,
                detail={"code": takedown.code},
            )
            AuditLogRepository(connection).add(entry)
            return takedown

        return await self._database.write(write)

    async def run(self) -> None:
        """Carry out takedowns of all processes, until cancelled."""
        while True:
            self._requested.clear()
            try:
                await self.carry_out()
            except Exception as error:  # noqa: BLE001 - tried again: database and Discord may be back later
                _log.warning("takedown.put_off", error=type(error).__name__)
            await self._clock.wait(self._requested, _CHECK_SECONDS)

    async def carry_out(self) -> None:
        """Remove the jobs of all open takedowns."""
        for takedown in await self._database.read(lambda connection: TakedownRepository(connection).list_open()):
            await self._carry_out(takedown)

    async def _carry_out(self, takedown: Takedown) -> None:
        """Remove the jobs of a takedown, with copies made since."""
        for each in await self._find_pending(takedown):
            try:
                await self._remove(takedown, each)
            except Exception as error:  # noqa: BLE001 - the others do not wait for one
                _log.warning("takedown.job_put_off", job=each.job_id, error=type(error).__name__)
        now = self._clock.now()

        def write(connection: Connection) -> bool:
            takedowns = TakedownRepository(connection)
            is_searched = takedown.lifted_at is not None or now - takedown.at >= _SEARCHED_FOR
            if takedowns.list_pending(takedown.id) or not is_searched:
                return False
            takedowns.finish(takedown.id, now)
            return True

        if await self._database.write(write):
            _log.info("takedown.finished", takedown=takedown.code)

    async def _find_pending(self, takedown: Takedown) -> Sequence[PendingJob]:
        """Search for copies again; return the jobs still to be removed.

        A lifted takedown removes no more.
        """
        if takedown.lifted_at is not None:
            return await self._database.read(
                lambda connection: TakedownRepository(connection).list_pending(takedown.id)
            )

        def read(connection: Connection) -> tuple[dict[str, Positions], Sequence[PendingJob]]:
            takedowns = TakedownRepository(connection)
            listed, known = tuple(takedowns.pictures_of(takedown.id)), takedowns.list_covered(takedown.id)
            found = find_extent(connection, Subject(pictures=listed), takedown.guild_id).removed
            new = {
                job_id: positions
                for job_id, positions in found.items()
                if job_id not in known or not is_covered(positions, known[job_id])
            }
            return new, takedowns.list_pending(takedown.id)

        def write(connection: Connection) -> Sequence[PendingJob]:
            self._add_jobs(connection, takedown, new)
            return TakedownRepository(connection).list_pending(takedown.id)

        # Mostly there is nothing new: a read does not hold up the writer.
        new, pending = await self._database.read(read, long_running=True)
        return await self._database.write(write) if new else pending

    def _add_jobs(self, connection: Connection, takedown: Takedown, found: Mapping[str, Positions]) -> None:
        takedowns = TakedownRepository(connection)
        takedowns.add_jobs(takedown.id, found)
        # At once: a provider must not fetch it any more.
        takedowns.stop_serving([job_id for job_id, positions in found.items() if positions is None])

    async def _remove(self, takedown: Takedown, pending: PendingJob) -> None:
        """Remove a job's pictures and messages, once it has ended."""
        job = await self._database.read(lambda connection: JobRepository(connection).get(pending.job_id))
        if not job.state.ended:
            await self._cancel(job)
            return
        positions = pending.positions
        if pending.removed_at is None:
            positions = await self._remove_pictures(takedown, job, positions)
        if self._eraser is not None:
            await self._erase_messages(takedown, job, self._eraser, is_whole=positions is None)

    async def _remove_pictures(self, takedown: Takedown, job: Job, positions: Positions) -> Positions:
        """Remove a job, or its pictures at positions; return the removed ones.

        A job without another kept picture is removed as a whole.
        """
        if positions is not None and not await self._keeps_others(job.id, positions):
            await self._database.write(lambda connection: TakedownRepository(connection).set_whole(takedown.id, job.id))
            positions = None
        # First: once something is deleted here, no restored backup may bring it back.
        if positions is None:
            await asyncio.to_thread(self._register.add_job, job.id, takedown.at)
        else:
            await asyncio.to_thread(self._register.add_pictures, job.id, positions, takedown.at)
        now = self._clock.now()

        def write(connection: Connection) -> list[tuple[str, str]]:
            deletions = JobDeletionRepository(connection)
            # A public card that is being posted is seen here, or its publication sees this.
            held = JobRepository(connection).get(job.id, hold=True)
            if positions is None:
                files = deletions.delete(job.id, now, now)
            else:
                files = deletions.remove_pictures(job.id, positions, now)
                request_card(connection, held, new_id=self._new_id, at=now)
            TakedownRepository(connection).set_removed(takedown.id, job.id, now)
            return files

        for sha256, media_type in await self._database.write(write):
            await self._image_service.discard(sha256, media_type, older_than=now - _RECENT)
        return positions

    async def _keeps_others(self, job_id: str, positions: Collection[int]) -> bool:
        kept = await self._database.read(lambda connection: TakedownRepository(connection).kept_of([job_id]))
        return bool(kept[job_id] - set(positions))

    async def _erase_messages(self, takedown: Takedown, job: Job, eraser: CardEraser, *, is_whole: bool) -> None:
        """Delete a job's messages, or those with a part of it."""
        now = self._clock.now()
        try:
            await eraser.erase_direct(job)
            if is_whole:
                await eraser.erase_cards(job)
            elif job.place.private:
                await eraser.erase_private(job)
        except Exception:
            if now < takedown.at + _MESSAGES_WITHIN:
                raise
            _log.warning("takedown.message_stays", job=job.id)
        if job.finished_at is not None and now - job.finished_at < _SETTLED:
            return  # its result may be on the way to its card
        await self._database.write(
            lambda connection: TakedownRepository(connection).set_erased(takedown.id, job.id, now)
        )

    async def _cancel(self, job: Job) -> None:
        """Ask for a job's cancellation; one too late for it is removed at its end."""
        now = self._clock.now()
        if job.cancel_requested_at is None:
            await self._database.write(lambda connection: JobRepository(connection).request_cancel(job.id, now))
        if self._engine is not None:
            await self._engine.schedule_now(job.id, interrupt=True)

    def _new(
        self, kind: TakedownKind, reason: str, guild_id: int, actor_id: int, at: datetime, subject: Subject
    ) -> Takedown:
        return Takedown(
            id=self._new_id(),
            code=make_code(secrets.randbits(_CODE_BITS)),
            guild_id=guild_id,
            kind=kind,
            actor_id=actor_id,
            reason=reason[:MAX_REASON],
            at=at,
            job_id=subject.job_id,
            position=_single(subject.positions),
        )


def _single(positions: Positions) -> int | None:
    """Return the one position, or None."""
    return next(iter(positions)) if positions is not None and len(positions) == 1 else None

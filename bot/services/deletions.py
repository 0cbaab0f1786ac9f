"""Deletion of everything about a member, carried out in the background.

After a restored backup, also of the jobs deleted since.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.errors import DeletionRunningError
from bot.domain.jobs import Job
from bot.engine.clock import Clock
from bot.engine.engine import Engine
from bot.engine.job_store import JobStore
from bot.images.image_service import ImageService
from bot.services.deletion_register import DeletionRegister
from db.accounts import AccountRepository
from db.database import Database
from db.deletions import Deletion, DeletionRepository
from db.file_references import referenced_hashes
from db.job_deletions import JobDeletionRepository
from db.jobs import JobRepository
from db.member_jobs import MemberJobRepository
from db.presets import PresetRepository
from db.takedowns import TakedownRepository

_log = structlog.get_logger(__name__)

_BATCH: Final = 100
_CHECK_SECONDS: Final = 300.0
_WAIT_SECONDS: Final = 15.0
# A row that refers to a file stored just now may not be written yet; maintenance removes such files minutes later.
_RECENT: Final = timedelta(minutes=2)
# After this time, messages out of reach stay: their channel or Discord itself was not there.
_MESSAGES_WITHIN: Final = timedelta(days=1)

Finished = Callable[[], Awaitable[None]]
"""Tells the member that everything is deleted."""


class MessageEraser(Protocol):
    """The way to delete jobs' messages on Discord.

    Methods raise errors worth another try; messages out of reach are left.
    """

    async def erase_direct(self, job: Job) -> None:
        """Delete the direct messages of a job."""
        ...

    async def erase_cards(self, job: Job) -> bool:
        """Delete the cards of a job; return False if their channel is closed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The contents of a deletion: numbers of jobs, pictures and presets.

    `granted` credits stay, in all servers together.
    """

    jobs: int
    pictures: int
    presets: int
    granted: int


class DeletionService:
    """Takes and carries out requests to delete everything about a member.

    A crash at any point delays a deletion, and loses none: each step may be done twice.
    """

    def __init__(
        self,
        *,
        database: Database,
        image_service: ImageService,
        job_store: JobStore,
        engine: Engine,
        eraser: MessageEraser,
        register: DeletionRegister,
        pseudonym_of: Callable[[int], int],
        clock: Clock,
    ) -> None:
        self._database = database
        self._image_service = image_service
        self._job_store = job_store
        self._engine = engine
        self._eraser = eraser
        self._register = register
        self._pseudonym_of = pseudonym_of
        self._clock = clock
        self._replayed = False
        self._requested = asyncio.Event()
        self._finished: dict[int, Finished] = {}

    async def count(self, member_id: int) -> Holdings:
        """Return the contents of a deletion.

        Raises:
            DeletionRunningError: it is being deleted.
        """

        def read(connection: Connection) -> Holdings:
            if DeletionRepository(connection).is_pending(member_id):
                raise DeletionRunningError
            made, kept = MemberJobRepository(connection).count(member_id)
            return Holdings(
                jobs=made,
                pictures=kept,
                presets=PresetRepository(connection).count_of(member_id),
                granted=AccountRepository(connection).sum_granted(member_id),
            )

        return await self._database.read(read)

    async def request(self, member_id: int, finished: Finished) -> None:
        """Request the deletion; `finished` is called in this process at its end.

        Raises:
            DeletionRunningError: it was requested before.
        """
        now = self._clock.now()
        if not await self._database.write(lambda connection: DeletionRepository(connection).add(member_id, now)):
            raise DeletionRunningError
        self._finished[member_id] = finished
        self._requested.set()

    async def run(self) -> None:
        """Carry out deletions, until cancelled."""
        while True:
            self._requested.clear()
            wait = _CHECK_SECONDS
            try:
                if not self._replayed:
                    await self.replay()
                if not await self.carry_out():
                    wait = _WAIT_SECONDS
            except Exception as error:  # noqa: BLE001 - tried again: database and Discord may be back later
                wait = _WAIT_SECONDS
                _log.warning("deletion.put_off", error=type(error).__name__)
            await self._clock.wait(self._requested, wait)

    async def prepare(self) -> None:
        """Replay before anything of a member is used; `run` repeats a failure."""
        try:
            await self.replay()
        except Exception as error:  # noqa: BLE001 - a start must not fail by it
            _log.warning("deletion.not_replayed", error=type(error).__name__)

    async def replay(self) -> None:
        """Request deletions again after a restored backup."""
        all_ended = await self._replay_jobs()
        await self._replay_pictures()
        listed = await asyncio.to_thread(self._register.read)
        of_other_keys = await asyncio.to_thread(self._register.read_of_other_keys)
        now = self._clock.now()

        def read(connection: Connection) -> tuple[dict[int, int], set[int], int]:
            deletions = DeletionRepository(connection)
            forgotten, lost = deletions.list_forgotten(listed), len(deletions.list_forgotten(of_other_keys))
            if not forgotten:
                return {}, set(), lost
            members = {self._pseudonym_of(member): member for member in deletions.list_members()}
            return {name: members[name] for name in forgotten & members.keys()}, forgotten - members.keys(), lost

        found, unknown, lost = await self._database.read(read, long_running=True)

        def write(connection: Connection) -> None:
            deletions = DeletionRepository(connection)
            for name, member in found.items():
                deletions.add(member, listed[name])
            for name in unknown:
                deletions.add_finished(name, listed[name], now)

        if found or unknown:
            await self._database.write(write)
        if found:
            _log.warning("deletion.replayed", members=len(found))
        if lost:
            _log.error("deletion.other_key", members=lost, remedy="start with the SECRET_KEY of before")
        self._replayed = all_ended

    async def _replay_jobs(self) -> bool:
        """Delete jobs again; return False if one of them has not ended."""
        listed = await asyncio.to_thread(self._register.read_jobs)
        now, ids = self._clock.now(), [*listed]
        count, all_ended = 0, True
        for start in range(0, len(listed), _BATCH):
            found = await self._list_undeleted(ids[start : start + _BATCH])
            ended = [job_id for job_id, has_ended in found.items() if has_ended]
            all_ended = all_ended and len(ended) == len(found)
            if ended:
                await self._delete_jobs({job_id: listed[job_id] for job_id in ended}, now)
                count += len(ended)
        if count:
            _log.warning("deletion.jobs_replayed", jobs=count)
        return all_ended

    async def _replay_pictures(self) -> None:
        """Delete single pictures of a restored backup again."""
        listed, now = await asyncio.to_thread(self._register.read_pictures), self._clock.now()

        def read(connection: Connection) -> list[str]:
            kept = TakedownRepository(connection).kept_of([*listed])
            return [job_id for job_id, positions in listed.items() if positions & kept[job_id]]

        for job_id in await self._database.read(read) if listed else ():
            await self._delete_pictures(job_id, listed[job_id], now)

    async def _delete_pictures(self, job_id: str, positions: Collection[int], now: datetime) -> None:
        files = await self._database.write(
            lambda connection: JobDeletionRepository(connection).remove_pictures(job_id, positions, now)
        )
        for sha256, media_type in files:
            await self._image_service.discard(sha256, media_type, older_than=now - _RECENT)
        _log.warning("deletion.pictures_replayed", job=job_id)

    async def _list_undeleted(self, job_ids: Sequence[str]) -> dict[str, bool]:
        return await self._database.read(lambda connection: JobDeletionRepository(connection).list_undeleted(job_ids))

    async def _delete_jobs(self, requests: Mapping[str, datetime], now: datetime) -> None:
        def write(connection: Connection) -> list[tuple[str, str]]:
            repository = JobDeletionRepository(connection)
            return [file for job_id, at in requests.items() for file in repository.delete(job_id, at, now)]

        for sha256, media_type in await self._database.write(write):
            await self._image_service.discard(sha256, media_type, older_than=now - _RECENT)

    async def carry_out(self) -> bool:
        """Carry out every pending deletion; return False if one must wait."""
        pending = await self._database.read(lambda connection: DeletionRepository(connection).list_pending())
        done = [await self._delete(each) for each in pending]
        return all(done)

    async def _delete(self, deletion: Deletion) -> bool:
        """Carry out a deletion; return False if jobs of the member are running."""
        member, pseudonym = deletion.member_id, self._pseudonym_of(deletion.member_id)
        # First: once something is deleted here, no restored backup may bring it back.
        await asyncio.to_thread(self._register.add, pseudonym, deletion.requested_at)
        await self._database.write(lambda connection: DeletionRepository(connection).delete_private(member))
        if not await self._erase_jobs(deletion):
            return False
        now = self._clock.now()
        if not await self._database.write(
            lambda connection: DeletionRepository(connection).finish(deletion, pseudonym, now)
        ):
            return False
        _log.info("deletion.finished")
        finished = self._finished.pop(member, None)
        if finished is not None:
            await finished()
        return True

    async def _erase_jobs(self, deletion: Deletion) -> bool:
        """Erase all ended jobs and cancel the others; return whether all ended."""
        ended, all_ended, closed = list[str](), True, set[int]()
        async for page in self._pages(deletion.member_id):
            done = [job_id for job_id, has_ended in page if has_ended]
            await self._erase(done)
            ended += done
            for job_id in [job_id for job_id, has_ended in page if not has_ended]:
                all_ended = False
                await self._cancel(job_id)
        # Afterwards: words and pictures do not wait for Discord.
        for job_id in ended:
            await self._erase_messages(deletion, job_id, closed)
        return all_ended

    async def _pages(self, member_id: int) -> AsyncIterator[Sequence[tuple[str, bool]]]:
        """Yield the ids of a member's jobs, and whether each has ended."""
        after, more = "", True
        while more:
            page = await self._list_jobs(member_id, after)
            if page:
                yield page
                after = page[-1][0]
            more = len(page) == _BATCH

    async def _list_jobs(self, member_id: int, after: str) -> Sequence[tuple[str, bool]]:
        return await self._database.read(
            lambda connection: MemberJobRepository(connection).list_after(member_id, after, _BATCH)
        )

    async def _erase(self, job_ids: Sequence[str]) -> None:
        now = self._clock.now()

        def write(connection: Connection) -> list[tuple[str, str]]:
            files = MemberJobRepository(connection).erase(job_ids, now)
            needed = referenced_hashes(connection, [sha256 for sha256, _ in files]) if files else set()
            return [file for file in files if file[0] not in needed]

        for sha256, media_type in await self._database.write(write):
            await self._image_service.discard(sha256, media_type, older_than=now - _RECENT)

    async def _erase_messages(self, deletion: Deletion, job_id: str, closed: set[int]) -> None:
        """Delete a job's messages, unless its channel is known to be closed."""
        job = await self._database.read(lambda connection: JobRepository(connection).get(job_id))
        if not _has_messages(job):
            return
        try:
            await self._eraser.erase_direct(job)
            if job.place.channel_id not in closed and not await self._eraser.erase_cards(job):
                closed.add(job.place.channel_id)
        except Exception:
            if self._clock.now() < deletion.requested_at + _MESSAGES_WITHIN:
                raise
            _log.warning("deletion.message_stays", job=job_id)
        await self._database.write(lambda connection: MemberJobRepository(connection).forget_messages(job_id))

    async def _cancel(self, job_id: str) -> None:
        """Ask for a job's cancellation.

        A job too late for it is deleted once it ends.
        """
        await self._job_store.request_cancel(job_id)
        await self._engine.schedule_now(job_id, interrupt=True)


def _has_messages(job: Job) -> bool:
    place = job.place
    return any(
        each is not None for each in (place.token, place.message_id, job.public_at, job.direct_at, job.notice_at)
    )

"""Periodic duties: purge secrets and old rows, delete files, index, audit."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.appeals import APPEALABLE_FOR
from bot.domain.confirmations import CONFIRMATION_LIFETIME
from bot.domain.jobs import TOKEN_LIFE
from bot.domain.presets import KEPT_FOR_UNDO
from bot.domain.prompt_rules import REFUSAL_LIFETIME
from bot.domain.saved_forms import FORM_LIFE
from bot.domain.searches import SEARCH_LIFETIME
from bot.engine.clock import Clock
from bot.engine.delay_queue import DelayQueue
from bot.images.image_service import ImageService
from bot.images.store_faults import PictureStoreError
from db.appeals import AppealRepository
from db.audit_results import AuditResult, AuditResultRepository
from db.cards import CardRepository
from db.confirmations import ConfirmationRepository
from db.database import Database
from db.file_references import referenced_hashes, stored_bytes
from db.guild_presence import GuildPresenceRepository
from db.incremental_audit import CheckpointRepository, audit_since
from db.inputs import InputImageRepository
from db.member_jobs import MemberJobRepository
from db.pictures import ResultImageRepository
from db.presets import PresetRepository
from db.prompt_rules import PromptBlockRepository
from db.prompts import PromptRepository
from db.saved_forms import SavedFormRepository
from db.search_index import SearchIndex
from db.searches import SearchRepository

_log = structlog.get_logger(__name__)

_INTERVALS: Final = {
    "tokens": 60.0,
    "unused": 60.0,
    "usage": 60.0,
    "index": 60.0,
    "images": 3600.0,
    "presets": 3600.0,
    "words": 3600.0,
    "searches": 3600.0,
    "temporary": 900.0,
    "guilds": 3600.0,
    "audit": 24 * 3600.0,
}
_FIRST_AUDIT_SECONDS: Final = 3600.0
_GRACE_SECONDS: Final = 2.0
_BATCH: Final = 500
# An object store answers slowly; half of the threads stay free for reads.
_DELETIONS_AT_ONCE: Final = 8
# A member may press Again on a card that has just failed.
_UNUSED_INPUT_LIFETIME: Final = timedelta(minutes=10)
# A row that refers to a file stored just now may not be written yet; jobs reset its age right before they write it.
_RECENT: Final = timedelta(minutes=2)
# A build that fails at its end took the disk's time for nothing.
_PAUSE_AFTER_FAILED_INDEX: Final = 3600.0
# Longer than any download takes, so a file or a temporary file of this age was left behind.
_ORPHAN_AGE: Final = timedelta(minutes=20)


class Maintenance:
    """Runs the duties.

    `retention` is how long images are kept. Words of jobs are kept for `words_retention`, if any, and those of a
    deleted job for `deleted_words_retention`. A guild's data are kept for `guild_retention` after the bot left it.
    All files are listed every `orphan_interval`.
    """

    def __init__(
        self,
        *,
        database: Database,
        image_service: ImageService,
        clock: Clock,
        retention: timedelta,
        words_retention: timedelta | None = None,
        deleted_words_retention: timedelta = timedelta(days=7),
        guild_retention: timedelta = timedelta(days=30),
        orphan_interval: timedelta = timedelta(minutes=15),
    ) -> None:
        self._intervals = {**_INTERVALS, "orphans": orphan_interval.total_seconds()}
        self._guild_retention = guild_retention
        self._words_retention = words_retention
        self._deleted_words_retention = deleted_words_retention
        self._database = database
        self._search_index = SearchIndex(database)
        self._image_service = image_service
        self._clock = clock
        self._retention = retention
        self._too_young: set[tuple[str, str]] = set()
        self._queue = DelayQueue(clock, self._run_duty, concurrency=1)
        # PostgreSQL builds an index after all older transactions, and no other duty may wait for those.
        self._index_queue = DelayQueue(clock, self._extend_index, concurrency=1)

    async def run(self) -> None:
        """Run each duty when due, until cancelled; a running one may finish."""
        for duty in ("usage", "tokens", "unused", "images", "presets", "searches", "words", "guilds"):
            self._queue.set(duty)
        for duty in ("temporary", "orphans"):
            self._queue.set(duty, self._intervals[duty])
        self._queue.set("audit", _FIRST_AUDIT_SECONDS)
        self._index_queue.set("index")
        indexing = asyncio.create_task(self._index_queue.run())
        try:
            await self._queue.run()
        finally:
            indexing.cancel()
            await asyncio.gather(
                indexing,
                self._queue.drain(_GRACE_SECONDS),
                self._index_queue.drain(_GRACE_SECONDS),
                return_exceptions=True,
            )

    async def _extend_index(self, duty: str) -> None:
        """Continue the index of prompts; after a failure, not soon again."""
        pause = _PAUSE_AFTER_FAILED_INDEX
        try:
            await self._search_index.extend()
            pause = self._intervals[duty]
        finally:
            self._index_queue.set(duty, pause)

    async def _run_duty(self, duty: str) -> None:
        self._queue.set(duty, self._intervals[duty])
        try:
            await self._perform(duty)
        except PictureStoreError as error:  # the next turn finds the same files
            _log.warning("maintenance.store_failed", duty=duty, problem=error.problem)

    async def _perform(self, duty: str) -> None:
        match duty:
            case "tokens":
                await self.erase_tokens()
            case "unused":
                await self.remove_unused_images()
            case "usage":
                await self.measure_usage()
            case "images":
                await self.remove_old_images()
            case "presets":
                await self.purge_presets()
            case "searches":
                await self.purge_searches()
            case "words":
                await self.erase_words()
            case "guilds":
                await self.erase_left_guilds()
            case "temporary":
                await self.sweep_temporary()
            case "orphans":
                await self.remove_orphans()
            case _:
                await self._audit_if_due()

    async def erase_tokens(self) -> None:
        """Erase expired tokens, confirmations, forms and input URLs.

        Interaction tokens are erased once Discord no longer accepts them.
        """
        now = self._clock.now()
        dead, unanswered = now - TOKEN_LIFE, now - CONFIRMATION_LIFETIME

        def write(connection: Connection) -> None:
            CardRepository(connection).erase_tokens(dead)
            InputImageRepository(connection).erase_secrets()
            ConfirmationRepository(connection).purge_before(unanswered)
            SavedFormRepository(connection).purge_before(now - FORM_LIFE)

        await self._database.write(write)

    async def remove_old_images(self) -> None:
        """Delete images after their retention.

        Input images are kept as long as result images.
        """
        now = self._clock.now()
        before = now - self._retention

        def write(connection: Connection) -> tuple[bool, list[tuple[str, str]]]:
            removed = [
                repository(connection).remove_stored_before(before, now, _BATCH)
                for repository in (ResultImageRepository, InputImageRepository)
            ]
            files = {file for _, unneeded in removed for file in unneeded}
            needed = referenced_hashes(connection, [sha256 for sha256, _ in files])
            more = any(count == _BATCH for count, _ in removed)
            return more, [(sha256, media_type) for sha256, media_type in files if sha256 not in needed]

        more = True
        while more:
            more, unneeded = await self._database.write(write)
            await self._discard(unneeded)

    async def remove_unused_images(self) -> None:
        """Delete the input images of jobs without a result.

        They go minutes after the job's end, and so do images of jobs that ended before their rows were written.
        """
        now = self._clock.now()
        before = now - _UNUSED_INPUT_LIFETIME

        def write(connection: Connection) -> tuple[bool, list[tuple[str, str]]]:
            count, files = InputImageRepository(connection).remove_unused_since(before, now, _BATCH)
            needed = referenced_hashes(connection, [sha256 for sha256, _ in files])
            return count == _BATCH, [file for file in files if file[0] not in needed]

        # The search for them reads all inputs: as a read it does not hold up the writer.
        more = await self._database.read(lambda connection: InputImageRepository(connection).has_unused_since(before))
        while more:
            more, unneeded = await self._database.write(write)
            await self._discard(unneeded)
        retried, self._too_young = self._too_young, set()
        candidates = list(retried | self._image_service.take_unrecorded())
        for start in range(0, len(candidates), _BATCH):
            batch = candidates[start : start + _BATCH]
            kept = await self._referenced([sha256 for sha256, _ in batch])
            await self._discard([file for file in batch if file[0] not in kept])

    async def measure_usage(self) -> None:
        """Sum up the stored images, for the limit of all of them."""
        self._image_service.space.set_stored(await self._database.read(stored_bytes, long_running=True))

    async def _discard(self, files: Iterable[tuple[str, str]]) -> None:
        """Delete files without a row; note those that stay for later."""
        self._too_young.update(await self._delete_files(files, self._clock.now() - _RECENT))

    async def purge_presets(self) -> None:
        """Delete presets for good once they can no longer be restored."""
        before = self._clock.now() - KEPT_FOR_UNDO
        await self._database.write(lambda connection: PresetRepository(connection).purge(before))

    async def purge_searches(self) -> None:
        """Delete searches of `/history` older than `SEARCH_LIFETIME`.

        Their text is private.
        """
        before = self._clock.now() - SEARCH_LIFETIME
        await self._database.write(lambda connection: SearchRepository(connection).purge_before(before))

    async def erase_words(self) -> None:
        """Erase the words of deleted jobs and of old ones, after their terms.

        Those of refused prompts go too, and those that were erased from jobs since go from the index of searches.
        """
        now = self._clock.now()
        deleted_before = now - self._deleted_words_retention
        old_before = None if self._words_retention is None else now - self._words_retention

        def write(connection: Connection) -> bool:
            prompts = PromptRepository(connection)
            count = prompts.erase_deleted(deleted_before, now, _BATCH)
            if old_before is not None:
                count = max(count, prompts.erase_old(old_before, now, _BATCH))
            return count == _BATCH

        while await self._database.write(write):
            pass

        def write_refusals(connection: Connection) -> None:
            blocks = PromptBlockRepository(connection)
            blocks.purge_before(now - REFUSAL_LIFETIME)
            appeals = AppealRepository(connection)
            appeals.purge(now - APPEALABLE_FOR, now - REFUSAL_LIFETIME)
            if old_before is not None:
                blocks.erase_words_before(old_before)
                appeals.erase_text_before(old_before)

        await self._database.write(write_refusals)
        await self._search_index.compact()

    async def erase_left_guilds(self) -> None:
        """Erase settings and jobs of left guilds after the retention.

        The ledger stays.
        """
        now = self._clock.now()
        before = now - self._guild_retention
        expired = await self._database.read(lambda connection: GuildPresenceRepository(connection).list_expired(before))
        for guild_id in expired:
            await self._erase_guild(guild_id, before, now)

    async def _erase_guild(self, guild_id: int, before: datetime, now: datetime) -> None:
        def write(connection: Connection) -> tuple[bool, list[tuple[str, str]]]:
            presence = GuildPresenceRepository(connection)
            if guild_id not in presence.list_expired(before):
                return False, []  # the bot is back
            job_ids = presence.list_jobs(guild_id, _BATCH)
            if not job_ids:
                presence.erase(guild_id, before, now)
                return False, []
            files = MemberJobRepository(connection).erase(job_ids, now)
            needed = referenced_hashes(connection, [sha256 for sha256, _ in files])
            return True, [file for file in files if file[0] not in needed]

        more = True
        while more:
            more, unneeded = await self._database.write(write)
            await self._discard(unneeded)

    async def remove_orphans(self) -> None:
        """Delete files without a row.

        Their job ended without images, or a crash came in between.
        """
        limit = self._clock.now() - _ORPHAN_AGE
        async for page in self._image_service.files(_BATCH):
            old = [file for file in page if file.modified < limit]
            kept = await self._referenced([file.sha256 for file in old])
            orphans = [(file.sha256, file.media_type) for file in old if file.sha256 not in kept]
            await self._delete_files(orphans, limit)

    async def sweep_temporary(self) -> None:
        """Delete temporary files that a crash left behind."""
        await self._image_service.sweep_temporary(self._clock.now() - _ORPHAN_AGE)

    async def _delete_files(self, files: Iterable[tuple[str, str]], older_than: datetime) -> list[tuple[str, str]]:
        """Delete files, some at a time; return those that stay."""
        waiting, left = list(files), []
        while waiting:
            batch, waiting = waiting[:_DELETIONS_AT_ONCE], waiting[_DELETIONS_AT_ONCE:]
            gone = await asyncio.gather(*(self._image_service.discard(*file, older_than=older_than) for file in batch))
            left += [file for file, is_gone in zip(batch, gone, strict=True) if not is_gone]
        return left

    async def _referenced(self, hashes: list[str]) -> set[str]:
        return await self._database.read(lambda connection: referenced_hashes(connection, hashes))

    async def _audit_if_due(self) -> None:
        """Run the audit a day after the latest one, of any process."""
        result = await self._database.read(lambda connection: AuditResultRepository(connection).find())
        if result is not None:
            wait = _INTERVALS["audit"] - (self._clock.now() - result.at).total_seconds()
            if 0 < wait <= _INTERVALS["audit"]:
                self._queue.set("audit", wait)
                return
        await self.audit_ledger()

    async def audit_ledger(self) -> None:
        """Audit the changes, store the result and log every mistake."""
        now = self._clock.now()
        audited = await self._database.read(lambda connection: audit_since(connection, now), long_running=True)
        result = AuditResult(at=self._clock.now(), problems=len(audited.problems))

        def write(connection: Connection) -> None:
            AuditResultRepository(connection).save(result)
            if audited.checkpoint is not None:
                CheckpointRepository(connection).save(audited.checkpoint)

        await self._database.write(write)
        for problem in audited.problems:
            _log.error("books.wrong", problem=problem)
        if not audited.problems:
            _log.info("books.balance", full=audited.is_full)

"""What is done now and then: dead tokens erased, old pictures removed, the books proved."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.confirmations import CONFIRMATION_LIFETIME
from bot.domain.jobs import TOKEN_LIFE
from bot.domain.presets import KEPT_FOR_UNDO
from bot.domain.saved_forms import FORM_LIFE
from bot.domain.searches import SEARCH_LIFETIME
from bot.engine.clock import Clock
from bot.engine.delay_queue import DelayQueue
from bot.images.image_service import ImageService
from db.audit import audit
from db.confirmations import ConfirmationRepository
from db.database import Database
from db.file_references import referenced_hashes
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.presets import PresetRepository
from db.saved_forms import SavedFormRepository
from db.searches import SearchRepository

_log = structlog.get_logger(__name__)

_EVERY: Final = {
    "tokens": 60.0,
    "pictures": 3600.0,
    "presets": 3600.0,
    "searches": 3600.0,
    "orphans": 24 * 3600.0,
    "audit": 24 * 3600.0,
}
_GRACE_SECONDS: Final = 2.0
_PICTURES_AT_ONCE: Final = 500
_LEFTOVERS_AFTER: Final = timedelta(days=1)


class Maintenance:
    """Keeps the house while `run` runs. `retention` is how long pictures are kept."""

    def __init__(self, *, database: Database, image_service: ImageService, clock: Clock, retention: timedelta) -> None:
        self._database = database
        self._image_service = image_service
        self._clock = clock
        self._retention = retention
        self._schedule = DelayQueue(clock, self._do, concurrency=1)

    async def run(self) -> None:
        """Do each duty in its turn, until cancelled; the one under way is let finish."""
        for duty in ("tokens", "pictures", "presets", "searches"):
            self._schedule.set(duty)
        for duty in ("orphans", "audit"):
            self._schedule.set(duty, _EVERY[duty])
        try:
            await self._schedule.run()
        finally:
            await self._schedule.drain(_GRACE_SECONDS)

    async def _do(self, duty: str) -> None:
        self._schedule.set(duty, _EVERY[duty])
        match duty:
            case "tokens":
                await self.erase_tokens()
            case "pictures":
                await self.remove_old_pictures()
            case "presets":
                await self.forget_presets()
            case "searches":
                await self.purge_searches()
            case "orphans":
                await self.remove_orphans()
            case _:
                await self.prove_the_books()

    async def erase_tokens(self) -> None:
        """Erase interaction tokens that Discord no longer takes, and what ended jobs, drafts and forms started from."""
        now = self._clock.now()
        dead, unanswered = now - TOKEN_LIFE, now - CONFIRMATION_LIFETIME

        def write(connection: Connection) -> None:
            JobRepository(connection).erase_tokens(dead)
            InputImageRepository(connection).erase_secrets()
            ConfirmationRepository(connection).purge_before(unanswered)
            SavedFormRepository(connection).purge_before(now - FORM_LIFE)

        await self._database.write(write)

    async def remove_old_pictures(self) -> None:
        """Remove the pictures whose retention has ended, and what a crash left in the temporary folder.

        What jobs start from is kept for as long as what they make.
        """
        now = self._clock.now()
        before = now - self._retention

        def write(connection: Connection) -> tuple[bool, list[tuple[str, str]]]:
            removed = [
                repository(connection).remove_stored_before(before, now, _PICTURES_AT_ONCE)
                for repository in (ResultImageRepository, InputImageRepository)
            ]
            files = {file for _, unneeded in removed for file in unneeded}
            needed = referenced_hashes(connection, [sha256 for sha256, _ in files])
            more = any(count == _PICTURES_AT_ONCE for count, _ in removed)
            return more, [(sha256, media_type) for sha256, media_type in files if sha256 not in needed]

        more = True
        while more:
            more, unneeded = await self._database.write(write)
            for sha256, media_type in unneeded:
                await self._image_service.discard(sha256, media_type, older_than=_aged(now))
        await self._image_service.sweep_temporary(_aged(now))

    async def forget_presets(self) -> None:
        """Forget the presets that were deleted too long ago to come back."""
        before = self._clock.now() - KEPT_FOR_UNDO
        await self._database.write(lambda connection: PresetRepository(connection).purge(before))

    async def purge_searches(self) -> None:
        """Delete the searches of `/history` that are older than `SEARCH_LIFETIME`: their text is private."""
        before = self._clock.now() - SEARCH_LIFETIME
        await self._database.write(lambda connection: SearchRepository(connection).purge_before(before))

    async def remove_orphans(self) -> None:
        """Remove files that no kept picture or input refers to: their job ended otherwise, or a crash came between."""
        aged = _aged(self._clock.now())
        old = [file for file in await self._image_service.files() if file.modified < aged]
        for start in range(0, len(old), _PICTURES_AT_ONCE):
            batch = old[start : start + _PICTURES_AT_ONCE]
            kept = await self._kept([file.sha256 for file in batch])
            for file in batch:
                if file.sha256 not in kept:
                    await self._image_service.discard(file.sha256, file.media_type, older_than=aged)

    async def _kept(self, hashes: list[str]) -> set[str]:
        return await self._database.read(lambda connection: referenced_hashes(connection, hashes))

    async def prove_the_books(self) -> None:
        """Log every line in which the books do not balance."""
        problems = await self._database.read(audit, long_running=True)
        for problem in problems:
            _log.error("books.wrong", problem=problem)
        if not problems:
            _log.info("books.balance")


def _aged(now: datetime) -> datetime:
    return now - _LEFTOVERS_AFTER

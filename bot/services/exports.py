"""Exports of members' data, built and sent in the background."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.errors import DeletionRunningError, ExportRunningError, ExportTooSoonError
from bot.domain.exports import EXPORT_PAUSE, Export
from bot.engine.clock import Clock
from bot.services.export_parts import ExportBuilder, ExportPart
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.deletions import DeletionRepository
from db.exports import ExportRepository

_log = structlog.get_logger(__name__)

ExportAnswer = Callable[[ExportPart], Awaitable[bool]]
"""Answers the command where direct messages are closed; returns whether the member got the part."""

_CHECK_SECONDS: Final = 60.0
_FIRST_RETRY_SECONDS: Final = 10.0
_LONGEST_RETRY_SECONDS: Final = 600.0
# Opening many direct messages quickly gets a bot quarantined.
_PAUSE_SECONDS: Final = 15.0


class ExportMessenger(Protocol):
    """The way of an export to its member: direct messages."""

    async def send_part(self, export: Export, part: ExportPart) -> bool:
        """Send a part; return False if the member takes no direct messages.

        Raises errors worth another try.
        """
        ...

    async def was_sent(self, export: Export, number: int) -> bool:
        """Return whether a part is among the direct messages."""
        ...


class ExportService:
    """Takes requests for exports, and sends the parts one after another."""

    def __init__(
        self,
        *,
        database: Database,
        builder: ExportBuilder,
        messenger: ExportMessenger,
        limits: MemberLimits,
        clock: Clock,
        worker_id: str,
    ) -> None:
        self._database = database
        self._builder = builder
        self._messenger = messenger
        self._limits = limits
        self._clock = clock
        self._worker_id = worker_id
        self._answers: dict[tuple[int, datetime], ExportAnswer] = {}
        self._failures: dict[int, int] = {}
        self._not_before: dict[int, float] = {}
        self._requested = asyncio.Event()

    async def request(self, member_id: int, locale: str, answer: ExportAnswer) -> None:
        """Begin an export. `answer` is for closed direct messages.

        Raises:
            DeletionRunningError: everything about the member is being deleted.
            ExportRunningError: the member's export is being sent.
            ExportTooSoonError: the member had one within `EXPORT_PAUSE`.
            TooManyRequestsError: the member asked very often within a minute.
        """
        self._limits.count(FreeAction.EXPORT, member_id)
        export = Export(member_id=member_id, requested_at=self._clock.now(), locale=locale)

        def write(connection: Connection) -> None:
            if DeletionRepository(connection).is_pending(member_id):
                raise DeletionRunningError
            exports = ExportRepository(connection)
            last = exports.find(member_id)
            if last is not None and export.requested_at < last.requested_at + EXPORT_PAUSE:
                if last.finished_at is None:
                    raise ExportRunningError
                raise ExportTooSoonError(last.requested_at + EXPORT_PAUSE)
            exports.add(export, self._worker_id)

        await self._database.write(write)
        self._answers[member_id, export.requested_at] = answer
        self._not_before.pop(member_id, None)
        self._requested.set()

    async def run(self) -> None:
        """Send exports, until cancelled."""
        while True:
            self._requested.clear()
            try:
                await self.send_due()
            except Exception:  # noqa: BLE001 - the database may be back later
                _log.exception("export.not_read")
            await self._clock.wait(self._requested, _CHECK_SECONDS)

    async def send_due(self) -> None:
        """Send every due export, the oldest first."""
        found = await self._database.write(lambda connection: ExportRepository(connection).take_open(self._worker_id))
        for number, export in enumerate(found):
            if self._not_before.get(export.member_id, 0.0) > self._clock.monotonic():
                continue
            if number:
                await self._clock.wait(asyncio.Event(), _PAUSE_SECONDS)
            await self._send(export)

    async def _send(self, export: Export) -> None:
        member = export.member_id
        try:
            if self._clock.now() >= export.requested_at + EXPORT_PAUSE:
                await self._give_up(export)
            else:
                await self._send_parts(export)
        except Exception as error:  # noqa: BLE001 - tried again, for a day
            failures = self._failures[member] = self._failures.get(member, 0) + 1
            wait = min(_FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16), _LONGEST_RETRY_SECONDS)
            self._not_before[member] = self._clock.monotonic() + wait
            _log.warning("export.not_sent", error=type(error).__name__, retry_in=wait)
        else:
            self._failures.pop(member, None)
            self._answers.pop((member, export.requested_at), None)

    async def _send_parts(self, export: Export) -> None:
        """Send the rest of an export. It stops where the export was deleted."""
        current: Export | None = export
        while current is not None and current.finished_at is None:
            # After a crash or an error: Discord may have taken the part.
            if current.sending is not None and await self._messenger.was_sent(current, current.number):
                after = current.sending
            else:
                part = await self._builder.build(current)
                try:
                    if not await self._note_sending(current, part):
                        return
                    if not await self._messenger.send_part(current, part) and not await self._answer(current, part):
                        await self._give_up(current)
                        return
                finally:
                    await asyncio.to_thread(part.path.unlink, missing_ok=True)
                after = part.after
            current = await self._note_sent(current, after)

    async def _note_sending(self, export: Export, part: ExportPart) -> bool:
        return await self._database.write(
            lambda connection: ExportRepository(connection).set_sending(export, part.after)
        )

    async def _note_sent(self, export: Export, after: str) -> Export | None:
        """Record a sent part; return the export, None if deleted."""
        now = self._clock.now()

        def write(connection: Connection) -> Export | None:
            exports = ExportRepository(connection)
            return exports.find(export.member_id) if exports.set_sent(export, after, now) else None

        return await self._database.write(write)

    async def _answer(self, export: Export, part: ExportPart) -> bool:
        """Answer the command instead, if it is known to this process."""
        _log.info("export.direct_messages_closed", part=part.number)
        answer = self._answers.get((export.member_id, export.requested_at))
        return answer is not None and await answer(part)

    async def _give_up(self, export: Export) -> None:
        """Forget an export, so that its member can ask again at once."""
        _log.warning("export.given_up", parts=export.parts)

        def write(connection: Connection) -> None:
            exports = ExportRepository(connection)
            found = exports.find(export.member_id)
            if found is not None and found.requested_at == export.requested_at:
                exports.delete(export.member_id)

        await self._database.write(write)

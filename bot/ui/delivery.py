"""Bringing the end of a job to its member: on its card, else in a direct message, else in `/history`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from discord import ui

from bot.domain.errors import PictureError, PictureProblem
from bot.domain.jobs import Delivery, Job, Snapshot, State
from bot.engine.clock import Clock
from bot.engine.journal import Journal
from bot.images.keeper import PictureKeeper
from bot.ui.cards import job_card
from bot.ui.messages import DIRECT_UPLOAD_LIMIT, CardGoneError, Files, JobMessages
from bot.ui.troubles import Trouble, trouble_of
from bot.ui.uploads import Uploads, prepare_uploads

_log = structlog.get_logger(__name__)

_FAULTS_BEFORE_NEXT_WAY: Final = 3
# From 10 MiB to 160 KiB; who refuses that does not refuse it for its size.
_MOST_HALVINGS: Final = 6


@dataclass(slots=True)
class _Way:
    """What was learnt of one way: faults of ours on it, and how often its upload limit was halved."""

    faults: int = 0
    halvings: int = 0
    closed: bool = False

    def limit(self, limit_bytes: int) -> int:
        """Return how many bytes a file may have; 0 once nothing was small enough."""
        return limit_bytes >> self.halvings if self.halvings <= _MOST_HALVINGS else 0


@dataclass(slots=True)
class Course:
    """What was learnt on the way of one delivery; losing it in a restart only costs a few requests."""

    card: _Way = field(default_factory=_Way)
    direct: _Way = field(default_factory=_Way)
    unreadable: int = 0


class Courier:
    """Shows jobs to their members. It keeps nothing of them; `soft_deadline` is in seconds."""

    def __init__(
        self,
        *,
        journal: Journal,
        keeper: PictureKeeper,
        messages: JobMessages,
        clock: Clock,
        soft_deadline: float,
    ) -> None:
        self._journal = journal
        self._keeper = keeper
        self._messages = messages
        self._clock = clock
        self._soft_deadline = soft_deadline

    def card(self, snapshot: Snapshot, uploads: Uploads | None = None, *, direct: bool = False) -> ui.LayoutView:
        """Return a job's card as of now."""
        files = () if uploads is None else uploads.attached
        return job_card(snapshot, self._clock.now(), self._soft_deadline, files, direct=direct)

    async def show(self, job: Job, view: ui.LayoutView, files: Files | None = None) -> None:
        """Show `view` on the job's card; raises `CardGoneError` or what Discord and the connection raise."""
        message_id = await self._messages.edit(job, view, files)
        if job.place.message_id is None:
            await self._journal.acknowledged(job.id, message_id)

    async def deliver(self, snapshot: Snapshot, course: Course) -> Delivery:
        """Bring the end of a job to its member and return where it is; raises what asks for another try later.

        An intent to send a direct message was only recorded when the card was beyond reach, so it is not tried again.
        """
        job = snapshot.job
        if job.direct_at is None and await self._by(course.card, job, partial(self._on_card, snapshot, course)):
            return Delivery.CARD
        if not snapshot.pictures:
            return Delivery.HISTORY if job.state is State.DONE else Delivery.NOWHERE
        before = not await self._journal.intend_direct(job.id)
        if await self._by(course.direct, job, partial(self._directly, snapshot, course, before=before)):
            return Delivery.DIRECT
        return Delivery.HISTORY

    async def restore(self, snapshot: Snapshot, course: Course) -> None:
        """Show a delivered end again, on a card that was given an older state since."""
        await self._by(course.card, snapshot.job, partial(self._on_card, snapshot, course))

    async def _by(self, way: _Way, job: Job, send: Callable[[], Awaitable[None]]) -> bool:
        """Return whether it went this way; False where the way is closed. Raises what asks for another try later."""
        while not way.closed:
            try:
                await send()
            except CardGoneError:
                way.closed = True
            except Exception as error:
                match trouble_of(error):
                    case Trouble.PASSING:
                        raise
                    case Trouble.TOO_LARGE if way.halvings <= _MOST_HALVINGS:
                        way.halvings += 1
                    case Trouble.TOO_LARGE | Trouble.MALFORMED | None:
                        way.faults += 1
                        if way.faults < _FAULTS_BEFORE_NEXT_WAY:
                            raise
                        _log.exception("delivery.refused", job=job.id)
                        way.closed = True
                    case _:
                        way.closed = True
            else:
                return True
        _log.warning("delivery.way_closed", job=job.id, state=job.state)
        return False

    async def _on_card(self, snapshot: Snapshot, course: Course) -> None:
        uploads = await self._uploads(snapshot, course, course.card.limit(snapshot.job.place.upload_limit))
        await self.show(snapshot.job, self.card(snapshot, uploads), uploads.files if uploads.ready else None)

    async def _directly(self, snapshot: Snapshot, course: Course, *, before: bool) -> None:
        job = snapshot.job
        if before and await self._messages.sent_direct(job):
            return
        limit = course.direct.limit(min(job.place.upload_limit, DIRECT_UPLOAD_LIMIT))
        uploads = await self._uploads(snapshot, course, limit)
        view = self.card(snapshot, uploads, direct=True)
        await self._messages.send_direct(job, view, uploads.files if uploads.ready else None)

    async def _uploads(self, snapshot: Snapshot, course: Course, limit: int) -> Uploads:
        if limit == 0 or course.unreadable >= _FAULTS_BEFORE_NEXT_WAY:
            return Uploads()
        try:
            return await prepare_uploads(self._keeper, snapshot.pictures, limit)
        except OSError as error:
            course.unreadable += 1
            _log.exception("picture.not_read", job=snapshot.job.id)
            if course.unreadable < _FAULTS_BEFORE_NEXT_WAY:
                raise PictureError(PictureProblem.UNREACHABLE, "store") from error
            return Uploads()

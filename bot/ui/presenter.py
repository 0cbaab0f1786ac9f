"""Keeps every job's card up to date: coalesces changes, edits in place, tries again, notes the delivery."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import discord
import structlog

from bot.domain.errors import JobNotFoundError, PictureError
from bot.domain.jobs import Job, Picture, Snapshot, State
from bot.engine.clock import Clock
from bot.engine.journal import Journal
from bot.engine.observer import FoundCard
from bot.engine.schedule import Schedule
from bot.images.fit import Upload
from bot.images.keeper import PictureKeeper
from bot.images.store import StoredPicture
from bot.services.snapshots import SnapshotService
from bot.ui.cards import Attached, job_card
from bot.ui.messages import Files, JobMessages, Reached

_log = structlog.get_logger(__name__)

_EDITS_AT_ONCE: Final = 32
_PAUSE_BETWEEN_EDITS: Final = 10.0
_STORING_TAKES: Final = 1.0
_FIRST_RETRY: Final = 2.0
_LONGEST_RETRY: Final = 120.0
_TRIES: Final = 12  # about 15 minutes; the next start tries again
_TOO_LARGE: Final = 40005


@dataclass(slots=True)
class _Shown:
    """What a card shows now, as far as this process knows."""

    payload: object = None
    state: State | None = None
    at: float = float("-inf")
    failures: int = 0
    storing: bool = False  # its pictures are on their way
    halvings: int = 0  # of the upload limit, each time Discord found the files too large


class Presenter:
    """A `JobObserver` that shows jobs on Discord. `soft_deadline` is in seconds."""

    def __init__(
        self,
        *,
        snapshots: SnapshotService,
        journal: Journal,
        keeper: PictureKeeper,
        messages: JobMessages,
        clock: Clock,
        soft_deadline: float,
    ) -> None:
        self._snapshots = snapshots
        self._journal = journal
        self._keeper = keeper
        self._messages = messages
        self._clock = clock
        self._soft_deadline = soft_deadline
        self._schedule = Schedule(clock, self._show, concurrency=_EDITS_AT_ONCE)
        self._shown: dict[str, _Shown] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to show."""
        self._loop = asyncio.create_task(self._schedule.run())

    async def stop(self, grace: float) -> None:
        """Finish the edits under way; what was not shown is shown after the next start."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self._schedule.drain(grace)

    def changed(self, job_id: str) -> None:
        """Show the job's card anew, soon."""
        self._schedule.set(job_id)

    async def find_card(self, job: Job) -> FoundCard | None:
        """Return what is known of the job's card."""
        return await self._messages.find(job)

    def first_card(self, snapshot: Snapshot) -> discord.ui.LayoutView:
        """Return the card that acknowledges a command, and remember that it is shown."""
        view = self._card(snapshot)
        self._shown[snapshot.job.id] = _Shown(
            payload=_payload(view), state=snapshot.job.state, at=self._clock.monotonic()
        )
        return view

    def forget(self, job_id: str) -> None:
        """Forget a card that never appeared."""
        self._shown.pop(job_id, None)

    async def _show(self, job_id: str) -> None:
        try:
            await self._bring_up_to_date(job_id)
        except Exception:  # noqa: BLE001 - a fault of ours must not leave a card behind
            _log.exception("card.failed", job=job_id)
            self._schedule.set(job_id, _PAUSE_BETWEEN_EDITS)

    async def _bring_up_to_date(self, job_id: str) -> None:
        shown = self._shown.setdefault(job_id, _Shown())
        try:
            snapshot = await self._snapshots.get(job_id)
        except JobNotFoundError:
            self.forget(job_id)
            return
        job = snapshot.job
        if job.delivered_at is not None:
            self.forget(job_id)
            return
        if job.acknowledged_at is None and not job.state.ended:
            return  # whoever acknowledges it says so again
        if not job.state.ended:
            await self._show_progress(snapshot, shown)
            return
        uploads = await self._uploads(snapshot, job.place.upload_limit >> shown.halvings)
        attached = [
            Attached(filename=f"atelier-{number}.{upload.extension}", reencoded=upload.reencoded)
            for number, upload in enumerate(uploads, 1)
        ]

        def files() -> list[discord.File]:
            return [_file(upload, each.filename) for upload, each in zip(uploads, attached, strict=True)]

        if await self._edit(job, self._card(snapshot, attached), shown, files if uploads else None):
            await self._journal.delivered(job_id)
            self.forget(job_id)

    async def _show_progress(self, snapshot: Snapshot, shown: _Shown) -> None:
        job = snapshot.job
        view = self._card(snapshot)
        payload = _payload(view)
        if payload == shown.payload:
            return
        if job.state is State.STORING and not shown.storing:
            # Mostly its pictures are here in a moment, and the card is edited once instead of twice.
            shown.storing = True
            self._schedule.set(job.id, _STORING_TAKES)
            return
        wait = shown.at + _PAUSE_BETWEEN_EDITS - self._clock.monotonic()
        if job.state is shown.state and wait > 0 and job.cancel_requested_at is None:
            self._schedule.set(job.id, wait)
            return
        if await self._edit(job, view, shown, None):
            shown.payload, shown.state, shown.at = payload, job.state, self._clock.monotonic()

    async def _edit(self, job: Job, view: discord.ui.LayoutView, shown: _Shown, files: Files | None) -> bool:
        """Return whether this card is settled: shown, or beyond reach."""
        try:
            reached = await self._messages.edit(job, view, files)
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            shown.failures += 1
            if isinstance(error, discord.HTTPException) and error.code == _TOO_LARGE:
                shown.halvings += 1
            if shown.failures > _TRIES:
                _log.error("card.given_up", job=job.id, error=type(error).__name__)
                self.forget(job.id)
                return False
            wait = min(_FIRST_RETRY * 2.0 ** (shown.failures - 1), _LONGEST_RETRY)
            _log.warning("card.not_shown", job=job.id, error=type(error).__name__, retry_in=wait)
            self._schedule.set(job.id, wait)
            return False
        if reached is Reached.GONE:
            _log.warning("card.gone", job=job.id, state=job.state)
        shown.failures = 0
        return True

    async def _uploads(self, snapshot: Snapshot, limit: int) -> list[Upload]:
        uploads: list[Upload] = []
        for picture in snapshot.pictures:
            try:
                uploads.append(await self._keeper.prepare(_stored(picture), limit))
            except PictureError as error:
                _log.error("picture.not_shown", job=snapshot.job.id, problem=error.problem)
        return uploads

    def _card(self, snapshot: Snapshot, files: Sequence[Attached] = ()) -> discord.ui.LayoutView:
        return job_card(snapshot, self._clock.now(), self._soft_deadline, files)


def _stored(picture: Picture) -> StoredPicture:
    return StoredPicture(
        sha256=picture.sha256,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        size=picture.size,
    )


def _file(upload: Upload, filename: str) -> discord.File:
    content = upload.content
    return discord.File(content if isinstance(content, Path) else io.BytesIO(content), filename=filename)


def _payload(view: discord.ui.LayoutView) -> object:
    return view.to_components()  # type: ignore[no-untyped-call]

"""Updates of the messages of duels."""

import asyncio
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog
from discord import File, ui

from bot.domain.age_restriction import may_show
from bot.domain.duels import Phase
from bot.domain.errors import DuelGoneError, ImageError, ImageProblem
from bot.domain.jobs import Delivery
from bot.domain.provenance import Mark, SourceType, mark_for
from bot.engine.clock import Clock
from bot.engine.delay_queue import DelayQueue
from bot.engine.repeat import repeat
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService
from bot.services.duels import DuelService, DuelView
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.input_attachments import Attachments, KeptAttachment
from bot.ui.delivery.job_messages import CardGoneError, JobMessages
from bot.ui.delivery.uploads import MAX_REQUEST_BYTES, fair_limit, open_file
from bot.ui.i18n import use_locale
from bot.ui.render.duel_cards import duel_card

_log = structlog.get_logger(__name__)

_CONCURRENT: Final = 4
_PAUSE_BETWEEN_EDITS: Final = 5.0
# Discord takes few edits of older messages: of the vote and the end alone.
_OLD: Final = timedelta(hours=1)
_CHECK_SECONDS: Final = 10.0
_FIRST_RETRY: Final = 2.0
_LONGEST_RETRY: Final = 300.0
_MOST_DOUBLINGS: Final = 8
_FAULTS_BEFORE_GIVING_UP: Final = 3
_MOST_HALVINGS: Final = 6
_STORE_AWAY_SECONDS: Final = 900.0


@dataclass(slots=True)
class _Shown:
    """State of a message as far as this process knows. Times are monotonic."""

    payload: bytes | None = None
    at: float = float("-inf")
    failures: int = 0
    faults: int = 0
    halvings: int = 0
    not_before: float = float("-inf")
    unreadable_since: float | None = None
    overtaken: bool = False  # an edit may have undone a later one of another process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pictures:
    """Pictures to attach, by position. `kept` stay on the message."""

    uploads: Mapping[int, Upload] = field(default_factory=dict)
    kept: Mapping[int, KeptAttachment] = field(default_factory=dict)

    @property
    def names(self) -> dict[int, str]:
        """The file names: they say nothing of the model."""
        names = {position: f"{_stem(position)}.{each.extension}" for position, each in self.uploads.items()}
        return names | {position: each.filename for position, each in self.kept.items()}

    def files(self) -> list[File | KeptAttachment]:
        """Return the files, opened for one request."""
        try:
            uploads = [open_file(each, self.names[position]) for position, each in self.uploads.items()]
            return [*self.kept.values(), *uploads]
        except OSError as error:
            raise ImageError(ImageProblem.GONE, "store") from error


class DuelUpdater:
    """Shows duels on their messages, and ends the due ones.

    Everything that it does is decided by the database, so several processes and a restart repeat at most an edit.
    """

    def __init__(
        self,
        *,
        duels: DuelService,
        messages: JobMessages,
        image_service: ImageService,
        clock: Clock,
        randomness: random.Random,
    ) -> None:
        self._duels = duels
        self._messages = messages
        self._image_service = image_service
        self._clock = clock
        self._random = randomness
        self._schedule = DelayQueue(clock, self._show, concurrency=_CONCURRENT)
        self._shown: dict[str, _Shown] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to show."""
        self._loop = asyncio.create_task(self._schedule.run())

    async def stop(self, grace: float) -> None:
        """Finish running edits. Others are made after the next start."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self._schedule.drain(grace)

    async def render(self, duel_id: str, halvings: int) -> tuple[ui.LayoutView, Attachments] | None:
        """Return a duel's message after its pictures were shown; else None.

        For an edit by the bot: pictures were hidden after reports, or are shown again. Files are fitted to the server's
        limit, halved `halvings` times. Raises `DuelGoneError`.
        """
        view = await self._duels.get(duel_id)
        duel = view.duel
        if not (view.is_delivered if duel.phase is Phase.VOTING else duel.shown_at is not None):
            return None
        limit = self._messages.guild_upload_limit(view.card_job)
        pictures = await self._pictures(view, _Shown(halvings=halvings), limit)
        if view.expired and await self._may_show(view):
            # They are on Discord alone: what leaves the message is lost.
            shown = {each.filename.rsplit(".", 1)[0]: each for each in await self._messages.fetch_shown(view.card_job)}
            kept = {at: shown[_stem(at)] for at in sorted(view.expired) if _stem(at) in shown}
            pictures = replace(pictures, kept=kept)
        with use_locale(view.card_job.place.locale):
            return duel_card(view, pictures.names), pictures.files

    def on_duel_changed(self, duel_id: str) -> None:
        """Schedule an update of a duel's message."""
        self._schedule.set(duel_id)

    async def run(self) -> None:
        """End the due duels and show the ended ones, until cancelled."""
        await repeat(
            self._schedule_pending,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("duel.not_checked"),
        )

    async def _schedule_pending(self) -> None:
        for duel_id in await self._duels.list_pending():
            self._schedule.set(duel_id)

    async def _show(self, duel_id: str) -> None:
        shown = self._shown.setdefault(duel_id, _Shown())
        wait = shown.not_before - self._clock.monotonic()
        if wait > 0:
            self._schedule.set(duel_id, wait)
            return
        with structlog.contextvars.bound_contextvars(duel=duel_id):
            try:
                await self._bring_up_to_date(duel_id, shown)
            except DuelGoneError:
                self._shown.pop(duel_id, None)
            except Exception as error:  # noqa: BLE001 - a message is never left behind
                self._put_off(duel_id, shown, error)

    def _put_off(self, duel_id: str, shown: _Shown, error: Exception) -> None:
        wait = min(_FIRST_RETRY * 2.0 ** min(shown.failures, _MOST_DOUBLINGS), _LONGEST_RETRY)
        wait *= self._random.uniform(1.0, 1.5)
        if isinstance(error, RateLimitError):
            wait = error.retry_after
        shown.failures += 1
        shown.not_before = self._clock.monotonic() + wait
        self._schedule.set(duel_id, wait)
        if classify(error) is None:
            _log.error("duel.failed", retry_in=round(wait, 1), exc_info=error)
        else:
            _log.warning("duel.not_shown", error=type(error).__name__, retry_in=round(wait, 1))

    async def _bring_up_to_date(self, duel_id: str, shown: _Shown) -> None:
        view = await self._duels.advance(duel_id)
        duel = view.duel
        if all(job.acknowledged_at is None and not job.state.ended for job in view.jobs):
            return  # the change is reported again with its message
        is_shown = view.is_delivered if duel.phase is Phase.VOTING else duel.shown_at is not None
        if duel.phase is not Phase.RUNNING and is_shown and not shown.overtaken:
            self._shown.pop(duel_id, None)
            return
        try:
            if duel.phase is Phase.RUNNING:
                await self._show_progress(view, shown)
            else:
                await self._show_pictures(view, shown)
        except CardGoneError:
            await self._give_up(view)
            return
        await self._look_again(view, shown)

    async def _give_up(self, view: DuelView) -> None:
        """End a duel without a message; `/history` has its pictures."""
        if view.duel.phase is Phase.RUNNING:
            _log.info("duel.message_gone_early")
            return  # its pictures may still come, and are delivered then
        _log.info("duel.message_gone", phase=view.duel.phase.name)
        await self._duels.record_shown(view, Delivery.HISTORY)
        await self._duels.give_up(view.duel.id)
        self._shown.pop(view.duel.id, None)

    async def _show_progress(self, view: DuelView, shown: _Shown) -> None:
        if self._clock.now() - view.duel.created_at > _OLD:
            return
        with use_locale(view.card_job.place.locale):
            card = duel_card(view)
        payload = _payload(card)
        if payload == shown.payload:
            return
        wait = shown.at + _PAUSE_BETWEEN_EDITS - self._clock.monotonic()
        if wait > 0:
            self._schedule.set(view.duel.id, wait)
            return
        await self._edit(view, card, None, shown)
        shown.payload, shown.at = payload, self._clock.monotonic()

    async def _show_pictures(self, view: DuelView, shown: _Shown) -> None:
        pictures = await self._pictures(view, shown, self._messages.upload_limit(view.card_job))
        with use_locale(view.card_job.place.locale):
            card = duel_card(view, pictures.names)
        await self._edit(view, card, pictures, shown)
        await self._duels.record_shown(view)
        shown.overtaken = False
        _log.info("duel.shown", phase=view.duel.phase.name, pictures=len(pictures.uploads))

    async def _edit(self, view: DuelView, card: ui.LayoutView, pictures: _Pictures | None, shown: _Shown) -> None:
        """Edit the message.

        Raises errors worth another try, and `CardGoneError` also after repeated refusals.
        """
        try:
            await self._messages.edit(view.card_job, card, None if pictures is None else pictures.files)
        except Exception as error:
            match classify(error):
                case DiscordErrorKind.TOO_LARGE if shown.halvings <= _MOST_HALVINGS:
                    shown.halvings += 1
                case DiscordErrorKind.PASSING | DiscordErrorKind.BLOCKED | None:
                    pass
                case _:
                    shown.faults += 1
                    if shown.faults >= _FAULTS_BEFORE_GIVING_UP:
                        _log.exception("duel.refused")
                        raise CardGoneError from error
            raise
        shown.failures = shown.faults = 0

    async def _look_again(self, view: DuelView, shown: _Shown) -> None:
        """Show the duel again if another process moved it on during the edit."""
        current = await self._duels.get(view.duel.id)
        if current.duel.phase is not view.duel.phase:
            shown.overtaken = True
            self._schedule.set(view.duel.id)

    async def _may_show(self, view: DuelView) -> bool:
        """Return whether the channel may show the pictures now."""
        if not view.card_job.age_restricted:
            return True
        flagged = await self._messages.is_age_restricted(view.card_job)
        return may_show(is_age_restricted=True, in_age_restricted=flagged)

    async def _pictures(self, view: DuelView, shown: _Shown, most: int) -> _Pictures:
        """Return the pictures to attach, without their models before the end.

        Age-restricted ones are shown while the channel has its flag. `most` are the bytes of a file.
        """
        if not await self._may_show(view):
            return _Pictures()
        kept = list(view.pictures.values())
        if view.duel.phase is Phase.VOTING:
            limit = min(most, MAX_REQUEST_BYTES // max(1, len(kept))) >> shown.halvings
        else:
            limit = fair_limit(kept, most) >> shown.halvings
        ready: dict[int, Upload] = {}
        gone = 0
        for position, picture in view.pictures.items():
            request, member = view.jobs[position].request, view.card_job.place.member_id
            try:
                if view.duel.phase is Phase.VOTING:
                    mark = Mark(source=SourceType.GENERATED, model=None)
                    ready[position] = await self._image_service.prepare_unsigned(
                        picture.file, limit, member=member, mark=mark
                    )
                else:
                    mark = mark_for(request.model, request.inputs)
                    ready[position] = await self._image_service.prepare_upload(
                        picture.file, limit, member=member, mark=mark
                    )
            except ImageError as error:
                gone += error.problem is ImageProblem.GONE
                _log.error("picture.not_shown", job=picture.job_id, problem=error.problem)
        if kept and gone == len(kept):
            self._require_store(shown)
        return _Pictures(uploads=ready)

    def _require_store(self, shown: _Shown) -> None:
        """Raise while the store may only be away for a moment."""
        now = self._clock.monotonic()
        if shown.unreadable_since is None:
            shown.unreadable_since = now
        if now - shown.unreadable_since <= _STORE_AWAY_SECONDS:
            raise ImageError(ImageProblem.UNREACHABLE, "store")


def _stem(position: int) -> str:
    """Return the name of a picture's file without its ending."""
    return f"atelier-{position + 1}"


def _payload(view: ui.LayoutView) -> bytes:
    """Return a digest of a card."""
    components = view.to_components()  # type: ignore[no-untyped-call] # discord.py's
    return hashlib.sha256(json.dumps(components, sort_keys=True).encode()).digest()

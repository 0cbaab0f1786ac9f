"""Card updates: merged changes, edits in place, retries."""

import asyncio
import hashlib
import json
import random
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

import discord
import structlog

from bot.domain.errors import JobNotFoundError
from bot.domain.jobs import Delivery, Job, Snapshot, State
from bot.engine.card_store import CardStore
from bot.engine.clock import Clock
from bot.engine.delay_queue import DelayQueue
from bot.engine.job_store import JobStore
from bot.engine.observer import CardLookup
from bot.services.job_snapshots import JobSnapshotService
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.card_outcomes import CardOutcome
from bot.ui.delivery.discord_errors import RETRYABLE, DiscordErrorKind, classify
from bot.ui.delivery.first_hint import FirstHint
from bot.ui.delivery.input_attachments import KeptAttachment, attached_inputs
from bot.ui.delivery.job_messages import CardGoneError, JobMessages
from bot.ui.delivery.job_notifier import JobNotifier
from bot.ui.delivery.page_turns import PageTurns
from bot.ui.delivery.result_delivery import DeliveryProgress, ResultDelivery
from bot.ui.delivery.same_view import same_view

_log = structlog.get_logger(__name__)

_EDITS_AT_ONCE: Final = 32
# No channel holds up the others.
_EDITS_A_CHANNEL: Final = 8
# Discord takes few edits of older messages: one at a time, and of the end alone.
_OLD: Final = timedelta(hours=1)
_PAUSE_BETWEEN_EDITS: Final = 10.0
_PASSING: Final = frozenset({State.SUBMITTING, State.STORING})
_PASSING_TAKES: Final = 1.0
_FIRST_RETRY: Final = 2.0
_LONGEST_RETRY: Final = 300.0
_MOST_DOUBLINGS: Final = 16
# Another process may finish the job unseen here. Forgetting a card too early costs one edit.
_FORGET_AFTER: Final = 3600.0


@dataclass(frozen=True, slots=True)
class _Place:
    """The channel of a job's card, and the time of the job."""

    channel_id: int
    created_at: datetime

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(channel_id=job.place.channel_id, created_at=job.created_at)


@dataclass(slots=True)
class _Shown:
    """State of a card as far as this process knows. Times are monotonic."""

    payload: bytes | None = None
    state: State | None = None
    at: float = float("-inf")
    used: float = float("-inf")
    passing: State | None = None  # a state that may be over in a moment, and has had its time
    gone: bool = False  # missing while the job was running
    overtaken: bool = False  # the job had moved on when an edit was done, so that the edit may have undone a later one
    failures: int = 0
    not_before: float = float("-inf")
    progress: DeliveryProgress = field(default_factory=DeliveryProgress)
    place: _Place | None = None  # once known
    delivery: Delivery | None = None  # the card shows the end, but its member is still to be told
    replaced: tuple[KeptAttachment, ...] | None = None  # inputs that a publication replaced, also if there were none
    editing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Channel:
    """Edits in one channel. Other jobs wait; old messages apart.

    Messages are old after an hour. Discord limits their edits more, and the limit holds up no other message.
    """

    not_before: float = float("-inf")
    old_not_before: float = float("-inf")
    edits: int = 0
    old_edits: int = 0
    waiting: OrderedDict[str, None] = field(default_factory=OrderedDict)
    old_waiting: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def wait_until(self, *, old: bool) -> float:
        """Return the time before which a message may not be edited."""
        return max(self.not_before, self.old_not_before) if old else self.not_before

    def limit(self, until: float, *, old: bool) -> None:
        """Hold up edits until then, if a message was limited."""
        if old:
            self.old_not_before = max(self.old_not_before, until)
        else:
            self.not_before = max(self.not_before, until)

    def take_waiting(self) -> list[str]:
        """Return the jobs that may begin after an edit ended."""
        queues = [self.waiting] if self.old_edits else [self.old_waiting, self.waiting]
        return [queue.popitem(last=False)[0] for queue in queues if queue]


class CardUpdater:
    """A `JobObserver` that shows jobs on Discord.

    `outcomes` counts its updates since the start. `on_duel_changed` is called for jobs of duels, which share a message.
    """

    def __init__(
        self,
        *,
        snapshots: JobSnapshotService,
        job_store: JobStore,
        card_store: CardStore,
        messages: JobMessages,
        delivery: ResultDelivery,
        notifier: JobNotifier,
        hint: FirstHint | None = None,
        page_turns: PageTurns | None = None,
        on_duel_changed: Callable[[str], None] | None = None,
        clock: Clock,
        randomness: random.Random,
    ) -> None:
        self._snapshots = snapshots
        self._job_store = job_store
        self._card_store = card_store
        self._messages = messages
        self._delivery = delivery
        self._notifier = notifier
        self._hint = hint
        self._page_turns = page_turns or PageTurns()
        self._on_duel_changed = on_duel_changed
        self._clock = clock
        self._random = randomness
        self.outcomes: Counter[CardOutcome] = Counter()
        self._schedule = DelayQueue(clock, self._show, concurrency=_EDITS_AT_ONCE)
        self._shown: dict[str, _Shown] = {}  # the one used longest ago first
        self._channels: dict[int, _Channel] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to show."""
        self._loop = asyncio.create_task(self._schedule.run())

    async def stop(self, grace: float) -> None:
        """Finish running edits. Others are shown after the next start."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self._schedule.drain(grace)

    def on_job_changed(self, job_id: str) -> None:
        """Schedule an update of the job's card."""
        self._schedule.set(job_id)

    async def find_card(self, job: Job) -> CardLookup | None:
        """Look up the job's card on Discord."""
        return await self._messages.find(job)

    def first_card(self, snapshot: Snapshot) -> discord.ui.LayoutView:
        """Return the first card of a job and record it as shown."""
        view = self._delivery.card(snapshot)
        shown = self._remembered(snapshot.job.id)
        shown.payload, shown.state = _payload(view), snapshot.job.state
        shown.place = _Place.of(snapshot.job)
        if snapshot.queue_position is not None or not snapshot.job.prepared:
            shown.at = self._clock.monotonic()  # else its position follows without a pause
        return view

    @asynccontextmanager
    async def publishing(self, job: Job) -> AsyncIterator[None]:
        """Surround the edit that attaches a job's inputs to its card.

        No other edit runs meanwhile, and none follows until the job's row has their addresses: it would not list the
        new attachments, and Discord might drop them.

        Raises:
            RateLimitError: Discord limits edits in the job's channel.
        """
        shown, old = self._remembered(job.id), self._is_old(job.created_at)
        async with shown.editing:
            channel = self._channels.get(job.place.channel_id)
            wait = 0.0 if channel is None else channel.wait_until(old=old) - self._clock.monotonic()
            if wait > 0:
                raise RateLimitError(wait, in_channel=True)
            shown.overtaken = True  # until the job is known to be where it was
            try:
                with self._noting_limit(job, old=old):
                    yield
                shown.replaced = attached_inputs(job)
            finally:
                await self._look_again(job, shown)

    async def reset_menu(self, job_id: str, press: discord.Interaction[Any]) -> None:
        """Edit the pressed card, page or direct message without a change.

        Discord's client keeps a selected menu entry until then, and would not send it a second time. One try: a card
        or page that is edited just now, is limited, or has changed since the press is left as it is.
        """
        message = press.message
        if message is None:
            return
        shown = self._remembered(job_id)
        if shown.editing.locked():
            return
        try:
            async with shown.editing:
                job, _ = await self._job_store.get(job_id)
                same = same_view(message)
                # A page of the history or a direct message; another card in a channel has changed since.
                is_for_member_only = message.flags.ephemeral or press.guild_id is None
                if same is not None and is_for_member_only and not _is_card(job, message):
                    view, kept = same
                    async with self._page_turns.unchanged(message) as unchanged:
                        if unchanged:
                            await self._messages.edit_by_press(press, message.id, view, lambda: kept)
                    return
                if same is None or not _is_final(job, message) or shown.overtaken:
                    return
                old = self._is_old(job.created_at)
                if not self._enter(job_id, job.place.channel_id, old=old):
                    return
                try:
                    with self._noting_limit(job, old=old):
                        await self._edit_pressed(job, press, message.id, *same)
                finally:
                    self._leave(job.place.channel_id, old=old)
        except Exception as error:  # noqa: BLE001 - the press itself is answered
            _log.info("card.menu_not_reset", job=job_id, error=type(error).__name__)

    async def _edit_pressed(
        self,
        job: Job,
        press: discord.Interaction[Any],
        message_id: int,
        view: discord.ui.LayoutView,
        kept: tuple[KeptAttachment, ...],
    ) -> None:
        if message_id == job.public_message_id:
            await self._messages.edit_public(job, view, lambda: kept)
            return
        try:
            await self._messages.edit(job, view, lambda: kept)
        except CardGoneError:  # a private card whose own token is dead
            await self._messages.edit_by_press(press, message_id, view, lambda: kept)

    def forget(self, job_id: str) -> None:
        """Forget a card that is not to be shown any more, or never appeared."""
        self._shown.pop(job_id, None)

    def _remembered(self, job_id: str) -> _Shown:
        now = self._clock.monotonic()
        shown = self._shown.pop(job_id, None) or _Shown()
        shown.used = now
        self._shown[job_id] = shown
        while self._shown[oldest := next(iter(self._shown))].used < now - _FORGET_AFTER:
            del self._shown[oldest]
        return shown

    async def _show(self, job_id: str) -> None:
        with structlog.contextvars.bound_contextvars(job=job_id):
            await self._show_logged(job_id)

    async def _show_logged(self, job_id: str) -> None:
        shown = self._remembered(job_id)
        wait = shown.not_before - self._clock.monotonic()
        if wait > 0:
            self._schedule.set(job_id, wait)
            return
        try:
            async with shown.editing:
                await self._bring_up_to_date(job_id, shown)
        except Exception as error:  # noqa: BLE001 - a card is never left behind
            self._put_off(job_id, shown, error)

    def _put_off(self, job_id: str, shown: _Shown, error: Exception) -> None:
        """Retry later. Further changes do not make the retry earlier."""
        wait = _FIRST_RETRY * 2.0 ** min(shown.failures, _MOST_DOUBLINGS) * self._random.uniform(1.0, 1.5)
        kind = classify(error)
        wait = _LONGEST_RETRY if kind is DiscordErrorKind.BLOCKED else min(wait, _LONGEST_RETRY)
        if isinstance(error, RateLimitError):
            wait = error.retry_after
        shown.failures += 1
        shown.not_before = self._clock.monotonic() + wait
        self._schedule.set(job_id, wait)
        self.outcomes[_outcome_of(error)] += 1
        if kind is DiscordErrorKind.BLOCKED:
            _log.error("discord.client_blocked", job=job_id, by="Cloudflare", code=40333, retry_in=round(wait, 1))
        elif kind is DiscordErrorKind.PASSING:
            _log.warning("card.not_shown", job=job_id, error=type(error).__name__, retry_in=round(wait, 1))
        else:
            _log.error("card.failed", job=job_id, retry_in=round(wait, 1), exc_info=error)

    async def _bring_up_to_date(self, job_id: str, shown: _Shown) -> None:
        """Show the job in a turn of its channel.

        In a busy channel most jobs have to wait, so the turn comes before the reading if the channel is known.
        """
        snapshot = None
        if shown.place is None:
            snapshot = await self._read(job_id)
            if snapshot is None:
                return
            shown.place = _Place.of(snapshot.job)
        place, old = shown.place, self._is_old(shown.place.created_at)
        if not self._enter(job_id, place.channel_id, old=old):
            return
        try:
            snapshot = snapshot or await self._read(job_id)
            if snapshot is not None:
                with self._noting_limit(snapshot.job, old=old):
                    await self._show_snapshot(snapshot, shown)
        finally:
            self._leave(place.channel_id, old=old)

    async def _read(self, job_id: str) -> Snapshot | None:
        """Return a job's snapshot; None if it has no card of this updater."""
        try:
            snapshot = await self._snapshots.get(job_id)
        except JobNotFoundError:
            self.forget(job_id)
            return None
        duel_id = snapshot.job.duel_id
        if duel_id is None:
            return snapshot
        self.forget(job_id)
        if self._on_duel_changed is not None:
            self._on_duel_changed(duel_id)
        return None

    @contextmanager
    def _noting_limit(self, job: Job, *, old: bool) -> Iterator[None]:
        """Hold up the job's channel if Discord limits the edit inside."""
        try:
            yield
        except RateLimitError as error:
            if error.in_channel:
                channel = self._channels.setdefault(job.place.channel_id, _Channel())
                channel.limit(self._clock.monotonic() + error.retry_after, old=old)
                _log.warning("card.channel_limited", job=job.id, retry_in=round(error.retry_after, 1))
            raise

    def _enter(self, job_id: str, channel_id: int, *, old: bool) -> bool:
        """Begin an edit in a channel; if it is busy, schedule the job."""
        channel = self._channels.setdefault(channel_id, _Channel())
        wait = channel.wait_until(old=old) - self._clock.monotonic()
        if wait > 0:
            self._schedule.set(job_id, wait)
            return False
        if channel.edits >= _EDITS_A_CHANNEL or (old and channel.old_edits):
            (channel.old_waiting if old else channel.waiting)[job_id] = None
            return False
        for queue in (channel.waiting, channel.old_waiting):
            queue.pop(job_id, None)
        channel.edits += 1
        channel.old_edits += old
        return True

    def _leave(self, channel_id: int, *, old: bool) -> None:
        """End an edit and let the next jobs of the channel begin."""
        channel = self._channels[channel_id]
        channel.edits -= 1
        channel.old_edits -= old
        following = channel.take_waiting()
        for job_id in following:
            self._schedule.set(job_id)
        if not following and not channel.edits and channel.wait_until(old=True) <= self._clock.monotonic():
            del self._channels[channel_id]

    def _is_old(self, created_at: datetime) -> bool:
        return self._clock.now() - created_at > _OLD

    async def _show_snapshot(self, snapshot: Snapshot, shown: _Shown) -> None:
        job, job_id = snapshot.job, snapshot.job.id
        if job.delivered_at is not None:
            if shown.overtaken and job.delivery is Delivery.CARD and job.deleted_at is None:
                await self._delivery.restore(snapshot, shown.progress)
            self.forget(job_id)
        elif job.state.ended:
            delivery = shown.delivery or await self._delivery.deliver(snapshot, shown.progress)
            if delivery is Delivery.CARD:
                shown.delivery = delivery  # a notice that has to wait does not upload the pictures again
                await self._notifier.notify(snapshot, shown.progress)
            await self._card_store.mark_delivered(job_id, delivery)
            is_on_card = delivery is Delivery.CARD
            _log.info("job.delivered", job=job_id, state=job.state, delivery=delivery)
            self.outcomes[CardOutcome.DELIVERED if is_on_card else CardOutcome.DELIVERED_ELSEWHERE] += 1
            if delivery is Delivery.CARD and self._hint is not None:
                await self._hint.offer(job)
            if delivery is not Delivery.CARD:
                log = _log.warning if job.card_in_reach(self._clock.now()) else _log.info
                log("card.gone", job=job_id, state=job.state, delivery=delivery)
            self.forget(job_id)
        elif job.acknowledged_at is not None and not self._is_old(job.created_at):
            # Without an acknowledgement the change is reported again with it.
            await self._show_progress(snapshot, shown)
            until_close = self._seconds_to_close(job)
            if until_close > 0:
                self._schedule.set(job_id, until_close)

    def _seconds_to_close(self, job: Job) -> float:
        """Return the seconds until a card gets its last words, at most."""
        closes = job.card_closes_at
        return 0.0 if closes is None else (closes - self._clock.now()).total_seconds()

    async def _show_progress(self, snapshot: Snapshot, shown: _Shown) -> None:
        job = snapshot.job
        if attached_inputs(job) == shown.replaced:
            return  # the job's row does not list the new ones yet
        view = self._delivery.card(snapshot)
        payload = _payload(view)
        if payload == shown.payload or shown.gone:
            return
        if job.state in _PASSING and shown.passing is not job.state and job.cancel_requested_at is None:
            # Mostly the next state is here in a moment, and the card is edited once instead of twice.
            shown.passing = job.state
            self._schedule.set(job.id, _PASSING_TAKES)
            return
        wait = shown.at + _PAUSE_BETWEEN_EDITS - self._clock.monotonic()
        if job.state is shown.state and wait > 0 and job.cancel_requested_at is None:
            self._schedule.set(job.id, wait)
            return
        shown.overtaken = True  # until the job is known to be where it was
        try:
            await self._edit(job, view, shown)
        finally:
            # Also after a failure: the edit may have been taken all the same.
            await self._look_again(job, shown)
        shown.payload, shown.state, shown.at = payload, job.state, self._clock.monotonic()
        shown.failures = 0

    async def _edit(self, job: Job, view: discord.ui.LayoutView, shown: _Shown) -> None:
        """Edit the card of a running job. Raises errors worth another try."""
        try:
            await self._delivery.show(job, view)
        except CardGoneError:
            shown.gone = True
            self.outcomes[CardOutcome.GONE] += 1
            _log.info("card.gone_early", job=job.id, state=job.state)
        except Exception as error:
            if classify(error) in RETRYABLE:
                raise
            self.outcomes[CardOutcome.REFUSED] += 1
            _log.exception("card.refused", job=job.id)
        else:
            self.outcomes[CardOutcome.EDITED] += 1

    async def _look_again(self, job: Job, shown: _Shown) -> None:
        """Check if the job moved on during an edit, in any process.

        Discord knows no fence, so the edit may have overwritten a later one.
        """
        current, _ = await self._job_store.get(job.id)
        shown.overtaken = current.state is not job.state
        if shown.overtaken:
            self._schedule.set(job.id)


def _outcome_of(error: Exception) -> CardOutcome:
    """Return the outcome of an update that is repeated later."""
    if isinstance(error, RateLimitError):
        return CardOutcome.LIMITED
    match classify(error):
        case DiscordErrorKind.BLOCKED:
            return CardOutcome.BLOCKED
        case DiscordErrorKind.PASSING:
            return CardOutcome.PUT_OFF
        case _:
            return CardOutcome.FAILED


def _is_card(job: Job, message: discord.Message) -> bool:
    """Return whether a message is a job's card, as far as is known."""
    return message.id in (job.place.message_id, job.public_message_id) or job.place.message_id is None


def _is_final(job: Job, message: discord.Message) -> bool:
    """Return True for the card of a delivered job, or its public one."""
    if job.delivered_at is None or job.deleted_at is not None:
        return False
    is_card = job.place.message_id == message.id and job.delivery in (Delivery.CARD, None)
    return is_card or job.public_message_id == message.id


def _payload(view: discord.ui.LayoutView) -> bytes:
    """Return a digest of the card.

    The card itself takes some kilobytes, and many jobs may wait.
    """
    components = view.to_components()  # type: ignore[no-untyped-call] # discord.py's
    return hashlib.sha256(json.dumps(components, sort_keys=True).encode()).digest()

"""Publication of the outbox: messages follow their rows."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import discord
import structlog

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxLane, OutboxMessage
from bot.engine.clock import Clock
from bot.engine.delay_queue import DelayQueue
from bot.services.outbox import CLAIM_SECONDS, OutboxService
from bot.ui.delivery.bounded_requests import RateLimitError, bounded
from bot.ui.delivery.discord_errors import RETRYABLE, DiscordErrorKind, classify
from bot.ui.delivery.outbox.rendering import MessageRenderer, NoPlaceError, NotYetError, Rendering
from bot.ui.delivery.outbox.requests import GONE, UPLOAD_SECONDS, OutboxRequests, forum_options
from bot.ui.delivery.outbox.search import OutboxSearch

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 8
_OF_LANE: Final = 2
_SCAN_SECONDS: Final = 10.0
_MOST_SCANNED: Final = 500
_SCANNED_OF_LANE: Final = 20
_RENDER_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 3.0
_FIRST_RETRY: Final = 5.0
_LONGEST_RETRY: Final = 600.0
_MOST_HALVINGS: Final = 6


class ClaimLostError(Exception):
    """Another process has taken a message over."""


class OutboxPublisher:
    """Creates, edits and removes the outbox's messages.

    Each is claimed first, so several processes publish it once. A crash repeats the last step: edits are repeated, and
    a message that may have been created is searched for. Lanes take turns: a few messages of each are published at a
    time, so neither a thousand cards nor a slow channel hold up the messages of others.
    """

    def __init__(
        self,
        *,
        outbox: OutboxService,
        client: discord.Client,
        renderers: Mapping[MessageKind, MessageRenderer],
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._requests = OutboxRequests(client)
        self._search = OutboxSearch(outbox=outbox, client=client, requests=self._requests)
        self._renderers = renderers
        self._clock = clock
        self._schedule = DelayQueue(clock, self._publish_in_turn, concurrency=_AT_ONCE)
        self._lanes: dict[str, OutboxLane] = {}
        self._running: Counter[OutboxLane] = Counter()
        # Due messages of busy lanes, in order; a dictionary is an ordered set.
        self._parked: dict[OutboxLane, dict[str, None]] = {}
        self._limited_until: dict[OutboxLane, float] = {}
        self._halvings: dict[str, int] = {}

    def wake(self, message_ids: Sequence[str]) -> None:
        """Publish due messages at once."""
        for each in message_ids:
            self._schedule.set(each)

    async def run(self) -> None:
        """Publish due messages until cancelled."""
        loop = asyncio.create_task(self._schedule.run())
        try:
            while True:
                await self.scan()
                await self._clock.wait(asyncio.Event(), _SCAN_SECONDS)
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await self._schedule.drain(_STOP_SECONDS)

    async def scan(self) -> None:
        """Schedule messages due soon, also of other processes."""
        try:
            due = await self._outbox.list_due(
                within=timedelta(seconds=_SCAN_SECONDS), most=_MOST_SCANNED, of_lane=_SCANNED_OF_LANE
            )
        except Exception:  # noqa: BLE001 - the database may be back in a moment
            _log.exception("outbox.not_read")
            return
        for message_id, lane, delay in due:
            if message_id in self._parked.get(lane, ()):
                continue
            self._lanes[message_id] = lane
            self._schedule.set(message_id, delay)

    async def _publish_in_turn(self, message_id: str) -> None:
        """Publish a message, or park it while its lane is busy."""
        lane = self._lanes.pop(message_id, None) or await self._outbox.lane_of(message_id)
        if lane is None:
            return
        rest = self._limited_until.get(lane, 0.0) - self._clock.monotonic()
        if rest > 0:
            self._lanes[message_id] = lane
            self._schedule.set(message_id, rest)
            return
        if self._running[lane] >= _OF_LANE:
            self._parked.setdefault(lane, {})[message_id] = None
            return
        self._running[lane] += 1
        try:
            await self._publish(message_id)
        finally:
            self._running[lane] -= 1
            if not self._running[lane]:
                del self._running[lane]
            self._set_next_of(lane)

    def _set_next_of(self, lane: OutboxLane) -> None:
        parked = self._parked.get(lane)
        if parked is None:
            return
        following = next(iter(parked))
        del parked[following]
        if not parked:
            del self._parked[lane]
        self._lanes[following] = lane
        self._schedule.set(following)

    async def _publish(self, message_id: str) -> None:
        message = await self._outbox.claim(message_id)
        if message is None:
            return
        if message.kind not in self._renderers:
            # Of a newer version, beside this one or before it.
            await self._retry(message, _LONGEST_RETRY)
            return
        try:
            end, again_at = await self._keeping_claim(message)
        except NotYetError as wait:
            await self._retry(message, wait.seconds)
            return
        except ClaimLostError:
            _log.warning("outbox.claim_lost", kind=message.kind)
            return
        except asyncio.CancelledError:
            # At a stop: the next process need not wait for the end of the claim.
            await self._outbox.release(message.id)
            raise
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            await self._note_failure(message, error)
            return
        await self._finish(message, end, again_at)

    async def _keeping_claim(self, message: OutboxMessage) -> tuple[OutboxEnd | None, datetime | None]:
        """Bring a message up to date while its claim is renewed."""
        done = asyncio.Event()
        keeping = asyncio.create_task(self._keep_claim(message.id, done))
        try:
            return await self._bring_up_to_date(message)
        finally:
            # Waited for: a renewal that ends after this would hide the claim's end from its own process.
            done.set()
            await keeping

    async def _keep_claim(self, message_id: str, done: asyncio.Event) -> None:
        """Renew a claim until the work on it is done.

        After a crash its message waits for a short time only.
        """
        while True:
            await self._clock.wait(done, CLAIM_SECONDS / 3)
            if done.is_set():
                return
            try:
                if not await self._outbox.renew(message_id):
                    return
            except Exception:  # noqa: BLE001 - the database may be back for the next one
                _log.warning("outbox.claim_not_renewed", exc_info=True)

    async def _finish(self, message: OutboxMessage, end: OutboxEnd | None, again_at: datetime | None = None) -> None:
        self._halvings.pop(message.id, None)
        if end in (OutboxEnd.CLOSED, OutboxEnd.REFUSED, OutboxEnd.DELETED):
            await self._renderers[message.kind].on_end(message, end)
        due_in = await self._outbox.finish(message, end, again_at=again_at)
        if due_in is not None and due_in <= _SCAN_SECONDS:
            self._schedule.set(message.id, due_in)

    async def _note_failure(self, message: OutboxMessage, error: Exception) -> None:
        kind = DiscordErrorKind.CLOSED if isinstance(error, NoPlaceError) else classify(error)
        if kind is DiscordErrorKind.TOO_LARGE and self._halvings.get(message.id, 0) < _MOST_HALVINGS:
            self._halvings[message.id] = self._halvings.get(message.id, 0) + 1
            await self._retry(message, 0.0)
        elif kind is None:
            _log.error("outbox.failed", kind=message.kind, exc_info=error)
            await self._retry(message, _backoff(message.tries))
        elif kind in RETRYABLE:
            wait = _backoff(message.tries)
            if isinstance(error, RateLimitError):
                wait = error.retry_after
                if error.in_channel:
                    self._limit(message, wait)
            _log.info("outbox.put_off", kind=message.kind, error=type(error).__name__, retry_in=wait)
            await self._retry(message, wait)
        elif kind is DiscordErrorKind.CLOSED:
            _log.warning("outbox.closed", kind=message.kind, code=getattr(error, "code", None))
            await self._finish(message, OutboxEnd.CLOSED)
        else:
            _log.error("outbox.refused", kind=message.kind, error=type(error).__name__)
            await self._finish(message, OutboxEnd.REFUSED)

    def _limit(self, message: OutboxMessage, seconds: float) -> None:
        """Hold a lane back while Discord limits its channel."""
        now = self._clock.monotonic()
        lane = OutboxLane(guild_id=message.guild_id, kind=message.kind, is_posted=message.message_id is not None)
        self._limited_until = {each: until for each, until in self._limited_until.items() if until > now}
        self._limited_until[lane] = now + seconds

    async def _retry(self, message: OutboxMessage, seconds: float) -> None:
        self._schedule.set(message.id, await self._outbox.retry(message, seconds))

    async def _bring_up_to_date(self, message: OutboxMessage) -> tuple[OutboxEnd | None, datetime | None]:
        """Create, edit or remove a message.

        Return why it ended, if it did, and when it is due again, if it is.
        """
        async with asyncio.timeout(_RENDER_SECONDS):
            rendering = await self._renderers[message.kind].render(message, self._halvings.get(message.id, 0))
        place = await self._search.find(message, rendering)
        if rendering is None:
            if place is not None:
                await self._requests.remove(*place)
                await self._outbox.forget_message(message.id, place[1])
            return OutboxEnd.DROPPED, None
        if place is not None and rendering.follows_channel and rendering.channel_id not in (None, place[0]):
            await self._leave(message, *place)
            place = None
        if place is not None:
            try:
                await self._requests.edit(*place, rendering)
            except discord.HTTPException as error:
                if error.code not in GONE:
                    raise
                home_id = message.home_id or rendering.channel_id
                if not rendering.is_reposted and await self._requests.is_deleted(error, *place, home_id):
                    return OutboxEnd.DELETED, None
                await self._outbox.forget_message(message.id, place[1])
                # Its files are on Discord no more.
                forgotten = replace(message, channel_id=None, message_id=None, home_id=None, content="")
                return await self._bring_up_to_date(forgotten)
            else:
                if rendering.files is not None:
                    await self._outbox.set_content(message.id, rendering.content)
                if rendering.reaction is not None:
                    await self._requests.react(*place, rendering.reaction)
                return None, rendering.again_at
        if not rendering.is_created:
            return OutboxEnd.DROPPED, None
        await self._create(message, rendering)
        return None, rendering.again_at

    async def _leave(self, message: OutboxMessage, channel_id: int, message_id: int) -> None:
        """Remove a message from a channel of earlier, if the bot may."""
        try:
            await self._requests.remove(channel_id, message_id)
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.CLOSED:
                raise
            _log.info("outbox.left_behind", kind=message.kind, code=error.code)
        await self._outbox.forget_message(message.id, message_id)

    async def _create(self, message: OutboxMessage, rendering: Rendering) -> None:
        # A new message has uploads alone.
        files: list[Any] = [] if rendering.files is None else [*rendering.files()]
        quiet = discord.AllowedMentions.none()
        # Requests of one message come one after the other, so that a repeated one is the same message for Discord. One
        # that was shown before and deleted is another.
        nonce = f"o{message.shown % 1000}-{message.id[-20:]}"
        async with bounded(UPLOAD_SECONDS) as request:
            channel = await self._requests.channel(rendering)
            begun_at = self._clock.now()
            if not await self._outbox.begin(message.id, channel.id):
                raise ClaimLostError
            if isinstance(channel, discord.ForumChannel):
                created = await channel.create_thread(
                    view=rendering.view, files=files, allowed_mentions=quiet, **forum_options(channel, rendering.post)
                )
                place = created.thread.id, created.message.id
                if request.server_errors:
                    # The library repeated the request, and a forum's post takes no nonce.
                    await self._search.remove_copies(message, channel, begun_at, created.thread.id)
            else:
                sent = await channel.send(view=rendering.view, files=files, nonce=nonce, allowed_mentions=quiet)
                place = channel.id, sent.id
        if await self._outbox.set_message(message.id, *place, rendering.content) != place:
            # This process was paused for so long that another one made the message.
            await self._requests.remove(*place)
            return
        if rendering.reaction is not None:
            await self._requests.react(*place, rendering.reaction)
        if rendering.pin_group is not None and not isinstance(channel, discord.ForumChannel):
            await self._requests.pin(*place, rendering.pin_group)


def _backoff(tries: int) -> float:
    return min(_FIRST_RETRY * 2.0 ** min(max(tries - 1, 0), 10), _LONGEST_RETRY)

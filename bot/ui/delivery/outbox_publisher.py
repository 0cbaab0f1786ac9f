"""Publication of the outbox: messages follow their rows."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import discord
import structlog
from discord import ui
from discord.utils import MISSING

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxLane, OutboxMessage
from bot.engine.clock import Clock
from bot.engine.delay_queue import DelayQueue
from bot.services.outbox import CLAIM_SECONDS, OutboxService
from bot.ui.component_tree import custom_ids
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, RateLimitError, bounded
from bot.ui.delivery.discord_errors import RETRYABLE, UNKNOWN_MESSAGE, DiscordErrorKind, classify
from bot.ui.delivery.input_attachments import Attachments
from bot.ui.delivery.outbox_markers import is_about

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 8
_OF_LANE: Final = 2
_SCAN_SECONDS: Final = 10.0
_MOST_SCANNED: Final = 500
_SCANNED_OF_LANE: Final = 20
_RENDER_SECONDS: Final = 120.0
_UPLOAD_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 3.0
_FIRST_RETRY: Final = 5.0
_LONGEST_RETRY: Final = 600.0
_MOST_HALVINGS: Final = 6
_MESSAGES_READ: Final = 1000
# Clocks differ a little: a search begins this long before the first try.
_CLOCK_SLACK: Final = timedelta(minutes=2)
_UNKNOWN_CHANNEL: Final = 10003
_GONE: Final = (UNKNOWN_MESSAGE, _UNKNOWN_CHANNEL)
_MOST_TAGS: Final = 5
_NO_TITLE: Final = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForumPost:
    """Title and tags of a post in a forum."""

    title: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A message as it should be.

    A new one goes to `channel_id`, or to `member_id` directly. One of its custom ids holds the message's subject: after
    a crash the message is found by that. An edit without `files` keeps the attached ones. `post` is for a forum.
    `is_created`: a message that does not exist is sent. `is_reposted`: so is one that somebody deleted.
    `follows_channel`: one in another channel moves. The message is due again at `again_at`. `content` names
    the files, and is kept with the message. The bot adds `reaction`. A new message with a `pin_group` is pinned, and
    earlier ones with that part of a custom id no longer.
    """

    view: ui.LayoutView
    channel_id: int | None = None
    member_id: int | None = None
    files: Attachments | None = None
    post: ForumPost | None = None
    content: str = ""
    reaction: str | None = None
    pin_group: str | None = None
    is_created: bool = True
    is_reposted: bool = False
    follows_channel: bool = False
    again_at: datetime | None = None


class NoPlaceError(Exception):
    """There is no channel for a message."""


class ClaimLostError(Exception):
    """Another process has taken a message over."""


class NotYetError(Exception):
    """A message waits for something else, and is rendered again later."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class MessageRenderer(Protocol):
    """Renders the messages of one kind."""

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the message as it should be now; None removes it.

        Files are fitted to the upload limit, halved `halvings` times: Discord found the last ones too large.

        Raises:
            NotYetError: the message waits for another one, or for its turn.
        """
        ...

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Note the end of a message on Discord."""
        ...


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
        self._client = client
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
        place = await self._find(message, rendering)
        if rendering is None:
            if place is not None:
                await self._remove(*place)
                await self._outbox.forget_message(message.id, place[1])
            return OutboxEnd.DROPPED, None
        if place is not None and rendering.follows_channel and rendering.channel_id not in (None, place[0]):
            await self._leave(message, *place)
            place = None
        if place is not None:
            try:
                await self._edit(*place, rendering)
            except discord.HTTPException as error:
                if error.code not in _GONE:
                    raise
                home_id = message.home_id or rendering.channel_id
                if not rendering.is_reposted and await self._is_deleted(error, *place, home_id):
                    return OutboxEnd.DELETED, None
                await self._outbox.forget_message(message.id, place[1])
                # Its files are on Discord no more.
                forgotten = replace(message, channel_id=None, message_id=None, home_id=None, content="")
                return await self._bring_up_to_date(forgotten)
            else:
                if rendering.files is not None:
                    await self._outbox.set_content(message.id, rendering.content)
                if rendering.reaction is not None:
                    await self._react(*place, rendering.reaction)
                return None, rendering.again_at
        if not rendering.is_created:
            return OutboxEnd.DROPPED, None
        await self._create(message, rendering)
        return None, rendering.again_at

    async def _is_deleted(
        self, error: discord.HTTPException, channel_id: int, message_id: int, home_id: int | None
    ) -> bool:
        """Return whether a person deleted a message, rather than its channel.

        A forum's post is a channel with the id of its first message. `home_id` is the forum: if that is gone, its posts
        went with it.
        """
        if error.code == UNKNOWN_MESSAGE:
            return True
        if channel_id != message_id:
            return False
        if home_id is None:
            return True
        try:
            async with bounded(REQUEST_SECONDS, in_channel=False):
                await self._client.fetch_channel(home_id)
        except discord.HTTPException as gone:
            if gone.code != _UNKNOWN_CHANNEL:
                raise
            return False
        return True

    async def _leave(self, message: OutboxMessage, channel_id: int, message_id: int) -> None:
        """Remove a message from a channel of earlier, if the bot may."""
        try:
            await self._remove(channel_id, message_id)
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.CLOSED:
                raise
            _log.info("outbox.left_behind", kind=message.kind, code=error.code)
        await self._outbox.forget_message(message.id, message_id)

    async def _find(self, message: OutboxMessage, rendering: Rendering | None) -> tuple[int, int] | None:
        """Return the channel and id of an existing message.

        One that may have been created before a crash is searched for.
        """
        if message.channel_id is not None and message.message_id is not None:
            return message.channel_id, message.message_id
        if message.begun_at is None or message.channel_id is None:
            return None
        wanted_channel_id = None if rendering is None else rendering.channel_id
        try:
            found = await self._search(message, message.channel_id, message.begun_at)
        except discord.HTTPException as error:
            # What cannot be read is no obstacle to a post elsewhere.
            is_elsewhere = wanted_channel_id not in (None, message.channel_id)
            if error.code != _UNKNOWN_CHANNEL and not (is_elsewhere and classify(error) is DiscordErrorKind.CLOSED):
                raise
            found = None
        return None if found is None else await self._outbox.set_message(message.id, *found)

    async def _search(self, message: OutboxMessage, channel_id: int, begun_at: datetime) -> tuple[int, int] | None:
        """Search a channel for a message of an interrupted try."""
        since = discord.Object(discord.utils.time_snowflake(begun_at - _CLOCK_SLACK))
        async with bounded(REQUEST_SECONDS, in_channel=False):
            channel = await self._client.fetch_channel(channel_id)
            if isinstance(channel, discord.ForumChannel):
                return await self._search_forum(message, channel, since)
            if not isinstance(channel, discord.abc.Messageable):
                return None
            history = channel.history(limit=_MESSAGES_READ, after=since)
            found = [each.id async for each in history if is_about(message, custom_ids(each.components))]
        free = await self._without_recorded(message, found)
        return (channel_id, free[0]) if free else None

    async def _search_forum(
        self, message: OutboxMessage, forum: discord.ForumChannel, since: discord.Object
    ) -> tuple[int, int] | None:
        found = await self._find_posts(message, forum, since)
        for each in found[1:]:
            await self._remove_post(each)  # of a repeated request
        return (found[0], found[0]) if found else None

    async def _without_recorded(self, message: OutboxMessage, found: Sequence[int]) -> list[int]:
        """Return found messages without those of other rows."""
        recorded = await self._outbox.list_recorded(found, besides=message.id) if found else ()
        return [each for each in found if each not in recorded]

    async def _find_posts(
        self, message: OutboxMessage, forum: discord.ForumChannel, since: discord.Object
    ) -> list[int]:
        """Return the posts of a message in a forum, oldest first.

        A quiet post is archived by Discord after an hour at the earliest.
        """
        threads = {each.id for each in await forum.guild.active_threads() if each.parent_id == forum.id}
        async for each in forum.archived_threads(limit=_MESSAGES_READ):
            if each.id <= since.id:
                break
            threads.add(each.id)
        found = []
        for thread_id in sorted(each for each in threads if each > since.id):
            try:
                starter = await self._client.get_partial_messageable(thread_id).fetch_message(thread_id)
            except discord.NotFound:
                continue
            if is_about(message, custom_ids(starter.components)):
                found.append(thread_id)
        return await self._without_recorded(message, found)

    async def _create(self, message: OutboxMessage, rendering: Rendering) -> None:
        # A new message has uploads alone.
        files: list[Any] = [] if rendering.files is None else [*rendering.files()]
        quiet = discord.AllowedMentions.none()
        # Requests of one message come one after the other, so that a repeated one is the same message for Discord. One
        # that was shown before and deleted is another.
        nonce = f"o{message.shown % 1000}-{message.id[-20:]}"
        async with bounded(_UPLOAD_SECONDS) as request:
            channel = await self._channel(rendering)
            begun_at = self._clock.now()
            if not await self._outbox.begin(message.id, channel.id):
                raise ClaimLostError
            if isinstance(channel, discord.ForumChannel):
                created = await channel.create_thread(
                    view=rendering.view, files=files, allowed_mentions=quiet, **_forum_options(channel, rendering.post)
                )
                place = created.thread.id, created.message.id
                if request.server_errors:
                    # The library repeated the request, and a forum's post takes no nonce.
                    await self._remove_copies(message, channel, begun_at, created.thread.id)
            else:
                sent = await channel.send(view=rendering.view, files=files, nonce=nonce, allowed_mentions=quiet)
                place = channel.id, sent.id
        if await self._outbox.set_message(message.id, *place, rendering.content) != place:
            # This process was paused for so long that another one made the message.
            await self._remove(*place)
            return
        if rendering.reaction is not None:
            await self._react(*place, rendering.reaction)
        if rendering.pin_group is not None and not isinstance(channel, discord.ForumChannel):
            await self._pin(*place, rendering.pin_group)

    async def _remove_copies(
        self, message: OutboxMessage, forum: discord.ForumChannel, begun_at: datetime, kept_id: int
    ) -> None:
        """Delete other posts of a message."""
        since = discord.Object(discord.utils.time_snowflake(begun_at - _CLOCK_SLACK))
        for each in await self._find_posts(message, forum, since):
            if each != kept_id:
                await self._remove_post(each)

    async def _react(self, channel_id: int, message_id: int, reaction: str) -> None:
        """Add a reaction where the bot may."""
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        try:
            async with bounded(REQUEST_SECONDS):
                await message.add_reaction(reaction)
        except Exception as error:
            if classify(error) is None:
                raise
            _log.info("outbox.no_reaction", error=type(error).__name__)

    async def _pin(self, channel_id: int, message_id: int, group: str) -> None:
        """Pin a message in place of earlier ones of its group, where the bot may."""
        channel = self._client.get_partial_messageable(channel_id)
        me = self._client.user
        try:
            async with bounded(REQUEST_SECONDS):
                await channel.get_partial_message(message_id).pin()
                async for each in channel.pins():
                    if each.id != message_id and me is not None and each.author.id == me.id and _has_part(each, group):
                        await each.unpin()
        except Exception as error:
            if classify(error) is None:
                raise
            _log.info("outbox.not_pinned", error=type(error).__name__)

    async def _channel(self, rendering: Rendering) -> Any:
        if rendering.channel_id is None and rendering.member_id is None:
            raise NoPlaceError
        if rendering.channel_id is None:
            return await self._client.create_dm(discord.Object(rendering.member_id or 0))
        known = self._client.get_channel(rendering.channel_id)
        channel = known or await self._client.fetch_channel(rendering.channel_id)
        if not isinstance(channel, discord.abc.Messageable | discord.ForumChannel):
            raise NoPlaceError
        return channel

    async def _edit(self, channel_id: int, message_id: int, rendering: Rendering) -> None:
        changes: dict[str, Any] = {
            "view": rendering.view,
            "attachments": MISSING if rendering.files is None else rendering.files(),
            "allowed_mentions": discord.AllowedMentions.none(),
        }
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        async with bounded(REQUEST_SECONDS if rendering.files is None else _UPLOAD_SECONDS):
            try:
                await message.edit(**changes)
            except discord.HTTPException as error:
                if classify(error) is not DiscordErrorKind.ARCHIVED:
                    raise
                await self._reopen(channel_id)
                if rendering.files is not None:
                    changes["attachments"] = rendering.files()
                await message.edit(**changes)

    async def _remove(self, channel_id: int, message_id: int) -> None:
        """Delete a message, or a forum's post with its thread."""
        async with bounded(REQUEST_SECONDS):
            try:
                if channel_id == message_id:
                    await self._remove_post(channel_id)
                else:
                    await self._delete(channel_id, message_id)
            except discord.HTTPException as error:
                if error.code not in _GONE:
                    raise

    async def _remove_post(self, thread_id: int) -> None:
        """Delete a forum's post with its thread; where the bot may not, its texts."""
        thread: Any = await self._client.fetch_channel(thread_id)
        try:
            await thread.delete()
        except discord.Forbidden:
            await self._delete(thread_id, thread_id)
            with contextlib.suppress(discord.Forbidden):
                await thread.edit(name=_NO_TITLE)

    async def _delete(self, channel_id: int, message_id: int) -> None:
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        try:
            await message.delete()
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.ARCHIVED:
                raise
            await self._reopen(channel_id)
            await message.delete()

    async def _reopen(self, thread_id: int) -> None:
        """Unarchive a thread."""
        thread = await self._client.fetch_channel(thread_id)
        if isinstance(thread, discord.Thread):
            await thread.edit(archived=False)


def _backoff(tries: int) -> float:
    return min(_FIRST_RETRY * 2.0 ** min(max(tries - 1, 0), 10), _LONGEST_RETRY)


def _has_part(message: discord.Message, part: str) -> bool:
    return any(part in each for each in custom_ids(message.components))


def _forum_options(forum: discord.ForumChannel, post: ForumPost | None) -> dict[str, Any]:
    """Return the title and the existing tags of a forum's post."""
    if post is None:
        return {"name": _NO_TITLE}
    names = {each.casefold() for each in post.tags}
    usable = [tag for tag in forum.available_tags if not tag.moderated]
    tags = [tag for tag in usable if tag.name.casefold() in names][:_MOST_TAGS]
    if not tags and forum.flags.require_tag:
        tags = usable[:1]  # else Discord refuses the post
    return {"name": post.title, "applied_tags": tags}

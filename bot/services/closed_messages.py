"""Messages that found their channel closed: another try from time to time."""

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.outbox import MessageKind
from bot.engine.clock import Clock
from bot.engine.repeat import repeat
from db.database import Database
from db.outbox import OutboxRepository

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 300.0
_PROBE_AFTER: Final = timedelta(hours=1)
# Review cards and the queue's card have a watch apart, and direct messages are not sent again.
_KINDS: Final = (MessageKind.SHOWCASE, MessageKind.CHALLENGE, MessageKind.PICKS, MessageKind.REPORT)

_Group = tuple[int, MessageKind]


class ClosedMessages:
    """Tries messages again after their channel was closed.

    A right may be given back, or the bot be invited again, without a change of the settings. Of a guild's closed
    messages of a kind, one is tried every hour. Once it is posted, the others follow.
    """

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # The messages tried by this process. After a restart they are found posted, and others are tried.
        self._tried: dict[_Group, str] = {}

    async def run(self) -> None:
        """Check closed messages until cancelled."""
        await repeat(
            self.check,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("outbox.closed_not_checked"),
        )

    async def check(self) -> None:
        """Try one closed message of each group, and reopen groups."""
        before = self._clock.now() - _PROBE_AFTER
        groups = await self._database.read(
            lambda connection: OutboxRepository(connection).list_closed_groups(_KINDS, before)
        )
        for group in {*groups, *self._tried}:
            await self._check_group(group, is_due=group in groups)

    async def _check_group(self, group: _Group, *, is_due: bool) -> None:
        (guild_id, kind), now, tried = group, self._clock.now(), self._tried.get(group)

        def write(connection: Connection) -> str | None:
            outbox = OutboxRepository(connection)
            if tried is not None:
                message = outbox.get(tried)
                if message is not None and message.end is None and message.wanted > message.shown:
                    return tried  # it waits for its turn
                if message is not None and message.end is None and message.message_id is not None:
                    outbox.reopen(kind, guild_id, now)
                    return None
            return outbox.try_closed(kind, guild_id, before=now - _PROBE_AFTER, at=now) if is_due else None

        self._tried.pop(group, None)
        following = await self._database.write(write)
        if following is not None:
            self._tried[group] = following

"""Reports about bans after refused prompts to servers' moderators."""

from datetime import timedelta
from typing import Final, Protocol

import structlog

from bot.engine.clock import Clock
from bot.engine.repeat import repeat
from db.database import Database
from db.guilds import GuildRepository
from db.prompt_rules import PromptBlockRepository, RefusalBan

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 15.0
# After a report that did not arrive.
_RETRY: Final = timedelta(hours=1)


class RefusalNotifier(Protocol):
    """Sends messages to servers' log channels."""

    async def send_refusal_ban(self, channel_id: int, locale: str | None, ban: RefusalBan) -> bool:
        """Send a ban; return False if it did not arrive."""
        ...


class PromptBlockReports:
    """Reports each ban after refused prompts once.

    Servers without a log channel find it in the audit log.
    """

    def __init__(self, *, database: Database, channels: RefusalNotifier, clock: Clock) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock

    async def run(self) -> None:
        """Report until cancelled."""
        await repeat(
            self.check,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("prompt_block.not_reported"),
        )

    async def check(self) -> None:
        """Send the due reports; those that did not arrive are due again later."""
        now = self._clock.now()
        if not await self._database.read(lambda connection: PromptBlockRepository(connection).has_reports(now)):
            return
        claimed = await self._database.write(
            lambda connection: PromptBlockRepository(connection).claim_reports(now, now + _RETRY)
        )
        done = [ban.block_id for ban in claimed if await self._report(ban)]
        await self._database.write(lambda connection: PromptBlockRepository(connection).mark_reported(done))

    async def _report(self, ban: RefusalBan) -> bool:
        """Report a ban; True also if its server has no log channel."""
        settings = await self._database.read(lambda connection: GuildRepository(connection).settings(ban.guild_id))
        if settings.log_channel_id is None:
            return True
        return await self._channels.send_refusal_ban(settings.log_channel_id, settings.locale, ban)

"""Reports about unusable keys to servers, and the deletion of unused keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.errors import FaultKind
from bot.domain.guild_keys import GuildKey
from bot.engine.clock import Clock
from bot.engine.provider_pool import ProviderPool
from bot.engine.repeat import repeat
from db.database import Database
from db.guild_keys import GuildKeyRepository
from db.guilds import GuildRepository

if TYPE_CHECKING:
    from bot.engine.key_vault import KeyVault

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 15.0
# After a report that did not arrive.
_RETRY: Final = timedelta(hours=1)


class KeyNotifier(Protocol):
    """Sends messages to servers' log channels."""

    async def send_key_fault(self, channel_id: int, locale: str | None, key: GuildKey) -> bool:
        """Send the fault of a key; return False if it did not arrive."""
        ...


class GuildKeyReports:
    """Reports each fault of a key once, and deletes keys without use.

    `vault` is opened only if there are keys. Unless `enabled`, the operator pays for servers with stored keys: the
    start says so, and no fault is reported.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: "Callable[[], KeyVault]",
        pool: ProviderPool,
        channels: KeyNotifier,
        clock: Clock,
        enabled: bool = True,
    ) -> None:
        self._enabled = enabled
        self._database = database
        self._vault = vault
        self._pool = pool
        self._channels = channels
        self._clock = clock

    async def run(self) -> None:
        """Report faults and delete unused keys until cancelled."""
        await repeat(
            self.check,
            first=self.check_readable,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("guild_key.not_checked"),
        )

    async def check_readable(self) -> None:
        """Record the keys of another SECRET_KEY.

        They count as readable again once it is back.
        """
        keys = await self._database.read(lambda connection: GuildKeyRepository(connection).list_all())
        guilds = {key.guild_id for key in keys if key.retired_at is None}
        if guilds and not self._enabled:
            _log.warning("guild_key.switched_off", guilds=len(guilds), hint="COMMUNITY_KEYS is off: your keys pay")
        for key in keys:
            fault = FaultKind.GUILD_KEY_UNREADABLE if self._vault().open(key) is None else None
            if fault is None and key.fault is FaultKind.GUILD_KEY_UNREADABLE:
                await self._change(key, None)
            elif fault is not None and key.fault is not fault and key.retired_at is None:
                _log.warning("guild_key.unusable", key_id=key.id, fault=fault)
                await self._change(key, fault)

    async def check(self) -> None:
        """Report due faults, and delete unused keys."""
        now = self._clock.now()

        def read(connection: Connection) -> tuple[bool, bool, frozenset[str]]:
            keys = GuildKeyRepository(connection)
            return keys.has_reports(now), keys.has_retired(), keys.ids()

        has_reports, has_retired, ids = await self._database.read(read)
        await self._pool.keep_only(ids)
        if has_retired:
            await self._database.write(lambda connection: GuildKeyRepository(connection).delete_unused())
        if not has_reports or not self._enabled:
            return
        claimed = await self._database.write(
            lambda connection: GuildKeyRepository(connection).claim_reports(now, now + _RETRY)
        )
        done = [key.id for key in claimed if await self._report(key)]
        await self._database.write(lambda connection: GuildKeyRepository(connection).mark_reported(done))

    async def _change(self, key: GuildKey, fault: FaultKind | None) -> None:
        report_at = None if fault is None else self._clock.now()
        await self._database.write(
            lambda connection: GuildKeyRepository(connection).change_fault(key.id, fault, report_at)
        )

    async def _report(self, key: GuildKey) -> bool:
        """Report a key's fault; True also if its server has no log channel."""
        settings = await self._database.read(lambda connection: GuildRepository(connection).settings(key.guild_id))
        if settings.log_channel_id is None:
            return True
        return await self._channels.send_key_fault(settings.log_channel_id, settings.locale, key)

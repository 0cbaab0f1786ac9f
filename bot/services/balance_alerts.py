"""Warnings about low balances at providers, to the bot's owners."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.costs import ProviderBalance
from bot.domain.errors import ProviderError
from bot.engine.clock import Clock
from bot.providers.base import Provider
from db.database import Database
from db.key_value import KeyValueRepository

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 3600.0
# A name has 64 characters at most, a provider's 32.
_LOGGED: Final = "low balance logged: {provider}"
_SENT: Final = "low balance sent: {provider}"


class BalanceNotifier(Protocol):
    """Sends messages to the owners of the Discord application."""

    async def send_low_balance(self, provider: str, balance: ProviderBalance, day: str) -> bool:
        """Send a low balance; return False if it reached nobody."""
        ...


class BalanceAlerts:
    """Warns of low balances, once a day for each provider.

    The database remembers the last day that was logged and sent, so neither a restart nor another process repeats it.
    `low` is in dollars; with 0 no balance is read.
    """

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        database: Database,
        notifier: BalanceNotifier,
        clock: Clock,
        low: Decimal,
    ) -> None:
        self._providers = providers
        self._database = database
        self._notifier = notifier
        self._clock = clock
        self._low = low

    async def run(self) -> None:
        """Check the balances once an hour until cancelled."""
        while self._low > 0:
            try:
                await self.check()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("balance.not_checked")
            await self._clock.wait(asyncio.Event(), _CHECK_SECONDS)

    async def check(self) -> None:
        """Read the balances; log and send those that are low.

        A message that reached nobody is sent again later.
        """
        for name, provider in self._providers.items():
            try:
                balance = await provider.balance()
            except ProviderError as error:
                _log.info("balance.not_read", provider=name, fault=error.kind, status=error.status)
                continue
            if balance is not None and balance.is_low(self._low):
                await self._warn(name, balance)

    async def _warn(self, provider: str, balance: ProviderBalance) -> None:
        day = self._clock.now().date().isoformat()
        if await self._database.write(partial(_save_if_new, _LOGGED.format(provider=provider), day)):
            _log.warning("balance.low", provider=provider, usd=f"{balance.amount:.2f}", limit=str(self._low))
        sent = _SENT.format(provider=provider)
        if await self._database.read(partial(_find, sent)) == day:
            return
        if await self._notifier.send_low_balance(provider, balance, day):
            await self._database.write(partial(_save_if_new, sent, day))
        else:
            _log.warning("balance.alert_not_sent", provider=provider)


def _find(key: str, connection: Connection) -> str | None:
    return KeyValueRepository(connection).find(key)


def _save_if_new(key: str, day: str, connection: Connection) -> bool:
    """Store the day; return False if it is stored already."""
    values = KeyValueRepository(connection)
    if values.find(key) == day:
        return False
    values.save(key, day)
    return True

"""Comparison of the purchases with Discord's, and its answers to grants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Final, Protocol

import structlog

from bot.domain.premium import Entitlement, Sku, mistakes
from bot.engine.clock import Clock
from bot.services.premium import PremiumService

_READ_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class PremiumStore(Protocol):
    """The application's store at Discord.

    Its methods raise whatever keeps Discord from answering.
    """

    async def list_skus(self) -> Collection[Sku]:
        """Return the application's SKUs."""
        ...

    def list_entitlements(self, sku_ids: Collection[int]) -> AsyncIterator[Entitlement]:
        """Return all entitlements of SKUs, ended and deleted ones included."""
        ...

    async def consume(self, entitlement_id: int) -> None:
        """Mark a consumable as used up; it can be bought again.

        Others are left as they are.
        """
        ...


class PremiumSync:
    """Reads all purchases at the start and every hour, and consumes grants.

    Events are lost while the bot is away, and with a broken connection. Without a SKU it does nothing.
    """

    def __init__(self, *, premium: PremiumService, store: PremiumStore, clock: Clock) -> None:
        self._premium = premium
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Compare and consume until cancelled."""
        if not self._premium.plan.is_on:
            return
        next_read, failures = float("-inf"), 0
        while True:
            self._premium.consumable.clear()
            is_due = self._clock.monotonic() >= next_read
            has_read = not is_due or await self._try(self.read)
            if is_due and has_read:
                next_read = self._clock.monotonic() + _READ_SECONDS
            # Also without a list: a pack that is not consumed cannot be bought again.
            has_consumed = await self._try(self.consume)
            failures = 0 if has_read and has_consumed else failures + 1
            again = min(_READ_SECONDS, _RETRY_SECONDS * 2 ** min(failures - 1, 10)) if failures else _READ_SECONDS
            await self._clock.wait(self._premium.consumable, again)

    async def _try(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Do a step; return False if it failed."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - Discord or the database may be back in a moment
            # By its name alone: the texts of connection errors quote addresses.
            _log.warning("premium.not_compared", error=type(error).__name__)
            return False
        return True

    async def read(self) -> None:
        """Read the SKUs, then all purchases of those with a benefit."""
        plan = self._premium.plan
        skus = await self._store.list_skus()
        for sku_id, problem in mistakes(plan.benefits, skus):
            _log.warning("premium.sku_does_not_fit", sku=sku_id, problem=problem)
        self._premium.skus = tuple(sku for sku in skus if sku.id in plan.benefits)
        async for entitlement in self._store.list_entitlements(plan.benefits):
            await self._premium.note(entitlement)

    async def consume(self) -> None:
        """Consume the grants at Discord.

        One that fails does not keep the others waiting.
        """
        failed: Exception | None = None
        for entitlement_id in await self._premium.list_unconsumed():
            try:
                await self._store.consume(entitlement_id)
                await self._premium.mark_consumed(entitlement_id)
            except Exception as error:  # noqa: BLE001 - raised after the others
                failed = error
        if failed is not None:
            raise failed

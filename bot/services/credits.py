"""A member's credits."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.credits import Account, period_end
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from db.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """`available` is what can be spent now: the day's `allowance` that is left, and `granted` credits.

    `held` is set aside for jobs under way; the allowance is renewed at `renews_at`.
    """

    allowance: int
    granted: int
    held: int
    renews_at: datetime

    @property
    def available(self) -> int:
        """What can be spent now."""
        return self.allowance + self.granted


class CreditService:
    """Reads the books for people."""

    def __init__(self, *, database: Database, ledger: Ledger, access: AccessService, clock: Clock) -> None:
        self._database = database
        self._access = access
        self._ledger = ledger
        self._clock = clock

    async def balance(self, guild_id: int, member_id: int) -> Balance:
        """Return a member's balance in a community as of now; raises `NotInServerError` or `NotAdmittedError`."""
        now = self._clock.now()

        def read(connection: Connection) -> Account:
            self._access.check(connection, guild_id)
            return self._ledger.available(connection, guild_id, member_id, now)

        account = await self._database.read(read)
        return Balance(
            allowance=account.allowance,
            granted=account.granted,
            held=account.held,
            renews_at=period_end(now),
        )

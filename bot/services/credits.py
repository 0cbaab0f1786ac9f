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
    """A member's credits.

    `allowance` is the rest of the period's allowance, renewed at `renews_at`. `granted` credits do not expire. `held`
    is set aside for live jobs.
    """

    allowance: int
    granted: int
    held: int
    renews_at: datetime

    @property
    def available(self) -> int:
        """Credits to spend: allowance and grants together."""
        return self.allowance + self.granted


class CreditService:
    """Read access to members' accounts."""

    def __init__(self, *, database: Database, ledger: Ledger, access: AccessService, clock: Clock) -> None:
        self._database = database
        self._access = access
        self._ledger = ledger
        self._clock = clock

    async def balance(self, guild_id: int, member_id: int) -> Balance:
        """Return a member's current balance in a guild.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
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

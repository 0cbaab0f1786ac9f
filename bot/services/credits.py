"""A member's credits."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

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

    async def balance(self, guild_id: int, member_id: int, roles: Collection[int]) -> Balance:
        """Return the current balance of a member with these roles.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
        now = self._clock.now()

        def read(connection: Connection) -> Balance:
            self._access.check(connection, guild_id)
            terms = self._ledger.terms(connection, guild_id, member_id, now, roles)
            account = self._ledger.available(connection, guild_id, member_id, now, roles)
            return Balance(
                allowance=account.allowance,
                granted=account.granted,
                held=account.held,
                renews_at=terms.period.end,
            )

        return await self._database.read(read)

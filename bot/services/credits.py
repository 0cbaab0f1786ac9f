"""A member's balance and running jobs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.allowances import Allowance
from bot.domain.jobs import Job
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from db.database import Database
from db.jobs import JobRepository

MOST_RUNNING: Final = 5
"""Jobs in progress that a balance names; it has one more if there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A member's credits.

    `left` is the rest of the period's `allowance`, of which `used` are spent or held; it is renewed at `renews_at`.
    `granted` credits do not expire. `held` is set aside for `running` jobs. Without `roles_known` a role may give more.
    `is_used_elsewhere`: a purchased allowance is used in another server.
    """

    member_id: int
    allowance: Allowance
    left: int
    used: int
    granted: int
    held: int
    renews_at: datetime
    running: tuple[Job, ...] = ()
    roles_known: bool = True
    is_used_elsewhere: bool = False

    @property
    def available(self) -> int | None:
        """Credits to spend, allowance and grants together; None if unlimited."""
        return None if self.allowance.amount is None else self.left + self.granted


class CreditService:
    """Read access to members' accounts."""

    def __init__(self, *, database: Database, ledger: Ledger, access: AccessService, clock: Clock) -> None:
        self._database = database
        self._access = access
        self._ledger = ledger
        self._clock = clock

    async def balance(self, guild_id: int, member_id: int, roles: Collection[int] | None) -> Balance:
        """Return the current balance of a member with these roles.

        Without `roles`, the allowance is the member's own, else the one last in force.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
        now = self._clock.now()

        def read(connection: Connection) -> Balance:
            self._access.check(connection, guild_id)
            account, terms = self._ledger.view(connection, guild_id, member_id, now, roles)
            return Balance(
                member_id=member_id,
                allowance=terms.allowance,
                left=account.allowance,
                used=account.spent,
                granted=account.granted,
                held=account.held,
                renews_at=terms.renews_at(account),
                running=JobRepository(connection).list_live(guild_id, member_id, MOST_RUNNING + 1),
                roles_known=roles is not None,
                is_used_elsewhere=terms.is_used_elsewhere,
            )

        return await self._database.read(read)

"""Admins' grants of credits, take-backs and resets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from bot.domain.amounts import check_amount
from bot.domain.errors import CreditTargetError, TargetProblem
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from bot.services.guild_transactions import GuildTransactions
from db.accounts import AccountRepository
from db.database import Database

LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The member of a change of credits.

    `roles` are None if unknown: for people outside the server, who are not `is_present`, and on the command line.
    """

    member_id: int
    roles: tuple[int, ...] | None = None
    is_bot: bool = False
    is_present: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditChange:
    """A change and its outcome.

    `amount` is what was really granted, taken or given back; `asked` what was asked for. `granted` and `available` are
    the member's now; None is unlimited.
    """

    member_id: int
    asked: int
    amount: int
    granted: int
    available: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """Credits asked for and moved, and the values for the audit log."""

    asked: int
    amount: int
    detail: Mapping[str, Any]


class CreditAdministration:
    """Changes of members' credits by admins, each in the audit log.

    Callers check the rights of the actor; actor 0 is the operator.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        access: AccessService,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._ledger = ledger
        self._transactions = GuildTransactions(database=database, access=access, clock=clock, new_id=new_id)

    async def grant(
        self, guild_id: int, recipient: Recipient, amount: int, *, actor_id: int, reason: str = ""
    ) -> CreditChange:
        """Give a member credits without expiry.

        Raises the errors of `_change`.

        Raises:
            AmountError: the amount is out of range.
            GrantTooLargeError: the member would have more than an account holds.
        """
        check_amount(amount)

        def move(connection: Connection, values: dict[str, Any]) -> _Move:
            account = self._ledger.grant(connection, amount=amount, **values)
            return _Move(asked=amount, amount=amount, detail={"amount": amount, "granted": account.granted})

        return await self._change("credits.grant", guild_id, recipient, move, actor_id=actor_id, reason=reason)

    async def take(
        self, guild_id: int, recipient: Recipient, amount: int, *, actor_id: int, reason: str = ""
    ) -> CreditChange:
        """Take granted credits back: the amount, or all if there are fewer.

        Raises the errors of `_change`.

        Raises:
            AmountError: the amount is out of range.
            NothingGrantedError: there is none to take.
        """
        check_amount(amount)

        def move(connection: Connection, values: dict[str, Any]) -> _Move:
            account, taken = self._ledger.take(connection, amount=amount, **values)
            detail = {"asked": amount, "amount": taken, "granted": account.granted}
            return _Move(asked=amount, amount=taken, detail=detail)

        return await self._change("credits.take", guild_id, recipient, move, actor_id=actor_id, reason=reason)

    async def reset(self, guild_id: int, recipient: Recipient, *, actor_id: int, reason: str = "") -> CreditChange:
        """Give a member the allowance used in this period back.

        Raises the errors of `_change`.

        Raises:
            NothingUsedError: nothing of it is used.
        """

        def move(connection: Connection, values: dict[str, Any]) -> _Move:
            account, used = self._ledger.reset(connection, roles=recipient.roles, **values)
            return _Move(asked=used, amount=used, detail={"amount": used, "period": account.period})

        return await self._change("credits.reset", guild_id, recipient, move, actor_id=actor_id, reason=reason)

    async def _change(
        self,
        action: str,
        guild_id: int,
        recipient: Recipient,
        move: Callable[[Connection, dict[str, Any]], _Move],
        *,
        actor_id: int,
        reason: str,
    ) -> CreditChange:
        """Run a change as one transaction, with its entry in the audit log.

        Credits of a member who deleted their data stay under the pseudonym.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
            CreditTargetError: the member is a bot, or neither in the server nor known there.
        """

        def write(connection: Connection, now: datetime) -> CreditChange:
            if recipient.is_bot:
                raise CreditTargetError(TargetProblem.BOT)
            member_id = self._ledger.kept_as(connection, recipient.member_id)
            known = AccountRepository(connection).find(guild_id, member_id) is not None
            if not recipient.is_present and not known:
                raise CreditTargetError(TargetProblem.STRANGER)
            values = {"guild_id": guild_id, "member_id": member_id, "actor": actor_id, "reason": reason, "now": now}
            moved = move(connection, values)
            self._transactions.record(
                connection,
                action,
                guild_id=guild_id,
                actor_id=actor_id,
                target_id=member_id,
                detail=moved.detail,
                reason=reason,
                at=now,
            )
            account = self._ledger.available(connection, guild_id, member_id, now, recipient.roles)
            return CreditChange(
                member_id=recipient.member_id,
                asked=moved.asked,
                amount=moved.amount,
                granted=account.granted,
                available=account.available,
            )

        return await self._transactions.write(guild_id, write)

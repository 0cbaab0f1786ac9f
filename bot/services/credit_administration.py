"""Admins' grants of credits, take-backs and resets."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from bot.domain.amounts import check_amount
from bot.domain.audit_log import AuditEntry
from bot.domain.errors import CreditTargetError, TargetProblem
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from db.accounts import AccountRepository
from db.audit_log import AuditLogRepository
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
        self._database = database
        self._ledger = ledger
        self._access = access
        self._clock = clock
        self._new_id = new_id

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

        def write(connection: Connection, now: datetime, recipient: Recipient) -> CreditChange:
            account = self._ledger.grant(
                connection,
                guild_id=guild_id,
                member_id=recipient.member_id,
                amount=amount,
                actor=actor_id,
                reason=reason,
                now=now,
            )
            detail = {"amount": amount, "granted": account.granted}
            self._log(connection, guild_id, "credits.grant", recipient, actor_id, reason, now, detail)
            return self._done(connection, guild_id, recipient, now, asked=amount, amount=amount)

        return await self._change(guild_id, recipient, write)

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

        def write(connection: Connection, now: datetime, recipient: Recipient) -> CreditChange:
            account, taken = self._ledger.take(
                connection,
                guild_id=guild_id,
                member_id=recipient.member_id,
                amount=amount,
                actor=actor_id,
                reason=reason,
                now=now,
            )
            detail = {"asked": amount, "amount": taken, "granted": account.granted}
            self._log(connection, guild_id, "credits.take", recipient, actor_id, reason, now, detail)
            return self._done(connection, guild_id, recipient, now, asked=amount, amount=taken)

        return await self._change(guild_id, recipient, write)

    async def reset(self, guild_id: int, recipient: Recipient, *, actor_id: int, reason: str = "") -> CreditChange:
        """Give a member the allowance used in this period back.

        Raises the errors of `_change`.

        Raises:
            NothingUsedError: nothing of it is used.
        """

        def write(connection: Connection, now: datetime, recipient: Recipient) -> CreditChange:
            account, used = self._ledger.reset(
                connection,
                guild_id=guild_id,
                member_id=recipient.member_id,
                roles=recipient.roles,
                actor=actor_id,
                reason=reason,
                now=now,
            )
            detail = {"amount": used, "period": account.period}
            self._log(connection, guild_id, "credits.reset", recipient, actor_id, reason, now, detail)
            return self._done(connection, guild_id, recipient, now, asked=used, amount=used)

        return await self._change(guild_id, recipient, write)

    async def _change(
        self, guild_id: int, recipient: Recipient, write: Callable[[Connection, datetime, Recipient], CreditChange]
    ) -> CreditChange:
        """Run a change as one transaction, with its entry in the audit log.

        Credits of a member who deleted their data stay under the pseudonym.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
            CreditTargetError: the member is a bot, or neither in the server nor known there.
        """
        now = self._clock.now()

        def check_and_write(connection: Connection) -> CreditChange:
            self._access.check(connection, guild_id)
            if recipient.is_bot:
                raise CreditTargetError(TargetProblem.BOT)
            kept = replace(recipient, member_id=self._ledger.kept_as(connection, recipient.member_id))
            known = AccountRepository(connection).find(guild_id, kept.member_id) is not None
            if not recipient.is_present and not known:
                raise CreditTargetError(TargetProblem.STRANGER)
            return replace(write(connection, now, kept), member_id=recipient.member_id)

        return await self._database.write(check_and_write)

    def _done(
        self,
        connection: Connection,
        guild_id: int,
        recipient: Recipient,
        now: datetime,
        *,
        asked: int,
        amount: int,
    ) -> CreditChange:
        account = self._ledger.available(connection, guild_id, recipient.member_id, now, recipient.roles)
        return CreditChange(
            member_id=recipient.member_id,
            asked=asked,
            amount=amount,
            granted=account.granted,
            available=account.available,
        )

    def _log(
        self,
        connection: Connection,
        guild_id: int,
        action: str,
        recipient: Recipient,
        actor_id: int,
        reason: str,
        now: datetime,
        detail: dict[str, Any],
    ) -> None:
        AuditLogRepository(connection).add(
            AuditEntry(
                id=self._new_id(),
                guild_id=guild_id,
                actor_id=actor_id,
                action=action,
                target_id=recipient.member_id,
                detail=detail,
                reason=reason,
                at=now,
            )
        )

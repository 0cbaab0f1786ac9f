"""Purchases at Discord, as credits."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.credits import MovementKind
from bot.domain.errors import AccessError, GrantTooLargeError
from bot.domain.premium import Benefit, Entitlement, PremiumPlan, Sku
from bot.engine.clock import Clock
from bot.engine.ledger import SYSTEM_ACTOR, Ledger
from bot.services.access import AccessService
from bot.services.request_gate import check_ban
from db.audit_log import AuditLogRepository
from db.database import Database
from db.entitlements import EntitlementRepository

TEST_REASON: Final = "test"
"""The reason of a purchase that nobody paid for."""
_MOST_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


class PremiumService:
    """Turns entitlements into grants and allowances.

    An entitlement counts once, by its id, however often and in how many processes it is seen. A grant goes to the
    server in which its buyer next uses the studio. `skus` are the application's SKUs with a benefit, once they are
    known. `consumable` is set when Discord has to be told of a grant.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        access: AccessService,
        plan: PremiumPlan,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._access = access
        self._clock = clock
        self._new_id = new_id
        self._seen: set[Entitlement] = set()
        self.plan = plan
        self.skus: tuple[Sku, ...] = ()
        self.consumable = asyncio.Event()

    async def use(self, guild_id: int, member_id: int, entitlements: Iterable[Entitlement]) -> None:
        """Count the entitlements of a member's interaction.

        Grants count in this guild, unless the studio is not admitted there or the member is banned.
        """
        for each in entitlements:
            benefit = self.plan.benefit_of(each)
            if benefit is None or each in self._seen or not each.has_begun(self._clock.now()):
                continue
            if benefit.is_grant:
                await self._redeem(guild_id, member_id, each, benefit)
            else:
                await self.note(each)
                self._remember(each)

    async def note(self, entitlement: Entitlement) -> None:
        """Store an announced change or a listed state of an entitlement."""
        benefit = self.plan.benefit_of(entitlement)
        now = self._clock.now()
        if entitlement.is_deleted:
            await self._database.write(lambda connection: self._revoke(connection, entitlement, benefit, now))
        elif benefit is not None and not benefit.is_grant and entitlement.has_begun(now):
            await self._database.write(lambda connection: self._note_allowance(connection, entitlement, now))
        elif benefit is not None and entitlement.is_consumed:
            await self.mark_consumed(entitlement.id)

    async def list_unconsumed(self) -> Collection[int]:
        """Return the grants not yet consumed at Discord."""
        return await self._database.read(lambda connection: EntitlementRepository(connection).list_unconsumed())

    async def mark_consumed(self, entitlement_id: int) -> None:
        """Record a grant as consumed at Discord."""
        now = self._clock.now()
        await self._database.write(lambda connection: EntitlementRepository(connection).consume(entitlement_id, now))

    async def _redeem(self, guild_id: int, member_id: int, entitlement: Entitlement, benefit: Benefit) -> None:
        """Grant the credits of an entitlement to its buyer, once.

        A guild's entitlements come with the interactions of all its members.
        """
        if entitlement.user_id != member_id or entitlement.is_consumed or entitlement.is_deleted:
            return
        now = self._clock.now()
        if entitlement.guild_id not in (0, guild_id) or not entitlement.is_active(now):
            return

        def write(connection: Connection) -> None:
            self._access.check(connection, guild_id)
            holder_id = self._ledger.kept_as(connection, member_id)
            check_ban(connection, guild_id, holder_id, now)
            self._grant(connection, guild_id, holder_id, entitlement, benefit.amount or 0, now)

        try:
            await self._database.write(write)
        except AccessError:
            return
        except GrantTooLargeError:
            _log.warning("premium.account_full", entitlement=entitlement.id)
            return
        self._remember(entitlement)
        self.consumable.set()

    def _grant(
        self,
        connection: Connection,
        guild_id: int,
        member_id: int,
        entitlement: Entitlement,
        amount: int,
        now: datetime,
    ) -> None:
        added = EntitlementRepository(connection).add(
            entitlement, member_id=member_id, guild_id=guild_id, at=now, granted=amount
        )
        if not added:
            return
        reason = TEST_REASON if entitlement.is_test else ""
        self._ledger.grant(
            connection,
            guild_id=guild_id,
            member_id=member_id,
            amount=amount,
            actor=SYSTEM_ACTOR,
            reason=reason,
            now=now,
            kind=MovementKind.PURCHASE,
        )
        detail = {"amount": amount, "purchase": str(entitlement.id)}
        self._record(connection, "premium.grant", guild_id, member_id, detail, reason, now)

    def _note_allowance(self, connection: Connection, entitlement: Entitlement, now: datetime) -> None:
        repository = EntitlementRepository(connection)
        if repository.find(entitlement.id) is not None:
            repository.change_end(entitlement.id, entitlement.ends_at)
            return
        has_ended = entitlement.ends_at is not None and entitlement.ends_at <= now
        if has_ended or not self._add(connection, entitlement, now):
            return
        guild_id, member_id = entitlement.guild_id, self._holder_of(connection, entitlement)
        reason = TEST_REASON if entitlement.is_test else ""
        detail = {"purchase": str(entitlement.id)}
        self._record(connection, "premium.begin", guild_id, member_id, detail, reason, now)

    def _revoke(self, connection: Connection, entitlement: Entitlement, benefit: Benefit | None, now: datetime) -> None:
        """End an entitlement, and take back the rest of its grant.

        One that is not known yet is stored as ended: its other events may come later.
        """
        repository = EntitlementRepository(connection)
        if benefit is not None and self._add(connection, entitlement, now, revoked_at=now):
            return
        row = repository.find(entitlement.id, lock=True)
        if row is None or row.revoked_at is not None:
            return
        detail: dict[str, Any] = {"purchase": str(row.id)}
        held = 0
        if row.granted is not None:
            taken, held = self._ledger.refund(
                connection, guild_id=row.guild_id, member_id=row.member_id, amount=row.granted, now=now
            )
            detail |= {"asked": row.granted, "amount": taken, "held": held}
        repository.revoke(row.id, now, to_take_back=held)
        reason = TEST_REASON if row.is_test else ""
        self._record(connection, "premium.refund", row.guild_id, row.member_id, detail, reason, now)

    def _add(
        self, connection: Connection, entitlement: Entitlement, now: datetime, revoked_at: datetime | None = None
    ) -> bool:
        """Store an entitlement without a grant; return False if it is stored."""
        return EntitlementRepository(connection).add(
            entitlement,
            member_id=self._holder_of(connection, entitlement),
            guild_id=entitlement.guild_id,
            at=now,
            revoked_at=revoked_at,
        )

    def _holder_of(self, connection: Connection, entitlement: Entitlement) -> int:
        """Return the member of the entitlement's row: none for a guild's."""
        if entitlement.guild_id or not entitlement.user_id:
            return 0
        return self._ledger.kept_as(connection, entitlement.user_id)

    def _record(
        self,
        connection: Connection,
        action: str,
        guild_id: int,
        member_id: int,
        detail: dict[str, Any],
        reason: str,
        now: datetime,
    ) -> None:
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=guild_id,
            actor_id=SYSTEM_ACTOR,
            action=action,
            target_id=member_id or None,
            detail=detail,
            reason=reason,
            at=now,
        )
        AuditLogRepository(connection).add(entry)

    def _remember(self, entitlement: Entitlement) -> None:
        """Remember a stored entitlement, to spare a write with each command."""
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen.add(entitlement)

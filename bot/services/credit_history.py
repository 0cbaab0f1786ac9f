"""Pages of a member's movements of credits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.allowances import Allowance
from bot.domain.jobs import Job
from bot.domain.ledger_entries import LedgerEntry, LedgerFilter
from bot.engine.clock import Clock
from bot.engine.ledger import UNLIMITED_REASON, Ledger
from bot.services.access import AccessService
from bot.services.history import Direction
from db.credit_history import CreditHistoryRepository
from db.database import Database
from db.jobs import JobRepository

ENTRIES_PER_PAGE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """A movement with its job, if any."""

    entry: LedgerEntry
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedAccount:
    """The counting part of a deleted member's account.

    `used` are the credits of the period's allowance that are spent or held.
    """

    allowance: Allowance
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """Some of a member's movements, the latest first.

    `newer` and `older` say whether there are others on either side. `deleted` is the account of a member whose earlier
    movements were deleted with their data.
    """

    member_id: int
    shown: LedgerFilter
    lines: tuple[LedgerLine, ...]
    newer: bool = False
    older: bool = False
    deleted: DeletedAccount | None = None


class CreditHistoryService:
    """Read access to members' movements."""

    def __init__(self, *, database: Database, ledger: Ledger, access: AccessService, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._access = access
        self._clock = clock

    async def open(
        self,
        guild_id: int,
        member_id: int,
        shown: LedgerFilter = LedgerFilter.ALL,
        *,
        most: int = ENTRIES_PER_PAGE,
    ) -> LedgerPage:
        """Return the first page.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
        now = self._clock.now()

        def read(connection: Connection) -> LedgerPage:
            self._access.check(connection, guild_id)
            found = _history(connection, guild_id, member_id, shown).list_older(None, most + 1)
            return LedgerPage(
                member_id=member_id,
                shown=shown,
                lines=_lines(connection, found[:most]),
                older=len(found) > most,
                deleted=None if found else self._deleted(connection, guild_id, member_id, now),
            )

        return await self._database.read(read)

    async def turn(
        self, guild_id: int, member_id: int, shown: LedgerFilter, entry_id: str, direction: Direction
    ) -> LedgerPage:
        """Return the page next to an entry; the first one if none is there."""

        def read(connection: Connection) -> LedgerPage:
            history = _history(connection, guild_id, member_id, shown)
            if direction is Direction.OLDER:
                found = history.list_older(entry_id, ENTRIES_PER_PAGE)
            else:
                found = history.list_newer(entry_id, ENTRIES_PER_PAGE)
            if len(found) < ENTRIES_PER_PAGE and direction is Direction.NEWER:
                found = ()  # a whole first page
            found = found or history.list_older(None, ENTRIES_PER_PAGE)
            return LedgerPage(
                member_id=member_id,
                shown=shown,
                lines=_lines(connection, found),
                newer=bool(found and history.list_newer(found[0].id, 1)),
                older=bool(found and history.list_older(found[-1].id, 1)),
            )

        return await self._database.read(read)

    def _deleted(self, connection: Connection, guild_id: int, member_id: int, now: datetime) -> DeletedAccount | None:
        """Return the counting part of a deleted member's account."""
        if self._ledger.kept_as(connection, member_id) == member_id:
            return None
        account, terms = self._ledger.view(connection, guild_id, member_id, now)
        return DeletedAccount(allowance=terms.allowance, used=account.spent)


def _history(connection: Connection, guild_id: int, member_id: int, shown: LedgerFilter) -> CreditHistoryRepository:
    return CreditHistoryRepository(
        connection, guild_id=guild_id, member_id=member_id, shown=shown, hidden_reason=UNLIMITED_REASON
    )


def _lines(connection: Connection, entries: tuple[LedgerEntry, ...]) -> tuple[LedgerLine, ...]:
    ids = [each.job_id for each in entries if each.job_id is not None]
    jobs = {job.id: job for job in JobRepository(connection).list_by_id(ids)} if ids else {}
    return tuple(LedgerLine(entry=each, job=jobs.get(each.job_id or "")) for each in entries)

"""A member's movements of credits, paged by key."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, tuple_

from bot.domain.credits import LedgerAccount, MovementKind, Posting
from bot.domain.ledger_entries import LedgerEntry, LedgerFilter
from db.tables import movements, postings

_settlements = movements.alias("settlements")
# A settled hold is told by its settlement.
_IS_OPEN_HOLD: Final = and_(
    movements.c.kind == MovementKind.HOLD,
    ~exists().where(_settlements.c.settles == movements.c.job_id),
)


# The operator's possible costs are none of the member's.
_KINDS: Final = {
    LedgerFilter.ALL: (
        MovementKind.ALLOWANCE,
        MovementKind.EXPIRE,
        MovementKind.GRANT,
        MovementKind.TAKE,
        MovementKind.RESET,
        MovementKind.PURCHASE,
        MovementKind.REFUND,
        MovementKind.CAPTURE,
        MovementKind.RELEASE,
    ),
    LedgerFilter.SPENT: (MovementKind.CAPTURE,),
    LedgerFilter.RECEIVED: (
        MovementKind.ALLOWANCE,
        MovementKind.GRANT,
        MovementKind.RESET,
        MovementKind.PURCHASE,
    ),
}


class CreditHistoryRepository:
    """One member's movements within one transaction.

    `hidden_reason` is that of movements not to be listed.
    """

    def __init__(
        self, connection: Connection, *, guild_id: int, member_id: int, shown: LedgerFilter, hidden_reason: str
    ) -> None:
        self._connection = connection
        kinds: ColumnElement[bool] = movements.c.kind.in_(_KINDS[shown])
        if shown is not LedgerFilter.RECEIVED:
            kinds = or_(kinds, _IS_OPEN_HOLD)
        self._listed = and_(
            movements.c.guild_id == guild_id,
            movements.c.member_id == member_id,
            movements.c.reason != hidden_reason,
            kinds,
        )

    def list_older(self, than: str | None, most: int) -> tuple[LedgerEntry, ...]:
        """Return the next older movements, the latest first.

        With None for `than`, the latest ones.
        """
        return self._list(than, most, older=True)

    def list_newer(self, than: str, most: int) -> tuple[LedgerEntry, ...]:
        """Return the next newer movements, the latest first."""
        return self._list(than, most, older=False)[::-1]

    def _list(self, than: str | None, most: int, *, older: bool) -> tuple[LedgerEntry, ...]:
        # By time and id, as the index has them.
        key = tuple_(movements.c.at, movements.c.id)
        statement = select(movements).where(self._listed)
        if than is not None:
            cursor = select(movements.c.at, movements.c.id).where(movements.c.id == than)
            row = self._connection.execute(cursor).first()
            if row is None:
                return ()
            place = tuple_(row.at, row.id, types=[movements.c.at.type, movements.c.id.type])
            statement = statement.where(key < place if older else key > place)
        order = (movements.c.at, movements.c.id)
        statement = statement.order_by(*(each.desc() if older else each for each in order)).limit(most)
        rows = self._connection.execute(statement).all()
        found = self._postings([row.id for row in rows])
        return tuple(
            LedgerEntry(
                id=row.id,
                kind=MovementKind(row.kind),
                at=row.at,
                job_id=row.job_id,
                actor_id=row.actor_id,
                reason=row.reason,
                postings=tuple(found[row.id]),
            )
            for row in rows
        )

    def _postings(self, ids: Sequence[str]) -> dict[str, list[Posting]]:
        found: dict[str, list[Posting]] = defaultdict(list)
        for row in self._connection.execute(select(postings).where(postings.c.movement_id.in_(ids))):
            posting = Posting(account=LedgerAccount(row.book), amount=row.amount, period=row.period)
            found[row.movement_id].append(posting)
        return found

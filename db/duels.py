"""Duels, their entries and votes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from bot.domain.bans import BanScope
from bot.domain.duels import Duel, DuelEntry
from bot.domain.errors import DuelGoneError
from db.bans import select_banned
from db.dialects import insert as upsert
from db.tables import duel_entries, duel_votes, duels

_COLUMNS: Final = [column.label(column.key) for column in duels.c]
_GET: Final = select(*_COLUMNS).where(duels.c.id == bindparam("the_id"))
_ENTRIES: Final = (
    select(duel_entries)
    .where(duel_entries.c.duel_id.in_(bindparam("the_ids", expanding=True)))
    .order_by(duel_entries.c.duel_id, duel_entries.c.position)
)
_IS_UNSHOWN: Final = duels.c.shown_at.is_(None)
_PENDING: Final = (
    select(duels.c.id)
    .where(
        _IS_UNSHOWN,
        or_(
            duels.c.ends_at <= bindparam("now"),
            duels.c.ended_at.is_not(None),
            duels.c.opened_at.is_(None) & (duels.c.created_at < bindparam("begun_before")),
        ),
    )
    .order_by(duels.c.id)
    .limit(bindparam("most"))
)
_COUNTING: Final = (
    select(duel_entries)
    .join(duels, duels.c.id == duel_entries.c.duel_id)
    .where(duels.c.guild_id == bindparam("in_guild"), duels.c.counts)
    .order_by(duel_entries.c.duel_id, duel_entries.c.position)
)


class DuelRepository:
    """Duels within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, duel: Duel) -> None:
        """Insert a duel with its entries."""
        values = {
            "id": duel.id,
            "guild_id": duel.guild_id,
            "member_id": duel.member_id,
            "hours": duel.hours,
            "created_at": duel.created_at,
            "counts": False,
        }
        self._connection.execute(insert(duels), values)
        rows = [
            {"duel_id": duel.id, "position": each.position, "job_id": each.job_id, "model": each.model}
            for each in duel.entries
        ]
        self._connection.execute(insert(duel_entries), rows)

    def find(self, duel_id: str) -> Duel | None:
        """Return a duel, or None."""
        row = self._connection.execute(_GET, {"the_id": duel_id}).first()
        return None if row is None else _duel(row, self._entries([duel_id])[duel_id])

    def find_unended(self, duel_id: str) -> Duel | None:
        """Return a duel before its end; None if it has ended or is gone."""
        row = self._connection.execute(_GET.where(duels.c.ended_at.is_(None)), {"the_id": duel_id}).first()
        return None if row is None else _duel(row, self._entries([duel_id])[duel_id])

    def get(self, duel_id: str, *, hold: bool = False) -> Duel:
        """Return a duel.

        `hold` keeps it from being ended until the end of the transaction; other votes go on.

        Raises:
            DuelGoneError: there is no such duel.
        """
        statement = _GET.with_for_update(read=True) if hold else _GET
        row = self._connection.execute(statement, {"the_id": duel_id}).first()
        if row is None:
            raise DuelGoneError
        return _duel(row, self._entries([duel_id])[duel_id])

    def open(self, duel_id: str, at: datetime, ends_at: datetime) -> bool:
        """Open the vote; return False if it was opened or the duel has ended."""
        unopened = (duels.c.id == duel_id) & duels.c.opened_at.is_(None) & duels.c.ended_at.is_(None)
        statement = update(duels).where(unopened).values(opened_at=at, ends_at=ends_at)
        return self._connection.execute(statement).rowcount == 1

    def end(self, duel_id: str, at: datetime) -> bool:
        """End a duel; return False if it has ended."""
        going_on = (duels.c.id == duel_id) & duels.c.ended_at.is_(None)
        return self._connection.execute(update(duels).where(going_on).values(ended_at=at)).rowcount == 1

    def set_shown(self, duel_id: str, at: datetime) -> None:
        """Record the message of the end; the first record stays."""
        self._connection.execute(
            update(duels).where(duels.c.id == duel_id, duels.c.shown_at.is_(None)).values(shown_at=at)
        )

    def vote(self, duel_id: str, member_id: int, position: int, at: datetime) -> bool:
        """Store a member's vote; return True if it replaced an earlier one."""
        mine = (duel_votes.c.duel_id == duel_id) & (duel_votes.c.member_id == member_id)
        had_one = self._connection.execute(select(duel_votes.c.position).where(mine)).first() is not None
        values = {"position": position, "at": at}
        statement = upsert(self._connection, duel_votes).values(duel_id=duel_id, member_id=member_id, **values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[duel_votes.c.duel_id, duel_votes.c.member_id], set_=values)
        )
        return had_one

    def count_votes(self, duel_id: str) -> int:
        """Return the number of votes of an open duel."""
        mine = select(func.count()).select_from(duel_votes).where(duel_votes.c.duel_id == duel_id)
        return self._connection.execute(mine).scalar_one()

    def settle_votes(self, duel: Duel, positions: Iterable[int], now: datetime) -> int:
        """Count the votes for the pictures at `positions`; return their number.

        Those of members banned since then do not count. The votes themselves are deleted: nobody needs to know any more
        who chose what.
        """
        duel_id = duel.id
        banned = select_banned(duel.guild_id, now, BanScope.STUDIO, BanScope.SHARING)
        counted = (duel_votes.c.duel_id == duel_id) & duel_votes.c.member_id.not_in(banned)
        chosen = self._connection.execute(select(duel_votes.c.position).where(counted))
        counts, total = Counter(chosen.scalars()), 0
        for position in positions:
            total += counts[position]
            entry = (duel_entries.c.duel_id == duel_id) & (duel_entries.c.position == position)
            self._connection.execute(update(duel_entries).where(entry).values(votes=counts[position]))
        self._connection.execute(delete(duel_votes).where(duel_votes.c.duel_id == duel_id))
        return total

    def set_counts(self, duel_id: str) -> None:
        """Let an ended duel count for the ranking."""
        self._connection.execute(update(duels).where(duels.c.id == duel_id).values(counts=True))

    def list_pending(self, now: datetime, begun_before: datetime, most: int) -> tuple[str, ...]:
        """Return the due duels, and the ended ones to be shown.

        Those without a vote are due if they began before a time.
        """
        keys = {"now": now, "begun_before": begun_before, "most": most}
        return tuple(self._connection.execute(_PENDING, keys).scalars())

    def list_counting(self, guild_id: int) -> list[list[DuelEntry]]:
        """Return the entries of each counting duel of a guild."""
        found: dict[str, list[DuelEntry]] = defaultdict(list)
        for row in self._connection.execute(_COUNTING, {"in_guild": guild_id}):
            found[row.duel_id].append(_entry(row))
        return list(found.values())

    def erase_guild(self, guild_id: int) -> None:
        """Delete the duels of a guild."""
        ids = select(duels.c.id).where(duels.c.guild_id == guild_id)
        for table in (duel_votes, duel_entries):
            self._connection.execute(delete(table).where(table.c.duel_id.in_(ids)))
        self._connection.execute(delete(duels).where(duels.c.guild_id == guild_id))

    def _entries(self, duel_ids: Sequence[str]) -> Mapping[str, list[DuelEntry]]:
        found: dict[str, list[DuelEntry]] = defaultdict(list)
        for row in self._connection.execute(_ENTRIES, {"the_ids": duel_ids}):
            found[row.duel_id].append(_entry(row))
        return found


def _duel(row: Row[Any], entries: Iterable[DuelEntry]) -> Duel:
    return Duel(**row._mapping, entries=tuple(entries))


def _entry(row: Row[Any]) -> DuelEntry:
    return DuelEntry(position=row.position, job_id=row.job_id, model=row.model, votes=row.votes)

"""Deletion of everything about a member, and their return.

The ledger stays, under the member's pseudonym: deleting is no refill.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, delete, exists, func, select, union, update

from db.dialects import insert, padded
from db.locks import disable_timeout
from db.tables import (
    accounts,
    allowances,
    audit_log,
    bans,
    challenge_entries,
    challenge_votes,
    challenges,
    communities,
    deletions,
    drafts,
    duel_votes,
    duels,
    entitlements,
    exports,
    forms,
    guild_keys,
    holds,
    jobs,
    movements,
    pauses,
    preferences,
    presets,
    prompt_appeals,
    prompt_blocks,
    prompt_rules,
    report_cases,
    reports,
    risks,
    searches,
    submissions,
    takedowns,
    turns,
    votes,
)

# What only its member uses.
_PRIVATE: Final = (drafts, forms, searches, preferences, exports, prompt_blocks, prompt_appeals, votes, duel_votes)
# What counts for credits, purchases and bans, with the rest of its primary key where the member is a part of that.
_KEPT: Final[tuple[tuple[Table, tuple[str, ...]], ...]] = (
    (accounts, ("guild_id",)),
    (holds, ()),
    (movements, ()),
    (risks, ()),
    (jobs, ()),
    (turns, ("guild_id",)),
    (bans, ("guild_id", "scope")),
    (allowances, ("guild_id", "role_id")),
    (entitlements, ()),
    (submissions, ()),
    (challenge_entries, ("challenge_id",)),
    (challenge_votes, ("challenge_id", "number")),
    (reports, ("case_id",)),
    (duels, ()),
)
# Where the member decided something about others, or others about the member.
_MENTIONS: Final[tuple[Column[int], ...]] = (
    movements.c.actor_id,
    bans.c.actor_id,
    pauses.c.actor_id,
    audit_log.c.actor_id,
    audit_log.c.target_id,
    communities.c.admitted_by,
    guild_keys.c.set_by,
    challenges.c.created_by,
    prompt_appeals.c.decided_by,
    submissions.c.claimed_by,
    submissions.c.decided_by,
    prompt_rules.c.set_by,
    presets.c.saved_by,
    takedowns.c.actor_id,
    report_cases.c.closed_by,
)
# Free text of admins, moderators and owners, who may name a member in it.
_REASONS: Final[tuple[Column[str], ...]] = (
    movements.c.reason,
    bans.c.reason,
    pauses.c.reason,
    audit_log.c.reason,
    submissions.c.reason,
    takedowns.c.reason,
    prompt_rules.c.name,
)
_NOBODY: Final = "[deleted member]"
# Built once: every request reads it.
_ANY: Final = select(deletions.c.member_id).where(deletions.c.member_id.in_(bindparam("ids", expanding=True)))
_IS_ERASED: Final = jobs.c.deleted_at.is_not(None) & jobs.c.words_erased_at.is_not(None)
MEMBER_COLUMNS: Final = frozenset(
    {
        deletions.c.member_id,
        presets.c.member_id,
        *(table.c.member_id for table in _PRIVATE),
        *(table.c.member_id for table, _ in _KEPT),
        *_MENTIONS,
    }
)
"""Every column with ids of members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A request to delete everything about a member.

    `member_id` is the pseudonym once it is finished.
    """

    member_id: int
    requested_at: datetime
    finished_at: datetime | None = None


class DeletionRepository:
    """Deletions within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, member_id: int, at: datetime) -> bool:
        """Store a request; return False if one is pending already."""
        values = {"member_id": member_id, "requested_at": at}
        statement = insert(self._connection, deletions).values(values).on_conflict_do_nothing()
        return self._connection.execute(statement).rowcount == 1

    def add_finished(self, pseudonym: int, requested_at: datetime, at: datetime) -> None:
        """Store a deletion without anything to delete."""
        self._connection.execute(delete(deletions).where(deletions.c.member_id == pseudonym))
        values = {"member_id": pseudonym, "requested_at": requested_at, "finished_at": at}
        self._connection.execute(insert(self._connection, deletions).values(values))

    def is_pending(self, member_id: int) -> bool:
        """Return whether everything about the member is being deleted."""
        return self._connection.execute(select(deletions).where(deletions.c.member_id == member_id)).first() is not None

    def has_any(self, member_id: int, pseudonym: int) -> bool:
        """Return whether a member was ever deleted, or is being deleted."""
        return self._connection.execute(_ANY, {"ids": [member_id, pseudonym]}).first() is not None

    def list_known(self, ids: Collection[int]) -> frozenset[int]:
        """Return those ids of members, or of their pseudonyms, with a deletion."""
        return frozenset(self._connection.execute(_ANY, {"ids": padded(ids)}).scalars())

    def list_pending(self) -> Sequence[Deletion]:
        """Return the unfinished deletions, oldest first."""
        wanted = select(deletions.c.member_id, deletions.c.requested_at).where(deletions.c.finished_at.is_(None))
        rows = self._connection.execute(wanted.order_by(deletions.c.requested_at))
        return [Deletion(**row._mapping) for row in rows]

    def list_finished(self) -> dict[int, datetime]:
        """Return the pseudonyms of finished deletions and the requests' times."""
        wanted = select(deletions.c.member_id, deletions.c.requested_at).where(deletions.c.finished_at.is_not(None))
        return {row.member_id: row.requested_at for row in self._connection.execute(wanted)}

    def list_forgotten(self, requests: Mapping[int, datetime]) -> set[int]:
        """Return the pseudonyms with later requests than the stored ones."""
        known = self.list_finished()
        return {name for name, at in requests.items() if name not in known or known[name] < at}

    def list_members(self) -> set[int]:
        """Return every member with anything stored, and ids of other things."""
        columns = MEMBER_COLUMNS - {deletions.c.member_id}
        wanted = union(*(select(column.label("member")).where(column > 0) for column in columns))
        return set(self._connection.execute(wanted).scalars())

    def delete_private(self, member_id: int) -> None:
        """Delete the member's settings, presets, forms, questions and searches.

        The words of their reports go, too. An export that is being sent is sent no further.
        """
        for table in _PRIVATE:
            self._connection.execute(delete(table).where(table.c.member_id == member_id))
        self._connection.execute(delete(presets).where(presets.c.guild_id == 0, presets.c.member_id == member_id))
        self._connection.execute(update(reports).where(reports.c.member_id == member_id).values(words=""))

    def finish(self, deletion: Deletion, pseudonym: int, at: datetime) -> bool:
        """Put the pseudonym in the member's place everywhere.

        Return False if a job of the member is left to be ended and deleted.
        """
        member = deletion.member_id
        disable_timeout(self._connection)
        pending = select(deletions.c.member_id).where(deletions.c.member_id == member).with_for_update()
        if self._connection.execute(pending).first() is None:
            return True  # another process was faster
        # A request that holds credits now is seen by the check below; one that comes later finds no account.
        locked = select(accounts.c.guild_id).where(accounts.c.member_id == member).with_for_update()
        self._connection.execute(locked.order_by(accounts.c.guild_id)).all()
        if self._connection.execute(select(exists().where(jobs.c.member_id == member, ~_IS_ERASED))).scalar_one():
            return False
        self.delete_private(member)
        self._erase_mentions(member)
        self._rename(member, pseudonym)
        for column in _MENTIONS:
            self._connection.execute(update(column.table).where(column == member).values({column: pseudonym}))
        self._connection.execute(delete(deletions).where(deletions.c.member_id == pseudonym))
        self._connection.execute(
            update(deletions).where(deletions.c.member_id == member).values(member_id=pseudonym, finished_at=at)
        )
        return True

    def restore_member(self, member_id: int, pseudonym: int, at: datetime) -> bool:
        """Put a returning member in the pseudonym's place.

        So the spent allowance, granted credits and bans of before count again. Return False if they were not away.
        """
        away = (
            deletions.c.member_id == pseudonym,
            deletions.c.finished_at.is_not(None),
            deletions.c.returned_at.is_(None),
        )
        if self._connection.execute(select(deletions.c.member_id).where(*away)).first() is None:
            return False  # nearly always: no write, and no lock
        if self._connection.execute(update(deletions).where(*away).values(returned_at=at)).rowcount != 1:
            return False
        disable_timeout(self._connection)
        self._merge_grants(member_id, pseudonym)
        self._rename(pseudonym, member_id)
        return True

    def _merge_grants(self, member_id: int, pseudonym: int) -> None:
        """Remove the accounts made during a deletion, and keep their grants.

        A question makes an empty one, and a grant one in a server that the deletion had passed. The latter is kept
        where the pseudonym has none.
        """
        unused = (accounts.c.member_id == member_id) & (accounts.c.period == "")
        rows = self._connection.execute(select(accounts.c.guild_id, accounts.c.granted).where(unused)).all()
        for guild_id, granted in rows:
            kept = (accounts.c.member_id == pseudonym) & (accounts.c.guild_id == guild_id)
            merged = update(accounts).where(kept).values(granted=accounts.c.granted + granted)
            if self._connection.execute(merged).rowcount or not granted:
                self._connection.execute(delete(accounts).where(unused, accounts.c.guild_id == guild_id))

    def is_away(self, pseudonym: int) -> bool:
        """Return whether a member's data was deleted and they have not returned."""
        away = select(deletions.c.returned_at, deletions.c.finished_at).where(deletions.c.member_id == pseudonym)
        row = self._connection.execute(away).first()
        return row is not None and row.finished_at is not None and row.returned_at is None

    def _erase_mentions(self, member_id: int) -> None:
        """Erase a member's id where neither a row nor a column is theirs."""
        for column in _REASONS:
            named = column.contains(str(member_id))
            said: ColumnElement[str] = column
            for words in (f"<@{member_id}>", f"<@!{member_id}>", str(member_id)):
                said = func.replace(said, words, _NOBODY)
            self._connection.execute(update(column.table).where(named).values({column: said}))
        # The channel of direct messages is its member's alone.
        outside = jobs.c.member_id == member_id, jobs.c.guild_id == 0
        self._connection.execute(update(jobs).where(*outside).values(channel_id=0))

    def _rename(self, member_id: int, to: int) -> None:
        """Change a member's id in credits, jobs and bans.

        All of it is found by the member's guilds, because the large tables are indexed by those.
        """
        found = union(
            *(
                select(table.c.guild_id).where(table.c.member_id == member_id)
                for table in (accounts, jobs, turns, bans, allowances, entitlements, submissions)
            )
        )
        guilds = list(self._connection.execute(found).scalars())
        for table, others in _KEPT:
            own = table.c.member_id == member_id
            if "guild_id" in table.c:
                own &= table.c.guild_id.in_(guilds)
            if others:
                newer = table.alias()
                same = (newer.c[name] == table.c[name] for name in others)
                taken = exists().where(newer.c.member_id == to, *same)
                self._connection.execute(delete(table).where(own, taken))
            if table is movements:
                by_member = update(table).where(own, table.c.actor_id == member_id)
                self._connection.execute(by_member.values(actor_id=to))
            self._connection.execute(update(table).where(own).values(member_id=to))

"""Audit of the changes since an earlier audit.

It finds fewer faults than `audit`, and no other ones: whatever it suspects, `audit` decides.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, union

from bot.domain.credits import LedgerAccount
from db.audit import audit, audit_accounts, missing_accounts
from db.audit_jobs import budgets_of
from db.audit_scope import Accounts
from db.tables import accounts, audit_checkpoints, budgets, entitlements, holds, jobs, movements, postings

MOST_CHANGED: Final = 10_000
"""With more changed accounts the audit reads everything: its memory stays bounded, and little would be saved."""
FULL_INTERVAL: Final = timedelta(days=7)
"""A fault in rows from before a checkpoint is found after this time."""

_DIGEST_BYTES: Final = 16
_KEY_BYTES: Final = _DIGEST_BYTES // 2
_AT_ONCE: Final = 500
# Ids are ordered by the time they were made, and a transaction commits within this time.
_MARGIN: Final = timedelta(hours=1)

Key = tuple[int, int]
Budgets = dict[str, list[int]]

_ACCOUNTS: Final = select(accounts).execution_options(yield_per=_AT_ONCE)
_POSITION: Final = (
    select(movements.c.id).where(movements.c.at < bindparam("before")).order_by(movements.c.id.desc()).limit(1)
)
_MOVED: Final = union(
    select(movements.c.guild_id, movements.c.member_id).where(movements.c.id > bindparam("position")),
    select(jobs.c.guild_id, jobs.c.member_id).where(jobs.c.id > bindparam("position")),
    select(entitlements.c.guild_id, entitlements.c.member_id),
).limit(bindparam("most"))
_POSTED: Final = (
    select(holds.c.guild_id, jobs.c.own_key, holds.c.month, postings.c.book, func.sum(postings.c.amount))
    .join_from(movements, postings)
    .join(holds, holds.c.job_id == movements.c.job_id)
    .join(jobs, jobs.c.id == movements.c.job_id)
    .where(movements.c.id > bindparam("position"))
    .group_by(holds.c.guild_id, jobs.c.own_key, holds.c.month, postings.c.book)
)
_BUDGETS: Final = select(budgets.c.guild_id, budgets.c.month, budgets.c.held, budgets.c.captured, budgets.c.at_risk)
# The column of a budget for each account of the ledger.
_COLUMN_OF: Final = {
    LedgerAccount.HELD: 0,
    LedgerAccount.EARNED: 1,
    LedgerAccount.OWED: 1,
    LedgerAccount.UNKNOWN: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a sound ledger.

    `accounts` has a digest of each account's row, `budgets` the budgets without the movements after `position`. The
    latest audit of everything was at `full_at`.
    """

    full_at: datetime
    position: str
    accounts: bytes
    budgets: Budgets


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """The discrepancies of an audit, and its checkpoint if there are none."""

    problems: list[str]
    checkpoint: Checkpoint | None
    is_full: bool


class CheckpointRepository:
    """The latest checkpoint within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self) -> Checkpoint | None:
        """Return the checkpoint; None before the first sound audit."""
        row = self._connection.execute(select(audit_checkpoints)).first()
        if row is None:
            return None
        return Checkpoint(
            full_at=row.full_at, position=row.position, accounts=row.accounts, budgets=json.loads(row.budgets)
        )

    def save(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint in place of the earlier one."""
        self._connection.execute(delete(audit_checkpoints))
        values = {
            "number": 1,
            "full_at": checkpoint.full_at,
            "position": checkpoint.position,
            "accounts": checkpoint.accounts,
            "budgets": json.dumps(checkpoint.budgets),
        }
        self._connection.execute(insert(audit_checkpoints), values)


def audit_since(connection: Connection, now: datetime) -> Audited:
    """Audit the changes since the checkpoint.

    Everything is audited without a checkpoint, a week after the latest time, and if anything is suspected.
    """
    earlier = CheckpointRepository(connection).find()
    if earlier is not None and timedelta(0) <= now - earlier.full_at < FULL_INTERVAL:
        digests = _find_unsuspected(connection, earlier)
        if digests is not None:
            checkpoint = _checkpoint(connection, now, earlier.full_at, digests)
            return Audited(problems=[], checkpoint=checkpoint, is_full=False)
    if problems := audit(connection):
        return Audited(problems=problems, checkpoint=None, is_full=True)
    _, digests, _ = _changed_since(connection, b"")
    return Audited(problems=[], checkpoint=_checkpoint(connection, now, now, digests), is_full=True)


def _find_unsuspected(connection: Connection, earlier: Checkpoint) -> bytes | None:
    """Return the digests of all accounts; None if anything is suspected."""
    if _without_zeros(_budgets_at(connection, earlier.position)) != _without_zeros(earlier.budgets):
        return None
    keys, digests, is_missing = _changed_since(connection, earlier.accounts)
    parameters = {"position": earlier.position, "most": MOST_CHANGED + 1}
    keys |= {(guild_id, member_id) for guild_id, member_id in connection.execute(_MOVED, parameters)}
    if len(keys) > MOST_CHANGED:
        return None
    # A member's deletion moves an account with its movements to another id.
    if is_missing and any(missing_accounts(connection)):
        return None
    if any(audit_accounts(connection, each) for each in _parts(keys)):
        return None
    return digests


def _changed_since(connection: Connection, earlier: bytes) -> tuple[set[Key], bytes, bool]:
    """Compare the accounts with earlier digests.

    Returns the changed and new accounts, all digests, and whether an earlier account is missing.
    """
    known = {earlier[at : at + _DIGEST_BYTES] for at in range(0, len(earlier), _DIGEST_BYTES)}
    changed: set[Key] = set()
    digests = bytearray()
    with connection.execute(_ACCOUNTS) as rows:
        for row in rows:
            digest = _digest(row)
            digests += digest
            if digest in known:
                known.remove(digest)
            elif len(changed) <= MOST_CHANGED:
                changed.add((row.guild_id, row.member_id))
    present = {_key_digest(guild_id, member_id) for guild_id, member_id in changed}
    return changed, bytes(digests), any(each[:_KEY_BYTES] not in present for each in known)


def _digest(row: tuple[object, ...]) -> bytes:
    guild_id, member_id, *state = row
    return _key_digest(guild_id, member_id) + blake2b(repr(state).encode(), digest_size=_KEY_BYTES).digest()


def _key_digest(guild_id: object, member_id: object) -> bytes:
    return blake2b(f"{guild_id} {member_id}".encode(), digest_size=_KEY_BYTES).digest()


def _parts(keys: Iterable[Key]) -> Iterator[Accounts]:
    """Group accounts by their guild, in queries of limited size."""
    members: dict[int, list[int]] = defaultdict(list)
    for guild_id, member_id in sorted(keys):
        members[guild_id].append(member_id)
    for guild_id, ids in members.items():
        for start in range(0, len(ids), _AT_ONCE):
            yield Accounts(guild_id, tuple(ids[start : start + _AT_ONCE]))


def _checkpoint(connection: Connection, now: datetime, full_at: datetime, digests: bytes) -> Checkpoint:
    position = connection.execute(_POSITION, {"before": now - _MARGIN}).scalar() or ""
    return Checkpoint(full_at=full_at, position=position, accounts=digests, budgets=_budgets_at(connection, position))


def _budgets_at(connection: Connection, position: str) -> Budgets:
    """Return the budgets without the movements after a position."""
    found: Budgets = defaultdict(lambda: [0, 0, 0])
    for guild_id, month, *amounts in connection.execute(_BUDGETS):
        found[f"{guild_id} {month}"] = list(amounts)
    for guild_id, own_key, month, book, amount in connection.execute(_POSTED, {"position": position}):
        if book in _COLUMN_OF:
            for each in budgets_of(guild_id, own_key=own_key):
                found[f"{each} {month}"][_COLUMN_OF[LedgerAccount(book)]] -= int(amount)
    return dict(found)


def _without_zeros(amounts: Budgets) -> Budgets:
    return {name: each for name, each in amounts.items() if any(each)}

"""Changes of allowances in custom ids.

The button that saves a change holds it, so a confirmation needs no row in the database and works after a restart.
"""

import re
from typing import Final

from bot.domain.allowances import MAX_CREDITS, AllowanceChange, AllowanceEntry, PeriodKind
from bot.domain.errors import NotOfferedError

# Role or member (16 digits; pseudonyms are negative: two's complement), which of them, period, kind of amount, amount.
_CHANGE: Final = re.compile(r"([0-9a-f]{16})([012])([012])([012])([0-9a-f]{13})")
_IDS: Final = 1 << 64
_SERVER, _ROLE, _MEMBER = range(3)
_NUMBER, _UNLIMITED, _UNSET = range(3)
_PERIODS: Final = tuple(PeriodKind)


def target_of(change: AllowanceChange) -> str:
    """Return a change as the target of a custom id."""
    entry = change.entry
    kind = _MEMBER if entry.member_id else _ROLE if entry.role_id else _SERVER
    mode = _UNSET if change.removes else _UNLIMITED if entry.amount is None else _NUMBER
    amount = entry.amount or 0 if mode == _NUMBER else 0
    return f"{(entry.member_id or entry.role_id) % _IDS:016x}{kind}{_PERIODS.index(entry.period)}{mode}{amount:013x}"


def change_of(target: str) -> AllowanceChange:
    """Return the change of a custom id's target.

    Raises:
        NotOfferedError: it holds none.
    """
    match = _CHANGE.fullmatch(target)
    if match is None:
        raise NotOfferedError
    target_id, kind, period, mode, amount = int(match[1], 16), *map(int, match.groups()[1:4]), int(match[5], 16)
    if kind == _MEMBER and target_id >= _IDS // 2:
        target_id -= _IDS
    if amount > MAX_CREDITS or (kind == _SERVER) != (target_id == 0):
        raise NotOfferedError
    entry = AllowanceEntry(
        amount=None if mode == _UNLIMITED else amount,
        period=_PERIODS[period],
        role_id=target_id if kind == _ROLE else 0,
        member_id=target_id if kind == _MEMBER else 0,
    )
    return AllowanceChange(entry=entry, removes=mode == _UNSET)

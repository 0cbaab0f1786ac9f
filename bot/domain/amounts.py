"""Amounts of credits as people type them."""

import re
from typing import Final

from bot.domain.allowances import MAX_CREDITS
from bot.domain.errors import AmountError

UNLIMITED: Final = "unlimited"
UNSET: Final = "unset"

_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def check_amount(amount: int, *, lowest: int = 1) -> int:
    """Return an amount of credits.

    Raises:
        AmountError: it is below `lowest` or above `MAX_CREDITS`.
    """
    if not lowest <= amount <= MAX_CREDITS:
        raise AmountError(str(amount), lowest=lowest, highest=MAX_CREDITS)
    return amount


def parse_amount(typed: str) -> int | None:
    """Return the amount of an allowance as typed; None is unlimited.

    A number has digits only: "1.000" and "1,000" are a thousand in some places and one in others.

    Raises:
        AmountError: it is neither a number within the limits nor "unlimited".
    """
    word = typed.strip().casefold()
    if word == UNLIMITED:
        return None
    if not _NUMBER.fullmatch(word) or int(word) > MAX_CREDITS:
        raise AmountError(typed, lowest=0, highest=MAX_CREDITS, words=True)
    return int(word)

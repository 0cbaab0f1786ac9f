"""Errors of admins' changes of credits and allowances."""

from enum import StrEnum

from bot.domain.errors.base import AtelierError


class CreditChangeError(AtelierError):
    """A change of credits is impossible as asked; nothing was changed."""

    code = "credit_change"


class GrantTooLargeError(CreditChangeError):
    """The member would have more granted credits than an account holds.

    `room` are the most that fit.
    """

    code = "grant_too_large"

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room


class NothingGrantedError(CreditChangeError):
    """There is no granted credit to take; `held` are set aside for jobs."""

    code = "nothing_granted"

    def __init__(self, *, held: int) -> None:
        super().__init__()
        self.held = held


class NothingUsedError(CreditChangeError):
    """Nothing of the allowance is used, so a reset gives nothing back."""

    code = "nothing_used"


class AmountError(CreditChangeError):
    """An amount of credits cannot be used as typed.

    It takes a whole number from `lowest` to `highest`. `words`: it also takes "unlimited" and "unset".
    """

    code = "amount"

    def __init__(self, typed: str, *, lowest: int, highest: int, words: bool = False) -> None:
        super().__init__()
        self.typed = typed
        self.lowest = lowest
        self.highest = highest
        self.words = words


class AllowanceTargetError(CreditChangeError):
    """A change of an allowance without an amount or a single target.

    It names a role and a member, or no amount.
    """

    code = "allowance_target"

    def __init__(self, *, has_amount: bool) -> None:
        super().__init__()
        self.has_amount = has_amount


class AllowanceMissingError(CreditChangeError):
    """There is no entry to remove for a role, a member or everyone."""

    code = "allowance_missing"


class TargetProblem(StrEnum):
    """The reason why somebody cannot get credits here."""

    BOT = "bot"
    STRANGER = "stranger"  # not in this server, and never was


class CreditTargetError(CreditChangeError):
    """Somebody cannot have credits in this server."""

    code = "credit_target"

    def __init__(self, reason: TargetProblem) -> None:
        super().__init__()
        self.reason = reason

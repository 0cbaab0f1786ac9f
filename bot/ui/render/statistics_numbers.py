"""Numbers, days and names of statistics in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from bot.domain.costs import Currency
from bot.domain.money import ModelMoney
from bot.domain.statistics import RoleCredits
from bot.providers.registry import display_name
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import number, seconds, without_directions

_MONTHS: Final = (
    N_("Jan"),
    N_("Feb"),
    N_("Mar"),
    N_("Apr"),
    N_("May"),
    N_("Jun"),
    N_("Jul"),
    N_("Aug"),
    N_("Sep"),
    N_("Oct"),
    N_("Nov"),
    N_("Dec"),
)
_CENT: Final = Decimal("0.01")
_FINE: Final = Decimal("0.0001")
_NO_BREAK: Final = "\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of members, roles and providers.

    Members without a known name are numbered by their place.
    """

    members: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)
    provider: Callable[[str], str] = display_name

    def member(self, member_id: int, place: int) -> str:
        """Return a member's name, or "member 1"."""
        return without_directions(self.members.get(member_id, "")) or numbered_member(place)

    def role(self, role: RoleCredits) -> str:
        """Return the name of the applied allowance."""
        if role.role_id is None:
            return _("own allowance")
        if role.role_id == 0:
            return _("everybody")
        return without_directions(self.roles.get(role.role_id, "")) or _("a deleted role")

    def offer(self, money: ModelMoney) -> str:
        """Return "provider · model"."""
        return f"{self.provider(money.provider)} · {money.model}"


def numbered_member(place: int) -> str:
    """Return "member 1" for a place in the list."""
    return _("member {number}").format(number=place)


def short_day(day: date) -> str:
    """Return "30 Nov"."""
    # Translators: a day on an axis; {month} is such as "Nov". Other languages may change the order.
    return _("{day} {month}").format(day=day.day, month=_(_MONTHS[day.month - 1]))


def percent(share: float) -> str:
    """Return "97.5 %", without a decimal if it is 0."""
    return _("{percent} %").format(percent=f"{share:g}").replace(" ", _NO_BREAK)


def duration(length: int) -> str:
    """Return a duration like `seconds`, or "0 s"."""
    return seconds(length) if length else _("{seconds} s").format(seconds=0).replace(" ", _NO_BREAK)


def costs(money: ModelMoney) -> str:
    """Return the known costs, such as "$3.20", or "unknown cost"."""
    dollars, own = money.spent(Currency.USD), money.spent(Currency.CREDITS)
    if money.unpriced and not dollars and not own:
        return _("unknown cost")
    said = [usd(dollars)] if dollars or not own else []
    if own:
        said.append(_("{count} of its credits").format(count=number(round(own))))
    return " + ".join(said)


def usd(amount: Decimal) -> str:
    """Return an amount with two places, or four below a dollar's cent."""
    return f"${amount.quantize(_FINE if 0 < amount < _CENT else _CENT):,}"

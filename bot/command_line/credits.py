"""`atelier credits`: balances, grants and allowances from the shell.

All work while the bot runs.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from bot.command_line.studio_control import ControlError
from bot.container import new_id
from bot.domain.allowances import AllowanceChange, AllowanceEntry, AllowanceSource, PeriodKind
from bot.domain.amounts import UNSET, check_amount, parse_amount
from bot.domain.credits import MovementKind
from bot.domain.errors import (
    AllowanceMissingError,
    AmountError,
    CreditChangeError,
    GrantTooLargeError,
    NothingGrantedError,
    NothingUsedError,
)
from bot.domain.ledger_entries import LedgerEntry
from bot.domain.pseudonyms import pseudonym_of
from bot.engine.clock import Clock, SystemClock
from bot.engine.ledger import CHANGED_REASON, SYSTEM_ACTOR, Ledger
from bot.engine.member_identity import MemberIdentity
from bot.factories import build_secret_key
from bot.secret_key import SecretKeyError
from bot.services.access import AccessService
from bot.services.allowances import AllowanceService
from bot.services.credit_administration import LONGEST_REASON, CreditAdministration, Recipient
from bot.services.credit_history import CreditHistoryService, LedgerLine
from bot.services.credits import CreditService
from bot.settings import Settings
from db.database import Database

Work = Callable[[Database, Settings], Awaitable[list[str]]]
"""Does a command's work and returns the lines to print."""

_LINES: Final = 50
_BIGGEST_ID: Final = 2**63 - 1

_NEGATIVE: Final = re.compile(r"-[\d.,]+")

_GuildOption = Annotated[int, typer.Option(help="The server's id.", show_default=False)]
_MemberOption = Annotated[int, typer.Option(help="The member's id.", show_default=False)]
_AmountArgument = Annotated[str, typer.Argument(help="A number of credits.", show_default=False)]
_ReasonOption = Annotated[str, typer.Option(help="The member reads it in their history.", show_default=False)]


class _AmountCommand(TyperCommand):
    """A command with an amount, also a negative one.

    That one is refused in words; otherwise it would be read as an unknown option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; `-5` is one of them."""
        ctx.ignore_unknown_options = any(_NEGATIVE.fullmatch(each) for each in args)
        return super().parse_args(ctx, args)


def build_credit_commands(run: Callable[[Work], None]) -> typer.Typer:
    """Return the commands; `run` opens the database and prints the lines."""
    app = typer.Typer(help="See and change credits and allowances.", no_args_is_help=True)

    def do(work: Callable[[_Services], Awaitable[list[str]]]) -> None:
        run(lambda database, settings: _worded(_Services(database, settings), work))

    @app.command()
    def balance(guild: _GuildOption, member: _MemberOption) -> None:
        """Print a member's credits."""
        do(lambda services: _balance(services, _id(guild), _id(member)))

    @app.command()
    def history(guild: _GuildOption, member: _MemberOption) -> None:
        """Print a member's latest movements of credits."""
        do(lambda services: _history(services, _id(guild), _id(member)))

    @app.command(cls=_AmountCommand)
    def grant(amount: _AmountArgument, guild: _GuildOption, member: _MemberOption, reason: _ReasonOption = "") -> None:
        """Give a member credits without expiry."""
        do(lambda services: _grant(services, _id(guild), _id(member), _number(amount, undo="take"), _checked(reason)))

    @app.command(cls=_AmountCommand)
    def take(amount: _AmountArgument, guild: _GuildOption, member: _MemberOption, reason: _ReasonOption = "") -> None:
        """Take granted credits back, or all if there are fewer."""
        do(lambda services: _take(services, _id(guild), _id(member), _number(amount, undo="grant"), _checked(reason)))

    @app.command()
    def reset(guild: _GuildOption, member: _MemberOption, reason: _ReasonOption = "") -> None:
        """Give a member the used part of the allowance back."""
        do(lambda services: _reset(services, _id(guild), _id(member), _checked(reason)))

    @app.command(cls=_AmountCommand)
    def allowance(
        guild: _GuildOption,
        amount: Annotated[str | None, typer.Argument(help="A number, unlimited or unset.", show_default=False)] = None,
        role: Annotated[int | None, typer.Option(help="For a role, by its id.", show_default=False)] = None,
        member: Annotated[int | None, typer.Option(help="For a member, by their id.", show_default=False)] = None,
        period: Annotated[PeriodKind, typer.Option(help="How often it is renewed.")] = PeriodKind.DAY,
    ) -> None:
        """Set an allowance of a server; without an amount, list all."""
        do(lambda services: _allowance(services, _id(guild), amount, period, role=role, member=member))

    return app


class _Services:
    """The services on one database; every server counts as admitted."""

    def __init__(self, database: Database, settings: Settings) -> None:
        clock = SystemClock()
        access = AccessService(database=database, admitted="*", now=clock.now, outside=True)
        ledger = Ledger(
            allowance=settings.default_allowance,
            budget=settings.monthly_budget,
            new_id=new_id,
            identity=_identity(settings, clock),
        )
        shared: dict[str, Any] = {"database": database, "ledger": ledger, "access": access, "clock": clock}
        self.credits = CreditService(**shared)
        self.history = CreditHistoryService(**shared)
        self.administration = CreditAdministration(**shared, new_id=new_id)
        self.allowances = AllowanceService(**shared, new_id=new_id)


def _identity(settings: Settings, clock: Clock) -> MemberIdentity:
    """Return the identity of members: the returning ones keep their credits.

    Raises:
        ControlError: the bot's own key cannot be used.
    """
    try:
        key = build_secret_key(settings).for_member_hashes
    except SecretKeyError as error:
        raise ControlError(str(error)) from error
    return MemberIdentity(pseudonym_of=lambda member_id: pseudonym_of(member_id, key), now=clock.now)


async def _worded(services: _Services, work: Callable[[_Services], Awaitable[list[str]]]) -> list[str]:
    """Return the lines of a command.

    Raises:
        ControlError: it is impossible as asked.
    """
    try:
        return await work(services)
    except CreditChangeError as error:
        raise ControlError(_mistake(error)) from error


async def _balance(services: _Services, guild: int, member: int) -> list[str]:
    found = await services.credits.balance(guild, member, None)
    allowance = found.allowance
    lines = [
        "Unlimited credits." if found.available is None else f"{found.available} credits to spend.",
        f"Allowance: {_amount(allowance.amount, allowance.period)} ({_ORIGINS[allowance.source]}).",
        f"Used: {found.used}. Renewed at {_time(found.renews_at)}.",
        f"Granted: {found.granted}. Held by jobs: {found.held}.",
    ]
    return lines + [f"Job {job.id}: {job.price} credits, {job.state}" for job in found.running]


async def _history(services: _Services, guild: int, member: int) -> list[str]:
    page = await services.history.open(guild, member, most=_LINES)
    if page.deleted is not None:
        amount = _amount(page.deleted.allowance.amount, page.deleted.allowance.period)
        return [f"Earlier entries were deleted with the member's data. Used: {page.deleted.used} of {amount}."]
    return [_entry(line) for line in page.lines] or ["Nothing yet."]


async def _grant(services: _Services, guild: int, member: int, amount: int, reason: str) -> list[str]:
    change = await services.administration.grant(
        guild, Recipient(member_id=member), amount, actor_id=SYSTEM_ACTOR, reason=reason
    )
    return [f"Granted {change.amount}. Member {member} has {change.granted} granted credits now."]


async def _take(services: _Services, guild: int, member: int, amount: int, reason: str) -> list[str]:
    change = await services.administration.take(
        guild, Recipient(member_id=member), amount, actor_id=SYSTEM_ACTOR, reason=reason
    )
    fewer = "" if change.amount == change.asked else f" of {change.asked}: there were no more"
    return [f"Took {change.amount}{fewer}. Member {member} has {change.granted} granted credits now."]


async def _reset(services: _Services, guild: int, member: int, reason: str) -> list[str]:
    change = await services.administration.reset(
        guild, Recipient(member_id=member), actor_id=SYSTEM_ACTOR, reason=reason
    )
    now = "unlimited credits" if change.available is None else f"{change.available} credits"
    return [f"The allowance is whole again: {change.amount} were used. Member {member} has {now} to spend now."]


async def _allowance(
    services: _Services, guild: int, amount: str | None, period: PeriodKind, *, role: int | None, member: int | None
) -> list[str]:
    if role is not None and member is not None:
        raise ControlError("Choose --role or --member, not both.")
    if amount is None:
        if role is not None or member is not None:
            raise ControlError("The amount is missing: a number, unlimited or unset.")
        return await _list(services, guild)
    if _NEGATIVE.fullmatch(amount):
        raise ControlError("An allowance cannot be negative: 0 gives nothing, `unset` removes the entry.")
    removes = amount.strip().casefold() == UNSET
    # The role @everyone has the server's id.
    of_role = 0 if role is None or role == guild else _id(role)
    entry = AllowanceEntry(
        amount=0 if removes else parse_amount(amount),
        period=period,
        role_id=of_role,
        member_id=0 if member is None else _id(member),
    )
    await services.allowances.apply(
        guild, AllowanceChange(entry=entry, removes=removes), actor_id=SYSTEM_ACTOR, reason=""
    )
    return [f"{_holder(entry)}: {'removed' if removes else _amount(entry.amount, period)}."]


async def _list(services: _Services, guild: int) -> list[str]:
    found = await services.allowances.list(guild)
    lines = [f"{_holder(entry)}: {_amount(entry.amount, entry.period)}" for entry in found.entries]
    if not any(entry.source is AllowanceSource.SERVER for entry in found.entries):
        lines.insert(0, f"Everyone: {found.default} a day (DEFAULT_ALLOWANCE)")
    return lines


_ORIGINS: Final = {
    AllowanceSource.OPERATOR: "DEFAULT_ALLOWANCE",
    AllowanceSource.SERVER: "the server's for everyone",
    AllowanceSource.ROLE: "a role's",
    AllowanceSource.MEMBER: "the member's own",
    AllowanceSource.LAST: "the one last in force",
    AllowanceSource.PREMIUM: "from Premium",
}


def _entry(line: LedgerLine) -> str:
    entry = line.entry
    kind = CHANGED_REASON if entry.reason == CHANGED_REASON else entry.kind
    parts = [_time(entry.at), f"{_change(entry):+d}", kind]
    if entry.job_id is not None:
        parts.append(f"job {entry.job_id}")
    if entry.kind in (MovementKind.GRANT, MovementKind.TAKE, MovementKind.RESET):
        parts.append(f"by {entry.actor_id or 'the operator'}")
        parts += [entry.reason] if entry.reason else []
    return "  ".join(parts)


def _change(entry: LedgerEntry) -> int:
    """Return the credits of a movement, gained or lost."""
    match entry.kind:
        case MovementKind.HOLD:
            return -entry.held
        case MovementKind.CAPTURE | MovementKind.RELEASE:
            return -entry.charged
        case _:
            return entry.change


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _amount(amount: int | None, period: PeriodKind) -> str:
    return "unlimited" if amount is None else f"{amount} a {period}"


def _holder(entry: AllowanceEntry) -> str:
    if entry.member_id:
        return f"Member {entry.member_id}"
    return f"Role {entry.role_id}" if entry.role_id else "Everyone"


def _id(value: int) -> int:
    """Return an id of Discord's.

    Raises:
        ControlError: it is none.
    """
    if not 0 < value <= _BIGGEST_ID:
        raise ControlError(f"{value} is not an id: in Discord's developer mode, Copy ID is in each menu.")
    return value


def _number(typed: str, *, undo: str) -> int:
    """Return the amount of a grant or a take.

    `undo` is the command that does the opposite.

    Raises:
        AmountError: it is no amount.
        ControlError: it is negative.
    """
    if _NEGATIVE.fullmatch(typed):
        raise ControlError(f"The amount must be positive. For the opposite, use `atelier credits {undo}`.")
    try:
        return check_amount(parse_amount(typed) or 0)
    except AmountError as error:
        raise AmountError(typed, lowest=1, highest=error.highest) from error


def _checked(reason: str) -> str:
    if len(reason) > LONGEST_REASON:
        raise ControlError(f"--reason takes {LONGEST_REASON} characters at most; this has {len(reason)}.")
    return reason


def _mistake(error: CreditChangeError) -> str:
    """Return an error in words for the shell."""
    match error:
        case AmountError():
            also = ", or unlimited, or unset" if error.words else ""
            takes = f"a whole number from {error.lowest} to {error.highest} in digits alone{also}"
            return f"{error.typed!r} is not an amount: it takes {takes}."
        case GrantTooLargeError():
            return f"An account cannot hold that: grant at most {error.room}."
        case NothingGrantedError():
            held = f" {error.held} are held by jobs." if error.held else ""
            return f"There are no granted credits to take.{held}"
        case NothingUsedError():
            return "Nothing of the allowance is used, so there is nothing to give back."
        case AllowanceMissingError():
            return "There is no such allowance to remove. Without an amount, all are listed."
        case _:
            return f"That is impossible ({error.code})."

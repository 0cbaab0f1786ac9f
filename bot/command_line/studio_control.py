"""Pauses and budgets from the command line."""

from datetime import UTC, datetime

from bot.container import new_id
from bot.domain.credits import Budget
from bot.domain.errors import BudgetLimitError, UnknownPauseTargetError
from bot.domain.guild_budgets import AlertLevels, parse_limit
from bot.domain.pauses import MAX_REASON, Pause, PauseScope
from bot.engine.clock import SystemClock
from bot.engine.ledger import Ledger
from bot.factories import build_catalogue
from bot.services.budgets import BudgetService, GuildBudget
from bot.services.pauses import PauseService
from bot.settings import Settings
from db.database import Database

_KINDS = {
    PauseScope.GUILD: "Server {name} ({by})",
    PauseScope.STUDIO: "Server {name} ({by})",
    PauseScope.MODEL: "Model {name}",
    PauseScope.PROVIDER: "Provider {name}",
}


class ControlError(Exception):
    """A mistake in a command; the text names it and the way out."""


def pause_target(
    *, everything: bool, provider: str | None, model: str | None, guild: int | None
) -> tuple[PauseScope, str] | None:
    """Return the one target of the options, None without any.

    Raises:
        ControlError: there are several, or an id is not one.
    """
    given = [
        (scope, str(value))
        for scope, value in (
            (PauseScope.ALL, "" if everything else None),
            (PauseScope.PROVIDER, provider),
            (PauseScope.MODEL, model),
            (PauseScope.GUILD, guild),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise ControlError("Choose one of --all, --provider, --model and --guild.")
    if guild is not None:
        check_guild(guild)
    return given[0] if given else None


def check_guild(guild: int) -> int:
    """Return the id of a server.

    Raises:
        ControlError: it is none.
    """
    if not 0 < guild < 2**63:
        raise ControlError("--guild takes the server's id: in Discord, Copy Server ID in its menu.")
    return guild


async def begin_pause(database: Database, settings: Settings, target: tuple[PauseScope, str], reason: str) -> list[str]:
    """Begin a pause and return the lines to print.

    Raises:
        ControlError: there is no such model or provider, or the reason is too long.
    """
    if len(reason) > MAX_REASON:
        raise ControlError(f"--reason takes {MAX_REASON} characters at most; this has {len(reason)}.")
    try:
        begun = await _service(database, settings).begin(*target, reason=reason)
    except UnknownPauseTargetError as error:
        raise ControlError(_unknown(error)) from error
    pause, replaced = begun.pause, begun.replaced
    said = f"{_what(pause)} is paused: no new jobs. Those at providers finish; queued ones wait."
    if replaced is not None:
        before = f" “{replaced.reason}”" if replaced.reason else ""
        said = f"{_what(pause)} was paused since {replaced.at:%Y-%m-%d %H:%M} UTC; this replaces the reason{before}."
    return [said, f"End it with: atelier resume {_option(pause)}"]


async def end_pause(database: Database, settings: Settings, target: tuple[PauseScope, str]) -> list[str]:
    """End a pause and return the lines to print.

    Raises:
        ControlError: there is no such model or provider.
    """
    service = _service(database, settings)
    try:
        ended = await service.end(*target)
    except UnknownPauseTargetError as error:
        raise ControlError(_unknown(error)) from error
    what = _what(Pause(scope=target[0], name=target[1], reason="", actor_id=0, at=datetime.now(UTC)))
    left = [f"Still paused: {line}" for line in await list_pauses(database, settings, if_none="")]
    return [f"{what}: the pause is over." if ended else f"{what} was not paused.", *(each for each in left if each)]


async def list_pauses(database: Database, settings: Settings, *, if_none: str = "Nothing is paused.") -> list[str]:
    """Return a line for each pause."""
    pauses = await _service(database, settings).list()
    lines = [
        f"{_what(each)} since {each.at:%Y-%m-%d %H:%M} UTC{f': {each.reason}' if each.reason else ''}"
        for each in pauses
    ]
    return lines or ([if_none] if if_none else [])


def _service(database: Database, settings: Settings) -> PauseService:
    catalogue = build_catalogue(settings, settings.providers, datetime.now(UTC).date())
    return PauseService(
        database=database,
        now=lambda: datetime.now(UTC),
        new_id=new_id,
        models=[model.id for model in catalogue.models],
        providers=settings.providers,
    )


def _what(pause: Pause) -> str:
    by = "by its admins" if pause.scope.is_admins else "by you"
    return _KINDS.get(pause.scope, "Everything").format(name=pause.name, by=by)


def _option(pause: Pause) -> str:
    return "--all" if pause.scope is PauseScope.ALL else f"--{pause.scope} {pause.name}"


def _unknown(error: UnknownPauseTargetError) -> str:
    if not error.known:
        return f"There is no {error.scope} {error.name}: none is configured."
    return f"There is no {error.scope} {error.name}. Choose {', '.join(error.known)}."


async def list_budgets(database: Database, settings: Settings) -> list[str]:
    """Return a line for the budget of all servers, then for each server."""
    of_all, guilds = await _budgets(database, settings).list()
    lines = [f"All servers: {_state(of_all)}."]
    return lines + [f"Server {guild_id}: {_guild_state(budget)}" for guild_id, budget in guilds]


async def show_budget(database: Database, settings: Settings, guild: int, cap: str | None) -> list[str]:
    """Change the operator's limit of a server if given, and return its state.

    Raises:
        ControlError: the limit is no number.
    """
    service = _budgets(database, settings)
    if cap is not None:
        try:
            await service.set_cap(guild, parse_limit(cap))
        except BudgetLimitError as error:
            raise ControlError(f"--cap takes credits a month, digits only, up to {error.highest}, or none.") from error
    return [f"Server {guild}: {_guild_state(await service.get(guild))}"]


def _budgets(database: Database, settings: Settings) -> BudgetService:
    catalogue = build_catalogue(settings, settings.providers, datetime.now(UTC).date())
    ledger = Ledger(
        allowance=settings.default_allowance,
        budget=settings.monthly_budget,
        guild_budget=settings.community_budget,
        alerts=AlertLevels(percentages=settings.budget_alerts, cheapest=catalogue.cheapest_picture),
        new_id=new_id,
    )
    return BudgetService(database=database, ledger=ledger, clock=SystemClock(), new_id=new_id)


def _state(budget: Budget) -> str:
    parts = f"{budget.captured} captured, {budget.held} held, {budget.at_risk} at risk"
    return f"{budget.left} of {budget.limit} left in {budget.month} ({parts})"


def _guild_state(shown: GuildBudget) -> str:
    limits = [
        f"{who} {'none' if limit is None else limit}"
        for who, limit in (("your limit", shown.limits.operators), ("its admins' limit", shown.limits.admins))
    ]
    used = _state(shown.budget) if shown.is_limited else f"{shown.budget.used} used in {shown.budget.month}"
    return f"{used}; {', '.join(limits)}."

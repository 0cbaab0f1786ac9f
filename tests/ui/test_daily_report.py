"""The daily report card."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from discord import ui

from bot.domain.budget_forecasts import BudgetForecast
from bot.domain.costs import Currency
from bot.domain.credits import Budget
from bot.domain.errors import FaultKind
from bot.domain.jobs import LIVE, State
from bot.domain.pauses import Pause, Pauses, PauseScope
from bot.engine.health import ProviderHealth
from bot.services.daily_report import DailyReport
from bot.ui.render.daily_report import daily_report
from bot.ui.render.job_card import AMBER, GREEN, RED
from db.audit_results import AuditResult
from db.daily_figures import DayFigures, ProviderDay
from db.overview import Overview
from tests.support.clock import START
from tests.ui.view_reader import colour, texts, utf16

AT = int(START.timestamp())
NOON_OF_THE_DAY = 1773403200
QUIET = DayFigures(ended=Counter(), faults=Counter(), pictures=0, captured=0, costs={}, unpriced=0, providers=())
FINE = DailyReport(
    day=date(2026, 3, 13),
    figures=replace(QUIET, ended={State.DONE: 136, State.CANCELLED: 2}, pictures=180, captured=2400),
    overview=Overview(
        live={**dict.fromkeys(LIVE, 0), State.HELD: 4, State.RUNNING: 2, State.STORING: 1},
        queued=3,
        oldest_held_at=None,
        undelivered=0,
        workers=1,
        audit=AuditResult(at=START, problems=0),
        pauses=Pauses(),
    ),
    budget=Budget(month="2026-03", limit=100_000, captured=2400),
    forecast=BudgetForecast(a_day=2400, ends_on=None),
    providers=(ProviderHealth(provider="skillboss"),),
    oldest_review=None,
    free_bytes=24_500_000_000,
    stored_bytes=1_240_000_000,
    version="1.2.3",
)
BAD_DAY = replace(
    FINE,
    figures=DayFigures(
        ended={State.DONE: 1, State.FAILED: 4, State.LOST: 1},
        faults={FaultKind.CONTENT: 1, FaultKind.SERVER_ERROR: 3, FaultKind.DEADLINE: 1},
        pictures=1,
        captured=1,
        costs={Currency.USD: Decimal("1234.5"), Currency.CREDITS: Decimal(7)},
        unpriced=1,
        providers=(ProviderDay(provider="comfyui", calls=40, faults={FaultKind.SERVER_ERROR: 3}),),
    ),
    forecast=BudgetForecast(a_day=9000, ends_on=date(2026, 3, 23)),
    providers=(ProviderHealth(provider="comfyui", fault=FaultKind.SERVER_ERROR, since=START),),
    oldest_review=START,
)


def lines(view: ui.LayoutView) -> list[str]:
    """Return all lines of a card."""
    return [line for text in texts(view) for line in text.splitlines()]


def test_good_day_is_a_few_lines_in_green() -> None:
    view = daily_report(FINE)
    assert lines(view) == [
        f"## <t:{NOON_OF_THE_DAY}:D> · 138 jobs",
        "100 % succeeded · 180 pictures · 2 cancelled",
        "**Spent** 2,400 credits",
        "**Budget** 97,600 of 100,000 left",
        "-# At this pace it lasts until the month ends.",
        "**Now** 3 jobs queued · 3 generating",
        f"-# Ledger: balances, checked <t:{AT}:R>",
        "-# Disk: 24.5 GB free, 1.2 GB of pictures",
        "-# Version 1.2.3",
    ]
    assert colour(view) == GREEN.value


def test_bad_day_names_failures_providers_and_the_end_of_the_budget() -> None:
    view = daily_report(BAD_DAY)
    assert lines(view)[:9] == [
        f"## <t:{NOON_OF_THE_DAY}:D> · 6 jobs",
        "16 % succeeded · 1 picture · 5 failed",
        "-# Failures: `server_error` 3, `content` 1, `deadline` 1",
        "**Spent** 1 credit · $1,234.50 · 7.00 of a provider's credits · 1 call without a known cost",
        "-# ComfyUI: 3 of 40 calls failed (`server_error` 3)",
        "**Budget** 97,600 of 100,000 left",
        f"-# At this pace (9,000 credits a day) it ends on <t:{NOON_OF_THE_DAY + 10 * 86400}:D>.",
        "**Now** 3 jobs queued · 3 generating",
        f"-# The oldest review waits since <t:{AT}:R>",
    ]
    assert f"-# ComfyUI: in trouble since <t:{AT}:R>" in lines(view)
    assert colour(view) == AMBER.value


def test_day_without_jobs_has_no_rate() -> None:
    view = daily_report(replace(FINE, figures=QUIET, forecast=None, free_bytes=None))
    assert lines(view)[:2] == [f"## <t:{NOON_OF_THE_DAY}:D> · 0 jobs", "**Spent** 0 credits"]
    assert "-# Disk: 1.2 GB of pictures" in lines(view)
    view = daily_report(replace(FINE, free_bytes=999_999_999, stored_bytes=0))
    assert "-# Disk: 999 MB free, 0 MB of pictures" in lines(view)


def test_wrong_ledger_is_red() -> None:
    overview = replace(FINE.overview, audit=AuditResult(at=START, problems=2))
    view = daily_report(replace(FINE, overview=overview))
    assert f"-# Ledger: 2 mistakes, checked <t:{AT}:R>; `atelier audit` lists them" in lines(view)
    assert colour(view) == RED.value
    unchecked = daily_report(replace(FINE, overview=replace(FINE.overview, audit=None)))
    assert "-# Ledger: not checked yet" in lines(unchecked)
    assert colour(unchecked) == GREEN.value


def test_pauses_are_named_in_amber() -> None:
    pauses = Pauses(
        Pause(scope=scope, name=name, reason="", actor_id=0, at=START)
        for scope, name in (
            (PauseScope.MODEL, "reve-2.0"),
            (PauseScope.PROVIDER, "comfyui"),
            (PauseScope.GUILD, "7"),
            (PauseScope.STUDIO, "8"),
            (PauseScope.ALL, ""),
        )
    )
    view = daily_report(replace(FINE, overview=replace(FINE.overview, pauses=pauses)))
    assert "-# Paused: everything, 2 servers, ComfyUI, reve-2.0" in lines(view)
    assert colour(view) == AMBER.value


def test_low_disk_and_closed_models_are_amber() -> None:
    closed = ProviderHealth(provider="skillboss", closed_models=("reve-2.0",))
    for report in (replace(FINE, free_bytes=1_900_000_000), replace(FINE, providers=(closed,))):
        assert colour(daily_report(report)) == AMBER.value


def test_card_of_the_worst_day_fits_into_a_message() -> None:
    """Every fault at every provider, and every model closed or paused."""
    faults = dict.fromkeys(FaultKind, 1_000_000)
    providers = tuple(ProviderDay(provider="x" * 32, calls=10_000_000, faults=faults) for _ in range(20))
    health = tuple(
        ProviderHealth(
            provider="x" * 32,
            fault=FaultKind.SERVER_ERROR,
            since=START - timedelta(days=9),
            closed_models=("m" * 20,) * 30,
        )
        for _ in range(14)
    )
    figures = replace(BAD_DAY.figures, faults=faults, providers=providers)
    pauses = Pauses(
        Pause(scope=PauseScope.MODEL, name=f"{'m' * 20}-{number}", reason="", actor_id=0, at=START)
        for number in range(60)
    )
    overview = replace(BAD_DAY.overview, pauses=pauses)
    view = daily_report(replace(BAD_DAY, figures=figures, overview=overview, providers=health))
    assert "-# 8 more" in lines(view)
    assert sum(utf16(text) for text in texts(view)) <= 4000

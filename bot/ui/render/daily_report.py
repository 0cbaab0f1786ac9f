"""The daily report card for the bot's owners."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Final

from discord import Colour, ui

from bot.domain.costs import Currency
from bot.domain.errors import FaultKind
from bot.domain.jobs import AT_PROVIDER, State
from bot.domain.pauses import Pauses, PauseScope
from bot.engine.health import ProviderHealth
from bot.images.disk_space import MEGABYTE
from bot.providers.registry import display_name
from bot.services.daily_report import DailyReport
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import ago, counted, first_of, in_credits, number
from bot.ui.render.job_card import AMBER, GREEN, RED
from bot.ui.render.panels import provider_condition
from db.daily_figures import DayFigures, ProviderDay

_GIGABYTE: Final = 1000 * MEGABYTE
_LOW_DISK_BYTES: Final = 2_000_000_000
_FEW_SUCCEEDED: Final = 0.8
_MOST_LISTED: Final = 6
# The day is the same in nearly all time zones.
_NOON: Final = time(12, tzinfo=UTC)


def daily_report(report: DailyReport) -> ui.LayoutView:
    """Return the day's figures first, then the studio as it is now."""
    view = ui.LayoutView(timeout=None)
    view.add_item(
        ui.Container(
            ui.TextDisplay("\n".join(_day(report))),
            ui.Separator(),
            ui.TextDisplay("\n".join(_now(report))),
            accent_colour=_accent(report),
        )
    )
    view.stop()
    return view


def _day(report: DailyReport) -> Iterator[str]:
    figures = report.figures
    count = sum(figures.ended.values())
    jobs = ngettext("{count} job", "{count} jobs", count).format(count=number(count))
    yield f"## {_on_day(report.day)} · {jobs}"
    if count:
        yield " · ".join(_outcomes(figures))
    if figures.faults:
        yield f"-# {_('Failures: {kinds}').format(kinds=_kinds(figures.faults))}"
    yield _("**Spent** {credits}").format(credits=" · ".join([in_credits(figures.captured), *_money(figures)]))
    for each in figures.providers[:_MOST_LISTED]:
        yield f"-# {_failed_calls(each)}"


def _outcomes(figures: DayFigures) -> Iterator[str]:
    done, cancelled = figures.ended.get(State.DONE, 0), figures.ended.get(State.CANCELLED, 0)
    failed = sum(figures.ended.values()) - done - cancelled
    share = figures.success_rate
    if share is not None:
        yield _("{percentage} % succeeded").format(percentage=int(100 * share))
    yield counted(figures.pictures, "picture")
    if failed:
        yield _("{count} failed").format(count=number(failed))
    if cancelled:
        yield _("{count} cancelled").format(count=number(cancelled))


def _money(figures: DayFigures) -> Iterator[str]:
    dollars = figures.costs.get(Currency.USD)
    if dollars is not None:
        yield f"${dollars:,.2f}"
    for currency, amount in figures.costs.items():
        if currency is not Currency.USD:
            yield _("{amount} of a provider's credits").format(amount=f"{amount:,.2f}")
    if figures.unpriced:
        yield ngettext(
            "{count} call without a known cost", "{count} calls without a known cost", figures.unpriced
        ).format(count=number(figures.unpriced))


def _failed_calls(day: ProviderDay) -> str:
    said = ngettext(
        "{provider}: {failed} of {count} call failed ({kinds})",
        "{provider}: {failed} of {count} calls failed ({kinds})",
        day.calls,
    )
    return said.format(
        provider=display_name(day.provider),
        failed=number(day.failed),
        count=number(day.calls),
        kinds=_kinds(day.faults),
    )


def _kinds(faults: Mapping[FaultKind, int]) -> str:
    """Return the faults as the log names them, the most frequent first."""
    ordered = sorted(faults.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"`{kind}` {number(count)}" for kind, count in ordered[:_MOST_LISTED])


def _now(report: DailyReport) -> Iterator[str]:
    budget = report.budget
    yield _("**Budget** {left} of {limit} left").format(left=number(budget.left), limit=number(budget.limit))
    if report.forecast is not None:
        yield f"-# {_pace(report)}"
    queued = report.overview.queued
    working = sum(report.overview.live[state] for state in AT_PROVIDER)
    waiting = ngettext("{count} job queued", "{count} jobs queued", queued).format(count=number(queued))
    yield f"**{_('Now')}** {waiting} · {_('{count} generating').format(count=number(working))}"
    if report.overview.pauses:
        yield f"-# {_('Paused: {names}').format(names=', '.join(_paused(report.overview.pauses)))}"
    if report.oldest_review is not None:
        yield f"-# {_('The oldest review waits since {when}').format(when=ago(report.oldest_review))}"
    for said in first_of([*_troubled(report.providers)], _MOST_LISTED):
        yield f"-# {said}"
    yield f"-# {_ledger(report)}"
    yield f"-# {_disk(report)}"
    yield f"-# {_('Version {version}').format(version=report.version)}"


def _troubled(providers: Iterable[ProviderHealth]) -> Iterator[str]:
    for health in providers:
        if health.fault is not None or health.closed_models:
            yield f"{display_name(health.provider)}: {provider_condition(health)}"


def _paused(pauses: Pauses) -> Iterator[str]:
    if pauses.of_all is not None:
        yield _("everything")
    if count := len(pauses.guilds):
        yield ngettext("{count} server", "{count} servers", count).format(count=number(count))
    names = [*map(display_name, sorted(pauses.names(PauseScope.PROVIDER))), *sorted(pauses.names(PauseScope.MODEL))]
    yield from first_of(names, _MOST_LISTED)


def _pace(report: DailyReport) -> str:
    forecast = report.forecast
    if forecast is None or forecast.ends_on is None:
        return _("At this pace it lasts until the month ends.")
    return _("At this pace ({credits} a day) it ends on {day}.").format(
        credits=in_credits(forecast.a_day), day=_on_day(forecast.ends_on)
    )


def _ledger(report: DailyReport) -> str:
    audit = report.overview.audit
    if audit is None:
        return _("Ledger: not checked yet")
    if not audit.problems:
        return _("Ledger: balances, checked {when}").format(when=ago(audit.at))
    said = _("Ledger: {mistakes}, checked {when}; `atelier audit` lists them")
    return said.format(mistakes=counted(audit.problems, "mistake"), when=ago(audit.at))


def _disk(report: DailyReport) -> str:
    stored = _("{size} of pictures").format(size=_size(report.stored_bytes))
    if report.free_bytes is None:
        return _("Disk: {stored}").format(stored=stored)
    return _("Disk: {free} free, {stored}").format(free=_size(report.free_bytes), stored=stored)


def _size(size: int) -> str:
    if size < _GIGABYTE:
        return _("{count} MB").format(count=number(size // MEGABYTE))
    return _("{count} GB").format(count=f"{size / _GIGABYTE:,.1f}")


def _on_day(day: date) -> str:
    return f"<t:{int(datetime.combine(day, _NOON).timestamp())}:D>"


def _accent(report: DailyReport) -> Colour:
    audit, share = report.overview.audit, report.figures.success_rate
    if audit is not None and audit.problems:
        return RED
    needs_owner = (
        bool(report.overview.pauses)
        or (share is not None and share < _FEW_SUCCEEDED)
        or (report.forecast is not None and report.forecast.ends_on is not None)
        or any(health.fault is not None or health.closed_models for health in report.providers)
        or (report.free_bytes is not None and report.free_bytes < _LOW_DISK_BYTES)
    )
    return AMBER if needs_owner else GREEN

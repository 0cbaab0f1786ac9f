"""Charts of statistics with their alternative texts. Pure functions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from bot.charts.scale import duration_steps, round_steps
from bot.charts.specs import Bar, BarPairs, Bars, Chart, Lines, Pair, Series, StackedBars, Tick
from bot.domain.costs import Currency
from bot.domain.money import ModelMoney
from bot.domain.statistics import Day, Statistics
from bot.domain.statistics_chart import StatisticsChart
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import alternative, in_credits, number
from bot.ui.render.statistics_numbers import Names, costs, duration, numbered_member, percent, short_day

_MOST_MODELS: Final = 5
_MOST_PAIRS: Final = 6
_MOST_ROLES: Final = 10
_MOST_DAYS: Final = 4
_PERCENT_STEPS: Final = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedChart:
    """A chart, and its numbers in words."""

    chart: Chart
    description: str


def charts_of(statistics: Statistics, which: StatisticsChart, names: Names) -> tuple[DescribedChart, ...]:
    """Return the chosen charts, without empty ones."""
    kinds: tuple[StatisticsChart, ...] = (which,)
    if which is StatisticsChart.OVERVIEW:
        kinds = tuple(kind for kind in _MAKERS if kind is not StatisticsChart.ROLES or _has_roles(statistics))
    made = (_MAKERS[kind](statistics, names) for kind in kinds)
    return tuple(chart for chart in made if chart is not None)


def _has_roles(statistics: Statistics) -> bool:
    """Return whether an allowance of a role was used at all."""
    return any(each.role_id for each in statistics.roles)


def _models(statistics: Statistics, _names: Names) -> DescribedChart | None:
    models = statistics.models
    if not models:
        return None
    series = list(_by_model(statistics))
    totals = [day.total.jobs for day in statistics.days]
    title = _("Jobs a day by model")
    parts = [f"{each.name} {number(_sum(each))}" for each in series]
    busiest = max(statistics.days, key=lambda day: day.total.jobs)
    words = [
        ngettext("{count} job in all: {parts}.", "{count} jobs in all: {parts}.", sum(totals)).format(
            count=number(sum(totals)), parts=", ".join(parts)
        ),
        _("Most on {day}: {count}.").format(day=short_day(busiest.day), count=number(busiest.total.jobs)),
        _("Today: {count}.").format(count=number(totals[-1])),
    ]
    chart = StackedBars(
        title=title,
        days=_days(statistics.days),
        scale=_scale(round_steps(max(totals)), number),
        series=tuple(series),
        has_rest=len(models) > _MOST_MODELS,
    )
    return _described(chart, statistics, words)


def _by_model(statistics: Statistics) -> Iterator[Series]:
    """Yield the most used models, then the sum of the others."""
    models = list(statistics.models)
    shown = models if len(models) <= _MOST_MODELS else models[: _MOST_MODELS - 1]
    for model in shown:
        yield Series(name=model, values=_jobs_of([model], statistics))
    if others := models[len(shown) :]:
        name = ngettext("{count} other", "{count} others", len(others)).format(count=number(len(others)))
        yield Series(name=name, values=_jobs_of(others, statistics))


def _jobs_of(models: Sequence[str], statistics: Statistics) -> tuple[float, ...]:
    return tuple(sum(day.models[model].jobs for model in models if model in day.models) for day in statistics.days)


def _sum(series: Series) -> int:
    return sum(int(value or 0) for value in series.values)


def _members(statistics: Statistics, names: Names) -> DescribedChart | None:
    bars = [
        Bar(
            name=names.member(each.member_id, place),
            value=each.credits,
            label=number(each.credits),
            spare_name=numbered_member(place),
        )
        for place, each in enumerate(statistics.members, 1)
        if each.credits
    ]
    if not bars:
        return None
    if statistics.other_members:
        others = ngettext("{count} other", "{count} others", statistics.other_members)
        name = others.format(count=number(statistics.other_members))
        value = statistics.other_credits
        bars.append(Bar(name=name, value=value, label=number(value), is_rest=True))
    return _described(Bars(title=_("Credits by member"), bars=tuple(bars)), statistics, [_listed(bars)])


def _roles(statistics: Statistics, names: Names) -> DescribedChart | None:
    bars = [
        Bar(name=names.role(each), value=each.credits, label=number(each.credits), spare_name=_("a role"))
        for each in statistics.roles
        if each.credits
    ]
    if not bars:
        return None
    shown = bars[:_MOST_ROLES]
    if rest := bars[_MOST_ROLES:]:
        value = sum(bar.value for bar in rest)
        name = ngettext("{count} other", "{count} others", len(rest)).format(count=number(len(rest)))
        shown.append(Bar(name=name, value=value, label=number(int(value)), is_rest=True))
    return _described(Bars(title=_("Credits by role"), bars=tuple(shown)), statistics, [_listed(shown)])


def _listed(bars: Iterable[Bar]) -> str:
    return ", ".join(f"{bar.name} {in_credits(int(bar.value))}" for bar in bars) + "."


def _success(statistics: Statistics, _names: Names) -> DescribedChart | None:
    total = statistics.total
    shares = [day.total.success_percent for day in statistics.days]
    known = {day.day: share for day, share in zip(statistics.days, shares, strict=True) if share is not None}
    if total.success_percent is None:
        return None
    ended = total.done + total.failed
    worst = min(known, key=lambda day: known[day])
    words = [
        _("{percent} of {count} ended jobs made their pictures.").format(
            percent=percent(total.success_percent), count=number(ended)
        ),
        _("Lowest on {day}: {percent}.").format(day=short_day(worst), percent=percent(known[worst])),
        _("Cancelled jobs do not count."),
    ]
    last = list(known.values())[-1]
    chart = Lines(
        title=_("Jobs that made their pictures"),
        days=_days(statistics.days),
        scale=_scale(_PERCENT_STEPS, percent),
        series=(Series(name=_("latest: {value}").format(value=percent(last)), values=tuple(shares)),),
    )
    return _described(chart, statistics, words)


def _waiting(statistics: Statistics, _names: Names) -> DescribedChart | None:
    waiting = statistics.waiting
    if waiting is None:
        return None
    medians = [None if day.waiting is None else day.waiting.median for day in statistics.days]
    lates = [None if day.waiting is None else day.waiting.late for day in statistics.days]
    known = {day.day: day.waiting.median for day in statistics.days if day.waiting is not None}
    slowest = max(known, key=lambda day: known[day])
    highest = max(late for late in lates if late is not None)
    words = [
        _("From the command to the pictures, half of the jobs took up to {median}, 90 % of them up to {late}.").format(
            median=duration(waiting.median), late=duration(waiting.late)
        ),
        _("The slowest day was {day}: half of its jobs took up to {median}.").format(
            day=short_day(slowest), median=duration(known[slowest])
        ),
    ]
    chart = Lines(
        title=_("Waiting time"),
        days=_days(statistics.days),
        scale=_scale(duration_steps(highest), duration),
        series=(
            Series(name=_("half: {duration}").format(duration=_latest(medians)), values=tuple(medians)),
            Series(name=_("90 %: {duration}").format(duration=_latest(lates)), values=tuple(lates)),
        ),
    )
    return _described(chart, statistics, words)


def _latest(lengths: Sequence[int | None]) -> str:
    return duration([length for length in lengths if length is not None][-1])


def _cost(statistics: Statistics, names: Names) -> DescribedChart | None:
    rows = sorted(statistics.money or (), key=lambda row: (-row.spent(Currency.USD), -row.earned, row.provider))
    if not rows:
        return None
    pairs = [
        Pair(
            name=names.offer(row),
            values=(row.earned, float(row.spent(Currency.USD))),
            labels=(number(row.earned), costs(row)),
        )
        for row in rows[:_MOST_PAIRS]
    ]
    words = [f"{names.offer(row)}: {_for(row)}." for row in rows[:_MOST_PAIRS]]
    if more := len(rows) - len(pairs):
        words.append(
            ngettext("{count} more in the file.", "{count} more in the file.", more).format(count=number(more))
        )
    if unknown := sum(row.unpriced for row in rows):
        said = ngettext("{count} call has no known cost.", "{count} calls have no known cost.", unknown)
        words.append(said.format(count=number(unknown)))
    chart = BarPairs(
        title=_("Credits and cost"), headings=(_("Credits from members"), _("Cost in US dollars")), pairs=tuple(pairs)
    )
    return _described(chart, statistics, words)


def _for(row: ModelMoney) -> str:
    return _("{cost} for {credits}").format(cost=costs(row), credits=in_credits(row.earned))


def _days(days: Sequence[Day]) -> tuple[Tick, ...]:
    """Return labels of evenly spaced days, today among them."""
    step = -(-len(days) // _MOST_DAYS)
    places = range(len(days) - 1, -1, -step)
    return tuple(Tick(at=at, label=short_day(days[at].day)) for at in reversed(places))


def _scale(steps: Iterable[int], worded: Callable[[int], str]) -> tuple[Tick, ...]:
    return tuple(Tick(at=step, label=worded(step)) for step in steps)


def _described(chart: Chart, statistics: Statistics, words: Iterable[str]) -> DescribedChart:
    period = statistics.period
    heading = _("{title}, {first} to {last}.").format(
        title=chart.title, first=short_day(period.first), last=short_day(period.last)
    )
    return DescribedChart(chart=chart, description=alternative(" ".join(chain([heading], words))))


_MAKERS: Final[Mapping[StatisticsChart, Callable[[Statistics, Names], DescribedChart | None]]] = {
    StatisticsChart.MODELS: _models,
    StatisticsChart.MEMBERS: _members,
    StatisticsChart.ROLES: _roles,
    StatisticsChart.SUCCESS: _success,
    StatisticsChart.WAITING: _waiting,
    StatisticsChart.COST: _cost,
}

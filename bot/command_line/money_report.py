"""The report of `atelier money`: plain columns of a month."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from bot.domain.costs import CostSource, Currency
from bot.domain.money import ModelMoney

WIDTH: Final = 100

_ALL: Final = "all"
_CALLS: Final = ("jobs", "images", "calls", "refused", "failed", "unknown", "earned", "possible")
_COSTS: Final = ("unit", "spent", *CostSource, "unpriced")
_CENT: Final = Decimal("0.01")
_FINE: Final = Decimal("0.0001")

_Line = tuple[str, str, tuple[str, ...]]
"""A provider, a model, and the other columns."""


def money_report(month: str, rows: Sequence[ModelMoney]) -> Iterator[str]:
    """Yield the lines: calls with credits, then costs by their source."""
    if not rows:
        yield f"No call to a provider in {month}."
        return
    yield f"Calls in {month}, and the credits for them:"
    yield from _table(_CALLS, [*(_calls_of(row) for row in rows), _all_calls(rows)])
    yield ""
    yield f"Costs in {month}:"
    yield from _table(_COSTS, [*(line for row in rows for line in _costs_of(row)), *_all_costs(rows)])


def _calls_of(row: ModelMoney) -> _Line:
    return row.provider, row.model, _counts(row, row.jobs)


def _counts(row: ModelMoney, jobs: int) -> tuple[str, ...]:
    counts = (jobs, row.images, row.calls, row.refused, row.failed, row.unknown, row.earned, row.possible)
    return tuple(str(each) for each in counts)


def _all_calls(rows: Iterable[ModelMoney]) -> _Line:
    """Return the sums; a job of several providers counts once."""
    columns = zip(*(map(int, _counts(row, row.last_jobs)) for row in rows), strict=True)
    return _ALL, "", tuple(str(sum(column)) for column in columns)


def _costs_of(row: ModelMoney) -> Iterator[_Line]:
    yield from _units(row.provider, row.model, [row])


def _all_costs(rows: Sequence[ModelMoney]) -> Iterator[_Line]:
    yield from _units(_ALL, "", rows)


def _units(provider: str, model: str, rows: Sequence[ModelMoney]) -> Iterator[_Line]:
    """Yield a line for each currency; calls without a cost are in the first."""
    unpriced = sum(row.unpriced for row in rows)
    units = [unit for unit in Currency if any(unit is each for row in rows for each, _ in row.costs)]
    for unit in units:
        parts = [sum((row.costs.get((unit, source), Decimal(0)) for row in rows), Decimal(0)) for source in CostSource]
        amounts = [_amount(each) for each in (sum(parts, Decimal(0)), *parts)]
        yield provider, model, (unit, *amounts, str(unpriced) if unit is units[0] else "")
    if not units:
        yield provider, model, ("-", *("-" for _ in range(1 + len(CostSource))), str(unpriced))


def _amount(amount: Decimal) -> str:
    """Return an amount with two places, or four if it has more."""
    cents = amount.quantize(_CENT)
    return str(cents if cents == amount else amount.quantize(_FINE))


def _table(header: Sequence[str], lines: Sequence[_Line]) -> Iterator[str]:
    """Yield a header and lines as columns within `WIDTH`.

    A long model is cut if need be.
    """
    everything: list[_Line] = [("provider", "model", tuple(header)), *lines]
    widths = [max(len(line[2][at]) for line in everything) for at in range(len(header))]
    provider = max(len(line[0]) for line in everything)
    model = max(len(line[1]) for line in everything)
    gap = 2 if provider + model + 2 + sum(widths) + 2 * len(widths) <= WIDTH else 1
    model = min(model, max(len("model"), WIDTH - provider - gap - sum(widths) - gap * len(widths)))
    between = " " * gap
    for name, of_model, cells in everything:
        shown = of_model if len(of_model) <= model else f"{of_model[: model - 1]}…"
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        yield between.join((name.ljust(provider), shown.ljust(model), *numbers)).rstrip()

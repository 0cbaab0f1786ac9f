"""What the benchmarks print: one plain table a group, each figure beside what it is measured against."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement: what Atelier takes, in `unit`; `base` is what it is measured against, `aim` the most it may be.

    The aim is of the ratio where there is a base, else of the measurement itself; None where there is none.
    """

    name: str
    taken: float
    unit: str = "ms"
    base: float | None = None
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the base it is."""
        return None if not self.base else self.taken / self.base

    @property
    def met(self) -> bool:
        """Whether it is within its aim."""
        judged = self.taken if self.ratio is None else self.ratio
        return self.aim is None or judged <= self.aim


def show(console: Console, title: str, base: str, figures: Sequence[Figure]) -> bool:
    """Print a table; return whether every aim is met."""
    table = Table(title=title)
    for heading in ("", base, "Atelier", "ratio", "aim"):
        table.add_column(heading, justify="right" if heading else "left")
    for each in figures:
        table.add_row(
            each.name,
            "" if each.base is None else _amount(each.base, each.unit),
            _amount(each.taken, each.unit),
            "" if each.ratio is None else f"{each.ratio:.2f}",
            "" if each.aim is None else f"{each.aim:g}{'' if each.met else ' missed'}",
        )
    console.print(table)
    return all(each.met for each in figures)


def _amount(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}" if abs(value) < 10 else f"{value:,.0f} {unit}"

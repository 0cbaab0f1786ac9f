"""Printed tables: one per group, each figure beside its base."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement in `unit`, with its `base` and its `aim`.

    The aim is the highest accepted ratio to the base; without a base, the highest accepted value.
    """

    name: str
    taken: float
    unit: str = "ms"
    base: float | None = None
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ratio to the base."""
        return None if not self.base else self.taken / self.base

    @property
    def met(self) -> bool:
        """True if the aim is met."""
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

"""Charts as values: numbers, and the words beside them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of consecutive days under one name; None is a gap."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedBars:
    """A bar for each day with a part for each series.

    The first is at the bottom. `days` and `scale` label the axes. With `has_rest` the last series is the sum of all
    others.
    """

    title: str
    days: tuple[Tick, ...]
    scale: tuple[Tick, ...]
    series: tuple[Series, ...]
    has_rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A line over the days for each series, labelled at its end."""

    title: str
    days: tuple[Tick, ...]
    scale: tuple[Tick, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar with its name before it and its number after it.

    `spare_name` is drawn if no font has the name's characters. `is_rest` marks a sum of others.
    """

    name: str
    value: float
    label: str
    spare_name: str = ""
    is_rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars of one quantity, from top to bottom."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two quantities of one name, each with its own label."""

    name: str
    values: tuple[float, float]
    labels: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarPairs:
    """Two quantities side by side, each on its own scale with its heading."""

    title: str
    headings: tuple[str, str]
    pairs: tuple[Pair, ...]


Chart = StackedBars | Lines | Bars | BarPairs

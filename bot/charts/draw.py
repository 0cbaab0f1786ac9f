"""Drawing of charts as PNG files with matplotlib."""

import io
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from bot.charts.fonts import drawable, families
from bot.charts.scale import spread
from bot.charts.specs import Bar, BarPairs, Bars, Chart, Lines, StackedBars, Tick
from bot.charts.style import (
    BACKGROUND,
    DENSITY,
    GRID,
    HEIGHT,
    POINTS,
    REST,
    SERIES,
    TEXT,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH,
)

_MARGIN: Final = 24
_TITLE_ROOM: Final = 84
_DAYS_ROOM: Final = 66
_DAY_GAP: Final = 14
_NAMES_ROOM: Final = 270
_NAME_GAP: Final = 14
_ROW: Final = 52
_LABEL_GAP: Final = 38
_LEADER: Final = 26
_LEADER_GAP: Final = 8
_BAR_WIDTH: Final = 0.86
# Narrower bars would be all pattern, and closer markers a thick line.
_MOST_WITH_PATTERNS: Final = 31
_REST_HATCH: Final = "--"
_DASHES: Final = ("solid", (0, (4, 1.6)), (0, (1, 1.2)))


def draw(chart: Chart) -> bytes:
    """Return a chart as a PNG file."""
    # Set each time: pictures in one process must not depend on an earlier one.
    mpl.rcParams.update(
        {
            "font.family": list(families()),
            "font.size": TEXT_SIZE * POINTS,
            "text.color": TEXT,
            "text.parse_math": False,
            "hatch.color": BACKGROUND,
            "hatch.linewidth": 1.5,
        }
    )
    match chart:
        case StackedBars():
            figure = _stacked_bars(chart)
        case Lines():
            figure = _lines(chart)
        case Bars():
            figure = _bars(chart)
        case BarPairs():
            figure = _bar_pairs(chart)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100 * DENSITY, metadata={"Software": None})
    return file.getvalue()


class _Canvas:
    """A picture with its title; places are pixels from the top left."""

    def __init__(self, title: str, height: int = HEIGHT) -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor=BACKGROUND)
        self._renderer: Any = FigureCanvasAgg(self.figure).get_renderer()  # type: ignore[no-untyped-call]
        self.text(title, _MARGIN, _MARGIN + TITLE_SIZE / 2, room=WIDTH - 2 * _MARGIN, size=TITLE_SIZE, weight="bold")

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Return axes without a frame; the arguments are margins."""
        box = (
            left / WIDTH,
            bottom / self.height,
            (WIDTH - left - right) / WIDTH,
            (self.height - top - bottom) / self.height,
        )
        axes = self.figure.add_axes(box, facecolor=BACKGROUND)
        axes.set_frame_on(False)
        axes.tick_params(length=0, colors=TEXT, pad=6)
        axes.set_axisbelow(True)
        return axes

    def text(self, text: str, x: float, y: float, *, room: float, size: int = TEXT_SIZE, **style: Any) -> Text:
        """Write a text, cut to the room if need be."""
        style = {"va": "center", "fontsize": size * POINTS, **style}
        written = self.figure.text(x / WIDTH, 1 - y / self.height, drawable(text), **style)
        kept = written.get_text()
        while len(kept) > 1 and written.get_window_extent(self._renderer).width > room:
            kept = kept[:-1].rstrip()
            written.set_text(f"{kept}…")
        return written

    def width(self, text: str) -> float:
        """Return the width of a text."""
        written = self.text(text, 0, 0, room=WIDTH)
        width: float = written.get_window_extent(self._renderer).width
        written.remove()
        return width


def _stacked_bars(chart: StackedBars) -> Figure:
    canvas = _Canvas(chart.title)
    axes = _day_axes(canvas, chart)
    count = len(chart.series[0].values)
    last = max((at for series in chart.series for at, value in enumerate(series.values) if value), default=count - 1)
    base = [0.0] * count
    ends = []
    for number, series in enumerate(chart.series):
        is_rest = chart.has_rest and number == len(chart.series) - 1
        colour, hatch = (REST, _REST_HATCH) if is_rest else SERIES[number % len(SERIES)]
        values = [value or 0.0 for value in series.values]
        axes.bar(
            range(count),
            values,
            bottom=base,
            width=_BAR_WIDTH,
            color=colour,
            hatch=hatch if count <= _MOST_WITH_PATTERNS else "",
            edgecolor=BACKGROUND,
            linewidth=0.4,
        )
        ends.append(_End(series.name, last + _BAR_WIDTH / 2, base[last] + values[last] / 2, colour))
        base = [sum(pair) for pair in zip(base, values, strict=True)]
    _label_ends(canvas, axes, ends)
    return canvas.figure


def _lines(chart: Lines) -> Figure:
    canvas = _Canvas(chart.title)
    axes = _day_axes(canvas, chart)
    ends = []
    for number, series in enumerate(chart.series):
        colour = SERIES[number][0]
        known = [at for at, value in enumerate(series.values) if value is not None]
        if not known:
            continue
        places = [float("nan") if value is None else value for value in series.values]
        style: dict[str, Any] = {"color": colour, "linewidth": 3, "markersize": 6, "clip_on": False}
        marker = "o" if len(places) <= _MOST_WITH_PATTERNS else ""
        axes.plot(places, linestyle=_DASHES[number], marker=marker, **style)
        lone = [at for at in known if _is_alone(series.values, at)]
        axes.plot(lone, [places[at] for at in lone], linestyle="", marker="o", **style)
        ends.append(_End(series.name, known[-1], places[known[-1]], colour))
    _label_ends(canvas, axes, ends)
    return canvas.figure


def _is_alone(values: Sequence[float | None], at: int) -> bool:
    """Return whether a value has a gap on both sides: no line shows it."""
    beside = (*values[max(0, at - 1) : at], *values[at + 1 : at + 2])
    return values[at] is not None and all(value is None for value in beside)


def _day_axes(canvas: _Canvas, chart: StackedBars | Lines) -> Axes:
    """Return axes with days below, the scale on the left and room for names."""
    names = min(_NAMES_ROOM, max(canvas.width(series.name) for series in chart.series))
    scale = max(canvas.width(tick.label) for tick in chart.scale)
    axes = canvas.axes(_MARGIN + scale + _NAME_GAP, _TITLE_ROOM, _LEADER + _LEADER_GAP + names + _MARGIN, _DAYS_ROOM)
    axes.set_xlim(-0.6, len(chart.series[0].values) - 0.4)
    days = _with_room(canvas, axes, chart.days)
    axes.set_xticks([tick.at for tick in days], [drawable(tick.label) for tick in days])
    axes.tick_params(axis="x", pad=12)
    axes.set_ylim(0, max(tick.at for tick in chart.scale))
    axes.set_yticks([tick.at for tick in chart.scale], [drawable(tick.label) for tick in chart.scale])
    axes.grid(axis="y", color=GRID, linewidth=1)
    return axes


def _with_room(canvas: _Canvas, axes: Axes, days: Sequence[Tick]) -> list[Tick]:
    """Return the days with room for their labels, from the last one back."""
    first, last = axes.get_xlim()
    scale = axes.get_position().width * WIDTH / (last - first)
    kept: list[Tick] = []
    start = float("inf")
    for tick in reversed(days):
        half = canvas.width(tick.label) / 2
        if tick.at * scale + half + _DAY_GAP <= start:
            kept.insert(0, tick)
            start = tick.at * scale - half
    return kept


class _End(NamedTuple):
    """A name and its place in the axes."""

    name: str
    x: float
    y: float
    colour: str


def _label_ends(canvas: _Canvas, axes: Axes, ends: Sequence[_End]) -> None:
    """Write names at the right, each led to from its place.

    They are moved apart where the places are close.
    """
    if not ends:
        return
    box = axes.get_position()
    right, height, bottom = box.x1 * WIDTH, box.height * canvas.height, (1 - box.y0) * canvas.height
    first, last = axes.get_xlim()
    top = axes.get_ylim()[1]
    order = sorted(ends, key=lambda end: end.y)
    levels = [end.y / top * height for end in order]
    for end, level, place in zip(order, levels, spread(levels, _LABEL_GAP, 0, height), strict=True):
        start = box.x0 * WIDTH + (end.x - first) / (last - first) * box.width * WIDTH
        if start + _LEADER_GAP < right:
            # Over days without a value, where it must not look like one.
            _leader(canvas, ([start + 4, right], [bottom - level] * 2), linestyle=":", color=REST)
        path = ([max(start + 4, right), right + _LEADER], [bottom - level, bottom - place])
        _leader(canvas, path, linestyle="-", color=end.colour)
        room = WIDTH - right - _LEADER - _LEADER_GAP - _MARGIN / 2
        canvas.text(end.name, right + _LEADER + _LEADER_GAP, bottom - place, room=room)


def _leader(canvas: _Canvas, path: tuple[list[float], list[float]], **style: Any) -> None:
    xs, ys = path
    line = Line2D([x / WIDTH for x in xs], [1 - y / canvas.height for y in ys], linewidth=2, **style)
    canvas.figure.add_artist(line)


def _bars(chart: Bars) -> Figure:
    canvas = _Canvas(chart.title, _TITLE_ROOM + _ROW * len(chart.bars) + _MARGIN)
    names = [_name(bar) for bar in chart.bars]
    left = _MARGIN + min(_NAMES_ROOM, max(canvas.width(name) for name in names)) + _NAME_GAP
    right = _MARGIN + max(canvas.width(bar.label) for bar in chart.bars) + _NAME_GAP
    axes = canvas.axes(left, _TITLE_ROOM, right, _MARGIN)
    _fill(axes, [bar.value for bar in chart.bars], [bar.is_rest for bar in chart.bars], SERIES[0][0])
    for at, (bar, name) in enumerate(zip(chart.bars, names, strict=True)):
        y = _TITLE_ROOM + _ROW * (at + 0.5)
        canvas.text(name, left - _NAME_GAP, y, room=_NAMES_ROOM, ha="right")
        end = left + (WIDTH - left - right) * _share(bar.value, [each.value for each in chart.bars])
        canvas.text(bar.label, end + _NAME_GAP, y, room=WIDTH)
    return canvas.figure


def _name(bar: Bar) -> str:
    return drawable(bar.name) or bar.spare_name


def _bar_pairs(chart: BarPairs) -> Figure:
    """Return a picture with each name over its two bars."""
    row = 2 * _ROW
    heading = _TITLE_ROOM + TEXT_SIZE
    canvas = _Canvas(chart.title, heading + 16 + row * len(chart.pairs) + _MARGIN)
    half = (WIDTH - 3 * _MARGIN) / 2
    for side, colour in ((0, SERIES[0][0]), (1, SERIES[1][0])):
        left = _MARGIN + side * (half + _MARGIN)
        canvas.text(chart.headings[side], left, heading - 16, room=half, color=colour)
        values = [pair.values[side] for pair in chart.pairs]
        label_room = max(canvas.width(pair.labels[side]) for pair in chart.pairs) + 12
        length = max(half - label_room, 40)
        axes = canvas.axes(left, heading + 16, WIDTH - left - length, _MARGIN)
        _fill(axes, values, [False] * len(values), colour, thickness=0.3, shift=0.22)
        for at, pair in enumerate(chart.pairs):
            y = heading + 16 + row * (at + 0.72)
            canvas.text(pair.labels[side], left + length * _share(values[at], values) + 10, y, room=half)
    for at, pair in enumerate(chart.pairs):
        canvas.text(pair.name, _MARGIN, heading + 16 + row * (at + 0.25), room=WIDTH - 2 * _MARGIN, weight="bold")
    return canvas.figure


def _fill(
    axes: Axes,
    values: Sequence[float],
    rest: Sequence[bool],
    colour: str,
    *,
    thickness: float = 0.66,
    shift: float = 0.0,
) -> None:
    """Draw bars from the left, the first on top."""
    places = [at + shift for at in range(len(values))]
    colours = [REST if is_rest else colour for is_rest in rest]
    bars = axes.barh(places, values, height=thickness, color=colours, edgecolor=BACKGROUND, linewidth=0)
    for bar, is_rest in zip(bars, rest, strict=True):
        if is_rest:
            bar.set_hatch(_REST_HATCH)
    axes.set_xlim(0, max(*values, 0) or 1)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])


def _share(value: float, values: Sequence[float]) -> float:
    return value / (max(*values, 0) or 1)

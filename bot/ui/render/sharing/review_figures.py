"""The panel of `/review stats`."""

from collections.abc import Iterator
from typing import Final

from discord import ui

from bot.services.sharing.review_statistics import ReviewFigures, ReviewStatistics
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import about, and_more, day, number, person
from bot.ui.render.job_card import BLURPLE, payload_view

_MOST_MODERATORS: Final = 15


def review_figures_panel(found: ReviewStatistics) -> ui.LayoutView:
    """Return the figures by week and by moderator."""
    lines = [f"## {_('Review')}"]
    if not found.weeks:
        lines.append(_("Nobody has shared pictures here in the last weeks."))
    for week, figures in found.weeks:
        lines.append(f"**{_('Week of {day}').format(day=day(week))}**")
        lines.append(" · ".join([_shared(figures), *_decisions(figures)]))
    if found.moderators:
        lines.append(f"### {_('By moderator')}")
    for member_id, figures in found.moderators[:_MOST_MODERATORS]:
        lines.append(f"{person(member_id)} · {' · '.join(_decisions(figures))}")
    more = len(found.moderators) - _MOST_MODERATORS
    if more > 0:
        lines.append(f"-# {and_more(more)}")
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE))


def _shared(figures: ReviewFigures) -> str:
    return _("{count} shared").format(count=number(figures.submitted))


def _decisions(figures: ReviewFigures) -> Iterator[str]:
    count = figures.decided
    yield ngettext("{count} decision", "{count} decisions", count).format(count=number(count))
    if figures.approval_rate is not None:
        yield _("{percent}% approved").format(percent=round(100 * figures.approval_rate))
    if figures.median_seconds is not None:
        # Translators: the median time to a decision, such as "about 2 h".
        yield _("median {duration}").format(duration=about(int(figures.median_seconds)))

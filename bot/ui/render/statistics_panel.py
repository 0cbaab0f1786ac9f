"""The answer to `/studio stats`."""

from collections.abc import Iterator, Sequence
from typing import Final

from discord import ui

from bot.domain.statistics import Statistics
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import alternative, escaped, in_credits, number
from bot.ui.render.job_card import BLURPLE, GREY, payload_view
from bot.ui.render.statistics_csv import CSV_FILE
from bot.ui.render.statistics_numbers import duration, percent, short_day

# Of Discord's 4,000 characters in all, for up to six descriptions.
_LONGEST_DESCRIPTION: Final = 500


def statistics_panel(
    statistics: Statistics, descriptions: Sequence[str], filenames: Sequence[str] | None
) -> ui.LayoutView:
    """Return the totals, the pictures below each other, and the file.

    `descriptions` are the pictures' alternative texts. If no picture could be drawn, `filenames` is None and the
    descriptions stand for them.
    """
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    container.add_item(ui.TextDisplay("\n".join(_head(statistics))))
    if not descriptions:
        container.add_item(ui.TextDisplay(_("Nothing to draw for this choice yet.")))
    if filenames is None:
        container.add_item(ui.TextDisplay(_("The charts could not be drawn. These are their numbers:")))
        for description in descriptions:
            container.add_item(ui.TextDisplay(f"-# {escaped(alternative(description, _LONGEST_DESCRIPTION))}"))
    else:
        # A gallery for each: Discord cuts the pictures of one gallery to squares.
        for filename, description in zip(filenames, descriptions, strict=True):
            gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
            gallery.add_item(media=f"attachment://{filename}", description=description)
            container.add_item(gallery)
    container.add_item(ui.File(f"attachment://{CSV_FILE}"))
    return payload_view(container)


def no_statistics_panel(statistics: Statistics) -> ui.LayoutView:
    """Return the answer for a period without jobs."""
    said = f"{_title(statistics)}\n{_('No jobs in this time yet.')}\n-# {_('Members make pictures with `/imagine`.')}"
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREY))


def _title(statistics: Statistics) -> str:
    days = len(statistics.days)
    return "## " + ngettext("Statistics of today", "Statistics of the last {count} days", days).format(
        count=number(days)
    )


def _head(statistics: Statistics) -> Iterator[str]:
    total, period = statistics.total, statistics.period
    yield _title(statistics)
    parts = [
        ngettext("**{count} job**", "**{count} jobs**", total.jobs).format(count=number(total.jobs)),
        in_credits(total.credits),
    ]
    if total.success_percent is not None:
        parts.append(_("{percent} successful").format(percent=percent(total.success_percent)))
    if statistics.waiting is not None:
        parts.append(_("half done within {duration}").format(duration=duration(statistics.waiting.median)))
    yield " · ".join(parts)
    said = _("{first} to {last}, time zone {zone}")
    yield "-# " + said.format(first=short_day(period.first), last=short_day(period.last), zone=escaped(period.zone))

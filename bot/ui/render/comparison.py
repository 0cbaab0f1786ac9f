"""Before and after: the pictures of an edit, for one person's eyes."""

from collections.abc import Iterator, Sequence

from discord import ui

from bot.services.comparisons import Comparison
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import number
from bot.ui.render.job_card import BLURPLE, Attached, payload_view


def comparison_panel(comparison: Comparison, before: Sequence[Attached], after: Sequence[Attached]) -> ui.LayoutView:
    """Return one gallery of the attached images, those before first."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    container.add_item(ui.TextDisplay("## " + _("Before and after")))
    if before or after:
        shown: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
        for described, files in ((_("Before"), before), (_("After"), after)):
            for file in files:
                shown.add_item(media=f"attachment://{file.filename}", description=described)
        container.add_item(shown)
    lines = "\n".join(f"-# {line}" for line in _notes(comparison, len(before), len(after)))
    container.add_item(ui.TextDisplay(lines))
    return payload_view(container)


def _notes(comparison: Comparison, before: int, after: int) -> Iterator[str]:
    """Yield the order of the pictures, then the reason why any are missing."""
    if before and after:
        order = ngettext(
            "The first picture is the one before.", "The first {count} pictures are the ones before.", before
        )
        yield order.format(count=number(before))
    if comparison.hidden:
        yield ngettext(
            "The picture before is for its member only.",
            "{count} pictures before are for their member only.",
            comparison.hidden,
        ).format(count=number(comparison.hidden))
    gone = comparison.gone + len(comparison.before) - before
    if gone:
        yield ngettext(
            "The picture before is no longer kept.", "{count} pictures before are no longer kept.", gone
        ).format(count=number(gone))
    if not after:
        yield _("The result is no longer kept here; its card may still show it.")

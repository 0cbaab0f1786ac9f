"""Messages of `/privacy`."""

from discord import ui

from bot.services.deletions import Holdings
from bot.services.export_parts import ExportPart
from bot.ui.buttons import ERASE
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import counted, in_credits, number
from bot.ui.render.job_card import AMBER, GREEN, GREY, payload_view


def export_begun() -> ui.LayoutView:
    """Return the answer to a request for an export."""
    said = _("Everything stored about you comes by direct message, in a while: ZIP files with JSON and your pictures.")
    note = _("Direct messages of this server's members must be allowed. You can ask once a day.")
    return payload_view(ui.Container(ui.TextDisplay(f"{said}\n-# {note}"), accent_colour=GREEN))


def export_attached() -> str:
    """Return the words for an export in the answer itself."""
    return _("You take no direct messages from me, so here it is: everything stored about you.")


def direct_messages_closed() -> ui.LayoutView:
    """Return the answer where an export reaches nobody."""
    said = _("You take no direct messages from me, and it is too large for this answer.")
    next_step = _("Allow direct messages in this server's privacy settings, then use `/privacy export` again.")
    return payload_view(ui.Container(ui.TextDisplay(f"{said}\n{next_step}"), accent_colour=AMBER))


def export_text(part: ExportPart) -> str:
    """Return the words above a part of an export."""
    if part.number == 1 and part.is_last:
        said = _("Everything stored about you.")
    elif part.is_last:
        said = _("Everything stored about you, part {number}, the last one.").format(number=number(part.number))
    else:
        said = _("Everything stored about you, part {number}. More follow.").format(number=number(part.number))
    has = _("It has {jobs} and {pictures}.").format(
        jobs=ngettext("{count} job", "{count} jobs", part.jobs).format(count=number(part.jobs)),
        pictures=counted(part.pictures, "picture"),
    )
    return f"{said}\n-# {has}"


def erase_question(holdings: Holdings, member_id: int) -> ui.LayoutView:
    """Return the confirmation of a deletion, with its consequences."""
    said = _("Your {jobs} with prompts, {pictures} and their messages, {presets}, settings, forms and searches go.")
    goes = said.format(
        jobs=ngettext("{count} job", "{count} jobs", holdings.jobs).format(count=number(holdings.jobs)),
        pictures=counted(holdings.pictures, "picture"),
        presets=ngettext("{count} preset", "{count} presets", holdings.presets).format(count=number(holdings.presets)),
    )
    running = _("Running jobs are cancelled; one that is too late for that is charged, and goes when it ends.")
    stays = _(
        "What you spent, {credits} granted to you, and bans stay under a code instead of your name. They count again if"
        " you come back."
    ).format(credits=in_credits(holdings.granted))
    others = _("Pictures that others made from yours stay theirs, and presets that you shared stay with the server.")
    lines = [
        f"## {_('Delete everything about you?')}",
        goes,
        f"**{_('This cannot be undone.')}** {_('`/privacy export` sends you a copy first.')}",
        *(f"-# {line}" for line in (running, stays, others)),
    ]
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=AMBER)
    container.add_item(ui.ActionRow(ERASE.build(f"{member_id:032x}")))
    return payload_view(container)


def erasing_note() -> ui.LayoutView:
    """Return the answer to a confirmed deletion."""
    said = _("Everything about you is being deleted. This can take a few minutes, longer if a job is running.")
    note = _("Until then nothing new can be made. Private cards that only you see: dismiss them yourself.")
    return payload_view(ui.Container(ui.TextDisplay(f"{said}\n-# {note}"), accent_colour=GREY))


def erased_note() -> ui.LayoutView:
    """Return the answer after a deletion."""
    said = _("Everything about you is deleted.")
    note = _("Private cards that only you see: dismiss them yourself.")
    return payload_view(ui.Container(ui.TextDisplay(f"{said}\n-# {note}"), accent_colour=GREY))

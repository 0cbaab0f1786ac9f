"""Messages of `/privacy`."""

from collections.abc import Iterator

from discord import ui

from bot.services.deletions import Holdings
from bot.services.export_parts import ExportPart
from bot.ui.buttons import ERASE
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import counted, in_credits, number
from bot.ui.render.job_card import AMBER, GREEN, GREY, payload_view


def export_begun() -> ui.LayoutView:
    """Return the answer to a request for an export."""
    said = _(
        "Everything stored about you comes by direct message within minutes: ZIP files with JSON and your pictures."
    )
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
    stays = [_("what you spent"), _("bans")]
    if holdings.granted:
        stays.insert(1, _("{credits} granted to you").format(credits=in_credits(holdings.granted)))
    lines = [
        f"## {_('Delete everything about you?')}",
        f"**{_('This cannot be undone.')}** {_('`/privacy export` sends you a copy first.')}",
        # Translators: {things} is a list such as "3 jobs with their prompts and messages · 5 pictures".
        _("**Goes:** {things}").format(things=" · ".join(_deleted_things(holdings))),
        # Translators: {things} is a list such as "what you spent · 50 credits granted to you · bans".
        _("**Stays, without your name:** {things}. It counts again if you come back.").format(things=" · ".join(stays)),
        "-# " + _("Running jobs are cancelled. One too late for that is charged, and goes when it ends."),
        "-# " + _("What others made from your pictures stays theirs. Presets shared with a server stay there."),
    ]
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=AMBER)
    container.add_item(ui.ActionRow(ERASE.build(f"{member_id:032x}")))
    return payload_view(container)


def _deleted_things(holdings: Holdings) -> Iterator[str]:
    if holdings.jobs:
        said = ngettext(
            "{count} job with its prompt and messages", "{count} jobs with their prompts and messages", holdings.jobs
        )
        yield said.format(count=number(holdings.jobs))
    if holdings.pictures:
        yield counted(holdings.pictures, "picture")
    if holdings.presets:
        yield ngettext("{count} preset", "{count} presets", holdings.presets).format(count=number(holdings.presets))
    yield _("settings, forms and searches")


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

"""Texts of notices of finished jobs."""

from collections.abc import Mapping
from typing import Final

from bot.domain.jobs import Snapshot
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import command_link, escaped, number
from bot.ui.render.job_card import card_title

_PROMPT_SHOWN: Final = 100


def ping_notice(snapshot: Snapshot) -> str:
    """Return the ping in the channel, a reply to the card."""
    member = f"<@{snapshot.job.place.member_id}>"
    count = len(snapshot.pictures)
    if not count:
        return _("{member} No picture came of this: the card says why.").format(member=member)
    said = ngettext("{member} Your picture is ready.", "{member} Your {count} pictures are ready.", count)
    return said.format(member=member, count=number(count))


def direct_notice(snapshot: Snapshot, link: str) -> str:
    """Return the direct message with a card's link."""
    count = len(snapshot.pictures)
    if not count:
        said = _("No picture came of this: the card says why.")
    else:
        said = ngettext("Your picture is ready.", "Your {count} pictures are ready.", count)
    prompt = card_title(snapshot.job.request, _PROMPT_SHOWN)
    return f"{said.format(count=number(count))} {link}\n-# {escaped(prompt)}"


def first_hint(command_ids: Mapping[str, int], *, can_edit: bool) -> str:
    """Return the hint after a member's first pictures."""
    said = (
        _("Tip: *Edit* changes this picture, {history} keeps them all, {help} lists everything.")
        if can_edit
        else _("Tip: {history} keeps your pictures, {help} lists everything.")
    )
    return said.format(history=command_link("history", command_ids), help=command_link("help", command_ids))

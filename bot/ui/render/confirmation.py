"""Confirmations of expensive requests and of deletions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import discord
from discord import ui

from bot.domain.confirmations import Confirmation
from bot.domain.jobs import Action, Job
from bot.ui.buttons import CONFIRM, DECLINE, DELETE, PICK, PUBLISH, REMIX, custom_id
from bot.ui.i18n import _
from bot.ui.render.action_items import NUMBERED, picture_places
from bot.ui.render.formatting import escaped, in_credits, usually
from bot.ui.render.job_card import AMBER, GREEN, GREY, card_title, heading, payload_view

_TITLE_CHARS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedPicture:
    """The source picture of a question.

    `link` is the address of its message, None for a new picture. `positions` are those to choose from, `chosen` the
    chosen one.
    """

    link: str | None = None
    positions: Sequence[int] = ()
    chosen: int = 0


def question_card(
    confirmation: Confirmation,
    usual_seconds: tuple[int, int] | None,
    *,
    dearer_than_asked: bool = False,
    edited: EditedPicture | None = None,
) -> ui.LayoutView:
    """Return the confirmation of an expensive request.

    `usual_seconds` are the median and the 90th percentile; None if too little was measured. `dearer_than_asked` is for
    a price risen since the first confirmation. `edited` is for what was asked for by a mention.
    """
    credits_ = in_credits(confirmation.price)
    usual = usually(usual_seconds)
    if usual is None:
        said = _("This takes {credits}.").format(credits=credits_)
    else:
        said = _("This takes {credits}; {usually}.").format(credits=credits_, usually=usual)
    if dearer_than_asked:
        said = f"{_('The price has changed since it was shown.')}\n{said}"
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(heading(confirmation.request, confirmation.member_id)))
    if edited is not None:
        said = f"{said}\n-# {_about_edit(confirmation, edited)}"
    container.add_item(ui.TextDisplay(said))
    if edited is not None and len(edited.positions) > 1:
        container.add_item(ui.ActionRow(*_picks(confirmation.id, edited)))
    label = _("Generate · {credits}").format(credits=credits_)
    confirm = CONFIRM.build(confirmation.id, label=label, price=confirmation.price)
    container.add_item(ui.ActionRow(confirm, DECLINE.build(confirmation.id)))
    return payload_view(container)


def _about_edit(confirmation: Confirmation, edited: EditedPicture) -> str:
    if edited.link is None:
        said = _("This makes a new picture. To change one, reply to it and mention me.")
    else:
        # Translators: the line below the question of an edit; {link} leads to the message with the picture.
        said = _("Starts from {link}.").format(link=edited.link)
    if confirmation.private:
        said = f"{said} {_('Only you will see the result.')}"
    count = len(edited.positions)
    # With a picture missing in between, the numbers no longer follow the gallery.
    if count in NUMBERED and list(edited.positions) == list(range(count)):
        said = f"{said}\n-# {picture_places(count)}"
    return said


def _picks(confirmation_id: str, edited: EditedPicture) -> list[ui.Button[ui.LayoutView]]:
    """Return a button for each picture; the chosen one is green."""
    return [
        ui.Button(
            label=_("Picture {number}").format(number=position + 1),
            style=discord.ButtonStyle.success if position == edited.chosen else discord.ButtonStyle.secondary,
            custom_id=custom_id(PICK.action, confirmation_id, position),
        )
        for position in edited.positions
    ]


def delete_question(job: Job) -> ui.LayoutView:
    """Return the confirmation of a deletion, with its consequences."""
    if job.charged:
        lost = _("Its pictures go for good: here, in `/history` and in the showcase. What was made from them stays.")
    else:
        lost = _("Its card goes for good.")
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(heading(job.request, job.place.member_id)))
    container.add_item(ui.TextDisplay(f"{_('Delete this?')} {lost}\n-# {_('Credits that were charged stay charged.')}"))
    container.add_item(ui.ActionRow(DELETE.build(job.id)))
    return payload_view(container)


def publish_question(job: Job) -> ui.LayoutView:
    """Return the confirmation of a publication, with its channel."""
    asked = _("Post this in {channel} for everyone?").format(channel=f"<#{job.place.channel_id}>")
    shown = _("The card has the pictures, the prompt and your name.")
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(heading(job.request, job.place.member_id)))
    container.add_item(ui.TextDisplay(f"{asked}\n-# {shown}"))
    container.add_item(ui.ActionRow(PUBLISH.build(job.id)))
    return payload_view(container)


def published_note(link: str | None) -> ui.LayoutView:
    """Return the note after a publication, with the card's link."""
    said = _("Everyone in the channel can see this now: {link}").format(link=link)
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREEN))


def version_note(previous: Job, link: str) -> ui.LayoutView:
    """Return the note on going back to the version before an edit.

    Its button names the job, so a reply to the note starts from there.
    """
    title = escaped(card_title(previous.request, _TITLE_CHARS))
    said = _("Back to {link}: {title}").format(link=link, title=title)
    how = _("Nothing is charged. Reply to this and mention me to go on from there; in a thread, a mention is enough.")
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=GREEN)
    container.add_item(ui.TextDisplay(f"{said}\n-# {how}"))
    container.add_item(ui.ActionRow(REMIX[Action.EDIT].build(previous.id)))
    return payload_view(container)


def deleted_note(*, card_gone: bool) -> ui.LayoutView:
    """Return the note after a deletion.

    `card_gone` tells whether the card could be removed.
    """
    said = _("Deleted.")
    if not card_gone:
        said = f"{said} {_('Its message cannot be reached any more: dismiss or delete it yourself.')}"
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREY))

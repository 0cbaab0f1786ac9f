"""Confirmations of expensive requests and of deletions."""

from discord import ui

from bot.domain.confirmations import Confirmation
from bot.domain.jobs import Job
from bot.ui.buttons import CONFIRM, DECLINE, DELETE, PUBLISH
from bot.ui.i18n import _
from bot.ui.render.formatting import in_credits, usually
from bot.ui.render.job_card import AMBER, GREEN, GREY, heading, payload_view


def question_card(
    confirmation: Confirmation, usual_seconds: tuple[int, int] | None, *, dearer_than_asked: bool = False
) -> ui.LayoutView:
    """Return the confirmation of an expensive request.

    `usual_seconds` are the median and the 90th percentile; None if too little was measured. `dearer_than_asked` is for
    a price risen since the first confirmation.
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
    container.add_item(ui.TextDisplay(said))
    label = _("Generate · {credits}").format(credits=credits_)
    container.add_item(ui.ActionRow(CONFIRM.build(confirmation.id, label=label), DECLINE.build(confirmation.id)))
    return payload_view(container)


def delete_question(job: Job) -> ui.LayoutView:
    """Return the confirmation of a deletion, with its consequences."""
    if job.charged:
        lost = _("Its pictures go for good, here and in `/history`. What was made from them stays.")
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


def deleted_note(*, card_gone: bool) -> ui.LayoutView:
    """Return the note after a deletion.

    `card_gone` tells whether the card could be removed.
    """
    said = _("Deleted.")
    if not card_gone:
        said = f"{said} {_('Its message cannot be reached any more: dismiss or delete it yourself.')}"
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREY))

"""Deleting a job: the question that comes before it, and what is said after it. Both for one person's eyes."""

from discord import ui

from bot.domain.jobs import Job
from bot.ui.buttons import DELETE
from bot.ui.i18n import _
from bot.ui.render.job_card import AMBER, GREY, heading, payload_view


def delete_question(job: Job) -> ui.LayoutView:
    """Return the question, with what is lost."""
    if job.charged:
        lost = _("Its pictures go for good, here and in `/history`. What was made from them stays.")
    else:
        lost = _("Its card goes for good.")
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(heading(job.request, job.place.member_id)))
    container.add_item(ui.TextDisplay(f"{_('Delete this?')} {lost}\n-# {_('Credits that were charged stay charged.')}"))
    container.add_item(ui.ActionRow(DELETE.build(job.id)))
    return payload_view(container)


def deleted_note(*, card_gone: bool) -> ui.LayoutView:
    """Return what stands in the question's place once it is done; `card_gone` is whether the card could be removed."""
    said = _("Deleted.")
    if not card_gone:
        said = f"{said} {_('Its message cannot be reached any more: dismiss or delete it yourself.')}"
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREY))

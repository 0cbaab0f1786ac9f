"""Where a job came from, in words, and the way to a job's message."""

from collections.abc import Sequence
from typing import Final

from bot.domain.jobs import Action, Job
from bot.services.details import Link
from bot.ui.i18n import N_, _

_STEPS: Final = {
    Action.AGAIN: N_("The same again as {job}"),
    Action.VARY: N_("A variation of {picture} of {job}"),
    Action.EDIT: N_("An edit of {picture} of {job}"),
    Action.UPSCALE: N_("Enlarged from {picture} of {job}"),
    Action.CUT_OUT: N_("Cut out of {picture} of {job}"),
    Action.REFERENCE: N_("Drawn by {picture} of {job}"),
}


def message_link(job: Job) -> str | None:
    """Return the address of a job's message; None where there is none that others can open."""
    place = job.place
    if place.message_id is None or place.private or not place.guild_id:
        return None  # nobody can be led there, or it is not known in which server that is
    return f"https://discord.com/channels/{place.guild_id}/{place.channel_id}/{place.message_id}"


def lineage_lines(chain: Sequence[Link]) -> list[str]:
    """Return one line for each step back, the latest first."""
    return [_step(link) for link in chain]


def _step(link: Link) -> str:
    picture = _("picture {number}").format(number=(link.origin.position or 0) + 1)
    return _(_STEPS[link.origin.action]).format(picture=picture, job=_named(link.job))


def _named(job: Job | None) -> str:
    if job is None:
        return _("a job whose records are gone")
    if job.deleted_at is not None:
        return _("a job that was deleted")
    return message_link(job) or _("a job that only its member sees")

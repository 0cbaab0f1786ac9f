"""The list of `/jobs`."""

from typing import Final

from discord import ui

from bot.domain.jobs import Job, Snapshot
from bot.services.live_jobs import Cancelled, LiveJobs
from bot.ui.buttons import CANCEL_ALL, CANCEL_LISTED
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import ago, and_more, escaped, in_credits, number
from bot.ui.render.job_card import BLURPLE, GREEN, GREY, card_title, is_cancellable, live_state, payload_view

_TITLE: Final = 80
EVERYONES: Final = 1
"""The picture in a custom id of a list of everyone's jobs."""


def live_jobs_panel(jobs: LiveJobs, *, member_id: int, note: str | None = None) -> ui.LayoutView:
    """Return the jobs with their states, links and buttons.

    `member_id` is the reader; `note` says the outcome of a press.
    """
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE if jobs.shown else GREY)
    lines = [f"## {_heading(jobs, member_id)}"]
    lines += [f"-# {note}"] if note else []
    if not jobs.shown:
        lines.append(_("Finished ones are in `/history`."))
    container.add_item(ui.TextDisplay("\n".join(lines)))
    listed, search_id = _list_id(jobs, member_id)
    for snapshot in jobs.shown:
        text: ui.TextDisplay[ui.LayoutView] = ui.TextDisplay(_entry(snapshot, named=jobs.member_id is None))
        if is_cancellable(snapshot):
            button = CANCEL_LISTED.build(snapshot.job.id, picture=listed, search_id=search_id)
            container.add_item(ui.Section(text, accessory=button))
        else:
            container.add_item(text)
    if jobs.more:
        container.add_item(ui.TextDisplay(f"-# {and_more(jobs.more)}"))
    if jobs.own > 1:
        button = CANCEL_ALL.build(f"{member_id:032x}", picture=listed, search_id=search_id)
        container.add_item(ui.ActionRow(button))
    return payload_view(container)


def _list_id(jobs: LiveJobs, reader: int) -> tuple[int, str | None]:
    """Return the parts of a custom id that name the list of its message.

    The picture is 1 in a list of everyone's jobs. The search is the member in a list of another member's.
    """
    if jobs.member_id is None:
        return EVERYONES, None
    return 0, None if jobs.member_id == reader else f"{jobs.member_id:032x}"


def cancelling_panel() -> ui.LayoutView:
    """Return the answer to `/jobs cancel`."""
    said = _("Cancelling. The job's card shows the outcome.")
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREEN))


def cancelled_note(cancelled: Cancelled) -> str:
    """Return the outcome of cancelling all jobs."""
    if not cancelled.requested and not cancelled.too_late:
        return _("There was nothing to cancel.")
    said = ngettext("{count} job is being cancelled.", "{count} jobs are being cancelled.", cancelled.requested)
    parts = [said.format(count=number(cancelled.requested))] if cancelled.requested else []
    if cancelled.too_late:
        late = ngettext(
            "{count} cannot be stopped any more.", "{count} cannot be stopped any more.", cancelled.too_late
        )
        parts.append(late.format(count=number(cancelled.too_late)))
    return " ".join(parts)


def job_choice(job: Job, *, own: bool) -> str:
    """Return a job's name in autocompletion."""
    title = card_title(job.request, _TITLE)
    return title if own else _("another member: {title}").format(title=title)


def _heading(jobs: LiveJobs, reader: int) -> str:
    count = len(jobs.shown) + jobs.more
    if jobs.member_id == reader:
        if not count:
            return _("Nothing of yours is in progress")
        return ngettext("{count} job of yours", "{count} jobs of yours", count).format(count=number(count))
    if not count:
        return _("Nothing is in progress")
    return ngettext("{count} job in progress", "{count} jobs in progress", count).format(count=number(count))


def _entry(snapshot: Snapshot, *, named: bool) -> str:
    job = snapshot.job
    title = escaped(card_title(job.request, _TITLE))
    if job.place.message_id is not None and not job.is_private:
        place = job.place
        link = f"https://discord.com/channels/{place.guild_id or '@me'}/{place.channel_id}/{place.message_id}"
        title = f"[{title}]({link})"
    state, obstacle = live_state(snapshot)
    parts = [state, in_credits(job.price), ago(job.created_at)]
    if named:
        parts.insert(0, f"<@{job.place.member_id}>")
    lines = [title, f"-# {' · '.join(parts)}", *([f"-# {obstacle}"] if obstacle else [])]
    return "\n".join(lines)

"""Answer to "Was this made here?"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from discord import ui

from bot.services.origins import Finding
from bot.ui.i18n import _
from bot.ui.render.formatting import number
from bot.ui.render.job_card import BLURPLE, payload_view


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finding, and the address of its job's card if there is one to open."""

    finding: Finding
    link: str | None = None


def origin_panel(answers: Sequence[Answer], *, unshown: int = 0) -> ui.LayoutView:
    """Return the answers for the pictures of a message, in their order.

    `unshown` pictures were not looked up.
    """
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    container.add_item(ui.TextDisplay("## " + _("Was this made here?")))
    for place, answer in enumerate(answers, 1):
        said = _said(answer)
        if len(answers) > 1:
            said = f"**{_('Picture {number}').format(number=place)}** · {said}"
        container.add_item(ui.TextDisplay(said))
    notes = "\n".join(f"-# {line}" for line in _notes(answers, unshown))
    if notes:
        container.add_item(ui.TextDisplay(notes))
    return payload_view(container)


def _said(answer: Answer) -> str:
    finding, job = answer.finding, answer.finding.job
    if job is not None:
        # Translators: {made} is such as "reve-2.0 · 3 May 2027 · Open its card".
        said = _("Yes, this very file: {made}") if finding.exact else _("Yes, it looks like this one: {made}")
        made = [job.request.model, f"<t:{int(job.created_at.timestamp())}:D>"]
        if answer.link is not None:
            made.append(f"[{_('Open its card')}]({answer.link})")
        text = said.format(made=" · ".join(made))
        return f"{text}\n{_('Only you can see it: find it in `/history`.')}" if job.is_private else text
    if not finding.fetched:
        return _("This picture could not be loaded. Try again in a moment.")
    text = _("Not found among this studio's public pictures.")
    if finding.plain:
        return f"{text} {_('It is too plain to compare, so only its exact file was looked for.')}"
    if finding.problem is not None:
        return f"{text} {_('It could not be read, so only its exact file was looked for.')}"
    return text


def _notes(answers: Sequence[Answer], unshown: int) -> Iterator[str]:
    if unshown:
        yield _("Only the first {count} pictures of a message are looked up.").format(count=number(len(answers)))
    if any(answer.finding.job is None for answer in answers):
        yield _("A copy that was cropped, turned or changed a lot may not be found.")
        yield _("Older pictures may only be found as their exact file.")

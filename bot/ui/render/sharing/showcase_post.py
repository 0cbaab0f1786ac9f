"""The post of a submission in the showcase. Pure functions."""

from collections.abc import Sequence
from typing import Final

from discord import ui

from bot.domain.remix import has_own_prompt
from bot.domain.requests import GenerationRequest
from bot.domain.sharing.settings import VoteKind
from bot.domain.sharing.submissions import Submission
from bot.domain.sharing.votes import VoteResult
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.buttons import REPORT_POST, SHOWCASE_OWN, SHOWCASE_REFERENCE, VOTE
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import alternative, escaped, number, one_line
from bot.ui.render.job_card import BLURPLE, GREY, payload_view
from bot.ui.truncation import cut

PROMPT_SHOWN: Final = 300
"""Characters of a prompt on a post, as on a card."""
_LONGEST_FORUM_TITLE: Final = 100
_SPOILER: Final = "SPOILER_"


def showcase_post(
    snapshot: SubmissionSnapshot, filenames: Sequence[str], *, votes: int = 0, can_remix: bool = False
) -> ui.LayoutView:
    """Return the post of an approved submission with its attached files.

    Nothing in it names the member of an anonymous one; its custom ids hold the submission, never the job. `can_remix`:
    the studio has models that start from a picture.
    """
    submission = snapshot.submission
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    prompt, title = shown_prompt(snapshot), one_line(submission.options.title)
    if title:
        container.add_item(ui.TextDisplay(f"## {escaped(title)}"))
    elif prompt:
        container.add_item(ui.TextDisplay(f"### {escaped(cut(prompt, PROMPT_SHOWN))}"))
    if filenames:
        container.add_item(_gallery(snapshot, filenames))
    if title and prompt:
        container.add_item(ui.TextDisplay(escaped(cut(prompt, PROMPT_SHOWN))))
    container.add_item(ui.TextDisplay(f"-# {_credit(snapshot)}"))
    container.add_item(ui.ActionRow(*_buttons(snapshot, votes, can_remix=can_remix)))
    return payload_view(container)


def hidden_post() -> ui.LayoutView:
    """Return the note in place of a post that members reported."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=GREY)
    container.add_item(ui.TextDisplay(_("Hidden until a moderator has looked at it.")))
    return payload_view(container)


def vote_note(result: VoteResult) -> str:
    """Return the answer to a vote."""
    if result.has_voted:
        said = ngettext("Your vote counts: {count} vote now.", "Your vote counts: {count} votes now.", result.count)
        return f"{said.format(count=number(result.count))}\n-# {_('Press again to take it back.')}"
    said = ngettext("Vote taken back: {count} vote now.", "Vote taken back: {count} votes now.", result.count)
    return said.format(count=number(result.count))


def shown_prompt(snapshot: SubmissionSnapshot) -> str:
    """Return the prompt in one line; empty if hidden, erased or no member's."""
    request = snapshot.job.request
    if not snapshot.submission.options.show_prompt or not has_own_prompt(request):
        return ""
    return one_line(request.prompt)


def forum_title(snapshot: SubmissionSnapshot) -> str:
    """Return the title of a submission's post in a forum."""
    title = one_line(snapshot.submission.options.title) or shown_prompt(snapshot)
    return cut(title or _("Picture by {model}").format(model=snapshot.job.request.model), _LONGEST_FORUM_TITLE)


def tags_of(request: GenerationRequest) -> tuple[str, ...]:
    """Return the names of a forum post's tags: model and preset."""
    return tuple(name for name in (request.model, request.preset) if name)


def file_name(submission: Submission, place: int, extension: str) -> str:
    """Return the name of a post's file, counted from 1."""
    name = f"atelier-{place}.{extension}"
    return f"{_SPOILER}{name}" if submission.options.is_spoiler else name


def _gallery(snapshot: SubmissionSnapshot, filenames: Sequence[str]) -> ui.MediaGallery[ui.LayoutView]:
    shown: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    title = shown_prompt(snapshot) or one_line(snapshot.submission.options.title)
    for place, name in enumerate(filenames, 1):
        shown.add_item(
            media=f"attachment://{name}",
            description=alternative(_described(title, place, len(filenames))),
            spoiler=snapshot.submission.options.is_spoiler,
        )
    return shown


def _described(title: str, place: int, count: int) -> str:
    """Return the alternative text of a picture."""
    if count == 1:
        return title or _("AI-generated picture")
    if not title:
        return _("AI-generated picture {number} of {count}").format(number=place, count=count)
    return _("Picture {number} of {count}: {title}").format(number=place, count=count, title=title)


def _credit(snapshot: SubmissionSnapshot) -> str:
    """Return the line on the model and the member."""
    made = _("AI-generated, model {model}").format(model=escaped(snapshot.job.request.model))
    submission = snapshot.submission
    if submission.options.is_anonymous:
        return f"{made} · {_('by a member')}"
    return f"{made} · {_('by {member}').format(member=f'<@{submission.member_id}>')}"


def _buttons(snapshot: SubmissionSnapshot, votes: int, *, can_remix: bool) -> list[ui.Button[ui.LayoutView]]:
    submission_id = snapshot.submission.id
    buttons = []
    if snapshot.sharing.votes is VoteKind.BUTTONS:
        label = _("Vote · {count}").format(count=number(votes)) if votes else None
        buttons.append(VOTE.build(submission_id, label=label))
    if not snapshot.job.request.inputs or not can_remix:
        buttons.append(SHOWCASE_OWN.build(submission_id))
    if can_remix:
        buttons.append(SHOWCASE_REFERENCE.build(submission_id))
    return [*buttons, REPORT_POST.build(submission_id)]

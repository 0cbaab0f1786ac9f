"""Members' panels, notices and the form of their submissions."""

from dataclasses import replace
from typing import Any

import pytest
from discord import ui

from bot.domain.errors import NotOfferedError
from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import Action, State
from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from bot.domain.saved_forms import ShareForm
from bot.domain.sharing.challenges import ChallengeState
from bot.domain.sharing.settings import SharingSettings
from bot.domain.sharing.submissions import SubmissionOptions, SubmissionState
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.services.sharing.submissions import ShareOffer
from bot.ui.handlers.sharing.share_form import Choices, ShareModal, filled_form
from bot.ui.render.action_items import action_items
from bot.ui.render.formatting import escaped
from bot.ui.render.job_card import payload_view
from bot.ui.render.sharing.notices import decision_notice
from bot.ui.render.sharing.share_panels import sent_panel, submission_list, withdraw_question, withdrawn_panel
from tests.support.clock import START
from tests.support.factories import GUILD, make_challenge, make_id, make_image, make_job, make_request
from tests.ui.sharing.test_review_card import snapshot
from tests.ui.view_reader import labels, parts, texts

HOSTILE = "# **bold** @everyone <@1> \u202e[link](http://x) `c`"


def posted(shown: SubmissionSnapshot, **changes: Any) -> SubmissionSnapshot:
    """Return an approved submission with a post in the showcase."""
    post = OutboxMessage(
        id=make_id(),
        kind=MessageKind.SHOWCASE,
        subject_id=shown.submission.id,
        number=0,
        guild_id=GUILD,
        wanted=1,
        shown=1,
        tries=0,
        due_at=START,
        channel_id=8,
        message_id=9,
    )
    approved = replace(shown.submission, state=SubmissionState.APPROVED)
    return replace(shown, submission=approved, showcase=replace(post, **changes))


def said(view: ui.LayoutView) -> str:
    """Return a panel's texts."""
    return "\n".join(texts(view))


@pytest.mark.parametrize(
    ("state", "words", "buttons"),
    [
        (SubmissionState.WAITING, "Waits for a moderator · <t:", ["Withdraw"]),
        (SubmissionState.CHANGES_ASKED, "A moderator asked for changes · <t:", ["Revise", "Withdraw"]),
        (SubmissionState.APPROVED, "Approved.", ["Withdraw"]),
        (SubmissionState.HIDDEN, "Hidden after reports, until a moderator has looked at it · <t:", ["Withdraw"]),
        (SubmissionState.REFUSED, "Not approved · <t:", []),
        (SubmissionState.WITHDRAWN, "Withdrawn · <t:", []),
        (SubmissionState.TAKEN_DOWN, "Taken down · <t:", []),
    ],
)
def test_list_says_where_a_submission_stands(state: SubmissionState, words: str, buttons: list[str]) -> None:
    view = submission_list([snapshot(state=state)], is_first=True, has_older=False)
    assert f"**{escaped('a fox')}** · 2 pictures\n{words}" in said(view)
    assert labels(view) == buttons


def test_list_links_to_the_post_or_says_why_there_is_none() -> None:
    link = f"https://discord.com/channels/{GUILD}/8/9"
    assert f"In the showcase: {link}" in said(submission_list([posted(snapshot())], is_first=True, has_older=False))
    closed = posted(snapshot(), message_id=None, end=OutboxEnd.CLOSED)
    assert "the showcase channel takes no post" in said(sent_panel(closed, is_told=True))
    pending = replace(posted(snapshot(), message_id=None), guild=GuildSettings(showcase_channel_id=8))
    assert "On its way to <#8>" in said(sent_panel(pending, is_told=True))
    hidden = replace(posted(snapshot()).submission, state=SubmissionState.HIDDEN)
    assert link not in said(
        submission_list([replace(posted(snapshot()), submission=hidden)], is_first=True, has_older=False)
    )


def test_fullest_page_fits_a_message() -> None:
    options = SubmissionOptions(title="*" * 80)
    shown = [snapshot(options=options, reason="#" * 300, state=SubmissionState.CHANGES_ASKED) for _ in range(5)]
    view = submission_list(shown, is_first=False, has_older=True)
    assert len(said(view)) <= 4000
    assert len(list(parts(view))) <= 40
    assert labels(view)[-2:] == ["Newest", "Older"]


def test_empty_list_says_how_to_share() -> None:
    view = submission_list([], is_first=True, has_older=False)
    assert "Nothing is shared yet.\nIn a server with a showcase, *Share* is on your finished cards" in said(view)
    assert labels(view) == []


@pytest.mark.parametrize(("is_told", "words"), [(True, "You get a message"), (False, "`/share list` shows")])
def test_answer_says_how_the_decision_comes(is_told: bool, words: str) -> None:
    assert words in said(sent_panel(snapshot(), is_told=is_told))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ChallengeState.OPEN, "You can enter another picture until the entries close."),
        (ChallengeState.VOTING, "Its votes go with it, and you cannot enter another picture."),
        (ChallengeState.ENDED, "A place that it has won stays, without picture and name."),
    ],
)
def test_question_about_an_entry_says_what_its_withdrawal_takes(state: ChallengeState, words: str) -> None:
    shown = replace(snapshot(state=SubmissionState.APPROVED), challenge=make_challenge(state=state))
    asked = f"Take this out of the challenge “{escaped('Sea')}”? {words}"
    assert said(withdraw_question(shown)).splitlines()[-1] == asked


def test_list_names_the_challenge_of_an_entry() -> None:
    shown = replace(snapshot(state=SubmissionState.APPROVED), challenge=make_challenge())
    entry = f"**{escaped('a fox')}** · 2 pictures · Challenge: {escaped('Sea')}\nApproved."
    assert entry in said(submission_list([shown], is_first=True, has_older=False))


@pytest.mark.parametrize(
    ("positions", "words"), [((0,), "share the picture again"), ((0, 1), "share the pictures again")]
)
def test_withdrawn_pictures_are_counted(positions: tuple[int, ...], words: str) -> None:
    assert words in said(withdrawn_panel(snapshot(positions=positions, state=SubmissionState.WITHDRAWN)))


def test_withdrawal_from_the_showcase_is_asked_about() -> None:
    shown = posted(snapshot())
    assert labels(withdraw_question(shown)) == ["Withdraw", "Keep it"]
    withdrawn = replace(shown, submission=replace(shown.submission, state=SubmissionState.WITHDRAWN))
    assert "its post leaves the showcase" in said(withdrawn_panel(withdrawn))
    assert labels(withdrawn_panel(withdrawn)) == ["My submissions"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (SubmissionState.APPROVED, "## Approved for the showcase"),
        (SubmissionState.REFUSED, "## Not approved for the showcase"),
        (SubmissionState.CHANGES_ASKED, "## A moderator asks for changes"),
        (SubmissionState.TAKEN_DOWN, "## Taken out of the showcase"),
    ],
)
def test_notice_has_the_decision_first_and_its_subject_in_a_button(state: SubmissionState, words: str) -> None:
    shown = snapshot(state=state, reason=HOSTILE, options=SubmissionOptions(title=HOSTILE))
    view = decision_notice(shown, HOSTILE)
    assert view is not None
    assert said(view).splitlines() == [
        words,
        f"Reason: {escaped(HOSTILE)}",
        f"-# {escaped(HOSTILE)} · {escaped(HOSTILE)}",
    ]
    ids = [part["custom_id"] for part in parts(view) if "custom_id" in part]
    assert all(f":{shown.submission.id}:" in each for each in ids)
    assert labels(view) == [*(["Revise"] if state is SubmissionState.CHANGES_ASKED else []), "My submissions"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (SubmissionState.APPROVED, "## Approved for the challenge"),
        (SubmissionState.REFUSED, "## Not approved for the challenge"),
        (SubmissionState.CHANGES_ASKED, "## A moderator asks for changes"),
        (SubmissionState.TAKEN_DOWN, "## Taken out of the challenge"),
    ],
)
def test_notice_of_an_entry_names_the_challenge(state: SubmissionState, words: str) -> None:
    view = decision_notice(replace(snapshot(state=state), challenge=make_challenge()), "Community")
    assert view is not None
    about = f"-# {escaped('a fox')} · Challenge: {escaped('Sea')} · {escaped('Community')}"
    assert said(view).splitlines() == [words, about]


def test_notice_of_an_approval_links_to_its_post() -> None:
    view = decision_notice(posted(snapshot()), None)
    assert view is not None
    assert f"https://discord.com/channels/{GUILD}/8/9" in said(view)
    refused = decision_notice(posted(snapshot(), message_id=None, end=OutboxEnd.REFUSED), None)
    assert refused is not None
    assert "The showcase channel takes no post" in said(refused)


@pytest.mark.parametrize("state", [SubmissionState.WAITING, SubmissionState.WITHDRAWN, SubmissionState.HIDDEN])
def test_other_states_have_no_notice(state: SubmissionState) -> None:
    assert decision_notice(snapshot(state=state), None) is None


def form(offered: list[int], *, prompt: str = "a fox", anonymous: bool = False, words: str = "") -> dict[str, Any]:
    """Return the form of a job's pictures as it is sent."""
    job = make_job(state=State.DONE, request=make_request(prompt=prompt, images=4))
    settings = SharingSettings(allows_anonymous=anonymous)
    pictures = tuple(make_image(job, position=each) for each in range(4))
    offer = ShareOffer(job=job, pictures=pictures, shared={}, settings=settings, needs_review=True)
    chosen = Choices(positions=tuple(offered), options=SubmissionOptions(title="x" * 200, is_anonymous=True))
    return ShareModal(ShareForm(job_id=job.id), offer, offered, chosen, words).to_dict()


def options_of(modal: dict[str, Any], field: str) -> list[str]:
    """Return the values offered by a field, empty without it."""
    found = [each["component"] for each in modal["components"] if each.get("component", {}).get("custom_id") == field]
    return [each["value"] for each in found[0]["options"]] if found else []


def test_form_asks_only_what_can_be_chosen() -> None:
    full = form([0, 2, 3], anonymous=True, words=HOSTILE)
    assert len(full["components"]) <= 5
    assert options_of(full, "pictures") == ["0", "2", "3"]
    assert options_of(full, "choices") == ["prompt", "anonymous", "spoiler"]
    least = form([2], prompt="")
    assert options_of(least, "pictures") == []
    assert least["custom_id"].endswith(":2")
    assert options_of(least, "choices") == ["spoiler"]


def test_sent_form_is_read_with_a_clean_title() -> None:
    values = {"pictures": ["3", "1"], "title": ["  A \n\x00 title \ud800"], "choices": ["spoiler"]}
    read = Choices.read(values, 0)
    assert read.positions == (1, 3)
    assert read.options == SubmissionOptions(title="A title", show_prompt=False, is_spoiler=True)
    assert Choices.read({"title": [""], "choices": []}, 2).positions == (2,)
    job_form = ShareForm(job_id=make_id())
    assert Choices.stored(filled_form(job_form, values, 0)).options.is_spoiler


@pytest.mark.parametrize(
    "values", [{"choices": ["admin"]}, {"pictures": ["-1"]}, {"pictures": ["100"]}, {"pictures": ["x"]}]
)
def test_forged_values_are_refused_and_can_be_stored(values: dict[str, list[str]]) -> None:
    with pytest.raises(NotOfferedError):
        Choices.read(values, 0)
    assert filled_form(ShareForm(job_id=make_id()), values, 0).chosen == (0,)


@pytest.mark.parametrize(
    ("shareable", "rows"),
    [(False, [["Again", "Vary", "Edit", "Upscale"]]), (True, [["Again", "Vary", "Edit", "Upscale", "Share"]])],
)
def test_share_is_in_the_row_of_actions(*, shareable: bool, rows: list[list[str]]) -> None:
    job = make_job(state=State.DONE)
    items = action_items(job, list(Action), {}, shareable=shareable)
    found = [each for each in items if isinstance(each, ui.ActionRow)][:-1]
    assert [[button.label for button in row.children] for row in found] == rows  # type: ignore[attr-defined]


def test_sixth_button_begins_another_row() -> None:
    job = make_job(state=State.DONE)
    extra = ui.Button[ui.LayoutView](label="Show prompt", custom_id="x")
    view = payload_view(*action_items(job, list(Action), {}, shareable=True, others=[extra]))
    rows = [part for part in parts(view) if part["type"] == 1]
    assert [len(row["components"]) for row in rows] == [5, 1, 1]

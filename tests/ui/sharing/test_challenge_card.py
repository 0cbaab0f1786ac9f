"""Messages of challenges: limits, names, ties and prizes."""

from dataclasses import replace

import pytest
from discord import ui

from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import State
from bot.domain.outbox import MessageKind
from bot.domain.sharing.challenges import (
    ENTRIES_A_PAGE,
    MAX_ENTRIES,
    MAX_THEME,
    ChallengeState,
    Entry,
    placings,
)
from bot.domain.sharing.submissions import MAX_TITLE, Submission, SubmissionOptions, SubmissionState
from bot.services.sharing.challenge_snapshots import ChallengeSnapshot, ShownEntry
from bot.ui.render.sharing.challenge_card import challenge_card, entries_page, results_panel, winners_post
from tests.support.clock import START
from tests.support.factories import GUILD, make_challenge, make_context, make_image, make_job, make_outbox_message
from tests.ui.view_reader import gallery, labels, parts, texts, unescaped, utf16

MOST_TEXT = 4_000
MOST_PARTS = 40
FIRST = 10**18  # as long as members' ids are
_ISOLATES = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))


def shown_entry(
    number: int, votes: int, *, state: SubmissionState = SubmissionState.APPROVED, title: str = ""
) -> ShownEntry:
    """Return an entry of a member."""
    member = FIRST + number
    job = make_job(place=make_context(member_id=member), state=State.DONE)
    submission = Submission(
        id=f"{number:032x}",
        guild_id=GUILD,
        member_id=member,
        job_id=job.id,
        positions=(0,),
        options=SubmissionOptions(title=title),
        is_age_restricted=False,
        flags=(),
        state=state,
        revision=1,
        created_at=START,
        waiting_since=START,
        at=START,
    )
    entry = Entry(number=number, submission_id=submission.id, member_id=member, votes=votes)
    return ShownEntry(entry=entry, submission=submission, job=job, picture=make_image(job))


def snapshot(
    *entries: ShownEntry,
    state: ChallengeState = ChallengeState.ENDED,
    prize: int = 0,
    paid: int | None = None,
    theme: str = "Lighthouses",
) -> ChallengeSnapshot:
    """Return a challenge."""
    return ChallengeSnapshot(
        challenge=make_challenge(state=state, prize=prize, paid=paid, theme=theme),
        guild=GuildSettings(),
        counts={},
        entries=entries,
        placings=placings([each.entry for each in entries]) if state is ChallengeState.ENDED else (),
        voters=0,
        card=None,
        pages=(),
        winners_post=None,
    )


def said(view: ui.LayoutView | None) -> str:
    """Return all texts of a message as members read them."""
    assert view is not None
    return unescaped("\n".join(texts(view))).translate(_ISOLATES)


def test_page_of_a_vote_names_nobody_and_no_count() -> None:
    page = entries_page(
        snapshot(*(shown_entry(each, 7) for each in range(1, 4)), state=ChallengeState.VOTING),
        1,
        {each: f"entry-{each}.png" for each in range(1, 4)},
    )
    assert page is not None
    assert "<@" not in said(page)
    assert labels(page) == ["1", "2", "3"]
    assert "Vote for up to 3 entries, not for your own. The vote ends <t:" in said(page)
    assert "row by row, from the top left" in said(page)
    assert "reve" not in str(page.to_components())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("state", [ChallengeState.VOTING, ChallengeState.ENDED])
def test_largest_challenge_fits_each_of_its_messages(state: ChallengeState) -> None:
    entries = [shown_entry(each, 1, title="_" * MAX_TITLE) for each in range(1, MAX_ENTRIES + 1)]
    whole = snapshot(*entries, state=state, theme="_" * MAX_THEME, prize=50)
    files = {each: f"entry-{each}.png" for each in range(1, MAX_ENTRIES + 1)}
    pages = [entries_page(whole, each, files) for each in range(1, MAX_ENTRIES // ENTRIES_A_PAGE + 1)]
    for view in (*pages, challenge_card(whole), winners_post(whole, files), results_panel(whole)):
        assert view is not None
        described = sum(utf16(description) for _, description in gallery(view))
        assert sum(map(utf16, texts(view))) + described <= MOST_TEXT
        assert len(list(parts(view))) <= MOST_PARTS
        assert len(gallery(view)) <= ENTRIES_A_PAGE


def test_card_of_a_vote_links_to_its_entries() -> None:
    page = make_outbox_message(MessageKind.CHALLENGE, number=1, channel_id=803, message_id=9)
    vote = snapshot(shown_entry(1, 0), shown_entry(2, 0), state=ChallengeState.VOTING)
    address = f"The entries: https://discord.com/channels/{GUILD}/803/9"
    assert address in said(challenge_card(replace(vote, pages=(page,))))
    assert "The entries:" not in said(challenge_card(replace(vote, pages=(replace(page, message_id=None),))))


def test_entries_close_at_a_time_in_words() -> None:
    text = said(challenge_card(snapshot(state=ChallengeState.OPEN)))
    assert "Enter one picture each. The entries close <t:" in text
    assert "until <t:" not in text  # "until in two hours"


def test_ended_challenge_says_votes_and_that_its_pictures_are_generated() -> None:
    ended = snapshot(shown_entry(1, 7), shown_entry(2, 1))
    page = entries_page(ended, 1, {1: "entry-1.png", 2: "entry-2.png"})
    assert page is not None
    assert labels(page) == ["1 · 7 votes", "2 · 1 vote"]
    assert "-# AI-generated" in said(winners_post(ended, {1: "entry-1.png"})).splitlines()


def test_shared_places_name_the_number_of_others() -> None:
    text = said(challenge_card(snapshot(*(shown_entry(each, 2) for each in range(1, 14)))))
    assert text.count("**1st**") == ENTRIES_A_PAGE
    assert "3 more" in text


def test_winner_gone_since_keeps_the_place_and_is_not_named() -> None:
    gone = shown_entry(1, 5, state=SubmissionState.WITHDRAWN, title="Secret")
    for view in (
        challenge_card(snapshot(gone, shown_entry(2, 3))),
        winners_post(snapshot(gone, shown_entry(2, 3)), {2: "entry-2.png"}),
        results_panel(snapshot(gone, shown_entry(2, 3))),
    ):
        text = said(view)
        assert "5 votes · Entry 1 · not shown any more" in text
        assert f"<@{FIRST + 1}>" not in text
        assert "Secret" not in text
        assert f"<@{FIRST + 2}>" in text


@pytest.mark.parametrize(
    ("prize", "paid", "winners", "words"),
    [
        (100, 100, 2, "100 credits went to the first place."),
        (100, 0, 1, "The prize was not paid: the server's budget for this month is used up."),
        (2, 0, 3, "The prize was not paid: too many share the first place."),
    ],
)
def test_prize_says_what_was_paid(prize: int, paid: int, winners: int, words: str) -> None:
    ended = snapshot(*(shown_entry(each, 4) for each in range(1, winners + 1)), prize=prize, paid=paid)
    assert words in said(challenge_card(ended))
    assert words in said(winners_post(ended, {}))

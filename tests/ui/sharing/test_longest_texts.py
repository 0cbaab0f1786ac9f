"""Messages of sharing with the longest texts, each character escaped."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from discord import ui

from bot.domain.duels import Standing
from bot.domain.guild_settings import GuildSettings
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.reports import MAX_WORDS, Report, ReportCase, ReportReason
from bot.domain.sharing.challenges import MAX_ENTRIES, MAX_THEME, Challenge, ChallengeState, Entry, placings
from bot.domain.sharing.settings import LONGEST_REASON, MAX_REASONS, SharingSettings
from bot.domain.sharing.submissions import (
    MAX_REASON,
    MAX_TITLE,
    Flag,
    FlagKind,
    QueueSummary,
    SubmissionOptions,
    SubmissionState,
)
from bot.services.reports import ReportSnapshot
from bot.services.sharing.challenge_snapshots import ChallengeSnapshot, ShownEntry
from bot.services.sharing.picks import Pick, WeekPicks
from bot.services.sharing.review_queue import QueueEntry, QueueSnapshot
from bot.services.sharing.review_statistics import ReviewFigures, ReviewStatistics
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.render.duel_cards import ranking_panel
from bot.ui.render.job_card import Attached
from bot.ui.render.report_cards import report_card
from bot.ui.render.sharing.challenge_card import challenge_card, entries_page, picture_menu, results_panel, winners_post
from bot.ui.render.sharing.notices import decision_notice
from bot.ui.render.sharing.picks import picks_post, picks_preview
from bot.ui.render.sharing.review_figures import review_figures_panel
from bot.ui.render.sharing.review_queue import BulkChoice, bulk_page, bulk_question, queue_card
from bot.ui.render.sharing.share_panels import submission_list, withdraw_question
from bot.ui.render.sharing.showcase_post import forum_title, showcase_post
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_challenge, make_id, make_job, make_request
from tests.ui.sharing.test_review_card import snapshot
from tests.ui.view_reader import parts, utf16

SNOWFLAKE = 10**18
LONGEST_PROMPT = "*" * 4000
OPTIONS = SubmissionOptions(title="_" * MAX_TITLE)
# The longest names of models in a catalogue.
MODEL = "m" * 80
FILES = [f"atelier-{place}.png" for place in range(1, 11)]


def shared(state: SubmissionState = SubmissionState.WAITING) -> SubmissionSnapshot:
    """Return a submission with the longest texts, and its post."""
    shown = snapshot(
        prompt=LONGEST_PROMPT,
        reasons=tuple(f"{place}{'*' * LONGEST_REASON}"[:LONGEST_REASON] for place in range(10, 10 + MAX_REASONS)),
        options=OPTIONS,
        state=state,
        reason="~" * MAX_REASON,
        flags=tuple(Flag(kind=kind, detail="|" * 200) for kind in FlagKind),
        member_id=SNOWFLAKE,
    )
    return replace(shown, showcase=post_of(shown.submission.id))


def post_of(subject_id: str) -> OutboxMessage:
    """Return a posted message."""
    return OutboxMessage(
        id=make_id(),
        kind=MessageKind.SHOWCASE,
        subject_id=subject_id,
        number=0,
        guild_id=SNOWFLAKE,
        wanted=1,
        shown=1,
        tries=0,
        due_at=START,
        channel_id=SNOWFLAKE,
        message_id=SNOWFLAKE,
    )


def queue() -> QueueSnapshot:
    """Return a queue with ten entries."""
    found = [shared() for _ in range(10)]
    return QueueSnapshot(
        guild_id=SNOWFLAKE,
        summary=QueueSummary(waiting=1000, oldest=START),
        entries=tuple(
            QueueEntry(
                submission=each.submission,
                job=each.job,
                card=post_of(each.submission.id),
                challenge=make_challenge(theme="*" * MAX_THEME),
            )
            for each in found
        ),
        guild=GuildSettings(),
        sharing=found[0].sharing,
    )


def challenge(state: ChallengeState) -> ChallengeSnapshot:
    """Return a challenge with as many entries as it takes, all with a vote."""
    found = [shared(SubmissionState.APPROVED) for _ in range(MAX_ENTRIES)]
    entries = tuple(
        ShownEntry(
            entry=Entry(number=place, submission_id=each.submission.id, member_id=SNOWFLAKE, votes=1),
            submission=each.submission,
            job=each.job,
            picture=None,
        )
        for place, each in enumerate(found, 1)
    )
    return ChallengeSnapshot(
        challenge=Challenge(
            id=make_id(),
            guild_id=GUILD,
            channel_id=SNOWFLAKE,
            theme="#" * MAX_THEME,
            created_by=MEMBER,
            created_at=START,
            state=state,
            closes_at=START,
            ends_at=START + timedelta(days=1),
            prize=999_999,
            paid=999_999,
        ),
        guild=GuildSettings(),
        counts={SubmissionState.APPROVED: 49, SubmissionState.WAITING: 1},
        entries=entries,
        placings=placings([each.entry for each in entries]),
        voters=1000,
        card=None,
        pages=(),
        winners_post=None,
    )


def picks() -> WeekPicks:
    """Return three picks."""
    found = tuple(Pick(snapshot=shared(SubmissionState.APPROVED), votes=1000) for _ in range(3))
    return WeekPicks(guild_id=GUILD, week=700_000, since=START, picks=found, is_posted=False)


def reported() -> ReportSnapshot:
    """Return a case with many reports."""
    job = make_job(request=make_request(prompt=LONGEST_PROMPT, images=4))
    case = ReportCase(id=make_id(), guild_id=GUILD, job_id=job.id, at=START)
    reports = tuple(
        Report(case_id=case.id, member_id=SNOWFLAKE, reason=reason, at=START, position=1, words="`" * MAX_WORDS)
        for reason in ReportReason
    )
    posts = tuple(post_of(make_id()) for _ in range(4))
    return ReportSnapshot(case=case, reports=reports * 3, job=job, pictures=(), guild=GuildSettings(), posts=posts)


def ranking() -> ui.LayoutView:
    """Return the ranking of 60 models, half of them with too few duels."""
    standings = [
        Standing(
            model=f"{place}_{MODEL}"[:80], duels=100 if place < 30 else 1, pairings=99, score=9, votes=9, rating=0.5
        )
        for place in range(60)
    ]
    return ranking_panel(standings, 1000)


def figures() -> ui.LayoutView:
    """Return the figures of eight weeks and forty moderators."""
    each = ReviewFigures(submitted=9999, approved=4000, refused=5000, asked=999, median_seconds=86_400.0)
    return review_figures_panel(
        ReviewStatistics(
            weeks=tuple((START - timedelta(weeks=place), each) for place in range(8)),
            moderators=tuple((SNOWFLAKE + place, each) for place in range(40)),
        )
    )


def all_of(found: QueueSnapshot, reason: str | None) -> BulkChoice:
    """Return a decision about all of a queue."""
    return BulkChoice(submission_ids=[each.submission.id for each in found.entries], reason=reason)


def thumbnails(found: QueueSnapshot) -> dict[str, str]:
    """Return files for all but the last."""
    return {each.submission.id: "submission-1.jpg" for each in found.entries[:-1]}


def question(reason: str | None) -> ui.LayoutView:
    """Return the question about a whole page."""
    found = queue()
    return bulk_question(found, all_of(found, reason), thumbnails(found))


def page() -> ui.LayoutView:
    """Return a page with everything chosen."""
    found = queue()
    return bulk_page(found, all_of(found, None).submission_ids, thumbnails(found))


def notice(state: SubmissionState) -> ui.LayoutView:
    """Return the message about a decision."""
    view = decision_notice(shared(state), "*" * 100)
    assert view is not None
    return view


def entries() -> ui.LayoutView:
    """Return a page of ten entries after the end."""
    view = entries_page(challenge(ChallengeState.ENDED), 5, dict.fromkeys(range(1, MAX_ENTRIES + 1), "1.png"))
    assert view is not None
    return view


@pytest.mark.parametrize(
    "build",
    [
        lambda: queue_card(queue()),
        page,
        lambda: question(None),
        lambda: question("*" * LONGEST_REASON),
        lambda: showcase_post(shared(SubmissionState.APPROVED), FILES, votes=1000, can_remix=True),
        lambda: submission_list([shared(state) for state in list(SubmissionState)[:5]], is_first=False, has_older=True),
        lambda: withdraw_question(shared(SubmissionState.APPROVED)),
        lambda: notice(SubmissionState.APPROVED),
        lambda: notice(SubmissionState.CHANGES_ASKED),
        lambda: challenge_card(challenge(ChallengeState.OPEN)),
        lambda: challenge_card(challenge(ChallengeState.ENDED)),
        entries,
        lambda: winners_post(challenge(ChallengeState.ENDED), dict.fromkeys(range(1, MAX_ENTRIES + 1), "1.png")),
        lambda: results_panel(challenge(ChallengeState.ENDED)),
        lambda: picture_menu(
            challenge(ChallengeState.OPEN).challenge,
            [(make_job(request=make_request(prompt=LONGEST_PROMPT)), place) for place in range(25)],
        ),
        lambda: picks_preview(picks(), can_pin=False),
        lambda: picks_post(picks(), {}),
        lambda: report_card(reported(), [Attached(filename=each) for each in FILES], "https://discord.com/" + "1" * 60),
        ranking,
        figures,
    ],
)
def test_message_with_the_longest_texts_fits_discord(build: Callable[[], ui.LayoutView]) -> None:
    found = list(parts(build()))
    assert sum(utf16(each["content"]) for each in found if "content" in each) <= 4000
    assert len(found) <= 40
    for each in found:
        assert len(each.get("items", ())) <= 10
        assert all(utf16(item.get("description") or "") <= 1024 for item in each.get("items", ()))
        assert utf16(each.get("custom_id", "")) <= 100
        assert utf16(each.get("label") or "") <= 80
        options = each.get("options", [])
        assert len(options) <= 25
        assert len({option["value"] for option in options}) == len(options)
        for option in options:
            assert utf16(option["label"]) <= 100
            assert utf16(option.get("description") or "") <= 100
            assert utf16(option["value"]) <= 100


def test_forum_title_of_emoji_fits_discord() -> None:
    shown = snapshot(prompt="\U0001f98a" * 300)
    assert len(forum_title(shown)) <= 100


def test_results_name_the_number_of_those_left_out() -> None:
    text = "\n".join(
        each["content"] for each in parts(results_panel(challenge(ChallengeState.ENDED))) if "content" in each
    )
    shown = text.count(" vote · Entry ")
    assert 0 < shown < MAX_ENTRIES
    assert text.endswith(f"-# and {MAX_ENTRIES - shown} more")


def test_pictures_of_a_challenge_are_described_without_escapes() -> None:
    found = challenge(ChallengeState.VOTING)
    one = found.entries[0]
    titled = replace(one.submission, options=SubmissionOptions(title="Light *houses*"))
    shown = replace(found, entries=(replace(one, submission=titled),))
    view = entries_page(shown, 1, {1: "1.png"})
    assert view is not None
    (described,) = [item["description"] for each in parts(view) for item in each.get("items", ())]
    assert described == "Entry 1 · Light *houses*"


def test_refusal_of_several_without_a_reason_says_none() -> None:
    found = replace(queue(), sharing=SharingSettings(refusal_reasons=()))
    view = list(parts(bulk_question(found, all_of(found, "-"))))
    assert "Reason:" not in str([each["content"] for each in view if "content" in each])
    assert [option["label"] for each in view for option in each.get("options", ())][-1] == "No reason"

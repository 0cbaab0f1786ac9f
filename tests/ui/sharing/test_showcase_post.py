"""The post in the showcase: its words, its limits, its secrets."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import State
from bot.domain.outbox import MessageKind
from bot.domain.sharing.settings import SharingSettings, VoteKind
from bot.domain.sharing.submissions import MemberRecord, Submission, SubmissionOptions, SubmissionState
from bot.domain.sharing.votes import VoteResult
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.delivery.outbox.rendering import NoPlaceError
from bot.ui.delivery.sharing.showcase_messages import ShowcaseMessages
from bot.ui.render.sharing.showcase_post import file_name, forum_title, hidden_post, showcase_post, tags_of, vote_note
from tests.support.clock import START
from tests.support.factories import (
    GUILD,
    MEMBER,
    make_context,
    make_id,
    make_image,
    make_job,
    make_outbox_message,
    make_request,
)
from tests.ui.view_reader import gallery, labels, parts, texts, unescaped, utf16

LONG = "a lighthouse " * 400


def snapshot_of(
    *, prompt: str = "a lighthouse at dusk", votes: VoteKind = VoteKind.BUTTONS, **options: Any
) -> SubmissionSnapshot:
    """Return an approved submission with two pictures."""
    request = make_request(prompt=prompt, images=2)
    job = make_job(place=make_context(), request=request, state=State.DONE)
    submission = Submission(
        id=make_id(),
        guild_id=GUILD,
        member_id=MEMBER,
        job_id=job.id,
        positions=(0, 1),
        options=SubmissionOptions(**options),
        is_age_restricted=False,
        flags=(),
        state=SubmissionState.APPROVED,
        revision=1,
        created_at=START,
        waiting_since=START,
        at=START,
    )
    return SubmissionSnapshot(
        submission=submission,
        job=job,
        pictures=(make_image(job), make_image(job, 1)),
        record=MemberRecord(),
        guild=GuildSettings(),
        sharing=SharingSettings(votes=votes),
        review=None,
        showcase=None,
    )


FILES = ["atelier-1.png", "atelier-2.png"]


def said(snapshot: SubmissionSnapshot, **options: Any) -> list[str]:
    """Return a post's texts as they are read."""
    post = showcase_post(snapshot, FILES, **options)
    return [unescaped(each).replace("\u2068", "").replace("\u2069", "") for each in texts(post)]


def test_post_has_title_prompt_model_and_member() -> None:
    snapshot = snapshot_of(title="My lighthouse")
    assert said(snapshot) == [
        "## My lighthouse",
        "a lighthouse at dusk",
        f"-# AI-generated, model reve-2.0 · by <@{MEMBER}>",
    ]
    assert gallery(showcase_post(snapshot, FILES)) == [
        ("attachment://atelier-1.png", "Picture 1 of 2: a lighthouse at dusk"),
        ("attachment://atelier-2.png", "Picture 2 of 2: a lighthouse at dusk"),
    ]


def test_prompt_is_the_heading_without_a_title() -> None:
    assert said(snapshot_of())[0] == "### a lighthouse at dusk"


def test_anonymous_post_with_hidden_prompt_tells_neither() -> None:
    snapshot = snapshot_of(is_anonymous=True, show_prompt=False, title="Untitled")
    everything = str(list(parts(showcase_post(snapshot, FILES, votes=3, can_remix=True))))
    assert str(MEMBER) not in everything.replace(snapshot.submission.id, "")
    assert "lighthouse" not in everything
    assert snapshot.job.id not in everything
    assert said(snapshot)[-1] == "-# AI-generated, model reve-2.0 · by a member"
    assert "lighthouse" not in forum_title(snapshot)


def test_hidden_prompt_without_title_has_neutral_alternative_text() -> None:
    shown = gallery(showcase_post(snapshot_of(show_prompt=False), FILES))
    assert [each for _, each in shown] == ["AI-generated picture 1 of 2", "AI-generated picture 2 of 2"]


@pytest.mark.parametrize("title", ["", "@everyone <@1> **x** [a](https://b)" * 2])
def test_longest_post_fits_and_mentions_nobody(title: str) -> None:
    snapshot = snapshot_of(prompt=LONG, title=title[:80])
    post = showcase_post(snapshot, FILES, votes=123_456, can_remix=True)
    assert sum(map(utf16, texts(post))) < 4000
    assert "@everyone" not in "".join(texts(post))
    assert utf16(forum_title(snapshot)) <= 100


def test_buttons_show_votes_and_what_the_studio_can_do() -> None:
    assert labels(showcase_post(snapshot_of(), FILES, can_remix=True)) == [
        "Vote",
        "Make my own",
        "Use as reference",
        "Report…",
    ]
    assert labels(showcase_post(snapshot_of(), FILES, votes=2)) == ["Vote · 2", "Make my own", "Report…"]
    assert labels(showcase_post(snapshot_of(votes=VoteKind.OFF), FILES)) == ["Make my own", "Report…"]


def test_spoiler_is_in_gallery_and_file_name() -> None:
    snapshot = snapshot_of(is_spoiler=True)
    assert file_name(snapshot.submission, 1, "png") == "SPOILER_atelier-1.png"
    post = showcase_post(snapshot, ["SPOILER_atelier-1.png"])
    assert [item["spoiler"] for part in parts(post) for item in part.get("items", [])] == [True]


def test_hidden_post_has_no_picture_and_no_button() -> None:
    assert texts(hidden_post()) == ["Hidden until a moderator has looked at it."]
    assert labels(hidden_post()) == []


def test_answers_to_votes() -> None:
    assert vote_note(VoteResult(has_voted=True, count=2)).splitlines()[0] == "Your vote counts: 2 votes now."
    assert vote_note(VoteResult(has_voted=False, count=1)) == "Vote taken back: 1 vote now."


def test_tags_are_model_and_preset() -> None:
    assert tags_of(make_request(model="reve-2.0", preset="Oil Painting")) == ("reve-2.0", "Oil Painting")
    assert tags_of(make_request(model="reve-2.0")) == ("reve-2.0",)


@pytest.mark.parametrize(("wanted", "updates"), [(1, 0), (2, 1)])
async def test_post_tried_again_updates_its_review_card(wanted: int, updates: int) -> None:
    snapshot = replace(snapshot_of(), guild=GuildSettings(showcase_channel_id=802, locale="en-US"), pictures=())
    showcase = SimpleNamespace(update_review=AsyncMock())
    messages = ShowcaseMessages(
        snapshots=cast("Any", SimpleNamespace(get=AsyncMock(return_value=snapshot))),
        showcase=cast("Any", showcase),
        votes=cast("Any", SimpleNamespace(count=AsyncMock(return_value=0))),
        image_service=cast("Any", None),
        client=cast("Any", SimpleNamespace(get_guild=lambda _: None)),
        can_remix=False,
    )
    await messages.render(make_outbox_message(MessageKind.SHOWCASE, wanted=wanted), 0)
    assert showcase.update_review.await_count == updates


@pytest.mark.parametrize("begun", [True, False])
async def test_restricted_post_is_refused_unless_it_may_exist(begun: bool) -> None:
    """Posted before a crash, and the channel lost its age flag: it is removed."""
    snapshot = snapshot_of()
    restricted = replace(
        snapshot,
        submission=replace(snapshot.submission, is_age_restricted=True),
        guild=GuildSettings(showcase_channel_id=802),
    )
    snapshots = SimpleNamespace(get=AsyncMock(return_value=restricted))
    client = SimpleNamespace(get_channel=lambda _: SimpleNamespace(nsfw=False))
    nothing: Any = None
    messages = ShowcaseMessages(
        snapshots=cast("Any", snapshots),
        showcase=nothing,
        votes=nothing,
        image_service=nothing,
        client=cast("Any", client),
        can_remix=False,
    )
    message = make_outbox_message(
        MessageKind.SHOWCASE, channel_id=802 if begun else None, begun_at=START if begun else None
    )
    if begun:
        assert await messages.render(message, 0) is None
    else:
        with pytest.raises(NoPlaceError):
            await messages.render(message, 0)

"""The moderators' card of a submission in each of its states."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.audit_log import AuditEntry
from bot.domain.guild_settings import GuildSettings
from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from bot.domain.sharing.settings import SharingSettings
from bot.domain.sharing.submissions import Flag, FlagKind, MemberRecord, Submission, SubmissionOptions, SubmissionState
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.render.formatting import escaped
from bot.ui.render.job_card import Attached
from bot.ui.render.sharing.review_card import review_card
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_challenge, make_id, make_job, make_request
from tests.ui import view_reader

MODERATOR = 90
FILES = (Attached(filename="atelier-1.png"), Attached(filename="atelier-2.png"))


def snapshot(prompt: str = "a fox", reasons: tuple[str, ...] = ("Off topic",), **changes: Any) -> SubmissionSnapshot:
    """Return a submission with changes, with everything on its card."""
    record = changes.pop("record", MemberRecord())
    history = changes.pop("history", ())
    job = make_job(request=make_request(prompt=prompt))
    submission = Submission(
        id=make_id(),
        guild_id=GUILD,
        member_id=MEMBER,
        job_id=job.id,
        positions=(0, 1),
        options=changes.pop("options", SubmissionOptions()),
        is_age_restricted=False,
        flags=(),
        state=SubmissionState.WAITING,
        revision=1,
        created_at=START,
        waiting_since=START,
        at=START,
    )
    return SubmissionSnapshot(
        submission=replace(submission, **changes),
        job=job,
        pictures=(),
        record=record,
        guild=GuildSettings(),
        sharing=SharingSettings(refusal_reasons=reasons),
        review=None,
        showcase=None,
        history=history,
    )


def parts(shown: SubmissionSnapshot, **options: Any) -> list[dict[str, Any]]:
    """Return the components of a card."""
    return list(view_reader.parts(review_card(shown, START, FILES, **options)))


def words(shown: SubmissionSnapshot, **options: Any) -> str:
    """Return the texts of a card."""
    return "\n".join(each["content"] for each in parts(shown, **options) if "content" in each)


def custom_ids(shown: SubmissionSnapshot) -> list[str]:
    """Return the custom ids of a card."""
    return [each["custom_id"] for each in parts(shown) if "custom_id" in each]


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"state": SubmissionState.APPROVED, "decided_by": MODERATOR}, f"### Approved by <@{MODERATOR}>, <t:"),
        ({"state": SubmissionState.APPROVED}, "### Approved by the server's rule, <t:"),
        ({"state": SubmissionState.REFUSED, "decided_by": MODERATOR}, f"### Refused by <@{MODERATOR}>, <t:"),
        ({"state": SubmissionState.CHANGES_ASKED, "decided_by": -5}, "### Changes asked for by a deleted member, <t:"),
        ({"state": SubmissionState.WITHDRAWN}, "### Withdrawn <t:"),
        ({"state": SubmissionState.TAKEN_DOWN, "decided_by": MODERATOR}, f"### Taken down by <@{MODERATOR}>, <t:"),
    ],
)
def test_decided_submission_shows_the_decision_first_and_no_buttons(changes: dict[str, Any], decision: str) -> None:
    shown = snapshot(**changes)
    assert words(shown).startswith(decision)
    assert custom_ids(shown) == []


def test_buttons_hold_the_submission_and_its_revision() -> None:
    shown = snapshot(revision=104)
    target = shown.submission.id
    actions = ("reviewapprove", "reviewspoiler", "reviewask", "reviewrefuse")
    assert custom_ids(shown) == [f"a1:{action}:{target}:4" for action in actions]


def test_spoiler_of_the_member_cannot_be_lifted() -> None:
    shown = snapshot(options=SubmissionOptions(is_spoiler=True))
    assert "reviewapprove" not in str(custom_ids(shown))
    assert [each["spoiler"] for each in parts(shown) if each.get("media")] == []
    assert [item["spoiler"] for each in parts(shown) for item in each.get("items", ())] == [True, True]


@pytest.mark.parametrize(
    ("kind", "is_hidden"),
    [
        (FlagKind.FIRST, False),
        (FlagKind.REPORTED, True),
        (FlagKind.LIKE_TAKEN_DOWN, True),
        (FlagKind.AGE_RESTRICTED, True),
    ],
)
def test_flagged_pictures_are_behind_a_spoiler(kind: FlagKind, is_hidden: bool) -> None:
    shown = snapshot(flags=(Flag(kind=kind, detail="3"),))
    assert {item["spoiler"] for each in parts(shown) for item in each.get("items", ())} == {is_hidden}
    assert "**Look closely**\n- " in words(shown)


@pytest.mark.parametrize("state", [SubmissionState.WITHDRAWN, SubmissionState.TAKEN_DOWN])
def test_withdrawn_pictures_leave_the_card(state: SubmissionState) -> None:
    shown = snapshot(state=state)
    assert not [each for each in view_reader.parts(review_card(shown, START)) if "items" in each]
    assert "no longer kept" not in words(shown)


def test_hidden_submission_is_shown_again_or_taken_down() -> None:
    shown = snapshot(state=SubmissionState.HIDDEN, flags=(Flag(kind=FlagKind.REPORTED, detail="3"),))
    assert words(shown).startswith("### Hidden after reports, <t:")
    assert [each.split(":")[1] for each in custom_ids(shown)] == ["reviewshow", "reviewtakedown"]
    assert "- Reported by members: \u20683\u2069" in words(shown)


def test_claim_is_shown_until_its_end() -> None:
    later = START + timedelta(seconds=1)
    assert f"<@{MODERATOR}> is looking at this" in words(snapshot(claimed_by=MODERATOR, claimed_until=later))
    assert "is looking at this" not in words(snapshot(claimed_by=MODERATOR, claimed_until=START))


def test_revision_shows_what_was_asked_for() -> None:
    asked = AuditEntry(
        id=make_id(), guild_id=GUILD, actor_id=MODERATOR, action="share.ask", at=START, reason="Crop the *edge*"
    )
    again = replace(asked, action="share.resubmit", actor_id=MEMBER, reason="")
    said = words(snapshot(revision=3, history=(asked, again)))
    assert f"-# <@{MODERATOR}> asked <t:" in said
    assert "Crop the \\*edge\\*" in said
    assert "-# A changed version came <t:" in said


def test_anonymous_submission_names_its_member_to_moderators_alone() -> None:
    said = words(snapshot(options=SubmissionOptions(is_anonymous=True, show_prompt=False)))
    assert f"From <@{MEMBER}> · to be posted without their name" in said
    assert "Only you see the prompt; the showcase does not have it" in said
    assert "a fox" in said


def test_record_counts_outcomes() -> None:
    record = MemberRecord(approved=1200, refused=2, taken_down=1, reports=1)
    assert "-# 1,200 approved · 2 refused · 1 taken down · 1 report" in words(snapshot(record=record))
    assert "-# 1 refused" in words(snapshot(record=MemberRecord(refused=1))).splitlines()
    assert "-# Nothing of theirs was decided here yet" in words(snapshot())


def test_part_of_a_jobs_pictures_is_named() -> None:
    shown = snapshot(positions=(0, 2))
    assert "shared:" not in words(shown)  # the job made no more
    job = replace(shown.job, request=replace(shown.job.request, images=4))
    assert " · shared: pictures 1 and 3" in words(replace(shown, job=job))
    single = replace(shown.submission, positions=(1,))
    assert " · shared: picture 2" in words(replace(shown, job=job, submission=single))


def test_largest_card_fits_a_message() -> None:
    """With the longest texts of all, and each character escaped."""
    asked = AuditEntry(id=make_id(), guild_id=GUILD, actor_id=MODERATOR, action="share.ask", at=START, reason="*" * 300)
    shown = snapshot(
        prompt="*" * 4000,
        reasons=("same", "same", " ", *(f"{number}{'*' * 78}" for number in range(25))),
        options=SubmissionOptions(title="_" * 80, show_prompt=False, is_anonymous=True, is_spoiler=True),
        flags=tuple(Flag(kind=kind, detail="|" * 200) for kind in FlagKind),
        reason="~" * 300,
        history=(asked,) * 9,
        claimed_by=MODERATOR,
        claimed_until=START + timedelta(minutes=1),
        revision=20,
    )
    components = parts(shown)
    assert len(words(shown).encode("utf-16-le")) // 2 <= 4000
    assert len(components) <= 40
    (menu,) = (each for each in components if "options" in each)
    values = [each["value"] for each in menu["options"]]
    assert len(values) == len(set(values)) == 25
    assert "reviewprompt" in str(custom_ids(shown))


def test_mention_in_a_title_is_no_mention() -> None:
    said = words(snapshot(options=SubmissionOptions(title="@everyone <@1> [x](http://x.y)")))
    assert "@everyone" not in said
    assert "<@1>" not in said
    assert "[x](http" not in said


def test_unposted_picture_names_the_channel_and_can_be_posted_again() -> None:
    shown = snapshot(state=SubmissionState.APPROVED)
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
        end=OutboxEnd.CLOSED,
    )
    unposted = replace(shown, showcase=post, guild=GuildSettings(showcase_channel_id=802))
    assert "Not posted: the bot may not post in <#802>." in words(unposted)
    assert f"a1:postagain:{shown.submission.id}:0" in custom_ids(unposted)
    assert "Not posted" not in words(replace(unposted, showcase=replace(post, end=None)))


def test_deleted_jobs_card_has_no_prompt() -> None:
    shown = snapshot(prompt="a secret", state=SubmissionState.WITHDRAWN)
    said = words(replace(shown, job=replace(shown.job, deleted_at=START)))
    assert "secret" not in said
    assert "The pictures were deleted, and their prompt with them." in said


def test_reason_for_changes_is_said_once() -> None:
    asked = AuditEntry(
        id=make_id(), guild_id=GUILD, actor_id=MODERATOR, action="share.ask", at=START, reason="Crop the edge"
    )
    state: dict[str, Any] = {
        "state": SubmissionState.CHANGES_ASKED,
        "decided_by": MODERATOR,
        "reason": "Crop the edge",
        "revision": 2,
    }
    assert words(snapshot(history=(asked,), **state)).count("Crop the edge") == 1


def test_hidden_submission_says_that_the_reports_are_decided_elsewhere() -> None:
    said = words(snapshot(state=SubmissionState.HIDDEN)).splitlines()
    assert said[1] == "-# Here you decide about its post alone; the card of reports decides about the picture"
    assert "the card of reports" not in words(snapshot())


def test_new_member_is_called_so_once() -> None:
    said = words(snapshot(flags=(Flag(kind=FlagKind.FIRST),)))
    assert "- New to sharing here" in said
    assert "Nothing of theirs was decided" not in said


def test_member_with_a_record_is_not_called_new() -> None:
    flags = (Flag(kind=FlagKind.FIRST), Flag(kind=FlagKind.REPORTED))
    said = words(snapshot(flags=flags, record=MemberRecord(approved=1), state=SubmissionState.APPROVED))
    assert "-# 1 approved" in said
    assert "New to sharing here" not in said
    assert "- Reported by members" in said


def test_entry_names_its_challenge_instead_of_the_showcase() -> None:
    said = words(replace(snapshot(), challenge=make_challenge(theme="*Small* houses")))
    assert said.splitlines()[1] == f"Entry in the challenge “{escaped('*Small* houses')}”"
    assert "Only you see the prompt; the challenge does not show it" in said
    assert "showcase" not in said

"""Pictures in the list for decisions about several submissions."""

from dataclasses import replace
from typing import Any

from bot.domain.sharing.submissions import Flag, FlagKind, SubmissionState
from bot.services.sharing.review_queue import QueueEntry, QueueSnapshot
from bot.ui.render.sharing.review_queue import (
    BulkChoice,
    bulk_page,
    bulk_question,
    preselected,
    queue_card,
    shown_pictures,
)
from tests.support.factories import make_challenge, make_image
from tests.ui.sharing.test_longest_texts import queue
from tests.ui.view_reader import parts, texts


def with_pictures(*changed: QueueEntry) -> QueueSnapshot:
    """Return a queue of these entries, each with a picture."""
    entries = changed or queue().entries[:3]
    return replace(queue(), entries=tuple(replace(each, picture=make_image(each.job)) for each in entries))


def entry(*flags: FlagKind, is_age_restricted: bool = False, **changes: Any) -> QueueEntry:
    """Return a submission with flags."""
    found = queue().entries[0]
    told = tuple(Flag(kind=each) for each in flags)
    changed = replace(found.submission, flags=told, is_age_restricted=is_age_restricted, **changes)
    return replace(found, submission=changed)


def test_age_restricted_pictures_are_shown_in_age_restricted_channels_alone() -> None:
    by_flag, plain = entry(is_age_restricted=True), entry()
    of_job = replace(plain, job=replace(plain.job, age_restricted=True))
    found = with_pictures(by_flag, of_job, entry())
    assert list(shown_pictures(found, in_age_restricted=False)) == [found.entries[2].submission.id]
    assert len(shown_pictures(found, in_age_restricted=True)) == 3


def test_withdrawn_pictures_are_not_shown() -> None:
    found = with_pictures(entry(state=SubmissionState.WITHDRAWN))
    assert shown_pictures(found, in_age_restricted=True) == {}


def test_claims_of_others_are_named_before_a_decision_about_several() -> None:
    found = queue()
    claimed = replace(found.entries[0], claimed_by=77)
    found = replace(found, entries=(claimed, *found.entries[1:3]))
    ids = [each.submission.id for each in found.entries]
    for view in (bulk_page(found, ()), bulk_question(found, BulkChoice(submission_ids=ids))):
        (line,) = [each for each in texts(view)[0].splitlines() if "<@77> is looking at this" in each]
        assert line.startswith("1. ")
    assert preselected(found) == frozenset(
        each.submission.id for each in found.entries[1:] if not each.submission.flags
    )


def test_entries_of_a_challenge_are_called_that() -> None:
    entered, shared = replace(entry(), challenge=make_challenge()), replace(entry(), challenge=None)
    found = replace(queue(), entries=(entered, shared))
    for view in (queue_card(found), bulk_page(found, ())):
        named = [each for each in "\n".join(texts(view)).splitlines() if "· for a challenge" in each]
        assert [each.partition(".")[0] for each in named] == ["1"]


def test_flagged_pictures_are_behind_a_spoiler_in_the_list() -> None:
    found = with_pictures(entry(FlagKind.REPORTED), entry(FlagKind.FIRST), entry(is_age_restricted=True))
    names = {each.submission.id: f"{place}.jpg" for place, each in enumerate(found.entries)}
    items = [item for each in parts(bulk_page(found, (), names)) for item in each.get("items", ())]
    assert [each["spoiler"] for each in items] == [True, False, True]


def test_question_shows_chosen_pictures_with_their_numbers() -> None:
    found = with_pictures()
    one, two, three = (each.submission.id for each in found.entries)
    choice = BulkChoice(submission_ids=[one, three])
    assert list(shown_pictures(found, choice.submission_ids, in_age_restricted=False)) == [one, three]
    view = bulk_question(found, choice, {one: "1.jpg", two: "2.jpg"})
    (item,) = [item for each in parts(view) for item in each.get("items", ())]
    assert item["media"]["url"] == "attachment://1.jpg"
    assert item["description"].startswith("1. ")
    assert texts(view)[-1] == "-# The first picture of each, in the order of the list; not shown here: 3"

"""Details and the chain of jobs in words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.costs import CostSource, usd
from bot.domain.jobs import Action, Job, Origin, State
from bot.services.details import Details, Link
from bot.ui.render.details import details_panel, lineage_lines
from tests.support.clock import START
from tests.support.costs import in_credits
from tests.support.factories import make_attempt, make_context, make_job, make_request
from tests.ui.view_reader import parts, texts


def a_done_job(**changes: Any) -> Job:
    """Return a job with 5 s of waiting and 26 s of generating."""
    times = {"submitted_at": START + timedelta(seconds=5), "finished_at": START + timedelta(seconds=31)}
    return replace(make_job(state=State.DONE, charged=12, place=make_context(message_id=5)), **(times | changes))


def details(job: Job, **changes: Any) -> Details:
    """Return the details for the member of a job."""
    values: dict[str, Any] = {
        "job": job,
        "pictures": 1,
        "attempt": make_attempt(job, handle="task`\n1", record_id="rec-1"),
        "chain": (),
        "children": 0,
        "own": True,
    }
    return Details(**(values | changes))


def test_details_show_times_price_and_ids() -> None:
    """The block of ids cannot be broken out of."""
    job = a_done_job(price=24)
    panel = details_panel(details(job))
    *_, story, ids = texts(panel.view)
    assert "Queued for 5\u00a0s, generated in 26\u00a0s" in story
    assert "24 credits held, 12 charged, 12 returned" in story
    assert ids.splitlines()[2:-1] == [
        f"job {job.id}",
        "state done",
        "message 5",
        "provider skillboss, attempt 1 (open)",
        "record rec-1",
        "request task' 1",
    ]


@pytest.mark.parametrize(
    ("children", "said"), [(1, "Used as a starting point 1 time"), (2, "Used as a starting point 2 times")]
)
def test_details_of_starting_point_count_its_uses(children: int, said: str) -> None:
    *_, story, _ids = texts(details_panel(details(a_done_job(), children=children)).view)
    assert said in story.splitlines()[-1]


def test_details_for_stranger_hide_price_and_ids() -> None:
    """Only the member and moderators see them."""
    shown = "\n".join(texts(details_panel(details(a_done_job(), own=False)).view))
    assert "credits" not in shown
    assert "job 0" not in shown


def test_details_show_prompt_or_file() -> None:
    typed = a_done_job(request=make_request(prompt="# a fox\n\n**bold** @everyone"))
    prompt = texts(details_panel(details(typed)).view)[1]
    assert prompt.splitlines() == [
        "\u2068\\# a fox\u2069",
        "\u2068\\*\\*bold\\*\\* @\u200beveryone\u2069",
    ]
    long = a_done_job(request=make_request(prompt="*" * 2000))
    panel = details_panel(details(long))
    assert panel.prompt == "*" * 2000
    assert [part["file"]["url"] for part in parts(panel.view) if part["type"] == 13] == ["attachment://prompt.txt"]
    assert sum(len(text) for text in texts(panel.view)) < 4000


def test_details_of_erased_prompt_say_so() -> None:
    panel = details_panel(details(a_done_job(request=make_request(prompt=""))))
    assert texts(panel.view)[1] == "Prompt removed"


def test_details_describe_chain() -> None:
    """Each step names the image and links the message if others can open it."""
    public = a_done_job()
    chain = [
        Link(origin=Origin(action=Action.UPSCALE, job_id=public.id, position=1), job=public),
        Link(origin=Origin(action=Action.VARY, job_id="1", position=0), job=a_done_job(deleted_at=START)),
        Link(origin=Origin(action=Action.AGAIN, job_id="2"), job=a_done_job(place=make_context(private=True))),
        Link(origin=Origin(action=Action.REFERENCE, job_id="3", position=3), job=None),
    ]
    assert lineage_lines(chain) == [
        "Enlarged from picture 2 of https://discord.com/channels/700/800/5",
        "A variation of picture 1 of a job that was deleted",
        "The same again as a job that only its member sees",
        "Made with picture 4 of a job whose records are gone as reference",
    ]


def test_details_show_seed_and_whole_negative_prompt() -> None:
    request = make_request(seed=0, negative="*people*, " * 40, quality="high", transparent=True)
    shown = texts(details_panel(details(a_done_job(request=request))).view)
    assert shown[2] == "Not in the picture: \u2068" + ("\\*people\\*, " * 40).strip() + "\u2069"
    assert shown[3].endswith("`seed` 0 · `quality` high · `transparent` yes")


def test_details_show_a_format_only_if_chosen() -> None:
    unchosen, chosen = (
        texts(details_panel(details(a_done_job(request=make_request(default_format_chosen=each)))).view)[2]
        for each in (False, True)
    )
    assert ("format" in unchosen, chosen.endswith("`format` png")) == (False, True)


def test_details_for_moderator_show_costs_by_source() -> None:
    reported = usd(Decimal("0.048"), CostSource.REPORTED)
    costs = (reported, reported, usd(Decimal("0.040"), CostSource.TABLE), in_credits(20))
    *_, ids = texts(details_panel(details(a_done_job(), costs=costs)).view)
    assert "cost 0.096 USD (reported), 0.04 USD (table), 20 credits (reported)" in ids.splitlines()


def test_details_for_member_show_no_costs() -> None:
    shown = "\n".join(texts(details_panel(details(a_done_job())).view))
    assert "USD" not in shown
    assert "cost " not in shown

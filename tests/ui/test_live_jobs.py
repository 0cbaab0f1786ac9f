"""The list of `/jobs`."""

from bot.domain.jobs import Snapshot
from bot.domain.pauses import Pause, PauseScope
from bot.services.live_jobs import LiveJobs
from bot.ui.render.live_jobs import live_jobs_panel
from tests.support.clock import START
from tests.support.factories import MEMBER, make_context, make_job, make_request
from tests.ui.view_reader import texts

BILL = Pause(scope=PauseScope.MODEL, name="reve-2.0", reason="a *bill*", actor_id=0, at=START)


def entries(*snapshots: Snapshot) -> list[str]:
    """Return the lines of the entries."""
    jobs = LiveJobs(shown=snapshots, more=0, member_id=MEMBER, own=len(snapshots))
    return "\n".join(texts(live_jobs_panel(jobs, member_id=MEMBER))[1:]).splitlines()


def test_paused_job_says_so_and_why() -> None:
    assert entries(Snapshot(job=make_job(), pause=BILL, queue_position=1)) == [
        "\u2068a lighthouse at dusk\u2069",
        f"-# Paused · 12 credits · <t:{START.timestamp():.0f}:R>",
        "-# The model reve-2.0 is paused by the studio's operator: \u2068a \\*bill\\*\u2069",
    ]


def test_cancelled_paused_job_is_cancelling() -> None:
    job = make_job(cancel_requested_at=START)
    assert entries(Snapshot(job=job, pause=BILL))[1:] == [f"-# Cancelling · 12 credits · <t:{START.timestamp():.0f}:R>"]


def test_job_that_waits_for_storage_says_so() -> None:
    lines = entries(Snapshot(job=make_job(), waits_for_storage=True))
    assert lines[1].startswith("-# Queued · ")
    assert lines[2:] == ["-# The studio cannot store pictures at the moment."]


def test_longest_list_fits_a_message() -> None:
    pause = Pause(scope=PauseScope.STUDIO, name="1", reason="*" * 100, actor_id=0, at=START)
    jobs = [
        make_job(place=make_context(message_id=10**18, guild_id=10**18), request=make_request(prompt="*" * 300))
        for _ in range(8)
    ]
    shown = tuple(Snapshot(job=job, pause=pause) for job in jobs)
    view = live_jobs_panel(LiveJobs(shown=shown, more=92, member_id=None, own=8), member_id=MEMBER)
    assert sum(len(text.encode("utf-16-le")) // 2 for text in texts(view)) <= 4000
    assert view.total_children_count <= 40

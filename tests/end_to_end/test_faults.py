"""Provider faults: a clear card, no credit lost, no traceback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import media, text
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job

LEFT_ALONE = "provider.left_alone"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def without_faults(system: SystemHarness) -> AsyncIterator[None]:
    """Start and end each test with working providers and closed circuits."""
    told = system.log().count(LEFT_ALONE)
    yield
    system.skillboss.faults.clear()
    system.reve2img.faults.clear()
    system.skillboss.store.balance = None
    if system.log().count(LEFT_ALONE) > told:
        await system.stop_bot()
        await system.start_bot(DEFAULT_ALLOWANCE="100000")


async def assert_failed_for_nothing(system: SystemHarness, why: str, **options: object) -> None:
    """Use `/imagine`.

    Expect a failed card with the reason, no charge and a sound ledger.
    """
    before = await system.ledger()
    invocation = await system.discord.actor("member").slash("imagine", prompt="doomed", options=options)
    card = await invocation.wait_until(says("Nothing was charged"))
    assert why in text(card)
    assert "credits returned" in text(card)
    assert media(card) == []
    after = await system.ledger()
    assert (after.problems, after.held, after.charged) == ([], 0, before.charged)
    assert after.states[-1] == "failed"
    assert "Traceback" not in system.log()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (400, "did not accept this request"),
        (401, "The studio is closed"),
        (402, "The studio is closed"),
        (500, "has a fault"),
    ],
)
async def test_refused_submit_is_explained_and_costs_nothing(system: SystemHarness, status: int, why: str) -> None:
    """Every documented refusal of both providers has its own words."""
    system.skillboss.faults.add("submit", "status", status=status, times=None)
    system.reve2img.faults.add("submit", "status", status=status, times=None)
    await assert_failed_for_nothing(system, why)


async def test_wrong_key_is_logged_for_operator(system: SystemHarness) -> None:
    """The member reads only that the studio is closed."""
    system.skillboss.faults.add("submit", "status", status=401, times=None)
    system.reve2img.faults.add("submit", "status", status=401, times=None)
    await assert_failed_for_nothing(system, "The studio is closed for a moment")
    assert '"fault": "key_rejected"' in system.log()
    status = await (await system.discord.actor("member").slash("status")).response()
    assert "SkillBoss: closed" in text(status)


async def test_submit_refused_for_key_goes_to_next_provider(system: SystemHarness) -> None:
    system.skillboss.faults.add("submit", "status", status=401, times=None)
    invocation = await system.discord.actor("member").slash("imagine", prompt="the other way")
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, "the other way"))
    card = await invocation.wait_until(has_images)
    assert "12 credits" in text(card)


async def test_busy_only_provider_is_retried(system: SystemHarness) -> None:
    """A 429 is retried after the time it names."""
    system.reve2img.faults.add("submit", "status", status=429, retry_after="0", times=1)
    invocation = await system.discord.actor("member").slash(
        "imagine", prompt="patience", options={"model": "nano-banana"}
    )
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, "patience"))
    await invocation.wait_until(has_images)


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_job_refused_by_one_provider_goes_to_the_next(system: SystemHarness, status: int) -> None:
    system.skillboss.faults.add("submit", "status", status=status, times=1)
    invocation = await system.discord.actor("member").slash("imagine", prompt=f"not here {status}")
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, f"not here {status}"))
    await invocation.wait_until(has_images)


async def test_lost_submit_reply_is_not_repeated(system: SystemHarness) -> None:
    """The provider may have accepted the submit.

    One request, credits returned.
    """
    system.skillboss.faults.add("submit", "reset_after")
    sent = len([each for each in system.skillboss.requests if each.method == "POST"])
    await assert_failed_for_nothing(system, "outcome is unknown")
    assert len([each for each in system.skillboss.requests if each.method == "POST"]) == sent + 1


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("vendor", "could not make this picture"),
        ("balance", "The studio is closed"),
        ("content", "refused this prompt"),
    ],
)
async def test_job_failed_at_provider_is_explained(system: SystemHarness, reason: str, why: str) -> None:
    """Each kind of FAILED has its own words."""
    system.skillboss.faults.add("submit", "fail", reason=reason)
    system.skillboss.latency = type(system.skillboss.latency)(queue=0, work=0)
    try:
        await assert_failed_for_nothing(system, why)
    finally:
        system.skillboss.latency = type(system.skillboss.latency)(queue=None, work=None)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 404}),
        ("html", {}),
        ("endless", {}),
        ("truncated", {}),
        ("redirect", {"to": "http://127.0.0.1:1/"}),
        ("redirect", {"to": "http://10.0.0.1/"}),
    ],
)
async def test_image_download_failure_costs_nothing(
    system: SystemHarness, kind: str, options: dict[str, object]
) -> None:
    """Gone, not an image, endless, truncated, or at a private address."""
    system.skillboss.faults.add("picture", kind, times=None, **options)
    system.skillboss.latency = type(system.skillboss.latency)(queue=0, work=0)
    try:
        await assert_failed_for_nothing(system, "no usable picture")
    finally:
        system.skillboss.latency = type(system.skillboss.latency)(queue=None, work=None)


async def test_partial_result_charges_delivered_images_only(system: SystemHarness) -> None:
    """One of four images is unavailable; its credits return."""
    system.skillboss.faults.add("picture", "status", status=404, times=1)
    system.skillboss.latency = type(system.skillboss.latency)(queue=0, work=0)
    try:
        invocation = await system.discord.actor("member").slash("imagine", prompt="three of four", images=4)
        card = await invocation.wait_until(has_images)
    finally:
        system.skillboss.latency = type(system.skillboss.latency)(queue=None, work=None)
    assert "48 held · 36 charged · 12 returned" in text(card)
    assert "3 pictures of 4 came" in text(card)
    assert len(media(card)) == 3


async def test_temporary_edit_error_does_not_lose_card(system: SystemHarness) -> None:
    """Edits answered with 429 and 5xx are repeated."""
    system.discord.faults.add("PATCH", "@original", status=429, retry_after=0.05, times=1)
    system.discord.faults.add("PATCH", "@original", status=500, times=1)
    invocation = await system.discord.actor("member").slash("imagine", prompt="hiccups")
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "hiccups"))
    await invocation.wait_until(has_images)
    system.discord.faults.clear()


@pytest.mark.parametrize(
    ("settings", "options", "why"),
    [
        ({"DEFAULT_ALLOWANCE": "5"}, {}, "Your allowance is 5 a day, so it can never pay for this."),
        ({"COMMUNITIES": "1,2,3"}, {}, "not open to this server yet"),
        ({"COMMUNITIES": ""}, {}, "not open to this server yet"),
        ({"MONTHLY_BUDGET": "5"}, {}, "budget for this month is used up"),
        ({}, {"model": "dall-e"}, "has no model"),
        ({}, {"images": 9}, "It takes 1 to 4."),
        ({}, {"model": "nano-banana", "detail": 2}, "For that, use reve-2.0."),
        ({}, {"resolution": "4K"}, "For that, use nano-banana-pro or seedream-5."),
        ({}, {"channel": "dm"}, "only in servers"),
    ],
)
@pytest.mark.asyncio(loop_scope="function")
async def test_refused_command_is_private_and_holds_nothing(
    tmp_path: Path, settings: dict[str, str], options: dict[str, object], why: str
) -> None:
    """Missing credits, admission or budget, a bad option, a direct message."""
    system = SystemHarness(tmp_path)
    try:
        await system.start(**settings)
        channel = options.pop("channel", None)
        invocation = await system.discord.actor("member").slash(
            "imagine",
            channel="general" if channel is None else system.discord.direct_message("member"),
            unchecked=True,
            options={"prompt": "a boat", **options},
        )
        answer = await invocation.response()
        assert why in text(answer)
        assert answer.ephemeral
        ledger = await system.ledger()
        assert (ledger.problems, ledger.states, ledger.held) == ([], [], 0)
        assert "Traceback" not in system.log()
    finally:
        await system.close()


async def test_repeated_callback_continues_job_on_its_card(system: SystemHarness) -> None:
    """The first try was carried out, so the repeated one gets 40060."""
    system.discord.faults.add("POST", r"/interactions/.*/callback", status=502, when="after")
    invocation = await system.discord.actor("member").slash("imagine", prompt="said twice")
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "said twice"))
    assert "12 credits" in text(await invocation.wait_until(has_images))
    statuses = [each.status for each in system.discord.requests if each.path.endswith("/callback")]
    assert statuses[-2:] == [502, 400]

"""What goes wrong at the providers: a clear card, no credit lost, no traceback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import media, text
from tests.end_to_end.system_harness import SystemHarness, drawing, is_done, says

LEFT_ALONE = "provider.left_alone"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def without_faults(house: SystemHarness) -> AsyncIterator[None]:
    """Each test begins and ends with providers that work, and that the bot does not leave alone."""
    told = house.log().count(LEFT_ALONE)
    yield
    house.skillboss.faults.clear()
    house.reve2img.faults.clear()
    house.skillboss.studio.balance = None
    if house.log().count(LEFT_ALONE) > told:
        await house.stop_bot()
        await house.start_bot(DEFAULT_ALLOWANCE="100000")


async def assert_failed_for_nothing(house: SystemHarness, why: str, **options: object) -> None:
    """Use `/imagine` and expect a card that says why, that nothing was charged, and sound books."""
    before = await house.ledger()
    invocation = await house.discord.actor("member").slash("imagine", prompt="doomed", options=options)
    card = await invocation.wait_until(says("Nothing was charged"))
    assert why in text(card)
    assert "credits returned" in text(card)
    assert media(card) == []
    after = await house.ledger()
    assert (after.problems, after.held, after.charged) == ([], 0, before.charged)
    assert after.states[-1] == "failed"
    assert "Traceback" not in house.log()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (400, "did not accept this request"),
        (401, "The studio is closed"),
        (402, "The studio is closed"),
        (500, "has a fault"),
    ],
)
async def test_a_refused_submit_is_told_and_costs_nothing(house: SystemHarness, status: int, why: str) -> None:
    """Each documented refusal of both providers ends the job with its own words, and releases the credits."""
    house.skillboss.faults.add("submit", "status", status=status, times=None)
    house.reve2img.faults.add("submit", "status", status=status, times=None)
    await assert_failed_for_nothing(house, why)


async def test_a_wrong_key_is_named_in_the_operators_log(house: SystemHarness) -> None:
    """The operator's log says whose key is refused; the member reads only that the studio is closed."""
    house.skillboss.faults.add("submit", "status", status=401, times=None)
    house.reve2img.faults.add("submit", "status", status=401, times=None)
    await assert_failed_for_nothing(house, "The studio is closed for a moment")
    assert '"fault": "key_rejected"' in house.log()
    status = await (await house.discord.actor("member").slash("status")).response()
    assert "SkillBoss: closed" in text(status)


async def test_the_next_provider_takes_what_the_first_surely_did_not(house: SystemHarness) -> None:
    """When SkillBoss refuses the key, reve2img draws the same model."""
    house.skillboss.faults.add("submit", "status", status=401, times=None)
    invocation = await house.discord.actor("member").slash("imagine", prompt="the other way")
    house.reve2img.finish(await drawing(house.reve2img, "the other way"))
    card = await invocation.wait_until(is_done)
    assert "12 credits" in text(card)


async def test_a_busy_provider_is_asked_again(house: SystemHarness) -> None:
    """After a 429 the same provider is asked again, as it said when."""
    house.skillboss.faults.add("submit", "status", status=429, retry_after="0", times=1)
    invocation = await house.discord.actor("member").slash("imagine", prompt="patience")
    house.skillboss.finish(await drawing(house.skillboss, "patience"))
    await invocation.wait_until(is_done)


async def test_a_lost_reply_is_never_sent_again(house: SystemHarness) -> None:
    """A submit whose connection broke after sending may have been accepted: one request, credits returned."""
    house.skillboss.faults.add("submit", "reset_after")
    sent = len([each for each in house.skillboss.requests if each.method == "POST"])
    await assert_failed_for_nothing(house, "outcome is unknown")
    assert len([each for each in house.skillboss.requests if each.method == "POST"]) == sent + 1


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("vendor", "could not make this picture"),
        ("balance", "The studio is closed"),
        ("content", "refused this prompt"),
    ],
)
async def test_a_job_that_fails_at_the_provider_is_told(house: SystemHarness, reason: str, why: str) -> None:
    """FAILED in each of its kinds ends the card with its own words."""
    house.skillboss.faults.add("submit", "fail", reason=reason)
    house.skillboss.latency = type(house.skillboss.latency)(queue=0, work=0)
    try:
        await assert_failed_for_nothing(house, why)
    finally:
        house.skillboss.latency = type(house.skillboss.latency)(queue=None, work=None)


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
async def test_a_picture_that_cannot_be_had_costs_nothing(
    house: SystemHarness, kind: str, options: dict[str, object]
) -> None:
    """Gone, not a picture, endless, truncated or at a private address: told, and every credit returned."""
    house.skillboss.faults.add("picture", kind, times=None, **options)
    house.skillboss.latency = type(house.skillboss.latency)(queue=0, work=0)
    try:
        await assert_failed_for_nothing(house, "no usable picture")
    finally:
        house.skillboss.latency = type(house.skillboss.latency)(queue=None, work=None)


async def test_only_the_pictures_that_came_are_charged(house: SystemHarness) -> None:
    """Of four pictures one cannot be had: three are shown and charged, the fourth's credits return."""
    house.skillboss.faults.add("picture", "status", status=404, times=1)
    house.skillboss.latency = type(house.skillboss.latency)(queue=0, work=0)
    try:
        invocation = await house.discord.actor("member").slash("imagine", prompt="three of four", images=4)
        card = await invocation.wait_until(is_done)
    finally:
        house.skillboss.latency = type(house.skillboss.latency)(queue=None, work=None)
    assert "48 held · 36 charged · 12 returned" in text(card)
    assert "3 pictures of 4 came" in text(card)
    assert len(media(card)) == 3


async def test_discords_own_hiccups_do_not_lose_the_card(house: SystemHarness) -> None:
    """Edits that Discord answers with 429 and 5xx are tried again until the card shows the end."""
    house.discord.faults.add("PATCH", "@original", status=429, retry_after=0.05, times=1)
    house.discord.faults.add("PATCH", "@original", status=500, times=1)
    invocation = await house.discord.actor("member").slash("imagine", prompt="hiccups")
    house.skillboss.finish(await drawing(house.skillboss, "hiccups"))
    await invocation.wait_until(is_done)
    house.discord.faults.clear()


@pytest.mark.parametrize(
    ("settings", "options", "why"),
    [
        ({"DEFAULT_ALLOWANCE": "5"}, {}, "This takes 12 credits and you have 5."),
        ({"COMMUNITIES": "1,2,3"}, {}, "not open to this server yet"),
        ({"COMMUNITIES": ""}, {}, "not open to this server yet"),
        ({"MONTHLY_BUDGET": "5"}, {}, "budget for this month is used up"),
        ({}, {"model": "dall-e"}, "has no model"),
        ({}, {"images": 9}, "It takes 1 to 4."),
        ({}, {"model": "nano-banana", "detail": 2}, "For that, use reve-2.0."),
        ({}, {"resolution": "4K"}, "For that, use nano-banana-pro or seedream-5."),
        ({}, {"channel": "dm"}, "works in servers"),
    ],
)
@pytest.mark.asyncio(loop_scope="function")
async def test_what_cannot_be_done_is_told_to_its_member_alone(
    tmp_path: Path, settings: dict[str, str], options: dict[str, object], why: str
) -> None:
    """No credits, no admission, no budget, a wrong option, a direct message: said at once, nothing held."""
    house = SystemHarness(tmp_path)
    try:
        await house.start(**settings)
        channel = options.pop("channel", None)
        invocation = await house.discord.actor("member").slash(
            "imagine",
            channel="general" if channel is None else house.discord.direct_message("member"),
            unchecked=True,
            options={"prompt": "a boat", **options},
        )
        answer = await invocation.response()
        assert why in text(answer)
        assert "Nothing was charged." in text(answer)
        assert answer.ephemeral
        ledger = await house.ledger()
        assert (ledger.problems, ledger.states, ledger.held) == ([], [], 0)
        assert "Traceback" not in house.log()
    finally:
        await house.close()

"""Models without a provider while the bot runs."""

from typing import Any

import pytest

from bot.domain.errors import ModelClosedError, NotAllowedError, UnknownModelError
from bot.domain.jobs import State
from bot.engine.circuit_breaker import FIRST_PAUSE_SECONDS
from bot.engine.config import EngineConfig
from bot.engine.provider_status import REST_SECONDS
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, texts
from tests.cogs.test_form_errors import send
from tests.cogs.test_mentions import ask, labels, payload
from tests.cogs.test_remix import choose, finished, press

pytestmark = pytest.mark.bot(reve2img=True)
GONE = "This model has been discontinued"
REFUSED = (
    "No image service takes jobs for reve-2.0 at the moment. Nothing was charged.\n"
    "For the same request, use nano-banana, seedream-5 or nano-banana-pro."
)
OFFERS = ["With nano-banana · 20 credits", "With seedream-5 · 25 credits", "With nano-banana-pro · 70 credits"]


@pytest.fixture(autouse=True)
def _expected(bot: BotHarness) -> None:
    """Expect refusals in these tests."""
    bot.expected = [ModelClosedError, NotAllowedError, UnknownModelError]


async def withdraw(bot: BotHarness, who: MemberActor, model: str = "reve-2.0") -> InteractionResult:
    """Return the failed card of the first job of a withdrawn model."""
    assert bot.reve2img is not None
    bot.server.faults.add("submit", "status", status=410, message=GONE, times=None)
    bot.reve2img.faults.add("submit", "status", status=400, message=GONE)
    card = await bot.imagine(who, prompt="a fox", model=model)
    await bot.until(lambda: "Nothing was charged" in bot.card(card)[-1])
    return card


def refusal(result: InteractionResult) -> str:
    """Return the text of a private refusal."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)[0]


async def charged(bot: BotHarness) -> list[Any]:
    """Return model and charge of all jobs, oldest first."""
    return list(zip(await bot.column("model"), await bot.column("charged"), strict=True))


async def finish_other(bot: BotHarness, card: InteractionResult) -> None:
    """Let reve2img finish its job."""
    assert bot.reve2img is not None
    await bot.polls_until(lambda: bot.reve2img.requests)  # type: ignore[union-attr]
    while (await bot.column("state"))[-1] not in (State.QUEUED, State.RUNNING):
        await bot.look()
    bot.reve2img.finish()
    await bot.polls_until(lambda: " credits" in bot.card(card)[-1])


async def test_member_without_choice_gets_next_living_model(bot: BotHarness) -> None:
    member = bot.member("member")
    await withdraw(bot, member)
    card = await bot.imagine(member, prompt="a fox")
    assert any("nano-banana" in each for each in bot.card(card))
    await finish_other(bot, card)
    assert await charged(bot) == [("reve-2.0", 0), ("nano-banana", 20)]


@pytest.mark.parametrize("by", ["option", "setting", "preset"])
async def test_chosen_model_is_refused_with_models_that_can(bot: BotHarness, by: str) -> None:
    member = bot.member("member")
    if by == "setting":
        await member.slash(bot.channel, "settings set", model="reve-2.0")
    if by == "preset":
        await member.slash(bot.channel, "preset save", name="mine", model="reve-2.0")
    await withdraw(bot, member)
    chosen = {"option": {"model": "reve-2.0"}, "setting": {}, "preset": {"preset": "mine"}}[by]
    refused = await bot.imagine(member, prompt="a fox", aspect_ratio="16:9", **chosen)
    assert (refusal(refused), buttons(refused)) == (REFUSED, OFFERS)
    assert len(await bot.column("id")) == 1  # nothing is held
    assert refused.response is not None
    made = await member.click(refused.response, label=OFFERS[0])
    assert made.response is not None
    assert not made.response.ephemeral
    assert "nano-banana · 16:9" in bot.card(made)[0]
    await finish_other(bot, made)
    assert await charged(bot) == [("reve-2.0", 0), ("nano-banana", 20)]


async def test_price_above_the_limit_is_asked_first(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    await withdraw(bot, member)
    refused = await bot.imagine(member, prompt="a fox", model="reve-2.0")
    assert refused.response is not None
    asked = await member.click(refused.response, label=OFFERS[2])
    assert buttons(asked) == ["Generate · 70 credits", "Cancel"]
    assert len(await bot.column("id")) == 1
    assert asked.response is not None
    assert "Only" in (await other.click(asked.response, label="Generate · 70 credits")).response.content  # type: ignore[union-attr]
    await member.click(asked.response, label="Generate · 70 credits")
    assert await bot.column("model") == ["reve-2.0", "nano-banana-pro"]


async def test_failed_card_offers_other_models_to_all(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    card = await withdraw(bot, member)
    assert "does not offer this model" in bot.card(card)[-1]
    assert buttons(card)[:3] == OFFERS
    assert card.response is not None
    made = await other.click(card.response, label=OFFERS[1])
    await finish_other(bot, made)
    assert await charged(bot) == [("reve-2.0", 0), ("seedream-5", 25)]
    assert await bot.column("member_id") == [member.id, other.id]


async def test_again_on_a_closed_model_offers_others(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member)
    await withdraw(bot, member)
    refused = await press(member, card, "Again")
    assert (refusal(refused), buttons(refused)) == (REFUSED, OFFERS)
    assert refused.response is not None
    await member.click(refused.response, label=OFFERS[0])
    assert await bot.column("model") == ["reve-2.0", "reve-2.0", "nano-banana"]
    assert (await bot.column("parent_id"))[0] is None
    assert (await bot.column("parent_id"))[2] == (await bot.column("id"))[0]


async def test_refused_form_is_kept_beside_the_offers(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member)
    await withdraw(bot, member)
    refused = await send(member, await choose(member, card, "again"), prompt="a red fox")
    assert refusal(refused) == REFUSED
    assert buttons(refused) == [*OFFERS, "Try again"]
    assert refused.response is not None
    form = await press(member, refused, "Try again")
    assert form.modal is not None
    assert "a red fox" in str(form.modal)


async def test_waiting_job_ends_when_its_model_goes(bot: BotHarness) -> None:
    assert bot.reve2img is not None
    bot.config = EngineConfig(poll_floor=0.001, active_per_provider=1)
    await bot.restart()
    bot.reve2img.faults.add("submit", "status", status=400, message=GONE)
    with bot.jobs.pause_dispatch():
        first = await bot.imagine(bot.member("first"), prompt="a fox", model="nano-banana")
        waiting = await bot.imagine(bot.member("other"), prompt="a waiting fox", model="nano-banana")
    for card in (first, waiting):
        await bot.until(lambda card=card: "Nothing was charged" in bot.card(card)[-1])  # type: ignore[misc]
        assert "does not offer this model" in bot.card(card)[-1]
        assert buttons(card)[:3] == [OFFERS[1], "With reve-2.0 · 12 credits", OFFERS[2]]
    assert len([each for each in bot.reve2img.requests if each.method == "POST"]) == 1
    assert await charged(bot) == [("nano-banana", 0), ("nano-banana", 0)]


async def test_model_comes_back_by_a_probe(bot: BotHarness) -> None:
    member = bot.member("member")
    await withdraw(bot, member)
    bot.server.clear_faults()
    bot.clock.advance(FIRST_PAUSE_SECONDS)
    assert "nano-banana" in bot.card(await bot.imagine(member, prompt="a fox"))[0]
    probe = await bot.imagine(member, prompt="a fox", model="reve-2.0")
    await bot.server.wait_for(lambda: bot.server.store.jobs)
    bot.server.finish()
    await bot.polls_until(lambda: " credits" in bot.card(probe)[-1])
    assert "reve-2.0" in bot.card(await bot.imagine(member, prompt="a fox"))[0]


async def test_rested_default_is_tried_again(bot: BotHarness) -> None:
    member = bot.member("member")
    await withdraw(bot, member)
    bot.server.clear_faults()
    bot.clock.advance(REST_SECONDS - 1)
    assert "nano-banana" in bot.card(await bot.imagine(member, prompt="a fox"))[0]
    bot.clock.advance(1)
    assert "reve-2.0" in bot.card(await bot.imagine(member, prompt="a fox"))[0]


async def test_mention_with_a_closed_default_offers_other_models(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", model="reve-2.0")
    await withdraw(bot, member)
    answer = await ask(bot, member, "a fox in the snow")
    assert texts(payload(answer)) == [REFUSED]
    assert labels(answer) == OFFERS
    await member.click(answer, label=OFFERS[0])
    assert (await bot.column("model"), await bot.column("prompt")) == (
        ["reve-2.0", "nano-banana"],
        ["a fox", "a fox in the snow"],
    )

"""The menu of a finished card forgets its choice on every kind of card."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.discord import Actor, Message, media, text
from tests.end_to_end.system_harness import SystemHarness, says
from tests.end_to_end.test_remix import column, finish_job, settings
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with images reachable for the image API."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(**settings(system))
        yield system
    finally:
        await system.close()


async def choose_details(system: SystemHarness, who: Actor, card: Message) -> None:
    """Choose Details; return once the card was edited without a change."""
    before = text(card), [each["url"].partition("?")[0] for each in media(card)]
    answer = await (await who.select(card, ["details"])).response()
    assert "Details" in text(answer)
    # By the bot's token or by that of the press: with `@original` no card of these tests is reached.
    sent = await system.discord.recorder.wait(lambda each: each.method == "PATCH" and each.target.endswith(card.id))
    assert sent.status == 200
    assert (text(card), [each["url"].partition("?")[0] for each in media(card)]) == before


async def delivered(system: SystemHarness) -> None:
    """Return once the latest job is recorded as delivered."""
    await poll(lambda: column(system, "delivery"), until=lambda delivery: delivery[-1] == "card")


async def test_private_card_with_dead_token_is_reset_by_the_press(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a secret", private=True))
    await delivered(system)
    system.discord.expire_tokens()
    await choose_details(system, member, card)


async def test_public_card_of_private_job_is_reset(system: SystemHarness) -> None:
    member, other = system.discord.actor("member"), system.discord.actor("moderator")
    card = await finish_job(system, await member.slash("imagine", prompt="another secret", private=True))
    await delivered(system)
    question = await (await member.select(card, ["publish"])).response()
    published = await member.click(question, label="Make public")
    await published.wait_until(says("Everyone in the channel"))
    await choose_details(system, other, other.sees()[-1])

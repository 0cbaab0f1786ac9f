"""Questions after mentions: prices, expiry, rights, floods, messages."""

from datetime import timedelta
from typing import Any

import discord
import pytest
from simcord.builders import ChannelHandle
from structlog.testing import capture_logs

from bot.domain.requests import price
from bot.services import confirmations as confirmations_service
from bot.services import jobs as jobs_service
from bot.services.member_limits import MOST_PER_WINDOW, FreeAction
from bot.ui.component_tree import walk
from bot.ui.handlers import job_requests
from tests.cogs.bot_harness import BotHarness, MemberActor, buttons, private, texts
from tests.cogs.test_make_public import asked, posted
from tests.cogs.test_remix import press

Payload = list[dict[str, Any]]


def at_bot(bot: BotHarness, words: str) -> str:
    """Return words with a mention of the bot."""
    assert bot.client.user is not None
    return f"<@{bot.client.user.id}> {words}"


def answers(bot: BotHarness, place: ChannelHandle | None = None) -> list[discord.Message]:
    """Return the bot's messages in a place, by default the channel."""
    assert bot.client.user is not None
    return [each for each in (place or bot.channel).history() if each.author.id == bot.client.user.id]


def payload(message: discord.Message) -> Payload:
    """Return the components of a message."""
    components: list[Any] = [each.to_dict() for each in message.components]
    return components


def labels(message: discord.Message) -> list[str]:
    """Return the labels of a message's buttons."""
    return [str(each["label"]) for each in walk(payload(message)) if each.get("type") == 2]


async def ask(
    bot: BotHarness, who: MemberActor, words: str, place: ChannelHandle | None = None, **more: Any
) -> discord.Message:
    """Mention the bot and return its only new answer."""
    before = {each.id for each in answers(bot, place)}
    await who.send(place or bot.channel, at_bot(bot, words), **more)
    (answer,) = [each for each in answers(bot, place) if each.id not in before]
    return answer


def rise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the price of every request by one credit."""
    before = price
    for module in (jobs_service, confirmations_service, job_requests):
        monkeypatch.setattr(module, "price", lambda request, catalogue: before(request, catalogue) + 1)


async def test_mention_without_picture_offers_a_new_one(bot: BotHarness) -> None:
    member = bot.member("member")
    question = await ask(bot, member, "16:9 view of a fox")
    assert labels(question) == ["Generate · 12 credits", "Cancel"]
    shown = "\n".join(texts(payload(question)))
    assert "view of a fox" in shown
    assert "This makes a new picture. To change one, reply to it and mention me." in shown
    assert await bot.column("id") == []
    await member.click(question, label="Generate · 12 credits")
    assert await bot.column("prompt") == ["16:9 view of a fox"]
    assert await bot.column("price") == [12]


async def test_expired_question_makes_nothing_and_keeps_the_words(bot: BotHarness) -> None:
    member = bot.member("member")
    question = await ask(bot, member, "a fox in the snow")
    bot.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    refused = await member.click(question, label="Generate · 12 credits")
    words = "This was asked more than a day ago. Nothing was charged.\nSend the command or the message again."
    assert private(refused) == words
    assert await bot.column("id") == []
    assert at_bot(bot, "a fox in the snow") in [each.content for each in bot.channel.history()]


async def test_risen_price_is_asked_again_however_often_the_old_one_is_pressed(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second press may be on its way before the first one's answer."""
    member = bot.member("member")
    question = await ask(bot, member, "a fox")
    rise(monkeypatch)
    stale = payload(question)
    await member.click(question, label="Generate · 12 credits")
    (dearer,) = answers(bot)
    assert labels(dearer) == ["Generate · 13 credits", "Cancel"]
    assert "The price has changed since it was shown." in "\n".join(texts(payload(dearer)))
    # The crash or the second press: the stored price is the new one, the shown one is the old.
    record = bot.env.backend.get_message(bot.channel.id, question.id)
    record.components = stale
    await member.click(question, label="Generate · 12 credits")
    assert await bot.column("id") == []
    (again,) = answers(bot)
    await member.click(again, label="Generate · 13 credits")
    assert await bot.column("price") == [13]


async def test_balance_spent_between_question_and_press_is_refused(bot: BotHarness) -> None:
    member = bot.member("member")
    question = await ask(bot, member, "a fox")
    for number in range(4):
        await bot.imagine(member, prompt=f"a fox {number}", images=4)
    made = len(await bot.column("id"))
    refused = await member.click(question, label="Generate · 12 credits")
    assert "credits" in private(refused)
    assert len(await bot.column("id")) == made
    assert labels(answers(bot)[0])[0] == "Generate · 12 credits"


@pytest.mark.parametrize("outside", [True, False])
async def test_mention_in_direct_message_follows_user_installs(bot: BotHarness, outside: bool) -> None:
    bot.outside = outside
    await bot.restart()
    member = bot.member("member")
    await member.send_dm(at_bot(bot, "a fox"))
    asked = answers(bot, member.user.dm_channel)
    if not outside:
        assert asked == []
        return
    (question,) = asked
    await member.user.click(question, label="Generate · 12 credits")
    assert await bot.column("guild_id") == [0]
    assert await bot.column("channel_id") == [member.user.dm_channel.id]


async def test_mention_with_invisible_words_gets_no_question(bot: BotHarness) -> None:
    answer = await ask(bot, bot.member("member"), "\u200b\u2060")
    assert answer.content.startswith("The prompt is empty.")
    assert answer.mentions == []


async def test_flood_of_many_members_is_answered_in_part(bot: BotHarness) -> None:
    most = MOST_PER_WINDOW[FreeAction.CHANNEL_MENTION]
    members = [bot.member(f"member-{number}") for number in range(8)]
    for number in range(most + 10):
        await members[number % len(members)].send(bot.channel, at_bot(bot, f"a fox {number}"))
    assert len(answers(bot)) == most
    bot.clock.advance(60)
    await ask(bot, members[0], "a quiet fox")


async def test_member_without_right_to_commands_gets_one_hint(bot: BotHarness) -> None:
    member = bot.member("member")
    denied: Any = {bot.guild.default_role: discord.PermissionOverwrite(use_application_commands=False)}
    talk = bot.guild.create_text_channel("talk", overwrites=denied)
    refused = await ask(bot, member, "a fox", talk)
    assert refused.content == "You may not use the studio in this channel."
    await member.send(talk, at_bot(bot, "another fox"))
    assert [each.id for each in answers(bot, talk)] == [refused.id]


async def test_reply_to_running_card_names_the_wait(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await bot.imagine(member, prompt="a fox")
    assert card.response is not None
    answer = await ask(bot, member, "make it snow", reply_to=card.response)
    assert answer.content == "That picture is still being made. Write this again once it is there."
    await bot.finish(card)


@pytest.mark.bot(reve2img=True)
async def test_picked_picture_of_published_card_links_public_message(bot: BotHarness) -> None:
    """A stranger picks nothing, and the picture stays chosen until the press."""
    member, other = bot.member("member"), bot.member("other")
    _, asked_first = await asked(bot, member, images=2)
    await press(member, asked_first, "Make public")
    (public,) = posted(bot)
    question = await ask(bot, member, "make it snow", reply_to=public)
    refused = await other.click(question, label="Picture 2")
    assert private(refused) == "Only the member who was asked can do that."
    await member.click(question, label="Picture 2")
    (picked,) = [each for each in answers(bot) if each.id == question.id]
    shown = "\n".join(texts(payload(picked)))
    assert f"Starts from https://discord.com/channels/{bot.guild.id}/{bot.channel.id}/{public.id}." in shown
    await member.click(picked, label=next(each for each in labels(picked) if each.startswith("Generate")))
    assert await bot.column("parent_picture") == [None, 1]
    assert await bot.column("private") == [True, False]


async def test_risen_price_of_private_default_is_asked_again_privately(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", private=True)
    question = await ask(bot, member, "a fox")
    rise(monkeypatch)
    asked_again = await member.click(question, label="Generate · 12 credits")
    assert buttons(asked_again) == ["Generate · 13 credits", "Cancel"]
    assert asked_again.response is not None
    assert asked_again.response.ephemeral
    assert await bot.column("id") == []
    await press(member, asked_again, "Generate")
    assert await bot.column("price") == [13]
    assert await bot.column("private") == [True]


async def test_fault_of_ours_is_answered_with_reference(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_request: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(confirmations_service, "price", broken)
    with capture_logs() as logs:
        answer = await ask(bot, bot.member("member"), "a fox")
    (failed,) = [each for each in logs if each["event"] == "mention.failed"]
    assert failed["reference"] in answer.content

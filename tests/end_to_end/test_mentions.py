"""Edits by conversation in the real process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from signal import SIGKILL

import pytest
from sqlalchemy import select

from db.database import Database
from db.tables import jobs
from sandbox.clock import StudioClock
from sandbox.discord import Actor, Message, buttons, text
from sandbox.discord.entities import Overwrite
from sandbox.discord.gateway import AUTOMOD_RULES_INTENT, GUILDS_INTENT
from sandbox.discord.payloads import channel_payload
from sandbox.discord.permissions import Permission
from sandbox.providers import derives_from
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, has_images
from tests.support.image_server import drawn

CHANGE = "make the sky red"


def settings(system: SystemHarness, **more: str) -> dict[str, str]:
    """Return settings with one image API; it fetches images from the bot."""
    return {
        "PROVIDER_ORDER": "reve2img",
        "DEFAULT_ALLOWANCE": "1000",
        "WEBHOOK_PUBLIC_URL": f"http://127.0.0.1:{system.http_port}",
        **more,
    }


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot; afterwards the ledger balances with nothing held."""
    system = SystemHarness(tmp_path, clock=StudioClock(tmp_path / "clock-offset"))
    try:
        await system.start(**settings(system))
        yield system
        ledger = await system.ledger()
        assert (ledger.problems, ledger.held) == ([], 0)
        assert CHANGE not in system.log()
    finally:
        await system.close()


def at_bot(system: SystemHarness, words: str) -> str:
    """Return words with a mention of the bot."""
    return f"<@{system.discord.world.bot.id}> {words}"


def replies(system: SystemHarness, message: Message) -> list[Message]:
    """Return the present replies to a message."""
    channel = system.discord.world.channels[message.channel_id]
    return [
        each
        for each in channel.messages.values()
        if not each.deleted and each.reference is not None and each.reference["message_id"] == message.id
    ]


async def reply_to(system: SystemHarness, message: Message) -> Message:
    """Return the bot's reply to a message once it is there."""
    posted = asyncio.Event()
    unsubscribe = system.discord.subscribe(lambda _event, _message: posted.set())
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := replies(system, message)):
                await posted.wait()
                posted.clear()
    finally:
        unsubscribe()
    return found[0]


async def until(message: Message, holds: Callable[[Message], bool]) -> None:
    """Return once a message fulfils a condition."""
    async with asyncio.timeout(PATIENCE):
        while not holds(message):
            await message.changed.wait()


async def new_card(system: SystemHarness, who: Actor, prompt: str, **options: object) -> Message:
    """Use `/imagine` and return the finished card."""
    invocation = await who.slash("imagine", options={"prompt": prompt, **options})
    await invocation.response()
    await system.reve2img.wait_for(lambda: any(not job.terminal for job in system.reve2img.jobs))
    system.reve2img.finish()
    return await invocation.wait_until(has_images)


async def finish(system: SystemHarness, card: Message) -> bytes:
    """Let the provider finish a pressed question's job; return its picture."""
    await system.reve2img.wait_for(lambda: any(not job.terminal for job in system.reve2img.jobs))
    system.reve2img.finish()
    await until(card, has_images)
    (picture,) = await system.pictures(card)
    return picture


def labels(message: Message) -> list[str]:
    """Return the labels of the buttons of a message."""
    return [each["label"] for each in buttons(message)]


def generate(message: Message) -> str:
    """Return the label of the spending button."""
    return next(each for each in labels(message) if each.startswith("Generate · "))


async def test_mention_in_reply_to_card_asks_once_and_edits_after_press(system: SystemHarness) -> None:
    member, other = system.discord.actor("member"), system.discord.actor("member-two")
    card = await new_card(system, member, "a quiet harbour")
    (original,) = await system.pictures(card)
    sent = len(system.reve2img.jobs)

    asked = await member.say(at_bot(system, CHANGE), reply_to=card)
    question = await reply_to(system, asked)
    assert CHANGE in text(question)
    assert "credits" in generate(question)
    assert labels(question) == [generate(question), "Cancel"]
    assert "left" not in text(question)
    assert question.mentions == ()
    assert len(system.reve2img.jobs) == sent

    refused = await other.click(question, label=generate(question))
    assert "Only the member who was asked can do that." in text(await refused.response())
    await member.click(question, label=generate(question))
    edited = await finish(system, question)
    assert derives_from(edited, original)
    assert system.reve2img.jobs[-1].request.prompt == CHANGE
    assert len(replies(system, asked)) == 1

    again = await member.say(at_bot(system, "and add a boat"), reply_to=question)
    second = await reply_to(system, again)
    await member.click(second, label=generate(second))
    assert derives_from(await finish(system, second), edited)


async def test_question_outlives_killed_bot_and_press_edits(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await new_card(system, member, "a quiet harbour")
    question = await reply_to(system, await member.say(at_bot(system, CHANGE), reply_to=card))
    await system.stop_bot(SIGKILL)
    await system.start_bot(**settings(system))

    pressed = await member.click(question, label=generate(question))
    await pressed.acknowledged(timeout=PATIENCE)
    await system.stop_bot(SIGKILL)
    await system.start_bot(**settings(system))
    system.clock.advance(seconds=30)  # an answer may be on its way for 20 seconds
    await finish(system, question)
    # The press and the first picture: each was charged once.
    assert (await system.ledger()).states == ["done", "done"]


async def test_mention_with_several_pictures_lets_member_pick(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await new_card(system, member, "a quiet harbour", images=2)
    first, second = await system.pictures(card)
    question = await reply_to(system, await member.say(at_bot(system, CHANGE), reply_to=card))
    assert labels(question)[:2] == ["Picture 1", "Picture 2"]
    await (await member.click(question, label="Picture 2")).acknowledged()
    await member.click(question, label=generate(question))
    edited = await finish(system, question)
    assert derives_from(edited, second)
    assert not derives_from(edited, first)

    numbered = await reply_to(system, await member.say(at_bot(system, "1: make it snow"), reply_to=card))
    assert labels(numbered) == [generate(numbered), "Cancel"]
    await member.click(numbered, label=generate(numbered))
    assert derives_from(await finish(system, numbered), first)
    beyond = await reply_to(system, await member.say(at_bot(system, "3: make it snow"), reply_to=card))
    assert "Its pictures are 1 to 2." in beyond.content


async def test_mention_with_attached_picture_edits_it(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    question = await reply_to(system, await member.say(at_bot(system, CHANGE), png(drawn())))
    await member.click(question, label=generate(question))
    await finish(system, question)
    assert system.reve2img.jobs[-1].request.prompt == CHANGE


def deny(system: SystemHarness, *rights: Permission) -> None:
    """Deny the bot only these rights in the channel, and announce it."""
    general, me = system.discord.world.channel("general"), system.discord.world.bot.id
    general.overwrites[:] = [Overwrite(id=me, kind=1, deny=int(each)) for each in rights]
    changed = channel_payload(general, system.discord.world)
    system.discord.gateway.dispatch("CHANNEL_UPDATE", changed, guild_id=general.guild_id)


async def test_ten_attached_pictures_are_refused_with_the_limit(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    photos = [png(drawn(), f"photo-{number}.png") for number in range(10)]
    refused = await reply_to(system, await member.say(at_bot(system, CHANGE), *photos))
    assert refused.content == "That is more pictures than one edit takes.\nChoose up to 4."
    assert labels(refused) == []


async def test_without_right_to_read_history_question_is_no_reply(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    general = system.discord.world.channel("general")
    deny(system, Permission.READ_MESSAGE_HISTORY)
    await member.say(at_bot(system, CHANGE), png(drawn()))
    async with asyncio.timeout(PATIENCE):
        while not (asked := [each for each in general.messages.values() if labels(each)]):
            await asyncio.to_thread(system.log)
    (question,) = asked
    await member.click(question, label=generate(question))
    await finish(system, question)


async def test_thread_waits_for_its_running_version(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    thread = system.discord.open_thread(system.discord.world.channel("general"), "harbour")
    photo = await member.say(at_bot(system, "draw"), png(drawn()), channel=thread)
    await edit_in(system, member, photo)
    question = await reply_to(system, await member.say(at_bot(system, CHANGE), channel=thread))
    await (await member.click(question, label=generate(question))).acknowledged()
    early = await reply_to(system, await member.say(at_bot(system, "add a boat"), channel=thread))
    assert early.content == "That picture is still being made. Write this again once it is there."
    await finish(system, question)


async def test_declined_question_disappears_and_nothing_is_spent(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    asked = await member.say(at_bot(system, CHANGE), png(drawn()))
    question = await reply_to(system, asked)
    await member.click(question, label="Cancel")
    await until(question, lambda message: message.deleted)
    assert (await system.ledger()).states == []
    assert not asked.deleted


async def test_private_default_answers_press_with_private_card(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    await (await member.slash("settings set", options={"private": True})).response()
    asked = await member.say(at_bot(system, CHANGE), png(drawn()))
    question = await reply_to(system, asked)
    assert "Only you will see the result." in text(question)
    pressed = await member.click(question, label=generate(question))
    card = await pressed.response()
    await finish(system, card)
    assert card.visible_to == member.user.id
    await until(question, lambda message: message.deleted)


async def test_messages_that_ask_for_nothing_get_no_answer(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await new_card(system, member, "a quiet harbour")
    # The ping that comes with a reply is no mention in the text, and one in code is none.
    plain = await member.say("how nice", reply_to=card)
    code = await member.say(f"`{at_bot(system, 'nice')}`", reply_to=card)
    await member.say("nice <@&1> @everyone")
    hello = await member.say(at_bot(system, ""))
    hint = await reply_to(system, hello)
    assert "Reply to a picture, or attach one" in hint.content
    again = await member.say(at_bot(system, ""))
    empty = await member.say(at_bot(system, ""), reply_to=card)
    assert "Say what to change" in (await reply_to(system, empty)).content
    assert [replies(system, each) for each in (plain, code, again)] == [[], [], []]


async def test_reply_to_other_members_picture_names_the_way(system: SystemHarness) -> None:
    member, other = system.discord.actor("member"), system.discord.actor("member-two")
    photo = await other.say("my photo", png(drawn()))
    hint = await reply_to(system, await member.say(at_bot(system, CHANGE), reply_to=photo))
    assert "*Edit this image*" in hint.content
    # Discord shows the bot the pictures of messages that mention it.
    shown = await other.say(at_bot(system, ""), png(drawn()))
    await reply_to(system, shown)
    question = await reply_to(system, await member.say(at_bot(system, CHANGE), reply_to=shown))
    assert CHANGE in text(question)


async def test_message_delivered_twice_gets_one_question(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    asked = await member.say(at_bot(system, CHANGE), png(drawn()))
    question = await reply_to(system, asked)
    # Answered, so nothing stored tells that it was asked.
    await member.click(question, label="Cancel")
    await until(question, lambda message: message.deleted)
    payload = {**asked.payload, "guild_id": asked.guild_id}
    system.discord.gateway.dispatch("MESSAGE_CREATE", payload, guild_id=asked.guild_id, intent=1 << 9)
    async with asyncio.timeout(PATIENCE):
        while "mention.repeated" not in system.log():
            await asyncio.to_thread(system.log)
    assert replies(system, asked) == []


async def test_missing_permission_to_write_leaves_log_line(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    deny(system, Permission.SEND_MESSAGES)
    asked = await member.say(at_bot(system, CHANGE), png(drawn()))
    async with asyncio.timeout(PATIENCE):
        while "mention.not_answered" not in system.log():
            await asyncio.to_thread(system.log)
    # Discord blocks a bot for all servers if it has to refuse too often.
    assert [each for each in system.discord.requests if each.method == "POST" and each.status == 403] == []
    deny(system)
    other = await member.say(at_bot(system, CHANGE), png(drawn()))
    await reply_to(system, other)
    assert replies(system, asked) == []


async def edit_in(system: SystemHarness, member: Actor, message: Message) -> tuple[Message, bytes]:
    """Press the question about a message; return the card and its picture."""
    question = await reply_to(system, message)
    await member.click(question, label=generate(question))
    return question, await finish(system, question)


async def source_of_latest(system: SystemHarness) -> int | None:
    """Return the card of the latest job's parent."""
    database = await Database.open(system.database_url)
    source = jobs.alias()
    query = select(source.c.message_id).join(jobs, jobs.c.parent_id == source.c.id).order_by(jobs.c.id.desc())
    try:
        return await database.read(lambda connection: connection.execute(query).scalars().first())
    finally:
        await database.close()


async def test_thread_goes_on_from_its_latest_version_and_undo_goes_back(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    thread = system.discord.open_thread(system.discord.world.channel("general"), "harbour")
    nothing = await member.say(at_bot(system, CHANGE), channel=thread)
    assert "This makes a new picture." in text(await reply_to(system, nothing))
    photo = await member.say(at_bot(system, "draw"), png(drawn()), channel=thread)
    first_card, first = await edit_in(system, member, photo)
    second_card, second = await edit_in(system, member, await member.say(at_bot(system, CHANGE), channel=thread))
    assert derives_from(second, first)
    charged = (await system.ledger()).charged

    stranger = await system.discord.actor("member-two").select(second_card, ["undo"])
    assert "Only its member or a moderator can do that." in text(await stranger.response())
    undone = await (await member.select(second_card, ["undo"])).response()
    assert undone.visible_to is None
    assert first_card.id in text(undone)
    assert (await system.ledger()).charged == charged
    await system.stop_bot(SIGKILL)
    await system.start_bot(**settings(system))

    _, third = await edit_in(system, member, await member.say(at_bot(system, "add a boat"), channel=thread))
    assert derives_from(third, first)
    assert await source_of_latest(system) == int(first_card.id)
    await edit_in(system, member, await member.say(at_bot(system, "add a gull"), reply_to=second_card))
    assert await source_of_latest(system) == int(second_card.id)


async def test_note_about_deleted_version_has_nothing_to_go_on_from(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await new_card(system, member, "a quiet harbour")
    edited, _ = await edit_in(system, member, await member.say(at_bot(system, CHANGE), reply_to=card))
    undone = await (await member.select(edited, ["undo"])).response()
    asked = await (await member.select(card, ["delete"])).response()
    await (await member.click(asked, label="Delete")).acknowledged()
    await until(card, lambda message: message.deleted)
    refused = await reply_to(system, await member.say(at_bot(system, "add a boat"), reply_to=undone))
    assert "This was deleted" in refused.content


async def test_setting_off_asks_for_no_messages(system: SystemHarness) -> None:
    await system.stop_bot()
    await system.start_bot(**settings(system, EDIT_BY_MENTION="off"))
    assert [each.intents for each in system.discord.gateway.connected] == [GUILDS_INTENT | AUTOMOD_RULES_INTENT]

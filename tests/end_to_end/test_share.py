"""Sharing as a member does it: form, list, decisions by direct message."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from sandbox.clock import StudioClock
from sandbox.discord import Message, buttons, text
from sandbox.discord.invocations import Invocation
from sandbox.discord.message_reader import selects
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot in a server with a review channel and a showcase."""
    folder = tmp_path_factory.mktemp("system")
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start()
        owner = system.discord.actor("owner")
        card = await (await owner.slash("studio setup")).response()
        await set_channels(system, card, ["showcase"])
        yield system
    finally:
        await system.close()


async def set_channels(system: SystemHarness, card: Message, showcase: list[str]) -> None:
    """Choose the channels for sharing on the setup's card."""
    owner = system.discord.actor("owner")
    button = next(each for each in _custom_ids(card) if ":setupsharing:" in each)
    opened = await owner.click(card, custom_id=button)
    changed = await owner.submit_modal(opened, {"review": ["moderators"], "showcase": showcase, "log": []})
    await changed.response()


def _custom_ids(card: Message) -> list[str]:
    return [part.split('"')[0] for part in str(card.components).replace("'", '"').split('"custom_id": "')[1:]]


def labels(card: Message) -> list[str]:
    """Return the labels of a card's buttons."""
    return [each["label"] for each in buttons(card)]


async def make(
    system: SystemHarness, prompt: str, *, pictures: int = 1, private: bool = False, channel: str = "general"
) -> Message:
    """Make pictures as the member; return the finished card."""
    made = await system.discord.actor("member").slash(
        "imagine", channel=channel, prompt=prompt, images=pictures, private=private
    )
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, prompt))
    return await made.wait_until(has_images)


async def review_card(system: SystemHarness, condition: Callable[[Message], object]) -> Message:
    """Return the review card fulfilling a condition."""
    messages = system.discord.world.channel("moderators").messages

    def found() -> list[Message]:
        return [each for each in messages.values() if condition(each)]

    await system.discord.recorder.wait(lambda _: bool(found()))
    return found()[-1]


async def notice(system: SystemHarness, condition: Callable[[Message], object]) -> Message:
    """Return the direct message fulfilling a condition."""
    member = system.discord.actor("member")

    def found() -> list[Message]:
        system.clock.advance(seconds=1)  # notices keep a distance
        messages = member.sees(system.discord.direct_message(member.user.name))
        return [each for each in messages if condition(each)]

    await system.discord.recorder.wait(lambda _: bool(found()))
    return found()[-1]


def _advanced(system: SystemHarness, sent: Invocation) -> Callable[[], Awaitable[Message]]:
    """Return a read of an answer, with the time going on."""

    async def read() -> Message:
        system.clock.advance(seconds=1)
        return await sent.response()

    return read


async def test_shared_picture_is_refused_by_direct_message_after_a_crash(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await make(system, "a lynx at dusk", pictures=2, private=True)
    assert "Share" in labels(card)
    opened = await member.click(card, label="Share")
    await opened.modal()
    await system.stop_bot(signal.SIGKILL)
    await system.start_bot()
    sent = await (
        await member.submit_modal(opened, {"pictures": ["1"], "title": "# My *lynx* <@1>", "choices": ["spoiler"]})
    ).response()
    assert sent.ephemeral
    assert text(sent).splitlines()[1] == "Sent to the moderators. You get a message when it is decided."
    assert labels(sent) == ["Withdraw", "My submissions"]
    waiting = await review_card(system, says("lynx"))
    await (await moderator.select(waiting, ["reason:Off topic"])).response()
    told = await notice(system, says("Not approved"))
    assert text(told).splitlines()[:2] == ["## Not approved for the showcase", "Reason: \u2068Off topic\u2069"]
    assert "\\# My \\*lynx\\* \\<@\u200b1\\>" in text(told)
    assert "Community" in text(told)
    listed = await (await member.click(told, label="My submissions")).response()
    assert "Not approved · <t:" in text(listed)
    again = await (await member.submit_modal(opened, {"pictures": ["1"]})).response()
    assert text(again).startswith("The moderators refused this picture before: \u2068Off topic\u2069")
    retried = await member.click(again, label="Try again")
    other = await (await member.submit_modal(retried, {"pictures": ["0"]})).response()
    assert text(other).splitlines()[1].startswith("Sent to the moderators.")


async def test_asked_changes_are_revised_with_the_last_values(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await make(system, "a quiet harbour")
    opened = await member.context_menu("Share to showcase", card)
    await (await member.submit_modal(opened, {"title": "Harbour"})).response()
    waiting = await review_card(system, says("Harbour"))
    asked = await moderator.click(waiting, label="Ask for changes…")
    await (await moderator.submit_modal(asked, {"reason": "A better title"})).response()
    told = await notice(system, says("asks for changes"))
    revised = await member.click(told, label="Revise")
    form = str(await revised.modal())
    assert "A better title" in form
    assert "'value': 'Harbour'" in form
    sent = await (await member.submit_modal(revised, {"title": "Harbour at rest"})).response()
    assert text(sent).startswith("### \u2068Harbour at rest\u2069\nSent to the moderators.")
    await review_card(system, says("Harbour at rest"))
    late = await (await member.submit_modal(revised, {"title": "Twice"})).response()
    assert "Twice" in text(late)  # given back, because the submission moved on
    listed = await (await member.slash("share list")).response()
    assert "**\u2068Harbour at rest\u2069** · 1 picture\nWaits for a moderator" in text(listed)
    gone = await (await member.click(listed, label="Withdraw")).response()
    assert "Withdrawn. You can share the picture again." in text(gone)


async def test_others_and_other_messages_are_refused(system: SystemHarness) -> None:
    card = await make(system, "an owl")
    stranger, member = system.discord.actor("owner"), system.discord.actor("member")
    refused = await (await stranger.click(card, label="Share")).response()
    assert refused.ephemeral
    assert text(refused).startswith("Only its member can do that")
    plain = await member.say("hello")
    answer = await (await member.context_menu("Share to showcase", plain)).response()
    assert text(answer).startswith("This message has no pictures that you made here.")


async def test_closed_direct_messages_leave_the_decision_in_the_list(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await make(system, "a closed gate")
    opened = await member.click(card, label="Share")
    await (await member.submit_modal(opened, {"title": "Gate"})).response()
    waiting = await review_card(system, says("Gate"))
    member.user.takes_direct_messages = False
    await (await moderator.select(waiting, ["reason:Low quality"])).response()
    await review_card(system, says("### Refused by"))
    listed = await (await member.slash("share list")).response()
    assert "**\u2068Gate\u2069** · 1 picture\nNot approved · <t:" in text(listed)
    assert selects(listed) == []
    member.user.takes_direct_messages = True


async def test_approved_picture_is_posted_told_with_its_link_and_withdrawn(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await make(system, "an open sea", private=True)
    opened = await member.click(card, label="Share")
    await (await member.submit_modal(opened, {"title": "Sea"})).response()
    waiting = await review_card(system, says("Sea"))
    await moderator.click(waiting, label="Approve")
    told = await notice(system, says("## Approved for the showcase"))
    posts = system.discord.world.channel("showcase").messages
    (post,) = [each for each in posts.values() if "Sea" in text(each) and not each.deleted]
    assert f"/{post.channel_id}/{post.id}" in text(told)
    listed = await (await member.click(told, label="My submissions")).response()
    assert f"In the showcase: https://discord.com/channels/{post.guild_id}/{post.channel_id}/{post.id}" in text(listed)
    asked = await (await member.click(listed, label="Withdraw")).response()
    assert "Take this out of the showcase?" in text(asked)
    gone = await (await member.click(asked, label="Withdraw")).response()
    assert "its post leaves the showcase" in text(gone)
    await system.discord.recorder.wait(lambda _: post.deleted)


async def set_review(system: SystemHarness, mode: str) -> None:
    """Choose the extent of the review in the setup."""
    owner = system.discord.actor("owner")
    setup = await (await owner.slash("studio setup")).response()
    form = await owner.click(setup, custom_id=next(each for each in _custom_ids(setup) if ":setupreview:" in each))
    await (await owner.submit_modal(form, {"review": [mode]})).response()


async def test_picture_without_review_is_posted_at_once_with_its_link(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    await set_review(system, "none")
    card = await make(system, "a free bird")
    opened = await member.click(card, label="Share")
    sent = await member.submit_modal(opened, {"title": "Bird"})
    assert "On its way to" in text(await sent.response())
    await poll(_advanced(system, sent), until=says("In the showcase: https://"))
    await set_review(system, "all")


async def test_age_restricted_picture_needs_an_age_restricted_showcase(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await make(system, "a red room", channel="restricted")
    refused = await (await member.click(card, label="Share")).response()
    showcase = system.discord.world.channel("showcase").id
    assert text(refused).startswith(f"This was made in an age-restricted channel, and <#{showcase}> is not one.")


async def test_long_list_is_paged(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await make(system, "four winds", pictures=4)
    for number in range(4):
        opened = await member.click(card, label="Share")
        title = {"title": f"Wind {number}"}
        # With one picture left there is nothing to choose.
        chosen = title | ({"pictures": [str(number)]} if number < 3 else {})
        await (await member.submit_modal(opened, chosen)).response()
    nothing_left = await (await member.click(card, label="Share")).response()
    assert text(nothing_left).startswith("This picture is submitted already.")
    first = await (await member.slash("share list")).response()
    assert "Wind 3" in text(first)
    older = await (await member.click(first, label="Older")).response()
    assert "Wind" not in text(older).replace("Wind 0", "")
    newest = await (await member.click(older, label="Newest")).response()
    assert "Wind 3" in text(newest)


async def test_member_who_left_the_server_shares_nothing_from_there(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await make(system, "a last leaf")
    opened = await member.click(card, label="Share")
    await (await member.submit_modal(opened, {"title": "Leaf"})).response()
    waiting = await review_card(system, says("Leaf"))
    asked = await moderator.click(waiting, label="Ask for changes…")
    await (await moderator.submit_modal(asked, {"reason": "Sharper"})).response()
    told = await notice(system, says("Leaf"))
    system.discord.leave_guild("member")
    refused = await (await member.click(told, label="Revise")).response()
    assert text(refused).startswith("Only a member of its server can do that")
    listed = await (await member.click(told, label="My submissions")).response()
    gone = await (await member.click(listed, label="Withdraw")).response()
    assert "Withdrawn." in text(gone)
    await review_card(system, says("### Withdrawn <t:"))

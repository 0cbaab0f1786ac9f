"""A submission's way through the review, over real sockets."""

import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, select

from bot.domain.sharing.submissions import Submission, SubmissionOptions
from bot.services.access import AccessService
from bot.services.outbox import CLAIM_SECONDS
from bot.services.sharing.submissions import Sharer, SubmissionService
from db.database import Database
from db.guilds import GuildRepository
from db.tables import jobs
from sandbox.clock import StudioClock
from sandbox.discord import Message, buttons, media, text
from sandbox.discord.message_reader import selects
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.services.sharing.conftest import Woken
from tests.support.factories import make_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot in a server with a review channel and a showcase."""
    folder = tmp_path_factory.mktemp("system")
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start()
        world = system.discord.world
        database = await Database.open(system.database_url)
        guild_id = int(world.guild("Community").id)
        changes = {
            "review_channel_id": int(world.channel("moderators").id),
            "showcase_channel_id": int(world.channel("showcase").id),
        }
        await database.write(lambda connection: GuildRepository(connection).add(guild_id))
        await database.write(lambda connection: GuildRepository(connection).change_settings(guild_id, changes))
        await database.close()
        yield system
    finally:
        await system.close()


async def share(
    system: SystemHarness, prompt: str, *, pictures: int = 1, channel: str = "general", **options: Any
) -> Submission:
    """Make a picture as the member and share it; return the submission."""
    made = await system.discord.actor("member").slash("imagine", channel=channel, prompt=prompt, images=pictures)
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, prompt))
    await made.wait_until(has_images)
    world = system.discord.world
    database = await Database.open(system.database_url)

    def newest(connection: Connection) -> str:
        return str(connection.execute(select(jobs.c.id).order_by(jobs.c.id.desc()).limit(1)).scalar_one())

    service = SubmissionService(
        database=database,
        access=AccessService(database=database, admitted="*", now=system.clock.now),
        clock=system.clock,  # type: ignore[arg-type] # its `now` is all that counts
        new_id=make_id,
        waker=Woken(),
    )
    channels = frozenset(int(world.channel(each).id) for each in ("moderators", "showcase"))
    sharer = Sharer(
        member_id=int(world.user("member").id),
        guild_id=int(world.guild("Community").id),
        restricted_channels=channels,
    )
    try:
        return await service.share(
            await database.read(newest),
            range(pictures),
            SubmissionOptions(**options),
            sharer,
        )
    finally:
        await database.close()


def cards(system: SystemHarness, submission: Submission) -> list[Message]:
    """Return the review channel's messages about a submission."""
    messages = system.discord.world.channel("moderators").messages.values()
    return [
        each
        for each in messages
        if any(f":{submission.id}:" in str(revision.payload["components"]) for revision in each.revisions)
    ]


async def card_of(
    system: SystemHarness, submission: Submission, condition: Callable[[Message], object] = bool
) -> Message:
    """Return the only card of a submission once it fulfils a condition."""
    system.clock.advance(seconds=11)  # the bot did not make the submission, and looks for new ones at intervals

    def found(_: object = None) -> bool:
        return any(condition(each) for each in cards(system, submission))

    await system.discord.recorder.wait(found)
    (card,) = cards(system, submission)
    return card


def labels(card: Message) -> list[str]:
    """Return the labels of a card's buttons."""
    return [each["label"] for each in buttons(card)]


async def test_approved_submission_survives_a_restart_and_a_second_moderator(system: SystemHarness) -> None:
    moderator, owner = system.discord.actor("moderator"), system.discord.actor("owner")
    submission = await share(system, "a fox in the snow", pictures=2, title="Winter *fox*")
    card = await card_of(system, submission)
    assert text(card).startswith("### Waits for a decision · <t:")
    assert "**\u2068Winter \\*fox\\*\u2069**\n\u2068a fox in the snow\u2069" in text(card)
    assert f"From <@{submission.member_id}>" in text(card)
    assert "New to sharing here" in text(card)
    assert len(media(card)) == 2
    assert labels(card) == ["Approve", "Approve as spoiler", "Ask for changes…"]
    await system.stop_bot(signal.SIGKILL)
    await system.start_bot()
    system.clock.advance(seconds=CLAIM_SECONDS)
    presses = {each.user.id: await each.click(card, label="Approve") for each in (moderator, owner)}
    answers = {user_id: await press.response() for user_id, press in presses.items()}
    (late,) = (user_id for user_id, answer in answers.items() if answer.ephemeral)
    (first,) = presses.keys() - {late}
    assert text(answers[late]).startswith(f"Too late: <@{first}> approved this <t:")
    await card_of(system, submission, says(f"### Approved by <@{first}>, <t:"))
    assert labels(card) == []
    assert selects(card) == []
    assert len(media(card)) == 2
    assert "'spoiler': True" not in str(card.components)


async def test_other_reason_claims_the_submission_until_its_form_is_sent(system: SystemHarness) -> None:
    moderator, owner = system.discord.actor("moderator"), system.discord.actor("owner")
    submission = await share(system, "a heron", is_spoiler=True, is_anonymous=False)
    card = await card_of(system, submission)
    opened = await moderator.select(card, ["other"])
    await card_of(system, submission, says(f"<@{moderator.user.id}> is looking at this"))
    told = await (await owner.select(card, ["reason:Off topic"])).response()
    assert text(told).startswith(f"<@{moderator.user.id}> is looking at this.")
    await moderator.submit_modal(opened, {"reason": "Too *small*"})
    await card_of(system, submission, says(f"### Refused by <@{moderator.user.id}>"))
    assert "Reason: \u2068Too \\*small\\*\u2069" in text(card)
    assert "is looking at this" not in text(card)
    assert labels(card) == []


def queue_cards(system: SystemHarness) -> list[Message]:
    """Return the queue's cards in the review channel."""
    messages = system.discord.world.channel("moderators").messages.values()
    return [each for each in messages if "for a decision" in text(each) and not media(each) and not each.deleted]


async def queue_card(system: SystemHarness, condition: Callable[[Message], object]) -> Message:
    """Return the only card of the queue once it fulfils a condition."""
    system.clock.advance(seconds=11)
    await system.discord.recorder.wait(lambda _: any(condition(each) for each in queue_cards(system)))
    (card,) = queue_cards(system)
    return card


async def test_several_submissions_are_decided_after_one_question(system: SystemHarness) -> None:
    moderator, owner = system.discord.actor("moderator"), system.discord.actor("owner")
    first = await share(system, "a first picture")  # those of somebody new are not chosen beforehand
    await moderator.click(await card_of(system, first), label="Approve")
    await card_of(system, first, says(f"### Approved by <@{moderator.user.id}>"))
    shared = [await share(system, f"picture {number}", title=f"Number {number}") for number in range(3)]
    shown = [await card_of(system, each) for each in shared]
    await queue_card(system, says("### 3 submissions wait for a decision · the oldest came <t:"))
    card = await queue_card(system, says(f"/{shown[2].channel_id}/{shown[2].id})"))

    pressed = await moderator.click(card, label="Decide several")
    page = await pressed.wait_until(lambda message: labels(message) == ["Approve 3"])
    assert page.ephemeral
    assert len(media(page)) == 3
    chosen = [each["value"] for each in selects(page)[0]["options"]]
    await (await moderator.select(page, chosen[:2])).wait_until(lambda message: labels(message) == ["Approve 2"])
    asked = await (await moderator.click(page, label="Approve 2")).wait_until(says("### Approve 2 submissions?"))
    assert "Number 0" in text(asked)
    assert "Number 2" not in text(asked)
    assert len(media(asked)) == 2
    await owner.select(shown[1], ["reason:Off topic"])
    await card_of(system, shared[1], says(f"### Refused by <@{owner.user.id}>"))
    result = await (await moderator.click(asked, label="Approve 2")).wait_until(says("### 1 approved"))
    assert f"- 1 was decided or changed meanwhile by <@{owner.user.id}>" in text(result)
    assert media(result) == []
    await card_of(system, shared[0], says(f"### Approved by <@{moderator.user.id}>"))
    await queue_card(system, says("### 1 submission waits for a decision"))

    again = await (await moderator.click(result, label="Show the others")).wait_until(says("Number 2"))
    asked = await (await moderator.select(again, ["Low quality"], custom_id=selects(again)[1]["custom_id"])).wait_until(
        says("### Refuse 1 submission?")
    )
    await (await moderator.click(asked, label="Refuse 1")).wait_until(says("### 1 refused"))
    await card_of(system, shared[2], says("Reason: \u2068Low quality\u2069"))
    card = await queue_card(system, says("### No submission waits for a decision"))
    assert labels(card) == []
    listed = await moderator.slash("review list", channel="moderators")
    await listed.wait_until(lambda message: text(message) == "### No submission waits for a decision")


async def test_age_restricted_picture_leaves_the_card_once_the_channel_lost_its_flag(system: SystemHarness) -> None:
    """An admin changed the flag after the pictures were shared."""
    submission = await share(system, "a statue", channel="restricted")
    card = await card_of(system, submission)
    assert media(card) == []
    assert "Age-restricted pictures: they are shown only in an age-restricted review channel." in text(card)
    moderator = system.discord.actor("moderator")
    await moderator.select(card, ["reason:Off topic"])
    await card_of(system, submission, says("### Refused by"))
    assert media(card) == []


async def test_demoted_moderator_decides_nothing_and_a_ban_refuses(system: SystemHarness) -> None:
    owner, member = system.discord.actor("owner"), system.discord.actor("member")
    moderator = system.discord.actor("moderator")
    submission = await share(system, "a badger")
    card = await card_of(system, submission)
    system.discord.take_role("moderator", "Moderators")
    told = await (await moderator.click(card, label="Approve", unchecked=True)).response()
    assert text(told) == "Only a moderator can do that."
    system.discord.give_role("moderator", "Moderators")

    opened = await moderator.select(card, ["ban:sharing"])
    await moderator.submit_modal(opened, {"term": ["30"], "reason": "spam"})
    await card_of(system, submission, says(f"### Refused by <@{moderator.user.id}>"))
    assert "Reason: \u2068spam\u2069" in text(card)
    bans = text(await (await owner.slash("studio bans")).response())
    assert f"<@{member.user.id}> · sharing" in bans
    log = text(await (await owner.slash("studio audit", kind=7)).response())
    assert f"**<@{moderator.user.id}>** refused a submission of <@{member.user.id}>" in log

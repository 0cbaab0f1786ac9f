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


async def share(system: SystemHarness, prompt: str, *, pictures: int = 1, **options: Any) -> Submission:
    """Make a picture as the member and share it; return the submission."""
    made = await system.discord.actor("member").slash("imagine", prompt=prompt, images=pictures)
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
    sharer = Sharer(member_id=int(world.user("member").id), guild_id=int(world.guild("Community").id))
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
    assert "Their first submission here" in text(card)
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

"""Shared pictures in a showcase: a text channel, then a forum."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from bot.container.foundation import new_id
from bot.domain.sharing.settings import ReviewMode, VoteKind
from bot.domain.sharing.submissions import Submission, SubmissionOptions
from bot.engine.clock import SystemClock
from bot.services.access import AccessService
from bot.services.sharing.submissions import Sharer, SubmissionService
from bot.ui.delivery.sharing.showcase_messages import VOTE_REACTION
from db.database import Database
from db.guilds import GuildRepository
from db.sharing_settings import SharingSettingsRepository
from db.tables import jobs
from sandbox.clock import StudioClock
from sandbox.discord import Message, buttons, media, text
from sandbox.discord.entities import FORUM_CHANNEL
from sandbox.discord.permissions import Permission
from tests.end_to_end.system_harness import SystemHarness
from tests.end_to_end.test_remix import finish_job, settings
from tests.support.polling import poll
from tests.ui.view_reader import unescaped


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot in a server with a forum."""
    system = SystemHarness(tmp_path, clock=StudioClock(tmp_path / "clock-offset"))
    world = system.discord.world
    world.add_channel(world.guild("Community"), "gallery", kind=FORUM_CHANNEL, tags=["Reve-2.0", "landscape"])
    try:
        await system.start(**settings(system))
        yield system
    finally:
        await system.close()


class Nobody:
    """Wakes nobody: the bot finds due messages by itself."""

    def wake(self, message_ids: object) -> None:
        """Do nothing."""


@pytest.fixture
async def database(system: SystemHarness) -> AsyncIterator[Database]:
    """Yield the bot's database."""
    database = await Database.open(system.database_url)
    yield database
    await database.close()


async def change(system: SystemHarness, database: Database, showcase: str, **rules: Any) -> None:
    """Set the showcase channel and the rules for sharing."""
    guild_id = int(system.discord.world.guild("Community").id)
    channel_id = int(system.discord.world.channel(showcase).id)

    def write(connection: Connection) -> None:
        GuildRepository(connection).add(guild_id)
        GuildRepository(connection).change_settings(guild_id, {"showcase_channel_id": channel_id})
        SharingSettingsRepository(connection).change(guild_id, {"review": ReviewMode.NONE, **rules})

    await database.write(write)


async def share(
    system: SystemHarness, database: Database, positions: list[int], **options: Any
) -> tuple[Submission, SubmissionService]:
    """Share pictures of the latest job as its member."""
    clock = SystemClock()
    service = SubmissionService(
        database=database,
        access=AccessService(database=database, admitted="*", now=clock.now),
        clock=clock,
        new_id=new_id,
        waker=Nobody(),
    )
    job_id = await database.read(
        lambda connection: connection.execute(select(jobs.c.id).order_by(jobs.c.id.desc())).scalars().first()
    )
    guild_id = int(system.discord.world.guild("Community").id)
    member_id = int(system.discord.world.user("member").id)
    sharer = Sharer(member_id=member_id, guild_id=guild_id)
    return await service.share(str(job_id), positions, SubmissionOptions(**options), sharer), service


def named(message: Message) -> list[str]:
    """Return the labels of a message's buttons."""
    return [each["label"] for each in buttons(message)]


async def test_private_picture_is_posted_voted_for_and_used_by_others(
    system: SystemHarness, database: Database
) -> None:
    await change(system, database, "showcase", allows_anonymous=True)
    member, other = system.discord.actor("member"), system.discord.actor("moderator")
    await finish_job(system, await member.slash("imagine", prompt="a secret garden", images=2, private=True))
    options = {"title": "My garden", "show_prompt": False, "is_anonymous": True, "is_spoiler": True}
    submission, service = await share(system, database, [1], **options)
    (post,) = await poll(lambda: _now(other.sees("showcase")), until=bool)
    shown = text(post)
    assert "My garden" in shown
    assert "AI-generated, model reve-2" in unescaped(shown).replace("\u2068", "")
    assert "by a member" in shown
    everything = str(post.components) + str([each.filename for each in post.attachments.values()])
    assert "secret" not in everything
    assert system.discord.world.user("member").id not in everything
    assert submission.job_id not in everything
    assert [each.filename for each in post.attachments.values()] == ["SPOILER_atelier-1.png"]
    assert named(post) == ["Vote", "Make my own", "Use as reference", "Report…"]

    voted = await (await other.click(post, label="Vote")).response()
    assert voted.ephemeral
    assert "Your vote counts: 1 vote now." in text(voted)
    await poll(lambda: _now(named(post)), until=lambda found: found[0] == "Vote · 1")
    assert len(media(post)) == 1  # the edit kept the picture
    assert "This is your own picture." in text(await (await member.click(post, label="Vote · 1")).response())

    form = await other.click(post, label="Use as reference")
    made = await finish_job(system, await other.submit_modal(form, {"prompt": "the same at night"}))
    assert made.ephemeral
    form = await other.click(post, label="Make my own")
    assert "secret" not in str(await form.modal())
    made = await finish_job(system, await other.submit_modal(form, {"prompt": "a garden of mine"}))
    assert made.ephemeral

    owner = system.discord.actor("owner")
    world = system.discord.world
    assert "lacks the right *Pin Messages*" in text(await (await owner.slash("studio picks")).response())
    given = sum(each.allow for each in world.channel("showcase").overwrites if each.id == world.bot.id)
    system.discord.set_overwrite("showcase", world.bot, allow=given | Permission.PIN_MESSAGES)
    preview = await (await owner.slash("studio picks")).response()
    assert "My garden" in text(preview)
    await owner.click(preview, label="Post the picks")
    posts = await poll(lambda: _public(member.sees("showcase")), until=lambda found: len(found) == 2)
    assert "Picks of the week" in text(posts[1])
    assert len(media(posts[1])) == 1
    await poll(lambda: _now(posts[1].pinned_at), until=bool)
    assert system.discord.world.user("member").id not in str(posts[1].components)

    await service.withdraw(submission.id, submission.member_id)
    # What is left are the private answers.
    await poll(lambda: _public(other.sees("showcase")), until=lambda found: not found)


async def test_reactions_under_a_post_decide_the_picks(system: SystemHarness, database: Database) -> None:
    await change(system, database, "showcase", votes=VoteKind.REACTIONS)
    member, other, owner = (system.discord.actor(name) for name in ("member", "moderator", "owner"))
    await finish_job(system, await member.slash("imagine", prompt="a red kite"))
    await share(system, database, [0], title="Kite")
    (post,) = await poll(lambda: _now([each for each in other.sees("showcase") if "Kite" in text(each)]), until=bool)
    assert named(post) == ["Make my own", "Use as reference", "Report…"]
    for actor in (member, other, owner, system.discord.actor("member-two")):
        await actor.react(post, VOTE_REACTION)
    system.discord.leave_guild("member-two")
    # Picks of this week are posted already, so the votes are read in the next one.
    system.clock.advance(seconds=7 * 86_400)
    preview = await (await owner.slash("studio picks")).wait_until(lambda message: "Kite" in text(message))
    assert "2 votes" in text(preview)  # not the member's own, the bot's, or one of somebody who left


async def test_forum_gets_a_post_with_tags_which_is_removed(system: SystemHarness, database: Database) -> None:
    await change(system, database, "gallery")
    member = system.discord.actor("member")
    await finish_job(system, await member.slash("imagine", prompt="a lighthouse"))
    submission, service = await share(system, database, [0])
    forum = system.discord.world.channel("gallery")
    (thread,) = await poll(lambda: _now(system.discord.world.threads_of(forum)), until=bool)
    assert thread.name == "a lighthouse"
    tags = {each.id: each.name for each in forum.tags}
    assert [tags[each] for each in thread.applied_tags] == ["Reve-2.0"]
    (post,) = await poll(lambda: _now(member.sees(thread)), until=bool)
    assert f"<@{system.discord.world.user('member').id}>" in text(post)
    assert len(media(post)) == 1
    await service.withdraw(submission.id, submission.member_id)
    # The bot may not delete threads here: it leaves one without words.
    await poll(lambda: _now(member.sees(thread)), until=lambda found: not found)
    await poll(lambda: _now(thread.name), until=lambda name: name == "…")


async def _public(messages: list[Message]) -> list[Message]:
    return [each for each in messages if not each.ephemeral and each.components]  # and no notice of a pin


async def _now(value: Any) -> Any:
    return value

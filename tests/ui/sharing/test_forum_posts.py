"""The publisher's posts in forums of Discord's fake."""

from collections.abc import AsyncIterator
from dataclasses import replace

import discord
import pytest
from sqlalchemy import Connection

from bot.client import AtelierClient
from bot.domain.outbox import OutboxEnd
from bot.ui.delivery.outbox.rendering import ForumPost
from db.database import Database
from db.outbox import OutboxRepository
from sandbox.discord import Channel, DiscordServer, ForumTag, Permission, default_world, text
from sandbox.discord.entities import FORUM_CHANNEL
from tests.ui.sharing.test_outbox_publisher import TOKEN, Studio


class ForumStudio(Studio):
    """A publisher to a forum with one free and one moderated tag."""

    def __init__(self, server: DiscordServer, client: AtelierClient, database: Database) -> None:
        super().__init__(server, client, database)
        world = server.world
        tags: list[str | ForumTag] = ["Portrait", world.new_tag("picked", moderated=True)]
        self.channel = world.add_channel(world.guild("Community"), "gallery", kind=FORUM_CHANNEL, tags=tags)
        self.renderer.rendering = replace(
            self.renderer.rendering,
            channel_id=int(self.channel.id),
            post=ForumPost(title="A lighthouse", tags=("portrait", "picked", "unknown")),
        )

    def posts(self) -> list[Channel]:
        """Return the forum's posts."""
        return self.server.world.threads_of(self.channel)

    def first_words(self) -> list[str]:
        """Return the texts of the posts' first messages."""
        return [text(each.messages[each.id]) for each in self.posts() if not each.messages[each.id].deleted]


@pytest.fixture
async def studio(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ForumStudio]:
    """Yield a running publisher."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        made = ForumStudio(server, client, sqlite_database)
        yield made
        await made.stop()
    await server.close()


async def test_post_has_title_and_known_tags_and_is_edited(studio: ForumStudio) -> None:
    subject = await studio.request()
    posted = await studio.settled(subject)
    (thread,) = studio.posts()
    assert (thread.name, posted.channel_id, posted.message_id) == ("A lighthouse", int(thread.id), int(thread.id))
    assert thread.applied_tags == [studio.server.world.tag(studio.channel, "Portrait").id]
    thread.archived = True
    studio.renderer.words[subject] = "second"
    await studio.request(subject)
    await studio.settled(subject)
    assert studio.first_words() == ["second"]
    assert not thread.archived


async def test_post_of_killed_process_is_found_again(studio: ForumStudio) -> None:
    subject = await studio.request()
    posted = await studio.settled(subject)
    await studio.stop()

    def forget(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        outbox.forget_message(posted.id, posted.message_id or 0)
        outbox.begin(posted.id, int(studio.channel.id), studio.clock.now())

    await studio.database.write(forget)
    studio.publisher = studio.start()
    studio.renderer.words[subject] = "second"
    await studio.request(subject)
    assert (await studio.settled(subject)).message_id == posted.message_id
    assert studio.first_words() == ["second"]


@pytest.mark.parametrize("may_delete", [True, False])
async def test_removed_post_goes_with_its_thread_or_loses_its_message(studio: ForumStudio, may_delete: bool) -> None:
    if may_delete:
        studio.server.set_overwrite(studio.channel, studio.server.world.bot, allow=Permission.MANAGE_THREADS)
    subject = await studio.request()
    await studio.settled(subject)
    studio.renderer.words[subject] = None
    await studio.request(subject)
    assert (await studio.settled(subject)).end is OutboxEnd.DROPPED
    assert studio.first_words() == []
    assert len(studio.posts()) == (0 if may_delete else 1)


@pytest.mark.parametrize("lost", [Permission.SEND_MESSAGES, Permission.VIEW_CHANNEL])
async def test_forum_without_right_to_post_ends_the_message(studio: ForumStudio, lost: Permission) -> None:
    studio.server.set_overwrite(studio.channel, studio.server.world.bot, deny=lost)
    subject = await studio.request()
    assert (await studio.settled(subject)).end is OutboxEnd.CLOSED
    assert studio.renderer.ends == [OutboxEnd.CLOSED]
    assert studio.posts() == []


async def test_locked_post_is_still_edited(studio: ForumStudio) -> None:
    subject = await studio.request()
    await studio.settled(subject)
    studio.posts()[0].locked = True
    studio.renderer.words[subject] = "second"
    await studio.request(subject)
    await studio.settled(subject)
    assert studio.first_words() == ["second"]


@pytest.mark.parametrize("forum_is_gone", [True, False])
async def test_missing_post_is_a_deletion_unless_its_forum_is_gone(studio: ForumStudio, forum_is_gone: bool) -> None:
    studio.renderer.rendering = replace(studio.renderer.rendering, is_reposted=False)
    subject = await studio.request()
    await studio.settled(subject)
    channels = studio.server.world.channels
    for each in (*studio.posts(), *([studio.channel] if forum_is_gone else [])):
        channels.pop(each.id)
    await studio.request(subject)
    expected = OutboxEnd.CLOSED if forum_is_gone else OutboxEnd.DELETED
    assert (await studio.settled(subject)).end is expected


@pytest.mark.parametrize("forum_is_gone", [True, False])
async def test_post_of_a_deleted_old_forum_moves_to_the_new_showcase(studio: ForumStudio, forum_is_gone: bool) -> None:
    """The showcase is elsewhere by then, which says nothing of old posts."""
    studio.renderer.rendering = replace(studio.renderer.rendering, is_reposted=False)
    subject = await studio.request()
    posted = await studio.settled(subject)
    assert posted.home_id == int(studio.channel.id)
    world = studio.server.world
    moved = world.channel("moderators")
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=int(moved.id), post=None)
    for each in (*studio.posts(), *([studio.channel] if forum_is_gone else [])):
        world.channels.pop(each.id)
    await studio.request(subject)
    settled = await studio.settled(subject)
    if not forum_is_gone:
        assert settled.end is OutboxEnd.DELETED
        return
    assert (settled.end, settled.channel_id, settled.home_id) == (None, int(moved.id), int(moved.id))
    assert [text(each) for each in studio.messages(moved)] == ["first"]

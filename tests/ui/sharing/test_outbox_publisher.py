"""The publisher against Discord's fake: crashes, closed places, turns."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import discord
import pytest
from discord import ui
from sqlalchemy import Connection

from bot.client import AtelierClient
from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from bot.services.outbox import CLAIM_SECONDS, OutboxService
from bot.ui.delivery.outbox.publisher import OutboxPublisher
from bot.ui.delivery.outbox.rendering import NotYetError, Rendering
from bot.ui.render.job_card import payload_view
from db.database import Database
from db.outbox import OutboxRepository
from sandbox.discord import DiscordServer, Message, default_world, text
from sandbox.discord.entities import Channel
from sandbox.discord.messages import MessageForm
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, make_id
from tests.support.polling import poll

TOKEN = "the-bots-token"


class Renderer:
    """Renders `words` by subject; None removes a message."""

    def __init__(self, channel_id: int) -> None:
        self.rendering = Rendering(view=ui.LayoutView(), channel_id=channel_id, is_reposted=True)
        self.words: dict[str, str | None] = {}
        self.halvings: list[int] = []
        self.ends: list[OutboxEnd] = []
        self.on_render: Callable[[OutboxMessage], None] = lambda _: None
        self.gate = asyncio.Event()
        self.gate.set()

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the words of the subject, with its button."""
        self.on_render(message)
        await self.gate.wait()
        self.halvings.append(halvings)
        words = self.words.get(message.subject_id, "first")
        if words is None:
            return None
        button: ui.Button[ui.LayoutView] = ui.Button(label="Look", custom_id=f"a1:look:{message.subject_id}:0")
        view = payload_view(ui.TextDisplay(words), ui.ActionRow(button))
        return replace(self.rendering, view=view)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Keep the end."""
        del message
        self.ends.append(end)


class Studio:
    """A publisher with its outbox and the fake of Discord."""

    def __init__(self, server: DiscordServer, client: AtelierClient, database: Database) -> None:
        self.server = server
        self.client = client
        self.database = database
        self.clock = ManualClock()
        self.channel = server.world.channel("moderators")
        self.renderer = Renderer(int(self.channel.id))
        self.tasks: list[asyncio.Task[None]] = []
        self.publisher = self.start()

    def start(self) -> OutboxPublisher:
        """Start one more publisher."""
        publisher = OutboxPublisher(
            outbox=OutboxService(database=self.database, clock=self.clock),
            client=self.client,
            renderers={MessageKind.REVIEW: self.renderer, MessageKind.QUEUE: self.renderer},
            clock=self.clock,
        )
        self.tasks.append(asyncio.create_task(publisher.run()))
        return publisher

    async def stop(self) -> None:
        """Stop every publisher."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()

    async def request(
        self, subject: str | None = None, *, guild: int = GUILD, kind: MessageKind = MessageKind.REVIEW
    ) -> str:
        """Make a message due and wake the publisher; return its subject."""
        subject, now = subject or make_id(), self.clock.now()
        message_id = await self.database.write(
            lambda connection: OutboxRepository(connection).request(
                kind, subject, new_id=make_id(), guild_id=guild, at=now
            )
        )
        self.publisher.wake([message_id])
        return subject

    async def get(self, subject: str, kind: MessageKind = MessageKind.REVIEW) -> OutboxMessage:
        """Return a subject's row."""
        found = await self.database.read(lambda connection: OutboxRepository(connection).find(kind, subject))
        assert found is not None
        return found

    async def settled(self, subject: str) -> OutboxMessage:
        """Return a subject's row once nothing of it is due."""
        return await poll(lambda: self.get(subject), until=lambda found: found.wanted == found.shown)

    async def tried(self, subject: str, tries: int = 1) -> OutboxMessage:
        """Return a subject's row once a failed try put it off."""
        return await poll(
            lambda: self.get(subject), until=lambda found: found.tries >= tries and found.due_at > self.clock.now()
        )

    def messages(self, channel: Channel | None = None) -> list[Message]:
        """Return the messages of a channel, by default the moderators'."""
        return [each for each in (channel or self.channel).messages.values() if not each.deleted]

    def words(self) -> list[str]:
        """Return the texts of the channel's messages."""
        return [text(each) for each in self.messages()]


@pytest.fixture
async def studio(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Studio]:
    """Yield a running publisher."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        made = Studio(server, client, sqlite_database)
        yield made
        await made.stop()
    await server.close()


async def test_message_is_created_once_and_edited_afterwards(studio: Studio) -> None:
    subject = await studio.request()
    posted = await studio.settled(subject)
    studio.renderer.words[subject] = "second"
    await studio.request(subject)
    edited = await studio.settled(subject)
    assert studio.words() == ["second"]
    assert edited.message_id == posted.message_id == int(studio.messages()[0].id)


async def test_reply_that_is_lost_makes_no_second_message(studio: Studio) -> None:
    """Discord keeps the message, though its answer never came."""
    studio.server.faults.add("POST", r"/channels/\d+/messages$", reset=True, when="after", times=20)
    subject = await studio.request()
    await studio.tried(subject)
    studio.server.faults.clear()
    studio.clock.advance(60)
    found = await studio.settled(subject)
    assert [each.id for each in studio.messages()] == [str(found.message_id)]


async def test_crash_after_the_post_is_found_by_the_next_process(studio: Studio) -> None:
    """The process died between Discord's answer and its record."""
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
    assert studio.words() == ["second"]


async def test_claim_of_a_killed_process_ends_soon(studio: Studio) -> None:
    subject = await studio.request()
    posted = await studio.settled(subject)
    await studio.stop()
    now = studio.clock.now()
    await studio.request(subject)
    service = OutboxService(database=studio.database, clock=studio.clock)
    assert await service.claim(posted.id) is not None  # by a process that is killed now
    assert now == studio.clock.now()
    studio.renderer.words[subject] = "second"
    studio.publisher = studio.start()
    studio.clock.advance(CLAIM_SECONDS)
    await studio.settled(subject)
    assert studio.words() == ["second"]


async def test_stop_gives_a_claim_back(studio: Studio) -> None:
    gate = studio.server.faults.add("POST", r"/channels/\d+/messages$", gate=asyncio.Event())
    subject = await studio.request()
    await gate.wait_held()
    stopping = asyncio.create_task(studio.stop())
    await poll(lambda: asyncio.sleep(0, stopping.done()))
    gate.release()
    studio.publisher = studio.start()
    await studio.settled(subject)  # the clock stands still: nobody waits for the claim's end
    assert len(studio.messages()) == 1


async def test_two_processes_post_a_message_once(studio: Studio) -> None:
    other = studio.start()
    subjects = [await studio.request() for _ in range(12)]
    other.wake([(await studio.get(subject)).id for subject in subjects])
    for subject in subjects:
        await studio.settled(subject)
    assert Counter(str(each.components).count("custom_id") for each in studio.messages()) == {1: 12}
    assert len({str(each.components) for each in studio.messages()}) == 12


async def test_process_without_its_claim_posts_nothing(studio: Studio) -> None:
    """It was paused for long, and another process has the message."""
    studio.renderer.gate.clear()
    seen: list[OutboxMessage] = []
    studio.renderer.on_render = seen.append
    subject = await studio.request()
    await poll(lambda: asyncio.sleep(0, len(seen)))
    later = studio.clock.now() + timedelta(seconds=2 * CLAIM_SECONDS)
    lease = later + timedelta(seconds=CLAIM_SECONDS)
    await studio.database.write(lambda connection: OutboxRepository(connection).claim(seen[0].id, later, lease))
    studio.renderer.gate.set()
    await studio.stop()
    found = await studio.get(subject)
    assert (studio.words(), found.shown, found.begun_at) == ([], 0, None)


async def test_second_message_of_a_paused_process_is_removed(studio: Studio) -> None:
    """The claim was lost meanwhile, and another process posted first."""
    gate = studio.server.faults.add("POST", r"/channels/\d+/messages$", gate=asyncio.Event())
    subject = await studio.request()
    await gate.wait_held()
    message = await studio.get(subject)
    channel_id = int(studio.channel.id)
    await studio.database.write(
        lambda connection: OutboxRepository(connection).set_message(message.id, channel_id, 4242)
    )
    gate.release()
    assert (await studio.settled(subject)).message_id == 4242
    assert studio.words() == []


async def test_search_after_a_crash_spares_the_messages_of_other_rows(studio: Studio) -> None:
    """Several rows may have one subject."""
    subject = await studio.request()
    posted = await studio.settled(subject)

    def begin(connection: Connection) -> str:
        outbox = OutboxRepository(connection)
        second = outbox.request(
            MessageKind.REVIEW, subject, new_id=make_id(), guild_id=GUILD, at=studio.clock.now(), number=1
        )
        outbox.begin(second, int(studio.channel.id), studio.clock.now())
        return second

    studio.renderer.words[subject] = None
    second = await studio.database.write(begin)
    studio.publisher.wake([second])

    def shown(connection: Connection) -> int:
        return OutboxRepository(connection).list_numbers(MessageKind.REVIEW, subject)[1].shown

    await poll(lambda: studio.database.read(shown))
    assert [each.id for each in studio.messages()] == [str(posted.message_id)]


async def test_message_is_found_in_a_busy_channel_after_a_crash(studio: Studio) -> None:
    for number in range(250):
        form = MessageForm(payload={"content": f"noise {number}"})
        studio.server.messages.create(studio.channel, studio.server.world.bot.id, form)
    subject = await studio.request()
    posted = await studio.settled(subject)
    await studio.stop()

    def forget(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        outbox.forget_message(posted.id, posted.message_id or 0)
        outbox.begin(posted.id, int(studio.channel.id), studio.clock.now())

    await studio.database.write(forget)
    studio.publisher = studio.start()
    await studio.request(subject)
    assert (await studio.settled(subject)).message_id == posted.message_id


async def test_edit_adds_a_missing_reaction(studio: Studio) -> None:
    subject = await studio.request()
    await studio.settled(subject)
    studio.renderer.rendering = replace(studio.renderer.rendering, reaction="\N{HEAVY BLACK HEART}")
    await studio.request(subject)
    await studio.settled(subject)
    assert len(studio.messages()[0].reactions) == 1


async def test_full_list_of_threads_puts_the_message_off(studio: Studio) -> None:
    body = {"message": "Maximum number of active threads reached", "code": 160006}
    studio.server.faults.add("POST", r"/channels/\d+/messages$", status=400, body=body)
    subject = await studio.request()
    assert (await studio.tried(subject)).end is None


@pytest.mark.parametrize("is_reposted", [True, False])
async def test_message_that_a_person_deleted_is_posted_again_if_wanted(studio: Studio, is_reposted: bool) -> None:
    studio.renderer.rendering = replace(studio.renderer.rendering, is_reposted=is_reposted)
    subject = await studio.request()
    await studio.settled(subject)
    studio.server.messages.delete(studio.messages()[0])
    await studio.request(subject)
    found = await studio.settled(subject)
    assert len(studio.messages()) == is_reposted
    assert found.end is (None if is_reposted else OutboxEnd.DELETED)


async def test_repeatedly_deleted_message_is_a_new_one_each_time(studio: Studio) -> None:
    """Discord knows a nonce again, and would return the deleted message."""
    subject = await studio.request()
    await studio.settled(subject)
    nonces = [studio.messages()[0].nonce]
    for _ in range(2):
        studio.server.messages.delete(studio.messages()[0])
        await studio.request(subject)
        await studio.settled(subject)
        nonces.append(studio.messages()[0].nonce)
    assert len(set(nonces)) == 3
    assert all(len(str(nonce)) <= 25 for nonce in nonces)


async def test_closed_channel_ends_the_message_until_it_is_asked_for_again(studio: Studio) -> None:
    forbidden = studio.server.world.channel("announcements")
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=int(forbidden.id))
    subject = await studio.request()
    assert (await studio.settled(subject)).end is OutboxEnd.CLOSED
    assert studio.renderer.ends == [OutboxEnd.CLOSED]
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=int(studio.channel.id))
    await studio.request(subject)
    assert (await studio.settled(subject)).end is None
    assert studio.words() == ["first"]


@pytest.mark.parametrize("channel_id", [None, 123])
async def test_message_without_a_channel_ends(studio: Studio, channel_id: int | None) -> None:
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=channel_id)
    subject = await studio.request()
    assert (await studio.settled(subject)).end is OutboxEnd.CLOSED
    assert studio.renderer.ends == [OutboxEnd.CLOSED]


async def test_deleted_channel_is_no_obstacle_to_a_post_in_another(studio: Studio) -> None:
    subject = await studio.request()
    await studio.settled(subject)
    studio.server.world.channels.pop(studio.channel.id)
    studio.channel = studio.server.world.channel("showcase")
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=int(studio.channel.id))
    await studio.request(subject)
    await studio.settled(subject)
    assert studio.words() == ["first"]


async def test_message_moves_with_its_channel(studio: Studio) -> None:
    subject = await studio.request()
    await studio.settled(subject)
    before, studio.channel = studio.channel, studio.server.world.channel("showcase")
    studio.renderer.rendering = replace(
        studio.renderer.rendering, channel_id=int(studio.channel.id), follows_channel=True
    )
    await studio.request(subject)
    await studio.settled(subject)
    assert (studio.words(), studio.messages(before)) == (["first"], [])


async def test_message_without_content_is_removed(studio: Studio) -> None:
    subject = await studio.request()
    await studio.settled(subject)
    studio.renderer.words[subject] = None
    await studio.request(subject)
    found = await studio.settled(subject)
    assert (studio.messages(), found.end, found.message_id) == ([], OutboxEnd.DROPPED, None)


async def test_edit_opens_an_archived_thread(studio: Studio) -> None:
    thread = studio.server.world.add_thread(studio.server.world.channel("showcase"), "Posts")
    studio.channel = thread
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=int(thread.id))
    subject = await studio.request()
    await studio.settled(subject)
    thread.archived = True
    studio.renderer.words[subject] = "second"
    await studio.request(subject)
    await studio.settled(subject)
    assert (studio.words(), thread.archived) == (["second"], False)


async def test_too_large_files_are_halved_until_they_fit(studio: Studio) -> None:
    def files() -> list[discord.File]:
        size = 11 * 2**20 >> studio.renderer.halvings[-1]
        return [discord.File(io.BytesIO(bytes(size)), filename="atelier-1.png")]

    studio.renderer.rendering = replace(studio.renderer.rendering, files=files)
    subject = await studio.request()
    await studio.settled(subject)
    assert studio.renderer.halvings == [0, 1]
    assert len(studio.messages()) == 1


async def test_long_rate_limit_puts_the_message_off(studio: Studio) -> None:
    studio.server.faults.add("POST", r"/channels/\d+/messages$", status=429, retry_after=900)
    subject = await studio.request()
    found = await studio.tried(subject)
    assert (found.due_at - studio.clock.now()).total_seconds() == 900
    studio.clock.advance(901)
    await studio.settled(subject)
    assert studio.words() == ["first"]


async def test_long_rate_limit_holds_all_cards_of_its_channel_back(studio: Studio) -> None:
    """Each further request during a limit counts against the bot."""
    limit = studio.server.faults.add("POST", r"/channels/\d+/messages$", status=429, retry_after=900, times=100)
    first = await studio.request()
    await studio.tried(first)
    others = [await studio.request() for _ in range(10)]
    elsewhere = await studio.request(guild=GUILD + 1)
    await studio.tried(elsewhere)  # its lane is another
    assert limit.hits == 2
    studio.server.faults.clear()
    studio.clock.advance(901)
    for each in (first, *others, elsewhere):
        await studio.settled(each)
    assert len(studio.messages()) == 12


async def test_message_that_must_wait_is_rendered_again(studio: Studio) -> None:
    def refuse(_: OutboxMessage) -> None:
        raise NotYetError(30)

    studio.renderer.on_render = refuse
    subject = await studio.request()
    await studio.tried(subject)
    studio.renderer.on_render = lambda _: None
    studio.clock.advance(30)
    await studio.settled(subject)
    assert studio.words() == ["first"]


async def test_message_is_due_again_at_its_time(studio: Studio) -> None:
    later = studio.clock.now().replace(hour=10)
    studio.renderer.rendering = replace(studio.renderer.rendering, again_at=later)
    subject = await studio.request()
    await poll(lambda: studio.get(subject), until=lambda found: found.shown == 1)
    studio.renderer.rendering = replace(studio.renderer.rendering, again_at=None)
    studio.renderer.words[subject] = "second"
    studio.clock.advance(3600)
    await studio.settled(subject)
    assert studio.words() == ["second"]


async def test_a_thousand_cards_of_a_server_hold_up_nobody_else(studio: Studio) -> None:
    """Two hang at Discord, and the others of their server wait for them."""
    gate = studio.server.faults.add("POST", rf"/channels/{studio.channel.id}/messages$", gate=asyncio.Event(), times=2)

    def add(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        for _ in range(1000):
            outbox.request(MessageKind.REVIEW, make_id(), new_id=make_id(), guild_id=GUILD, at=studio.clock.now())

    await studio.database.write(add)
    await studio.publisher.scan()
    await gate.wait_held()
    elsewhere = studio.server.world.channel("showcase")
    studio.renderer.rendering = replace(studio.renderer.rendering, channel_id=int(elsewhere.id))
    other = await studio.request(guild=GUILD + 1)
    same_kind_of_other = await studio.request(kind=MessageKind.QUEUE)
    await studio.settled(other)
    await poll(
        lambda: studio.get(same_kind_of_other, MessageKind.QUEUE), until=lambda found: found.wanted == found.shown
    )
    assert len(studio.messages()) == 0
    gate.release()


async def test_waiting_messages_of_all_servers_are_found_after_a_start(studio: Studio) -> None:
    await studio.stop()

    def add(connection: Connection) -> list[str]:
        outbox = OutboxRepository(connection)
        for number in range(600):
            outbox.request(MessageKind.REVIEW, make_id(), new_id=make_id(), guild_id=GUILD, at=studio.clock.now())
            del number
        outbox.request(MessageKind.REVIEW, "f" * 32, new_id=make_id(), guild_id=GUILD + 1, at=studio.clock.now())
        return [message_id for message_id, *_ in outbox.list_due(studio.clock.now(), most=50, of_lane=20)]

    due = await studio.database.write(add)
    assert (await studio.get("f" * 32)).id in due
    assert len(due) == 21


async def test_unknown_kind_of_message_is_left_to_a_newer_version(studio: Studio) -> None:
    subject = await studio.request(kind=MessageKind.APPEAL)
    found = await poll(
        lambda: studio.get(subject, MessageKind.APPEAL), until=lambda found: found.due_at > studio.clock.now()
    )
    assert found.end is None

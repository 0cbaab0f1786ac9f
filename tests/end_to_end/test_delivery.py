"""Delivery always ends, exactly once, even if the card is gone."""

import itertools
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from sqlalchemy import Connection, select

from db.database import Database
from db.guild_presence import GuildPresenceRepository
from db.tables import jobs
from sandbox.discord import Actor, Channel, Guild, Invocation, Message, media, selects, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness
from tests.support.clock import START
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = itertools.count(1)
RECEIPT = "-# 12 credits · "
FAILURE = "The image service refused this prompt.\nNothing was charged: 12 credits returned"


@dataclass(slots=True, kw_only=True)
class Scene:
    """A test's own server with a member and the member's job."""

    system: SystemHarness
    database: Database
    guild: Guild
    channel: Channel
    member: Actor
    invocation: Invocation | None = None

    @property
    def card(self) -> Message:
        """The job's card."""
        assert self.invocation is not None
        assert self.invocation.message is not None
        return self.invocation.message

    @property
    def direct(self) -> list[Message]:
        """Direct messages of the bot to the member."""
        return self.member.sees(self.system.discord.direct_message(self.member.user.name))

    async def ask(self, channel: Channel | None = None) -> None:
        """Use `/imagine`.

        Return once the provider has the job and the card exists.
        """
        taken = len(self.system.skillboss.jobs)
        self.invocation = await self.member.slash("imagine", channel=channel or self.channel, prompt="a kite")
        await self.invocation.response()
        await self.system.skillboss.wait_for(lambda: len(self.system.skillboss.jobs) > taken)

    def end(self, *, well: bool) -> None:
        """Let the provider end the job with an image or a refusal."""
        if well:
            self.system.skillboss.finish()
        else:
            self.system.skillboss.store.fail(
                self.system.skillboss.jobs[-1], "the request was rejected (content policy)"
            )

    async def delivery(self) -> str:
        """Return the delivery of the member's latest job once it is recorded."""

        def read(connection: Connection) -> str | None:
            mine = jobs.c.member_id == int(self.member.user.id)
            latest = select(jobs.c.delivery).where(mine, jobs.c.delivered_at.is_not(None)).order_by(jobs.c.id.desc())
            return connection.execute(latest).scalar()

        return str(await poll(lambda: self.database.read(read)))

    async def put_off(self) -> int:
        """Return how often the bot has put off a card's edit."""
        return self.system.log().count("card.not_shown")

    async def assert_pictured(self, message: Message) -> None:
        """Expect the job's image and one receipt in a message."""
        (picture,) = await self.system.pictures(message)
        assert read_mark(picture) == expected_mark("a kite", 0)
        assert text(message).count(RECEIPT) == 1


async def new_scene(system: SystemHarness) -> Scene:
    """Open a server with a member. The bot's database is shared."""
    number = next(NUMBERS)
    world = system.discord.world
    guild = world.add_guild(f"Server {number}", owner=world.user("owner"))
    channel = world.add_channel(guild, f"room-{number}")
    user = world.add_user(f"person-{number}")
    world.add_member(guild, user)
    database = await Database.open(system.database_url)
    # A greeting would be a further message in the channel.
    await database.write(lambda connection: GuildPresenceRepository(connection).arrive(int(guild.id), START))
    system.discord.join(guild)
    return Scene(
        system=system,
        database=database,
        guild=guild,
        channel=channel,
        member=system.discord.actor(user.name),
    )


@pytest_asyncio.fixture(loop_scope="module")
async def scene(system: SystemHarness) -> AsyncIterator[Scene]:
    """Yield a scene and remove it afterwards."""
    scene = await new_scene(system)
    yield scene
    system.discord.faults.clear()
    await scene.database.close()
    ledger = await system.ledger()
    assert (ledger.problems, ledger.held) == ([], 0)


def nothing(scene: Scene) -> None:
    """Change nothing."""
    del scene


def token_dead(scene: Scene) -> None:
    """Let the interaction token expire (15 minutes)."""
    scene.system.discord.expire_tokens()


def message_deleted(scene: Scene) -> None:
    """Let a moderator delete the card."""
    scene.system.discord.messages.delete(scene.card)


def channel_deleted(scene: Scene) -> None:
    """Delete the channel."""
    scene.system.discord.delete_channel(scene.channel)


def kicked(scene: Scene) -> None:
    """Remove the bot from the server."""
    scene.system.discord.leave(scene.guild)


def kicked_later(scene: Scene) -> None:
    """Remove the bot from the server and expire the token."""
    kicked(scene)
    token_dead(scene)


def kicked_from_one_of_two(scene: Scene) -> None:
    """Remove the bot from one of two servers shared with the member."""
    world = scene.system.discord.world
    world.add_member(world.guild("Community"), scene.member.user)
    kicked_later(scene)


def guild_gone(scene: Scene) -> None:
    """Delete the server."""
    scene.system.discord.delete_guild(scene.guild)


def direct_messages_closed(scene: Scene) -> None:
    """Delete the card of a member without direct messages."""
    scene.member.user.takes_direct_messages = False
    message_deleted(scene)


def no_access(scene: Scene) -> None:
    """Deny the bot the channel and expire the token."""
    token_dead(scene)
    refusal = {"message": "Missing Permissions", "code": 50013}
    scene.system.discord.faults.add("PATCH", r"/channels/\d+/messages/\d+$", status=403, body=refusal, times=9)


REACHED = [nothing, token_dead, kicked]
BEYOND_REACH = [message_deleted, channel_deleted, no_access, kicked_from_one_of_two]
NO_WAY_LEFT = [kicked_later, guild_gone, direct_messages_closed]
Event = Callable[[Scene], None]


@pytest.mark.parametrize("event", REACHED)
@pytest.mark.parametrize("well", [True, False], ids=["picture", "failure"])
async def test_card_reachable_by_either_token_shows_end(scene: Scene, event: Event, *, well: bool) -> None:
    """While either token works, no other message is sent."""
    await scene.ask()
    event(scene)
    scene.end(well=well)
    assert await scene.delivery() == "card"
    if well:
        await scene.assert_pictured(scene.card)
    else:
        assert FAILURE in text(scene.card)
    assert list(scene.channel.messages.values()) == [scene.card]
    assert scene.direct == []


@pytest.mark.parametrize("event", BEYOND_REACH)
async def test_unreachable_card_is_delivered_by_direct_message(scene: Scene, event: Event) -> None:
    """One direct message.

    The same card, with the reason and the place of the request.
    """
    await scene.ask()
    event(scene)
    scene.end(well=True)
    assert await scene.delivery() == "direct"
    (message,) = scene.direct
    why = f"-# Your picture from <#{scene.channel.id}>: its card there could not be reached any more."
    assert text(message).startswith(why)
    assert " · delivered by direct message" in text(message)
    await scene.assert_pictured(message)


@pytest.mark.parametrize("event", NO_WAY_LEFT)
async def test_unreachable_member_finds_image_in_history(scene: Scene, event: Event) -> None:
    """The charge stays."""
    await scene.ask()
    event(scene)
    before = (await scene.system.ledger()).charged
    scene.end(well=True)
    assert await scene.delivery() == "history"
    assert scene.direct == []
    assert (await scene.system.ledger()).charged == before + 12


@pytest.mark.parametrize("event", [*BEYOND_REACH, *NO_WAY_LEFT])
async def test_failed_job_without_card_sends_no_message(scene: Scene, event: Event) -> None:
    """Nothing to deliver and nothing charged: no direct message."""
    await scene.ask()
    event(scene)
    scene.end(well=False)
    assert await scene.delivery() == "nowhere"
    assert scene.direct == []


@pytest.mark.parametrize("well", [True, False], ids=["picture", "failure"])
async def test_archived_thread_is_reopened_for_delivery(scene: Scene, *, well: bool) -> None:
    thread = scene.system.discord.world.add_thread(scene.channel, "sketches")
    await scene.ask(thread)
    thread.archived = True
    scene.end(well=well)
    assert await scene.delivery() == "card"
    assert not thread.archived
    assert (RECEIPT if well else FAILURE) in text(scene.card)
    assert scene.direct == []


@pytest.mark.parametrize(("well", "delivery", "directly"), [(True, "direct", 1), (False, "nowhere", 0)])
async def test_locked_thread_stays_closed(scene: Scene, delivery: str, directly: int, *, well: bool) -> None:
    """The image comes by direct message."""
    thread = scene.system.discord.world.add_thread(scene.channel, "closed")
    await scene.ask(thread)
    thread.archived = thread.locked = True
    scene.end(well=well)
    assert await scene.delivery() == delivery
    assert thread.archived
    assert len(scene.direct) == directly


async def test_image_too_large_for_discord_is_sent_smaller(scene: Scene) -> None:
    too_large = {"message": "Request entity too large", "code": 40005}
    await scene.ask()
    fault = scene.system.discord.faults.add("PATCH", "@original$", status=413, body=too_large, uploads=True, times=3)
    scene.end(well=True)
    assert await scene.delivery() == "card"
    assert fault.hits == 3
    assert len(media(scene.card)) == 1


async def test_image_always_too_large_is_delivered_by_history(scene: Scene) -> None:
    """The card says so and names `/history`."""
    too_large = {"message": "Request entity too large", "code": 40005}
    await scene.ask()
    fault = scene.system.discord.faults.add("PATCH", "@original$", status=413, body=too_large, uploads=True, times=7)
    scene.end(well=True)
    assert await scene.delivery() == "card"
    assert fault.hits == 7
    assert media(scene.card) == []
    assert "1 picture could not be shown here. Look for it with `/history`.\n-# 12 credits" in text(scene.card)
    assert scene.direct == []


TROUBLES = [
    pytest.param({"status": 429, "retry_after": 0.01, "times": 6}, id="429 storm"),
    pytest.param({"status": 500, "times": 1}, id="5xx"),
    pytest.param({"reset": True, "times": 2}, id="connection cut before"),
    pytest.param({"reset": True, "when": "after", "times": 1}, id="connection cut after"),
    pytest.param({"status": 401, "times": 1}, id="401"),
]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("well", [True, False], ids=["picture", "failure"])
async def test_temporary_discord_error_is_retried_until_delivery(
    scene: Scene, trouble: dict[str, object], *, well: bool
) -> None:
    """No other delivery channel is used."""
    await scene.ask()
    fault = scene.system.discord.faults.add("PATCH", "@original$", **trouble)
    put_off = await scene.put_off()
    scene.end(well=well)
    if trouble.get("status") == 429:
        await poll(scene.put_off, until=lambda count: count > put_off)
        scene.system.clock.advance(seconds=30)  # Discord named no time, so the bot waits for 20 seconds
    assert await scene.delivery() == "card"
    assert fault.hits == trouble["times"]
    assert (RECEIPT if well else FAILURE) in text(scene.card)
    assert scene.direct == []


async def test_rejected_card_body_falls_back_to_next_channel(scene: Scene) -> None:
    """Discord rejects the body three times.

    The error is logged and the next channel used.
    """
    malformed = {"message": "Invalid Form Body", "code": 50035}
    await scene.ask()
    fault = scene.system.discord.faults.add("PATCH", "@original$", status=400, body=malformed, times=99)
    scene.end(well=True)
    assert await scene.delivery() == "direct"
    assert fault.hits >= 3  # an edit that was due before the end may be refused as well
    assert "delivery.refused" in scene.system.log()
    assert len(scene.direct) == 1


@pytest.mark.parametrize(
    "trouble",
    [{"status": 500, "when": "after"}, {"reset": True, "when": "after"}, {"status": 429, "retry_after": 0.01}],
    ids=["5xx", "connection cut", "429"],
)
async def test_direct_message_with_lost_answer_is_sent_once(scene: Scene, trouble: dict[str, object]) -> None:
    """The answer is an error or missing.

    Neither discord.py's repetition nor ours sends a second message.
    """
    await scene.ask()
    message_deleted(scene)
    fault = scene.system.discord.faults.add("POST", r"/channels/\d+/messages$", **trouble)
    scene.end(well=True)
    assert await scene.delivery() == "direct"
    assert fault.hits == 1
    assert len(scene.direct) == 1


async def test_undeliverable_result_is_listed_in_history(scene: Scene) -> None:
    """The page is private, gives the reason, and pages in place."""
    await scene.ask()
    scene.end(well=True)
    assert await scene.delivery() == "card"
    await scene.ask()
    direct_messages_closed(scene)
    scene.end(well=True)
    await poll(scene.delivery, until=lambda delivery: delivery == "history")
    invocation = await scene.member.slash("history", channel=scene.channel, search="KITE")
    page = await invocation.wait_until(lambda message: "1-2 of 2" in text(message))
    assert page.ephemeral
    (menu,) = selects(page)
    await scene.member.select(page, [menu["options"][0]["value"]])
    await invocation.wait_until(lambda message: "12 credits charged" in text(message) and bool(media(message)))
    assert "Delivered here alone: its card could not be reached" in text(page)
    (picture,) = await scene.system.pictures(page)
    assert read_mark(picture) == expected_mark("a kite", 0)
    await scene.member.click(page, label="Older")
    await invocation.wait_until(lambda message: "Posted in" in text(message))
    assert "-# Search: " in text(page)
    (picture,) = await scene.system.pictures(page)
    assert read_mark(picture) == expected_mark("a kite", 0)


@pytest.fixture
async def own_scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Yield a scene with a bot for killing."""
    system = SystemHarness(tmp_path)
    try:
        await system.start()
        scene = await new_scene(system)
        yield scene
        await scene.database.close()
    finally:
        await system.close()


@pytest.mark.parametrize(("when", "sent_anew"), [("before", 1), ("after", 0)])
@pytest.mark.asyncio(loop_scope="function")
async def test_bot_killed_during_direct_message_sends_once(
    own_scene: Scene, when: Literal["before", "after"], sent_anew: int
) -> None:
    """The next process looks for the message before it sends."""
    system = own_scene.system
    await own_scene.ask()
    message_deleted(own_scene)
    gate = system.discord.faults.hold("POST", r"/channels/\d+/messages$", when=when)
    own_scene.end(well=True)
    await gate.wait_held()
    await system.stop_bot(signal.SIGKILL)
    await system.start_bot()
    assert await own_scene.delivery() == "direct"
    assert sent(system) == sent_anew
    gate.release()
    await system.discord.recorder.wait(lambda _: sent(system) == sent_anew + 1)
    (message,) = own_scene.direct
    await own_scene.assert_pictured(message)


def sent(system: SystemHarness) -> int:
    """Return the number of completed requests to send a message."""
    path = "/channels/{channel_id}/messages"
    return sum(each.method == "POST" and each.path == path for each in system.discord.requests)

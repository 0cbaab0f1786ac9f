"""Delivery always ends, and ends once: whatever became of the card, what the member reads and what the row says."""

import asyncio
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
from db.tables import jobs
from sandbox.discord import Actor, Channel, Guild, Invocation, Message, media, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import PATIENCE, SystemHarness

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = itertools.count(1)
RECEIPT = "-# 12 credits · "
FAILURE = "The image service refused this prompt.\nNothing was charged: 12 credits returned"


@dataclass(slots=True, kw_only=True)
class Scene:
    """A server of the test's own with a member, and the job that the member asked for."""

    house: SystemHarness
    database: Database
    guild: Guild
    channel: Channel
    member: Actor
    invocation: Invocation | None = None

    @property
    def card(self) -> Message:
        """The job's one message."""
        assert self.invocation is not None
        assert self.invocation.message is not None
        return self.invocation.message

    @property
    def direct(self) -> list[Message]:
        """What the bot has written to the member directly."""
        return self.member.sees(self.house.discord.direct_message(self.member.user.name))

    async def ask(self, channel: Channel | None = None) -> None:
        """Use `/imagine`, and return once the job is at the provider and the card is there."""
        taken = len(self.house.skillboss.jobs)
        self.invocation = await self.member.slash("imagine", channel=channel or self.channel, prompt="a kite")
        await self.invocation.response()
        await self.house.skillboss.wait_for(lambda: len(self.house.skillboss.jobs) > taken)

    def end(self, *, well: bool) -> None:
        """Let the provider end the job: with its picture, or with a refusal."""
        if well:
            self.house.skillboss.finish()
        else:
            self.house.skillboss.studio.fail(self.house.skillboss.jobs[-1], "the request was rejected (content policy)")

    async def delivery(self) -> str:
        """Return where the member's latest job was delivered, once it was."""

        def read(connection: Connection) -> str | None:
            mine = jobs.c.member_id == int(self.member.user.id)
            latest = select(jobs.c.delivery).where(mine, jobs.c.delivered_at.is_not(None)).order_by(jobs.c.id.desc())
            return connection.execute(latest).scalar()

        async with asyncio.timeout(PATIENCE):
            while (found := await self.database.read(read)) is None:
                pass
        return found

    async def assert_pictured(self, message: Message) -> None:
        """Expect the job's own picture in a message, and one receipt."""
        (picture,) = await self.house.pictures(message)
        assert read_mark(picture) == expected_mark("a kite", 0)
        assert text(message).count(RECEIPT) == 1


async def new_scene(house: SystemHarness) -> Scene:
    """Open a server with a member; its database is the bot's."""
    number = next(NUMBERS)
    world = house.discord.world
    guild = world.add_guild(f"Server {number}", owner=world.user("owner"))
    channel = world.add_channel(guild, f"room-{number}")
    user = world.add_user(f"person-{number}")
    world.add_member(guild, user)
    house.discord.join(guild)
    return Scene(
        house=house,
        database=await Database.open(house.database_url),
        guild=guild,
        channel=channel,
        member=house.discord.actor(user.name),
    )


@pytest_asyncio.fixture(loop_scope="module")
async def scene(house: SystemHarness) -> AsyncIterator[Scene]:
    """Return a scene; nothing of it is left to the next test."""
    scene = await new_scene(house)
    yield scene
    house.discord.faults.clear()
    await scene.database.close()
    ledger = await house.ledger()
    assert (ledger.problems, ledger.held) == ([], 0)


def nothing(scene: Scene) -> None:
    """Leave all as it is."""
    del scene


def token_dead(scene: Scene) -> None:
    """Let the interaction's quarter of an hour pass."""
    scene.house.discord.expire_tokens()


def message_deleted(scene: Scene) -> None:
    """Let a moderator delete the card."""
    scene.house.discord.messages.delete(scene.card)


def channel_deleted(scene: Scene) -> None:
    """Let the channel be deleted."""
    scene.house.discord.delete_channel(scene.channel)


def kicked(scene: Scene) -> None:
    """Let the bot be removed from the server."""
    scene.house.discord.leave(scene.guild)


def kicked_later(scene: Scene) -> None:
    """Let the bot be removed from the server, and the token die."""
    kicked(scene)
    token_dead(scene)


def kicked_from_one_of_two(scene: Scene) -> None:
    """Let the bot be removed from the server, with another one in common with the member."""
    world = scene.house.discord.world
    world.add_member(world.guild("Community"), scene.member.user)
    kicked_later(scene)


def guild_gone(scene: Scene) -> None:
    """Let the server be deleted."""
    scene.house.discord.delete_guild(scene.guild)


def direct_messages_closed(scene: Scene) -> None:
    """Let the card be deleted, of a member who takes no direct messages."""
    scene.member.user.takes_direct_messages = False
    message_deleted(scene)


def no_access(scene: Scene) -> None:
    """Let the bot be shut out of the channel, and the token die."""
    token_dead(scene)
    refusal = {"message": "Missing Permissions", "code": 50013}
    scene.house.discord.faults.add("PATCH", r"/channels/\d+/messages/\d+$", status=403, body=refusal, times=9)


REACHED = [nothing, token_dead, kicked]
BEYOND_REACH = [message_deleted, channel_deleted, no_access, kicked_from_one_of_two]
NO_WAY_LEFT = [kicked_later, guild_gone, direct_messages_closed]
Event = Callable[[Scene], None]


@pytest.mark.parametrize("event", REACHED)
@pytest.mark.parametrize("well", [True, False], ids=["picture", "failure"])
async def test_the_card_is_reached_by_one_token_or_the_other(scene: Scene, event: Event, *, well: bool) -> None:
    """While either token reaches it, the card shows the end, and nothing else is written anywhere."""
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
async def test_a_picture_whose_card_is_beyond_reach_comes_by_direct_message(scene: Scene, event: Event) -> None:
    """It comes once, as the same card, and says why it comes, from where, and that it came that way."""
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
async def test_a_picture_that_no_way_leads_to_its_member_is_in_the_history(scene: Scene, event: Event) -> None:
    """Where no direct message is taken either, the picture is kept for `/history`, and the charge stays."""
    await scene.ask()
    event(scene)
    before = (await scene.house.ledger()).charged
    scene.end(well=True)
    assert await scene.delivery() == "history"
    assert scene.direct == []
    assert (await scene.house.ledger()).charged == before + 12


@pytest.mark.parametrize("event", [*BEYOND_REACH, *NO_WAY_LEFT])
async def test_a_failure_whose_card_is_gone_disturbs_nobody(scene: Scene, event: Event) -> None:
    """There is nothing to give and nothing was charged, so no direct message is written."""
    await scene.ask()
    event(scene)
    scene.end(well=False)
    assert await scene.delivery() == "nowhere"
    assert scene.direct == []


@pytest.mark.parametrize("well", [True, False], ids=["picture", "failure"])
async def test_an_archived_thread_is_opened_for_its_card(scene: Scene, *, well: bool) -> None:
    """Archived while the job was under way, the thread is opened again and the card shows the end."""
    thread = scene.house.discord.world.add_thread(scene.channel, "sketches")
    await scene.ask(thread)
    thread.archived = True
    scene.end(well=well)
    assert await scene.delivery() == "card"
    assert not thread.archived
    assert (RECEIPT if well else FAILURE) in text(scene.card)
    assert scene.direct == []


@pytest.mark.parametrize(("well", "delivery", "directly"), [(True, "direct", 1), (False, "nowhere", 0)])
async def test_a_locked_thread_stays_as_its_moderators_left_it(
    scene: Scene, delivery: str, directly: int, *, well: bool
) -> None:
    """A thread that moderators have closed is not opened: the picture comes by direct message."""
    thread = scene.house.discord.world.add_thread(scene.channel, "closed")
    await scene.ask(thread)
    thread.archived = thread.locked = True
    scene.end(well=well)
    assert await scene.delivery() == delivery
    assert thread.archived
    assert len(scene.direct) == directly


async def test_a_picture_that_discord_finds_too_large_is_sent_smaller(scene: Scene) -> None:
    """Refused for its size a few times, the picture is made to fit and shown."""
    too_large = {"message": "Request entity too large", "code": 40005}
    await scene.ask()
    fault = scene.house.discord.faults.add("PATCH", "@original$", status=413, body=too_large, times=3)
    scene.end(well=True)
    assert await scene.delivery() == "card"
    assert fault.hits == 3
    assert len(media(scene.card)) == 1


async def test_a_picture_that_is_always_too_large_is_pointed_to(scene: Scene) -> None:
    """Where no size is small enough the card comes without the picture, says so, and says where it is."""
    too_large = {"message": "Request entity too large", "code": 40005}
    await scene.ask()
    fault = scene.house.discord.faults.add("PATCH", "@original$", status=413, body=too_large, times=7)
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
async def test_passing_trouble_is_waited_out(scene: Scene, trouble: dict[str, object], *, well: bool) -> None:
    """What may pass is tried again until the card shows the end; no other way is taken."""
    await scene.ask()
    fault = scene.house.discord.faults.add("PATCH", "@original$", **trouble)
    scene.end(well=well)
    assert await scene.delivery() == "card"
    assert fault.hits == trouble["times"]
    assert (RECEIPT if well else FAILURE) in text(scene.card)
    assert scene.direct == []


async def test_a_fault_of_ours_does_not_keep_a_picture_back(scene: Scene) -> None:
    """A card that Discord refuses three times for its form is given up, said in the log, and sent the next way."""
    malformed = {"message": "Invalid Form Body", "code": 50035}
    await scene.ask()
    fault = scene.house.discord.faults.add("PATCH", "@original$", status=400, body=malformed, times=99)
    scene.end(well=True)
    assert await scene.delivery() == "direct"
    assert fault.hits >= 3  # an edit that was due before the end may be refused as well
    assert "delivery.refused" in scene.house.log()
    assert len(scene.direct) == 1


@pytest.mark.parametrize(
    "trouble",
    [{"status": 500, "when": "after"}, {"reset": True, "when": "after"}, {"status": 429, "retry_after": 0.01}],
    ids=["5xx", "connection cut", "429"],
)
async def test_a_direct_message_whose_answer_was_lost_is_not_doubled(scene: Scene, trouble: dict[str, object]) -> None:
    """Sent, but answered with an error or not at all: the library's repetition and ours both find the one message."""
    await scene.ask()
    message_deleted(scene)
    fault = scene.house.discord.faults.add("POST", r"/channels/\d+/messages$", **trouble)
    scene.end(well=True)
    assert await scene.delivery() == "direct"
    assert fault.hits == 1
    assert len(scene.direct) == 1


async def test_what_no_way_led_to_is_in_the_history_with_its_receipt(scene: Scene) -> None:
    """The member finds the picture with `/history`, in private, and reads why it is only there; pages turn in place."""
    await scene.ask()
    scene.end(well=True)
    assert await scene.delivery() == "card"
    await scene.ask()
    direct_messages_closed(scene)
    scene.end(well=True)
    async with asyncio.timeout(PATIENCE):
        while await scene.delivery() != "history":
            pass
    invocation = await scene.member.slash("history", channel=scene.channel, search="KITE")
    page = await invocation.wait_until(lambda message: bool(media(message)))
    assert page.ephemeral
    assert "12 credits charged" in text(page)
    assert "Delivered here alone: its card could not be reached" in text(page)
    (picture,) = await scene.house.pictures(page)
    assert read_mark(picture) == expected_mark("a kite", 0)
    await scene.member.click(page, label="Older")
    await invocation.wait_until(lambda message: "Delivered on its card" in text(message))
    assert "-# Search: " in text(page)
    (picture,) = await scene.house.pictures(page)
    assert read_mark(picture) == expected_mark("a kite", 0)


@pytest.fixture
async def own_scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene with a bot of its own, to be killed."""
    house = SystemHarness(tmp_path)
    try:
        await house.start()
        scene = await new_scene(house)
        yield scene
        await scene.database.close()
    finally:
        await house.close()


@pytest.mark.parametrize(("when", "sent_anew"), [("before", 1), ("after", 0)])
@pytest.mark.asyncio(loop_scope="function")
async def test_a_bot_that_is_killed_while_it_sends_sends_once(
    own_scene: Scene, when: Literal["before", "after"], sent_anew: int
) -> None:
    """Killed between the intent and the answer, the next process looks first, and sends only what is not there."""
    house = own_scene.house
    await own_scene.ask()
    message_deleted(own_scene)
    gate = house.discord.faults.hold("POST", r"/channels/\d+/messages$", when=when)
    own_scene.end(well=True)
    await gate.wait_held()
    await house.stop_bot(signal.SIGKILL)
    await house.start_bot()
    assert await own_scene.delivery() == "direct"
    assert sent(house) == sent_anew
    gate.release()
    await house.discord.recorder.wait(lambda _: sent(house) == sent_anew + 1)
    (message,) = own_scene.direct
    await own_scene.assert_pictured(message)


def sent(house: SystemHarness) -> int:
    """Return how many requests to send a message Discord has finished with."""
    path = "/channels/{channel_id}/messages"
    return sum(each.method == "POST" and each.path == path for each in house.discord.requests)

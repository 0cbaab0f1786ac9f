"""Messages of duels through failures and restarts.

Discord and the decoding of pictures are replaced; the duels are real rows.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from discord import HTTPException, ui
from sqlalchemy import Connection

from bot.domain.bans import Ban, BanScope
from bot.domain.duels import Phase
from bot.domain.errors import ImageError, ImageProblem
from bot.domain.jobs import Delivery, Job
from bot.images.decoder_values import Upload
from bot.services.duels import DuelView
from bot.ui.delivery.duel_updater import DuelUpdater
from bot.ui.delivery.input_attachments import KeptAttachment
from bot.ui.delivery.job_messages import CardGoneError
from db.bans import BanRepository
from db.job_deletions import JobDeletionRepository
from tests.services.conftest import Open, ServiceHarness
from tests.services.test_duels import HOURS, THREE, TWO, ask, begin, finish, open_vote, voter
from tests.support.factories import GUILD, make_context
from tests.support.polling import poll
from tests.ui.view_reader import labels, texts, unescaped

_ISOLATES = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))


class Discord:
    """Fake of the messages and of the pictures' preparation."""

    def __init__(self) -> None:
        self.cards: list[ui.LayoutView] = []
        self.files: list[int] = []
        self.errors: list[Exception] = []
        self.unreadable: set[str] = set()
        self.flagged = False
        self.attachments: tuple[KeptAttachment, ...] = ()
        self.on_edit: Callable[[], Any] | None = None

    async def edit(self, _: Job, view: ui.LayoutView, files: Callable[[], list[Any]] | None) -> int:
        """Keep a card, or raise the next error."""
        if self.errors:
            raise self.errors.pop(0)
        if self.on_edit is not None:
            hook, self.on_edit = self.on_edit, None
            await hook()
        self.cards.append(view)
        self.files.append(0 if files is None else len(files()))
        return 555

    async def is_age_restricted(self, _: Job) -> bool:
        """Return the channel's flag."""
        return self.flagged

    def upload_limit(self, _: Job) -> int:
        """Return a limit."""
        return 10_000_000

    guild_upload_limit = upload_limit

    async def fetch_shown(self, _: Job) -> tuple[KeptAttachment, ...]:
        """Return the attachments of the message."""
        return self.attachments

    async def prepare_upload(self, file: Any, *_: object, **__: object) -> Upload:
        """Return a picture, unless it cannot be read."""
        if file.sha256 in self.unreadable:
            raise ImageError(ImageProblem.GONE, "store")
        return Upload(content=b"x", extension="jpg", reencoded=False)

    prepare_unsigned = prepare_upload

    @property
    def text(self) -> str:
        """The texts of the latest card."""
        return unescaped("\n".join(texts(self.cards[-1]))).translate(_ISOLATES)


def updater_of(services: ServiceHarness, discord: Discord) -> DuelUpdater:
    """Return an updater of one process."""
    parts: dict[str, Any] = {"messages": discord, "image_service": discord}
    return DuelUpdater(
        duels=services.duels,
        clock=services.clock,
        randomness=random.Random(0),  # noqa: S311 - jitter
        **parts,
    )


@asynccontextmanager
async def running(updater: DuelUpdater, *, scans: bool = False) -> AsyncIterator[None]:
    """Run an updater for a while; `scans`: it looks for due duels itself."""
    updater.start()
    scanning = asyncio.create_task(updater.run()) if scans else None
    try:
        yield
    finally:
        if scanning is not None:
            scanning.cancel()
            await asyncio.gather(scanning, return_exceptions=True)
        await updater.stop(5)


async def shown(services: ServiceHarness, view: DuelView) -> DuelView:
    """Return the duel once its message has shown its phase."""

    async def read() -> DuelView:
        return await services.duels.get(view.duel.id)

    def is_shown(current: DuelView) -> bool:
        if current.duel.phase is Phase.ENDED:
            return current.duel.shown_at is not None
        return current.duel.phase is Phase.VOTING and current.is_delivered

    return await poll(read, is_shown)


async def show(services: ServiceHarness, discord: Discord, view: DuelView) -> DuelView:
    """Let one process show a duel's phase."""
    updater = updater_of(services, discord)
    async with running(updater):
        updater.on_duel_changed(view.duel.id)
        return await shown(services, view)


@pytest.fixture
def discord() -> Discord:
    """Return a fake Discord."""
    return Discord()


async def test_failed_picture_leaves_a_vote_on_the_others(services: ServiceHarness, discord: Discord) -> None:
    view = await finish(services, await begin(services, *THREE), failed={1})
    view = await show(services, discord, view)
    assert labels(discord.cards[-1]) == ["A", "C", "End vote"]
    assert "No picture · nothing was charged" in discord.text
    assert discord.files == [2]
    assert [job.delivery for job in view.jobs][::2] == [Delivery.CARD] * 2


async def test_duel_without_a_picture_ends_with_its_reason(services: ServiceHarness, discord: Discord) -> None:
    view = await finish(services, await begin(services), failed={0, 1})
    view = await show(services, discord, view)
    assert "No picture arrived, so there was no vote." in discord.text
    assert labels(discord.cards[-1]) == []
    assert view.duel.phase is Phase.ENDED
    assert await services.duels.list_pending() == ()


async def test_duel_without_a_vote_shows_its_end(services: ServiceHarness, discord: Discord) -> None:
    view = await show(services, discord, await open_vote(services))
    services.clock.advance(HOURS * 3600)
    async with running(updater_of(services, discord), scans=True):  # after a restart
        await shown_end(services, view)
    assert "The vote has ended without a vote." in discord.text
    assert all(model in discord.text for model in TWO)


async def shown_end(services: ServiceHarness, view: DuelView) -> DuelView:
    """Return the duel once its message shows the end."""
    return await poll(lambda: services.duels.get(view.duel.id), lambda current: current.duel.shown_at is not None)


async def test_deleted_message_ends_the_vote_and_keeps_pictures(services: ServiceHarness, discord: Discord) -> None:
    view = await open_vote(services)
    await services.duels.vote(view.duel.id, 0, voter(1))
    discord.errors = [CardGoneError()]
    updater = updater_of(services, discord)
    async with running(updater):
        updater.on_duel_changed(view.duel.id)
        view = await shown_end(services, view)
    assert (view.duel.phase, view.duel.counts, view.duel.total_votes) == (Phase.ENDED, False, 0)
    assert {job.delivery for job in view.jobs} == {Delivery.HISTORY}
    assert await services.duels.list_pending() == ()


async def test_unreachable_discord_is_tried_again(services: ServiceHarness, discord: Discord) -> None:
    view = await open_vote(services)
    discord.errors = [OSError("Discord is away")] * 3
    updater = updater_of(services, discord)
    async with running(updater):
        updater.on_duel_changed(view.duel.id)
        for left in (2, 1, 0):
            await poll(_left(discord), left.__eq__)
            services.clock.advance(600)
        view = await shown(services, view)
    assert view.duel.phase is Phase.VOTING
    assert labels(discord.cards[-1]) == ["A", "B", "End vote"]


def _left(discord: Discord) -> Callable[[], Any]:
    async def read() -> int:
        return len(discord.errors)

    return read


async def test_message_that_discord_refuses_is_given_up(services: ServiceHarness, discord: Discord) -> None:
    view = await open_vote(services)
    response = SimpleNamespace(status=400, reason="Bad Request")
    discord.errors = [HTTPException(response, {"code": 50035, "message": "Invalid Form Body"}) for _ in range(3)]  # type: ignore[arg-type]
    updater = updater_of(services, discord)
    async with running(updater):
        updater.on_duel_changed(view.duel.id)
        for left in (2, 1, 0):
            await poll(_left(discord), left.__eq__)
            services.clock.advance(600)
        view = await shown_end(services, view)
    assert view.duel.phase is Phase.ENDED
    assert discord.cards == []
    assert {job.delivery for job in view.jobs} == {Delivery.HISTORY}


async def test_end_during_the_edit_of_the_vote_is_shown_after_it(open_services: Open, discord: Discord) -> None:
    """Another process ends the vote while this one still shows it."""
    first, second = open_services(), open_services()
    view = await open_vote(first)

    async def end_elsewhere() -> None:
        for number in range(3):
            await second.duels.vote(view.duel.id, 0, voter(number))
        second.clock.advance(HOURS * 3600)
        await show(second, discord, view)

    discord.on_edit = end_elsewhere
    updater = updater_of(first, discord)
    async with running(updater):
        updater.on_duel_changed(view.duel.id)
        await poll(_cards(discord), lambda cards: cards == 3)
    assert "with 3 of 3 votes" in discord.text
    assert labels(discord.cards[-1]) == []


def _cards(discord: Discord) -> Callable[[], Any]:
    async def read() -> int:
        return len(discord.cards)

    return read


async def test_lost_file_has_no_vote_and_the_other_is_shown(services: ServiceHarness, discord: Discord) -> None:
    view = await open_vote(services)
    discord.unreadable = {view.pictures[0].file.sha256}
    assert view.pictures[1].file.sha256 not in discord.unreadable
    await show(services, discord, view)
    assert labels(discord.cards[-1]) == ["B", "End vote"]


async def test_deleted_picture_ends_without_counting(services: ServiceHarness, discord: Discord) -> None:
    view = await show(services, discord, await open_vote(services))
    for number in range(3):
        await services.duels.vote(view.duel.id, 0, voter(number))
    now = services.clock.now()
    await services.database.write(
        lambda connection: JobDeletionRepository(connection).delete(view.jobs[1].id, now, now)
    )
    services.clock.advance(HOURS * 3600)
    view = await show(services, discord, await services.duels.advance(view.duel.id))
    assert not view.duel.counts
    assert "The picture was deleted." in discord.text
    assert "counts for" not in discord.text


async def test_vote_of_a_member_banned_since_does_not_count(services: ServiceHarness) -> None:
    view = await open_vote(services)
    for number in range(4):
        await services.duels.vote(view.duel.id, 1 if number == 3 else 0, voter(number))
    now = services.clock.now()

    def write(connection: Connection) -> None:
        bans = BanRepository(connection)
        for number, guild_id in ((0, GUILD), (1, 0), (2, GUILD + 1)):
            bans.set(Ban(guild_id=guild_id, member_id=1000 + number, scope=BanScope.SHARING, at=now, actor_id=1))

    await services.database.write(write)
    services.clock.advance(HOURS * 3600)
    duel = (await services.duels.advance(view.duel.id)).duel
    assert [entry.votes for entry in duel.entries] == [1, 1]
    assert not duel.counts


async def test_crash_between_holds_and_message_leaves_nothing_held(open_services: Open, discord: Discord) -> None:
    """The engine finds no message, and abandons one job after the other."""
    made = await open_services().duels.create(make_context(), await ask(open_services()))
    after = open_services()
    for job in made.jobs:
        assert (await after.duels.advance(made.duel.id)).duel.phase is Phase.RUNNING
        await after.jobs.abandon(job, refused=True)
    discord.errors = [CardGoneError()]
    updater = updater_of(after, discord)
    async with running(updater):
        updater.on_duel_changed(made.duel.id)
        view = await shown_end(after, made)
    assert view.duel.phase is Phase.ENDED
    assert (await after.account()).held == 0
    assert await after.duels.list_pending() == ()

"""Arrivals in servers, departures, and the erasure after its term."""

import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import discord
import httpx
import pytest
from sqlalchemy import Connection

from bot.domain.allowances import AllowanceEntry
from bot.domain.automod import AutoModRule
from bot.domain.errors import NotAdmittedError
from bot.domain.guild_settings import GuildSettings
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Job
from bot.domain.pauses import Pause, PauseScope
from bot.engine.maintenance import Maintenance
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.services.guild_presence import GuildPresenceService
from bot.services.guild_settings import GuildSettingsService
from bot.ui.delivery.owner_messages import OwnerMessages
from bot.ui.handlers.arrivals import ArrivalHandlers
from db.allowances import AllowanceRepository
from db.audit import audit
from db.audit_log import AuditLogRepository
from db.automod import AutoModRepository
from db.database import Database
from db.jobs import JobRepository
from db.pauses import PauseRepository
from db.pictures import ResultImageRepository
from sandbox.providers.pictures import draw_picture
from tests.services.conftest import Open, ServiceHarness
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, make_context, make_id, make_job
from tests.support.ledger import end, hold, make_ledger

TERM = timedelta(days=30)


@pytest.fixture
def presence(database: Database, clock: ManualClock) -> GuildPresenceService:
    """Return the service."""
    return GuildPresenceService(database=database, now=clock.now)


def images_in(folder: Path) -> ImageService:
    """Return an image service with a store in a folder."""
    downloader = ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False))
    return ImageService(downloader=downloader, store=ImageStore(folder), workers=ImageThreadPool())


async def erase(database: Database, clock: ManualClock, folder: Path) -> None:
    """Run the duty of maintenance."""
    images = images_in(folder)
    maintenance = Maintenance(
        database=database, image_service=images, clock=clock, retention=TERM, guild_retention=TERM
    )
    await maintenance.erase_left_guilds()
    await images.close()


async def store_image(folder: Path, words: str) -> ImageFile:
    """Store a picture, as if before the start."""
    images = images_in(folder)
    image = await images.store_bytes(draw_picture(words, 0, width=64, height=64, format="png"))
    await images.close()
    _age(folder, image)
    return image


def _age(folder: Path, image: ImageFile) -> None:
    (file,) = folder.rglob(f"{image.sha256}.*")
    os.utime(file, (START.timestamp(), START.timestamp()))


async def add_job(database: Database, image: ImageFile, *, guild: int) -> Job:
    """Record a paid job of a server with a picture."""
    job, ledger = make_job(place=make_context(guild_id=guild)), make_ledger()

    def write(connection: Connection) -> None:
        hold(connection, ledger, job)
        end(connection, ledger, job, 12)
        ResultImageRepository(connection).add_all([ResultImage(job_id=job.id, position=0, file=image)], START)

    await database.write(write)
    return job


def stored(folder: Path) -> set[str]:
    """Return the hashes of the stored files."""
    return {file.stem for file in folder.rglob("*.png")}


async def test_arrival_counts_once_among_processes(presence: GuildPresenceService) -> None:
    assert sorted(await asyncio.gather(*(presence.arrive(GUILD) for _ in range(8)))) == [False] * 7 + [True]


async def test_servers_of_first_start_are_no_arrivals(presence: GuildPresenceService) -> None:
    assert await presence.compare({1, 2}, shard=0, count=1) == ()
    assert await presence.compare({1, 2, 3}, shard=0, count=1) == (3,)
    assert await presence.compare({1, 2, 3}, shard=0, count=1) == ()


async def test_server_unavailable_at_the_start_is_new_once_it_is_available(presence: GuildPresenceService) -> None:
    assert await presence.compare({1}, unavailable={2}, shard=0, count=1) == ()
    assert await presence.compare({1, 2}, unavailable={3}, shard=0, count=1) == ()
    assert await presence.compare({1}, unavailable={2, 3}, shard=0, count=1) == ()
    assert await presence.compare({1, 2, 3}, shard=0, count=1) == (3,)


@dataclass(kw_only=True)
class FakeGuild:
    """A server with one channel, and a count of its greetings."""

    id: int
    unavailable: bool = False
    failure: Exception | None = None
    greetings: int = 0
    me: None = None
    preferred_locale: discord.Locale = discord.Locale.american_english
    text_channels: tuple[object, ...] = ()

    @property
    def system_channel(self) -> "FakeGuild | None":
        """The channel, unless the server is unavailable."""
        return None if self.unavailable else self

    @property
    def owner_id(self) -> None:
        """No owner is known."""

    def permissions_for(self, member: None) -> discord.Permissions:
        """Permit everything."""
        del member
        return discord.Permissions.all()

    async def send(self, **message: object) -> None:
        """Record a greeting, or fail."""
        del message
        if self.failure is not None:
            raise self.failure
        self.greetings += 1


def arrivals_of(presence: GuildPresenceService, services: ServiceHarness) -> ArrivalHandlers:
    """Return the handlers of a studio open to every server."""
    client = cast("discord.Client", None)
    return ArrivalHandlers(presence=presence, access=services.access, owners=OwnerMessages(client), client=client)


async def test_new_server_unavailable_at_the_start_is_greeted_later(
    presence: GuildPresenceService, open_services: Open
) -> None:
    await presence.compare({1}, shard=0, count=1)
    handlers, old, new = arrivals_of(presence, open_services()), FakeGuild(id=1), FakeGuild(id=2, unavailable=True)
    # Before the comparison, Discord announces every server.
    await handlers.become_available(cast("discord.Guild", old))
    await handlers.compare(cast("list[discord.Guild]", [old, new]), [0], 1)
    assert (old.greetings, new.greetings) == (0, 0)
    new.unavailable = False
    for _ in range(2):
        for guild in (old, new):
            await handlers.become_available(cast("discord.Guild", guild))
    assert (old.greetings, new.greetings) == (0, 1)


async def test_failed_greeting_stops_no_other_and_is_repeated(
    presence: GuildPresenceService, open_services: Open
) -> None:
    await presence.compare((), shard=0, count=1)
    broken, others = FakeGuild(id=2, failure=ValueError()), [FakeGuild(id=each) for each in (1, 3)]
    for _ in range(2):
        handlers = arrivals_of(presence, open_services())
        await handlers.compare(cast("list[discord.Guild]", [*others, broken]), [0], 1)
        assert ([each.greetings for each in others], broken.greetings) == ([1, 1], int(broken.failure is None))
        broken.failure = None


async def test_rejoining_within_term_finds_settings_and_no_greeting(
    presence: GuildPresenceService, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    settings = GuildSettingsService(database=database, now=clock.now, new_id=make_id)
    await presence.arrive(GUILD)
    await settings.change(GUILD, {"locale": "en"}, by=1)
    await presence.leave(GUILD)
    clock.advance((TERM - timedelta(hours=1)).total_seconds())
    await erase(database, clock, tmp_path)
    assert not await presence.arrive(GUILD)
    clock.advance(TERM.total_seconds())
    await erase(database, clock, tmp_path)
    assert (await settings.get(GUILD)).locale == "en"


async def test_left_server_is_erased_after_term(
    presence: GuildPresenceService, database: Database, clock: ManualClock, tmp_path: Path, open_services: Open
) -> None:
    """Its admission ends too, and a new arrival is greeted again."""
    services = open_services(admitted=None)
    settings = GuildSettingsService(database=database, now=clock.now, new_id=make_id)
    await services.access.admit(GUILD, by=1)
    await presence.arrive(GUILD)
    await settings.change(GUILD, {"locale": "en", "studio_channels": (5,)}, by=1)
    await services.allowances.set_for_everyone(GUILD, AllowanceEntry(amount=5), actor_id=1)
    rule = AutoModRule(id=7, name="Words", keywords=("dragon",))
    await database.write(lambda connection: AutoModRepository(connection).switch_on(GUILD, clock.now()))
    await database.write(lambda connection: AutoModRepository(connection).replace(GUILD, [rule], clock.now()))
    for scope in (PauseScope.STUDIO, PauseScope.GUILD):
        pause = Pause(scope=scope, name=str(GUILD), reason="", actor_id=1, at=clock.now())
        await database.write(lambda connection, pause=pause: PauseRepository(connection).begin(pause))  # type: ignore[misc]
    await presence.leave(GUILD)
    clock.advance((TERM + timedelta(hours=1)).total_seconds())
    await erase(database, clock, tmp_path)

    assert await settings.get(GUILD) == GuildSettings()
    assert await database.read(lambda connection: AllowanceRepository(connection).list(GUILD)) == ()
    assert await database.read(lambda connection: AutoModRepository(connection).list(GUILD)) == ()
    assert not (await database.read(lambda connection: AutoModRepository(connection).state(GUILD))).is_on
    pauses = await database.read(lambda connection: PauseRepository(connection).list())
    assert [each.scope for each in pauses] == [PauseScope.GUILD]
    with pytest.raises(NotAdmittedError):
        await services.access.require(GUILD)
    assert await presence.arrive(GUILD)


async def test_pictures_of_a_left_server_are_erased_after_term(
    presence: GuildPresenceService, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """With their words; the pictures of another server stay.

    The ledger balances.
    """
    own, shared = [await store_image(tmp_path, words) for words in ("own", "shared")]
    jobs = {
        "gone": await add_job(database, own, guild=GUILD),
        "shared": await add_job(database, shared, guild=GUILD),
        "other": await add_job(database, shared, guild=GUILD + 1),
    }
    for guild in (GUILD, GUILD + 1):
        await presence.arrive(guild)
    await presence.leave(GUILD)
    clock.advance((TERM - timedelta(hours=1)).total_seconds())
    await erase(database, clock, tmp_path)
    assert stored(tmp_path) == {own.sha256, shared.sha256}

    clock.advance(timedelta(hours=2).total_seconds())
    await erase(database, clock, tmp_path)
    assert stored(tmp_path) == {shared.sha256}

    def read(connection: Connection) -> dict[str, tuple[bool, str, int]]:
        repository, pictures = JobRepository(connection), ResultImageRepository(connection)
        found = {name: repository.get(job.id) for name, job in jobs.items()}
        return {
            name: (job.deleted_at is not None, job.request.prompt, len(pictures.list_for(job.id)))
            for name, job in found.items()
        }

    prompt = jobs["other"].request.prompt
    assert await database.read(read) == {"gone": (True, "", 0), "shared": (True, "", 0), "other": (False, prompt, 1)}
    assert await database.read(audit) == []


async def test_bot_that_returns_during_the_erasure_keeps_the_rest(
    presence: GuildPresenceService, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    job = await add_job(database, await store_image(tmp_path, "own"), guild=GUILD)
    await presence.arrive(GUILD)
    await presence.leave(GUILD)
    clock.advance((TERM + timedelta(hours=1)).total_seconds())
    await presence.arrive(GUILD)
    await erase(database, clock, tmp_path)
    assert len(stored(tmp_path)) == 1
    assert (await database.read(lambda connection: JobRepository(connection).get(job.id))).deleted_at is None


async def test_admission_ends_once_and_is_recorded(database: Database, open_services: Open) -> None:
    services = open_services(admitted=None)
    await services.access.admit(GUILD, by=1)
    await services.access.admit(GUILD, by=2)
    assert await services.access.end_admission(GUILD, by=3)
    assert not await services.access.end_admission(GUILD, by=3)
    entries = await database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=9))
    assert [(each.action, each.actor_id) for each in entries] == [("admission.end", 3), ("admission.begin", 1)]

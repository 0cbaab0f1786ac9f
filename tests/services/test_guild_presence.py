"""Arrivals in servers, departures, and the erasure after its term."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.domain.allowances import AllowanceEntry
from bot.domain.errors import NotAdmittedError
from bot.domain.guild_settings import GuildSettings
from bot.engine.maintenance import Maintenance
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.services.guild_presence import GuildPresenceService
from bot.services.guild_settings import GuildSettingsService
from db.allowances import AllowanceRepository
from db.audit_log import AuditLogRepository
from db.database import Database
from tests.services.conftest import Open
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, make_id

TERM = timedelta(days=30)


@pytest.fixture
def presence(database: Database, clock: ManualClock) -> GuildPresenceService:
    """Return the service."""
    return GuildPresenceService(database=database, now=clock.now)


async def erase(database: Database, clock: ManualClock, folder: Path) -> None:
    """Run the duty of maintenance."""
    downloader = ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False))
    images = ImageService(downloader=downloader, store=ImageStore(folder), workers=ImageThreadPool())
    maintenance = Maintenance(
        database=database, image_service=images, clock=clock, retention=TERM, guild_retention=TERM
    )
    await maintenance.erase_left_guilds()
    await images.close()


async def test_arrival_counts_once_among_processes(presence: GuildPresenceService) -> None:
    assert sorted(await asyncio.gather(*(presence.arrive(GUILD) for _ in range(8)))) == [False] * 7 + [True]


async def test_servers_of_first_start_are_no_arrivals(presence: GuildPresenceService) -> None:
    assert await presence.compare({1, 2}, shard=0, count=1) == ()
    assert await presence.compare({1, 2, 3}, shard=0, count=1) == (3,)
    assert await presence.compare({1, 2, 3}, shard=0, count=1) == ()


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
    await presence.leave(GUILD)
    clock.advance((TERM + timedelta(hours=1)).total_seconds())
    await erase(database, clock, tmp_path)

    assert await settings.get(GUILD) == GuildSettings()
    assert await database.read(lambda connection: AllowanceRepository(connection).list(GUILD)) == ()
    with pytest.raises(NotAdmittedError):
        await services.access.require(GUILD)
    assert await presence.arrive(GUILD)


async def test_admission_ends_once_and_is_recorded(database: Database, open_services: Open) -> None:
    services = open_services(admitted=None)
    await services.access.admit(GUILD, by=1)
    await services.access.admit(GUILD, by=2)
    assert await services.access.end_admission(GUILD, by=3)
    assert not await services.access.end_admission(GUILD, by=3)
    entries = await database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=9))
    assert [(each.action, each.actor_id) for each in entries] == [("admission.end", 3), ("admission.begin", 1)]

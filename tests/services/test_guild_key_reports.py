"""Reports about servers' keys, and readable keys after another SECRET_KEY."""

from sqlalchemy import Connection
from structlog.testing import capture_logs

from bot.domain.errors import FaultKind
from bot.domain.guild_keys import GuildKey
from bot.engine.key_vault import KeyVault
from bot.engine.provider_pool import ProviderPool
from bot.services.guild_key_reports import GuildKeyReports
from db.database import Database
from db.guild_keys import GuildKeyRepository
from db.guilds import GuildRepository
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_id

RIGHT, OTHER = KeyVault(b"k" * 32), KeyVault(b"x" * 32)
LOG_CHANNEL = 77


class Channels:
    """Log channels, open or closed."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, FaultKind | None]] = []
        self.are_open = True

    async def send_key_fault(self, channel_id: int, locale: str | None, key: GuildKey) -> bool:
        """Record a message, unless the channels are closed."""
        del locale
        self.sent += [(channel_id, key.fault)] if self.are_open else []
        return self.are_open


def reports(
    database: Database, channels: Channels, clock: ManualClock, vault: KeyVault, *, enabled: bool = True
) -> GuildKeyReports:
    """Return the reports of a start with a vault."""

    def no_client(provider: str, key: str) -> object:
        raise AssertionError((provider, key))

    pool = ProviderPool(
        operators={},
        database=database,
        vault=lambda: vault,
        build=no_client,  # type: ignore[arg-type]
        clock=clock,
    )
    return GuildKeyReports(
        database=database, vault=lambda: vault, pool=pool, channels=channels, clock=clock, enabled=enabled
    )


async def store_key(database: Database, *, log_channel: int | None = LOG_CHANNEL) -> None:
    """Store a key of a server with a log channel."""
    key = GuildKey(
        id=make_id(),
        guild_id=GUILD,
        provider="openai",
        ciphertext=RIGHT.seal("sk-0123456789ab", guild_id=GUILD, provider="openai"),
        set_by=MEMBER,
        set_at=START,
    )

    def write(connection: Connection) -> None:
        GuildKeyRepository(connection).replace(key)
        GuildRepository(connection).change_settings(GUILD, {"log_channel_id": log_channel})

    await database.write(write)


async def faults(database: Database) -> dict[str, FaultKind]:
    """Return the faults of the server's keys."""
    return await database.read(lambda connection: GuildKeyRepository(connection).faults(GUILD))


async def test_key_of_another_secret_key_is_reported_once_until_it_is_back(database: Database) -> None:
    channels, clock = Channels(), ManualClock()
    await store_key(database)
    for _ in range(2):
        changed = reports(database, channels, clock, OTHER)
        await changed.check_readable()
        await changed.check()
    assert channels.sent == [(LOG_CHANNEL, FaultKind.GUILD_KEY_UNREADABLE)]
    assert await faults(database) == {"openai": FaultKind.GUILD_KEY_UNREADABLE}
    await reports(database, channels, clock, RIGHT).check_readable()
    assert await faults(database) == {}


async def test_report_to_a_closed_channel_follows_later(database: Database) -> None:
    channels, clock = Channels(), ManualClock()
    await store_key(database)
    changed = reports(database, channels, clock, OTHER)
    await changed.check_readable()
    channels.are_open = False
    await changed.check()
    channels.are_open = True
    await changed.check()
    assert channels.sent == []
    clock.advance(3601)
    await changed.check()
    await changed.check()
    assert channels.sent == [(LOG_CHANNEL, FaultKind.GUILD_KEY_UNREADABLE)]


async def test_server_without_log_channel_is_done_at_once(database: Database) -> None:
    channels, clock = Channels(), ManualClock()
    await store_key(database, log_channel=None)
    changed = reports(database, channels, clock, OTHER)
    await changed.check_readable()
    await changed.check()
    assert channels.sent == []
    assert not await database.read(lambda connection: GuildKeyRepository(connection).has_reports(clock.now()))


async def test_start_says_that_keys_are_switched_off(database: Database) -> None:
    channels, clock = Channels(), ManualClock()
    await store_key(database)
    for enabled in (True, False):
        with capture_logs() as log:
            start = reports(database, channels, clock, RIGHT, enabled=enabled)
            await start.check_readable()
        assert [each["guilds"] for each in log if each["event"] == "guild_key.switched_off"] == [1] * (not enabled)
    changed = reports(database, channels, clock, OTHER, enabled=False)
    await changed.check_readable()
    await changed.check()
    assert channels.sent == []  # its admins have no `/studio keys` now

"""Servers' keys in the database."""

from datetime import timedelta

from sqlalchemy import Connection, select

from bot.domain.errors import FaultKind
from bot.domain.guild_keys import GuildKey
from bot.domain.jobs import Attempt, Job, Outcome
from db.attempts import AttemptRepository
from db.database import Database
from db.guild_keys import GuildKeyRepository
from db.guild_presence import GuildPresenceRepository
from db.tables import guild_keys
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id, make_job
from tests.support.ledger import end, hold, make_ledger


def make_key(provider: str = "skillboss", guild: int = GUILD) -> GuildKey:
    """Return a stored key."""
    return GuildKey(id=make_id(), guild_id=guild, provider=provider, ciphertext="v1:x", set_by=MEMBER, set_at=START)


def run_with(connection: Connection, key: GuildKey) -> Job:
    """Begin a job with a key."""
    job = make_job(own_key=True)
    hold(connection, make_ledger(), job)
    call = Attempt(
        job_id=job.id,
        number=1,
        provider=key.provider,
        outcome=Outcome.OPEN,
        started_at=START,
        key_id=key.id,
    )
    AttemptRepository(connection).add_all([call])
    return job


async def test_key_in_use_is_usable_until_its_first_fault(database: Database) -> None:
    key, other = make_key(), make_key("reve2img")

    def write(connection: Connection) -> None:
        keys = GuildKeyRepository(connection)
        assert not keys.has_any(GUILD)
        assert [keys.replace(key), keys.replace(other), keys.replace(make_key(guild=GUILD + 1))] == [False] * 3
        assert keys.usable(GUILD) == {"skillboss": key.id, "reve2img": other.id}
        assert keys.set_fault(key.id, FaultKind.GUILD_KEY_REJECTED, START)
        assert not keys.set_fault(key.id, FaultKind.GUILD_ACCOUNT_EMPTY, START)
        assert keys.usable(GUILD) == {"reve2img": other.id}
        assert keys.faults(GUILD) == {"skillboss": FaultKind.GUILD_KEY_REJECTED}
        keys.change_fault(key.id, None)
        assert keys.usable(GUILD).keys() == {"skillboss", "reve2img"}

    await database.write(write)


async def test_fault_is_reported_once(database: Database) -> None:
    key = make_key()
    later = START + timedelta(hours=1)

    def write(connection: Connection) -> None:
        keys = GuildKeyRepository(connection)
        keys.replace(key)
        keys.set_fault(key.id, FaultKind.GUILD_KEY_REJECTED, START)
        assert [each.id for each in keys.claim_reports(START, later)] == [key.id]
        assert keys.claim_reports(START, later) == ()
        assert [each.id for each in keys.claim_reports(later, later)] == [key.id]
        keys.mark_reported([key.id])
        assert not keys.has_reports(later + timedelta(days=9))

    await database.write(write)


async def test_removed_key_stays_until_its_last_job_has_ended(database: Database) -> None:
    used, unused = make_key(), make_key("reve2img")

    def write(connection: Connection) -> None:
        keys = GuildKeyRepository(connection)
        keys.replace(used)
        keys.replace(unused)
        job = run_with(connection, used)
        assert keys.retire(GUILD, START) == 2
        assert not keys.has_any(GUILD)
        assert keys.find(unused.id) is None
        assert keys.find(used.id) is not None
        assert keys.delete_unused() == 0
        end(connection, make_ledger(), job, 0)
        assert keys.delete_unused() == 1
        assert connection.execute(select(guild_keys)).all() == []

    await database.write(write)


async def test_replaced_key_serves_running_jobs_alone(database: Database) -> None:
    old, new = make_key(), make_key()

    def write(connection: Connection) -> None:
        keys = GuildKeyRepository(connection)
        keys.replace(old)
        run_with(connection, old)
        assert keys.replace(new)
        assert keys.usable(GUILD) == {"skillboss": new.id}
        assert keys.find(old.id) is not None
        assert not keys.set_fault(old.id, FaultKind.GUILD_KEY_REJECTED, START)

    await database.write(write)


async def test_left_server_has_no_keys(database: Database) -> None:
    def write(connection: Connection) -> None:
        keys = GuildKeyRepository(connection)
        keys.replace(make_key())
        keys.replace(make_key(guild=GUILD + 1))
        GuildPresenceRepository(connection).leave(GUILD, START)
        assert connection.execute(select(guild_keys.c.guild_id)).scalars().all() == [GUILD + 1]

    await database.write(write)

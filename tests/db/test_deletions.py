"""Pseudonyms of deleted members in all columns, and returns."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import BigInteger, Connection, insert, select, update

from bot.domain.credits import RiskOutcome
from bot.domain.errors import InsufficientCreditsError
from bot.domain.jobs import Job, State
from bot.domain.pseudonyms import is_pseudonym, pseudonym_of
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from db.accounts import AccountRepository
from db.audit import audit
from db.columns import metadata
from db.database import Database
from db.deletions import MEMBER_COLUMNS, Deletion, DeletionRepository
from db.member_jobs import MemberJobRepository
from db.tables import accounts, allowances, audit_log, bans, deletions, jobs, movements, pauses
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_job, make_request
from tests.support.ledger import end, grant, hold, make_ledger

KEY = b"k" * 32
AWAY = pseudonym_of(MEMBER, KEY)
OTHERS_IDS = frozenset(
    {
        "id",
        "guild_id",
        "role_id",
        "channel_id",
        "message_id",
        "public_message_id",
        "home_id",
        "interaction_id",
        "application_id",
        "review_channel_id",
        "showcase_channel_id",
        "log_channel_id",
        "sku_id",
        "size",
        "cost_nanos",
    }
)


def identity() -> MemberIdentity:
    """Return the identities with a fixed key."""
    return MemberIdentity(pseudonym_of=lambda member: pseudonym_of(member, KEY), now=lambda: START)


def ledger() -> Ledger:
    """Return a ledger of 100 credits a day for returning members."""
    return make_ledger(identity=identity())


def job_of(guild: int = GUILD, images: int = 1) -> Job:
    """Return a job of 12 credits an image."""
    return make_job(place=make_context(member_id=MEMBER, guild_id=guild), request=make_request(images=images))


async def spend(database: Database, charge: int = 12, *, guild: int = GUILD) -> Job:
    """Make a charged and delivered job."""
    job = job_of(guild)

    def write(connection: Connection) -> None:
        hold(connection, ledger(), job)
        end(connection, ledger(), job, charge)

    await database.write(write)
    return job


def erase(connection: Connection, at: Any = START) -> bool:
    """Erase the member's ended jobs and finish the deletion; return if done."""
    pending = {each.member_id: each for each in DeletionRepository(connection).list_pending()}
    ended = [job_id for job_id, has_ended in MemberJobRepository(connection).list_after(MEMBER, "", 100) if has_ended]
    MemberJobRepository(connection).erase(ended, at)
    return DeletionRepository(connection).finish(pending[MEMBER], AWAY, at)


async def delete_member(database: Database) -> None:
    """Request and carry out a deletion."""
    await database.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
    assert await database.write(erase)
    assert await database.read(audit) == []


async def ids_in(database: Database, *columns: Any) -> set[int]:
    """Return the values of some columns."""

    def read(connection: Connection) -> set[int]:
        return {value for column in columns for value in connection.execute(select(column)).scalars() if value}

    return await database.read(read)


async def available(database: Database, guild: int = GUILD) -> int:
    """Return the credits shown to the member."""
    seen = await database.read(lambda connection: ledger().available(connection, guild, MEMBER, START))
    return seen.allowance + seen.granted


def test_every_column_of_discord_ids_is_a_member_or_another_thing() -> None:
    # A new column with ids of members must be renamed by a deletion.
    snowflakes = {
        column
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, BigInteger) and column.key not in OTHERS_IDS
    }
    assert snowflakes == MEMBER_COLUMNS


def test_pseudonym_is_negative_and_needs_the_key() -> None:
    assert is_pseudonym(AWAY)
    assert not is_pseudonym(MEMBER)
    assert pseudonym_of(MEMBER, KEY) == AWAY
    assert pseudonym_of(MEMBER, b"z" * 32) != AWAY
    assert pseudonym_of(MEMBER + 1, KEY) != AWAY


async def test_deletion_leaves_no_id_and_a_balanced_ledger(database: Database) -> None:
    await database.write(lambda connection: grant(connection, ledger(), 50))
    await spend(database)
    await spend(database, guild=GUILD + 1)
    await delete_member(database)
    assert MEMBER not in await ids_in(database, *MEMBER_COLUMNS)
    assert await ids_in(database, accounts.c.member_id, jobs.c.member_id, movements.c.member_id) == {AWAY}


async def test_returning_member_finds_allowance_and_grants_as_they_were(database: Database) -> None:
    await database.write(lambda connection: grant(connection, ledger(), 50))
    await spend(database)
    before = await available(database)
    await delete_member(database)
    assert await available(database) == before
    await spend(database)
    assert await available(database) == before - 12
    assert await ids_in(database, accounts.c.member_id) == {MEMBER}
    assert await database.read(audit) == []


async def test_return_in_another_guild_restores_all_guilds(database: Database) -> None:
    await spend(database)
    await delete_member(database)
    await spend(database, guild=GUILD + 1)
    assert await available(database) == 88
    assert await database.read(audit) == []


async def test_second_deletion_after_a_return_is_no_refill_either(database: Database) -> None:
    await spend(database)
    await delete_member(database)
    await spend(database)
    await delete_member(database)
    assert await available(database) == 76
    (row,) = await database.read(lambda connection: connection.execute(select(deletions)).all())
    assert (row.member_id, row.returned_at) == (AWAY, None)


async def test_grant_to_a_member_who_is_away_joins_what_is_kept(database: Database) -> None:
    await spend(database)
    await delete_member(database)
    await database.write(lambda connection: grant(connection, ledger(), 30))
    assert await available(database) == 118
    assert await database.read(audit) == []


async def test_ban_counts_again_and_a_newer_one_wins(database: Database) -> None:
    def ban(member: int, scope: str, reason: str) -> Callable[[Connection], object]:
        values = {"guild_id": GUILD, "member_id": member, "scope": scope, "reason": reason, "actor_id": 1, "at": START}
        return lambda connection: connection.execute(insert(bans).values(values))

    def allow(connection: Connection) -> None:
        values = {"guild_id": GUILD, "role_id": 0, "member_id": MEMBER, "amount": 5, "period": "day"}
        connection.execute(insert(allowances).values(values))

    await database.write(ban(MEMBER, "studio", "spam"))
    await database.write(ban(MEMBER, "sharing", "old"))
    await database.write(allow)
    await delete_member(database)
    await database.write(ban(MEMBER, "sharing", "new"))
    await database.write(lambda connection: identity().welcome(connection, MEMBER))
    kept = await database.read(
        lambda connection: connection.execute(select(bans.c.member_id, bans.c.scope, bans.c.reason)).all()
    )
    assert {tuple(row) for row in kept} == {(MEMBER, "studio", "spam"), (MEMBER, "sharing", "new")}
    assert await ids_in(database, allowances.c.member_id) == {MEMBER}


async def test_two_requests_at_once_are_one_deletion(database: Database, other: Database) -> None:
    requests = [
        each.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
        for each in (database, other, database, other)
    ]
    assert sorted(await asyncio.gather(*requests)) == [False, False, False, True]


async def test_deletion_finished_by_two_processes_at_once_is_kept(database: Database, other: Database) -> None:
    await spend(database)
    await database.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
    pending = Deletion(member_id=MEMBER, requested_at=START)
    await database.write(lambda connection: MemberJobRepository(connection).erase(_ids(connection), START))
    finished = [
        each.write(lambda connection: DeletionRepository(connection).finish(pending, AWAY, START))
        for each in (database, other, database, other)
    ]
    assert all(await asyncio.gather(*finished))
    assert await database.read(lambda connection: DeletionRepository(connection).is_away(AWAY))
    assert await available(database) == 88


def _ids(connection: Connection) -> list[str]:
    return list(connection.execute(select(jobs.c.id)).scalars())


async def test_deletion_waits_for_a_running_job(database: Database) -> None:
    job = job_of()
    await database.write(lambda connection: hold(connection, ledger(), job))
    await database.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
    assert not await database.write(erase)
    await database.write(lambda connection: end(connection, ledger(), job, 0))
    assert await database.write(erase)
    assert await database.read(audit) == []


async def test_jobs_beside_a_deletion_never_exceed_the_allowance(database: Database, other: Database) -> None:
    """Of twenty jobs while deletions run, eight fit into 100 credits."""
    await database.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))

    async def ask(place: Database) -> bool:
        job = job_of()

        def write(connection: Connection) -> None:
            # As a request that began before the deletion was requested: nothing refuses it.
            hold(connection, ledger(), job)
            end(connection, ledger(), job, 12)

        try:
            await place.write(write)
        except InsufficientCreditsError:
            return False
        return True

    async def finish(place: Database) -> None:
        for _ in range(3):
            await place.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
            await place.write(erase)

    went = await asyncio.gather(*(ask((database, other)[at % 2]) for at in range(20)), finish(database))
    assert went.count(True) == 8
    assert await database.read(audit) == []
    assert await available(database) == 4


async def test_empty_account_of_a_question_gives_way_to_the_kept_one(database: Database) -> None:
    await spend(database)
    await delete_member(database)
    await database.write(lambda connection: AccountRepository(connection).lock(GUILD, MEMBER))
    await database.write(lambda connection: identity().restore(connection, MEMBER))
    assert await available(database) == 88
    assert await database.read(audit) == []


async def test_row_of_deletion_has_its_time(database: Database) -> None:
    later = START + timedelta(hours=1)
    await database.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
    assert await database.read(lambda connection: DeletionRepository(connection).list_pending()) == [
        Deletion(member_id=MEMBER, requested_at=START)
    ]
    assert await database.write(lambda connection: erase(connection, later))
    assert await database.read(lambda connection: DeletionRepository(connection).list_finished()) == {AWAY: START}
    assert await database.read(lambda connection: DeletionRepository(connection).list_members()) == set()


@pytest.mark.parametrize("state", [State.HELD, State.RUNNING])
async def test_job_that_has_not_ended_is_not_erased(database: Database, state: State) -> None:
    job = make_job(state=state)
    await database.write(lambda connection: hold(connection, ledger(), job))
    listed = await database.read(lambda connection: MemberJobRepository(connection).list_after(MEMBER, "", 10))
    assert listed == [(job.id, False)]


async def test_cost_decided_while_a_deletion_ended_is_kept_under_the_pseudonym(database: Database) -> None:
    """The provider was asked with the job as it was before."""
    job = job_of()
    await database.write(lambda connection: hold(connection, ledger(), job))
    await database.write(lambda connection: end(connection, ledger(), job, 0, at_risk=12))
    await delete_member(database)
    await database.write(lambda connection: ledger().decide_possible_costs(connection, job, RiskOutcome.OWED, START))
    assert await ids_in(database, movements.c.member_id) == {AWAY}
    assert await database.read(audit) == []


async def test_deletion_erases_the_id_in_what_others_typed(database: Database) -> None:
    await database.write(lambda connection: grant(connection, ledger(), 50))

    def decide(connection: Connection) -> None:
        said = f"<@{MEMBER}> and <@!{MEMBER}>, {MEMBER} too"
        connection.execute(update(movements).values(reason=said))
        entry = {"id": "a" * 32, "guild_id": GUILD, "actor_id": 1, "action": "ban", "detail": {}, "at": START}
        connection.execute(insert(audit_log), {**entry, "reason": said})
        ban = {"guild_id": GUILD, "member_id": MEMBER + 1, "scope": "studio", "actor_id": 1, "at": START}
        connection.execute(insert(bans), {**ban, "reason": said})
        pause = {"scope": "guild", "name": str(GUILD), "actor_id": 1, "at": START}
        connection.execute(insert(pauses), {**pause, "reason": said})

    await database.write(decide)
    await delete_member(database)

    def reasons(connection: Connection) -> set[str]:
        tables = (movements, audit_log, bans, pauses)
        return {said for table in tables for said in connection.execute(select(table.c.reason)).scalars()}

    assert await database.read(reasons) == {"[deleted member] and [deleted member], [deleted member] too"}


async def test_deletion_forgets_the_channel_of_direct_messages(database: Database) -> None:
    mine, in_guild = await spend(database, guild=0), await spend(database)
    await delete_member(database)
    channels = select(jobs.c.id, jobs.c.channel_id)
    found = await database.read(lambda connection: connection.execute(channels).all())
    assert {row.id: row.channel_id for row in found} == {mine.id: 0, in_guild.id: in_guild.place.channel_id}

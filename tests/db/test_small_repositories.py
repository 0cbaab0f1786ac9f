from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Account, Hold, LedgerAccount, Movement, MovementKind, Posting
from db.accounts import AccountRepository
from db.budgets import BudgetChange, BudgetRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.key_value import KeyValueRepository
from db.ledger import LedgerEntry, LedgerRepository
from db.tables import communities, postings
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id, make_job

ACCOUNT = Account(guild_id=GUILD, member_id=MEMBER, period="2026-03-14", allowance=150, granted=30, held=20)
GRANT = Movement(
    kind=MovementKind.GRANT,
    postings=(Posting(account=LedgerAccount.GRANTED, amount=5), Posting(account=LedgerAccount.ISSUED, amount=-5)),
)
RELEASE = Movement(
    kind=MovementKind.RELEASE,
    postings=(Posting(account=LedgerAccount.HELD, amount=-12), Posting(account=LedgerAccount.GRANTED, amount=12)),
)


async def test_lock_creates_missing_account_and_find_does_not(database: Database) -> None:
    def write(connection: Connection) -> tuple[Account | None, Account]:
        accounts = AccountRepository(connection)
        before = accounts.find(GUILD, MEMBER)
        locked = accounts.lock(GUILD, MEMBER)
        accounts.save(ACCOUNT)
        return before, locked

    assert await database.write(write) == (None, Account(guild_id=GUILD, member_id=MEMBER))
    assert await database.write(lambda connection: AccountRepository(connection).lock(GUILD, MEMBER)) == ACCOUNT
    assert await database.read(lambda connection: AccountRepository(connection).find(GUILD, MEMBER)) == ACCOUNT
    elsewhere = await database.read(lambda connection: AccountRepository(connection).find(GUILD + 1, MEMBER))
    assert elsewhere is None


@pytest.mark.parametrize("book", ["allowance", "granted", "held"])
async def test_schema_rejects_negative_balance(database: Database, book: str) -> None:
    amounts = {"allowance": 0, "granted": 0, "held": 0} | {book: -1}
    negative = Account(guild_id=GUILD, member_id=MEMBER, period="2026-03-14", **amounts)

    def write(connection: Connection) -> None:
        AccountRepository(connection).lock(GUILD, MEMBER)
        AccountRepository(connection).save(negative)

    with pytest.raises(IntegrityError):
        await database.write(write)
    assert await database.read(lambda connection: AccountRepository(connection).find(GUILD, MEMBER)) is None


async def test_reserve_fails_above_limit_and_settle_frees_budget(database: Database) -> None:
    def write(connection: Connection) -> list[object]:
        budgets = BudgetRepository(connection)
        steps: list[object] = [budgets.used("2026-03"), budgets.reserve("2026-03", 60, 100)]
        steps += [budgets.reserve("2026-03", 41, 100), budgets.reserve("2026-03", 40, 100), budgets.used("2026-03")]
        budgets.settle("2026-03", BudgetChange(held=60, captured=25))
        steps += [budgets.used("2026-03"), budgets.reserve("2026-03", 35, 100), budgets.reserve("2026-03", 1, 100)]
        return [*steps, budgets.reserve("2026-04", 100, 100), budgets.reserve("2026-05", 101, 100)]

    steps = [bool(each) if not isinstance(each, int) else each for each in await database.write(write)]
    assert steps == [0, True, False, True, 100, 65, True, False, True, False]


def _entry(movement: Movement, **facts: str) -> LedgerEntry:
    return LedgerEntry(
        id=make_id(),
        guild_id=ACCOUNT.guild_id,
        member_id=ACCOUNT.member_id,
        movement=movement,
        actor_id=1,
        reason="prize",
        at=START,
        **facts,
    )


async def test_hold_is_read_back_with_its_split(database: Database) -> None:
    job = make_job()
    hold = Hold(job_id=job.id, allowance=7, granted=5, period="2026-03-14", month="2026-03")

    def write(connection: Connection) -> Hold:
        JobRepository(connection).add(job)
        LedgerRepository(connection).add_holds([(job, hold)])
        return LedgerRepository(connection).get_hold(job.id)

    assert await database.write(write) == hold
    with pytest.raises(KeyError):
        await database.read(lambda connection: LedgerRepository(connection).get_hold(make_id()))


async def test_movement_is_stored_with_its_postings(database: Database) -> None:
    def write(connection: Connection) -> set[tuple[str, int]]:
        LedgerRepository(connection).add_all([_entry(GRANT)])
        return {(row.book, row.amount) for row in connection.execute(select(postings.c.book, postings.c.amount))}

    assert await database.write(write) == {("granted", 5), ("issued", -5)}


@pytest.mark.parametrize("second", [MovementKind.RELEASE, MovementKind.CAPTURE])
async def test_schema_rejects_second_settlement_of_a_hold(database: Database, second: MovementKind) -> None:
    job = make_job()
    hold = Hold(job_id=job.id, allowance=0, granted=12, period="2026-03-14", month="2026-03")

    def settle(connection: Connection, movement: Movement) -> None:
        LedgerRepository(connection).add_all([_entry(movement, job_id=job.id, settles=job.id)])

    def write(connection: Connection) -> None:
        JobRepository(connection).add(job)
        LedgerRepository(connection).add_holds([(job, hold)])
        settle(connection, RELEASE)

    await database.write(write)
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: settle(connection, replace(RELEASE, kind=second)))


@pytest.mark.parametrize("kind", [MovementKind.CAPTURE, MovementKind.RELEASE])
async def test_schema_rejects_settlement_without_hold_and_hold_with_it(database: Database, kind: MovementKind) -> None:
    def write(connection: Connection) -> None:
        LedgerRepository(connection).add_all([_entry(replace(RELEASE, kind=kind))])

    with pytest.raises(IntegrityError):
        await database.write(write)


async def test_second_admission_keeps_first_time_and_person(database: Database) -> None:
    def write(connection: Connection) -> tuple[object, ...]:
        repository = GuildRepository(connection)
        before = repository.is_admitted(GUILD)
        repository.admit(GUILD, by=1, at=START)
        repository.admit(GUILD, by=2, at=START + timedelta(days=1))
        row = connection.execute(select(communities)).one()
        return before, repository.is_admitted(GUILD), repository.is_admitted(1), row.admitted_by, row.admitted_at

    assert await database.write(write) == (False, True, False, 1, START)


async def test_save_replaces_earlier_value(database: Database) -> None:
    def write(connection: Connection) -> list[str | None]:
        facts = KeyValueRepository(connection)
        seen = [facts.find("commands")]
        for value in ("first", "second"):
            facts.save("commands", value)
            seen.append(facts.find("commands"))
        return seen

    assert await database.write(write) == [None, "first", "second"]

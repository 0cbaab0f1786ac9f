import asyncio
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, inspect, select, text

from bot.domain.requests import KEEP_AS_IT_IS
from bot.domain.searches import normalize_text
from db.accounts import AccountRepository
from db.audit import audit
from db.columns import UtcDateTime, metadata
from db.database import Database
from db.key_value import KeyValueRepository
from db.migrate import MIGRATIONS, NewerDatabaseError, list_revisions, migrate, pending_migrations
from db.tables import budgets, holds, jobs, risks
from tests.support.clock import START

ALL = sorted(each.name[:4] for each in (MIGRATIONS / "versions").glob("[0-9]*.py"))
BROKEN = '''"""Breaks half way."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO facts (name, value) VALUES ('half', 'done')")
    raise RuntimeError("the power went out")
'''


def tables(connection: Connection) -> set[str]:
    """Return the names of all tables."""
    return set(inspect(connection).get_table_names())


def schema(connection: Connection) -> dict[str, object]:
    """Return the whole schema in a comparable form."""
    seen = inspect(connection)
    where = f"{connection.dialect.name}_where"
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(name)],
            seen.get_pk_constraint(name)["constrained_columns"],
            sorted((str(key["name"]), key["referred_table"]) for key in seen.get_foreign_keys(name)),
            sorted((str(check["name"]), _plain(check["sqltext"])) for check in seen.get_check_constraints(name)),
            sorted((str(unique["name"]), *unique["column_names"]) for unique in seen.get_unique_constraints(name)),
            sorted(
                (
                    str(index["name"]),
                    *map(str, index["column_names"]),
                    _plain(index.get("dialect_options", {}).get(where)),
                )
                for index in seen.get_indexes(name)
            ),
        )
        for name in seen.get_table_names()
    }


def _plain(sql: object) -> str:
    return "".join(str(sql).lower().split()).replace("jobs.", "").replace("pictures.", "")


def revision(connection: Connection) -> str | None:
    """Return the latest applied migration."""
    return MigrationContext.configure(connection).get_current_revision()


def test_files_are_named_by_their_revisions_in_order() -> None:
    """A start reads the names alone."""
    chain = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
    assert list_revisions(MIGRATIONS) == chain


async def test_migrated_tables_equal_declared_tables(database: Database) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    differences = await database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    )
    assert differences == []


async def test_migrated_constraints_equal_declared_constraints(database: Database, empty_database: Database) -> None:
    """Alembic compares neither checks nor partial indexes."""
    await empty_database.write(metadata.create_all)
    migrated = await database.read(schema)
    del migrated["alembic_version"]
    assert migrated == await empty_database.read(schema)


async def test_migrate_empty_database_applies_all_pending(empty_database: Database) -> None:
    assert [f"{number:04}" for number in range(1, len(ALL) + 1)] == ALL
    assert await pending_migrations(empty_database) == ALL
    assert await migrate(empty_database) == ALL
    assert await pending_migrations(empty_database) == []
    assert await empty_database.read(revision) == ALL[-1]


async def test_migrate_up_to_date_database_changes_nothing(database: Database) -> None:
    await database.write(lambda connection: KeyValueRepository(connection).save("colour", "teal"))
    before = await database.read(schema)
    assert await migrate(database) == []
    assert await database.read(schema) == before
    assert await database.read(lambda connection: KeyValueRepository(connection).find("colour")) == "teal"


async def test_migrate_newer_database_raises_and_changes_nothing(database: Database) -> None:
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '8888'")))
    before = await database.read(schema)
    with pytest.raises(NewerDatabaseError) as caught:
        await migrate(database)
    assert caught.value.revision == "8888"
    with pytest.raises(NewerDatabaseError):
        await pending_migrations(database)
    assert await database.read(schema) == before
    assert await database.read(revision) == "8888"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return the migrations plus a failing one.

    The path contains a percent sign, which configuration files interpret.
    """
    folder = tmp_path / "50% done" / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_broken.py").write_text(BROKEN.format(after=ALL[-1]))
    return folder


async def test_failed_migration_leaves_old_state(database: Database, broken: Path) -> None:
    before = await database.read(schema)
    assert await pending_migrations(database, broken) == ["9999"]
    with pytest.raises(RuntimeError, match="power"):
        await migrate(database, broken)
    assert await database.read(schema) == before
    assert await database.read(revision) == ALL[-1]
    assert await database.read(lambda connection: KeyValueRepository(connection).find("half")) is None


async def test_failed_first_migration_leaves_empty_database(empty_database: Database, broken: Path) -> None:
    with pytest.raises(RuntimeError, match="power"):
        await migrate(empty_database, broken)
    assert await empty_database.read(tables) == set()
    assert await migrate(empty_database) == ALL


async def test_two_concurrent_migrations_apply_each_revision_once(
    empty_database: Database, empty_database_url: str
) -> None:
    other = await Database.open(empty_database_url)
    try:
        applied = await asyncio.gather(migrate(empty_database), migrate(other))
    finally:
        await other.close()
    assert sorted(applied) == [[], ALL]


async def test_two_processes_migrating_at_once_both_succeed(empty_database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        applied = await asyncio.to_thread(pool.map, _migrate_in_process, [empty_database_url] * 2)
        pool.close()
        pool.join()
    assert sorted(applied) == [[], ALL]


def _migrate_in_process(url: str) -> list[str]:
    async def run() -> list[str]:
        database = await Database.open(url)
        try:
            return await migrate(database)
        finally:
            await database.close()

    return asyncio.run(run())


EARLIER = """
INSERT INTO budgets (month, held, captured) VALUES ('2026-03', 0, 0), ('2026-04', 0, 12);
INSERT INTO accounts VALUES (700, 42, '2026-04-01', 76, 0, 0);
INSERT INTO movements VALUES ('m0', 700, 42, 'allowance', NULL, NULL, 0, 'x', '2026-04-01 00:00:00');
INSERT INTO postings VALUES ('m0', 'allowance', '2026-04-01', 88), ('m0', 'issued', '', -88);
"""
EARLIER_JOB = """
INSERT INTO jobs (id, interaction_id, application_id, community_id, channel_id, member_id, upload_limit, model, prompt,
    options, price, state, fence, tries, provider, fault, charged, cancel_refused, created_at, due_at, finished_at)
VALUES ('{id}', {number}, 1, 700, 1, 42, 1, 'reve-2.0', 'x', '{{}}', 12, '{state}', 0, 0, 'skillboss', {fault},
    {charged}, false, '2026-04-01 00:00:00', '2026-04-01 00:00:00', '2026-04-01 00:00:00');
INSERT INTO attempts (job_id, number, provider, outcome, fault, result, started_at)
VALUES ('{id}', 1, 'skillboss', 'refused', 'unavailable', '[]', '2026-04-01 00:00:00');
INSERT INTO attempts (job_id, number, provider, outcome, fault, result, started_at)
VALUES ('{id}', 2, 'skillboss', '{outcome}', {fault}, '[]', '2026-04-01 00:00:00');
INSERT INTO holds VALUES ('{id}', 700, 42, 12, 0, '2026-04-01', '{month}');
INSERT INTO movements VALUES ('h{id}', 700, 42, 'hold', '{id}', NULL, 42, 'x', '2026-04-01 00:00:00');
INSERT INTO postings VALUES ('h{id}', 'allowance', '2026-04-01', -12), ('h{id}', 'held', '', 12);
INSERT INTO movements VALUES ('s{id}', 700, 42, '{kind}', '{id}', '{id}', 0, 'x', '2026-04-01 00:00:00');
INSERT INTO postings VALUES ('s{id}', 'held', '', -12), ('s{id}', '{to}', '{period}', 12);
"""
EARLIER_UNKNOWN = """
INSERT INTO movements VALUES ('u{id}', 700, 42, 'unknown_cost', '{id}', NULL, 0, 'x', '2026-04-01 00:00:00');
INSERT INTO postings VALUES ('u{id}', 'unknown', '', 12), ('u{id}', 'issued', '', -12);
"""
EARLIER_PICTURE = "INSERT INTO pictures VALUES ('{id}', 0, 'x', 'image/png', 1, 1, 1, '2026-04-01 00:00:00', NULL)"
# State, outcome and fault of a job, its month, whether its cost was booked, whether pictures came late; then its risk.
EARLIER_JOBS: list[tuple[str, str, str | None, str, bool, bool, str | None]] = [
    ("failed", "unknown", "reply_lost", "2026-04", True, False, "open"),
    ("failed", "unknown", "reply_lost", "2026-03", True, True, "owed"),
    ("lost", "lost", "deadline", "2026-04", False, False, "open"),
    ("lost", "lost", "deadline", "2026-03", False, True, "owed"),
    ("failed", "failed", "no_pictures", "2026-04", False, False, "open"),
    ("failed", "failed", "generation", "2026-04", False, False, None),
    ("lost", "refused", "deadline", "2026-04", False, False, None),
    ("cancelled", "cancelled", None, "2026-04", False, False, None),
    ("done", "completed", None, "2026-04", False, False, None),
]


async def test_possible_costs_of_earlier_jobs_are_carried_over(empty_database: Database, tmp_path: Path) -> None:
    before = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "001[3-9]*", "00[2-9]*"))
    await migrate(empty_database, before)
    statements = [EARLIER]
    for number, (state, outcome, fault, month, is_booked, came_late, _) in enumerate(EARLIER_JOBS):
        done = state == "done"
        values = {
            "id": f"{number:016}{'e' * 15}",
            "number": number,
            "state": state,
            "outcome": outcome,
            "fault": "NULL" if fault is None else f"'{fault}'",
            "month": month,
            "charged": 12 if done else 0,
            "kind": "capture" if done else "release",
            "to": "earned" if done else "allowance",
            "period": "" if done else "2026-04-01",
        }
        statements += [EARLIER_JOB.format(**values)]
        statements += [EARLIER_UNKNOWN.format(**values)] if is_booked else []
        statements += [EARLIER_PICTURE.format(**values)] if came_late else []

    def write(connection: Connection) -> None:
        for statement in ";".join(statements).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)

    await empty_database.write(write)
    await migrate(empty_database)

    def read(connection: Connection) -> tuple[list[Any], list[Any]]:
        booked = {
            job_id: (number, outcome or "open")
            for job_id, number, outcome in connection.execute(select(risks.c.job_id, risks.c.number, risks.c.outcome))
        }
        ids = connection.execute(select(jobs.c.id).order_by(jobs.c.id)).scalars()
        columns = budgets.c.guild_id, budgets.c.month, budgets.c.captured, budgets.c.at_risk
        parts = select(*columns).order_by(budgets.c.guild_id, budgets.c.month)
        return [booked.get(each) for each in ids], [tuple(row) for row in connection.execute(parts)]

    booked, parts = await empty_database.read(read)
    assert booked == [None if risk is None else (2, risk) for *_, risk in EARLIER_JOBS]
    assert parts == [(guild, *each) for guild in (0, 700) for each in (("2026-03", 24, 0), ("2026-04", 12, 36))]
    account = await empty_database.read(lambda connection: AccountRepository(connection).find(700, 42))
    assert account is not None
    assert (account.allowance, account.spent, account.issued) == (76, 12, 88)
    assert await empty_database.read(audit) == []


FORGIVEN = """
INSERT INTO accounts (community_id, member_id, period, allowance, granted, held, resets)
VALUES (700, 42, '2026-03-14', 0, 0, 24, 1);
INSERT INTO jobs
(id, interaction_id, application_id, community_id, channel_id, member_id, upload_limit, model, prompt, options, price,
state, fence, tries, cancel_refused, created_at, due_at)
VALUES
('00000000000000000000000000000000', 1, 1, 700, 1, 42, 1, 'reve-2.0', '', '{}', 12,
'held', 0, 0, false, '2026-03-14 12:00:00', '2026-03-14 12:00:00'),
('00000000000000000000000000000001', 2, 1, 700, 1, 42, 1, 'reve-2.0', '', '{}', 12,
'held', 0, 0, false, '2026-03-14 12:00:00', '2026-03-14 12:00:00');
INSERT INTO holds (job_id, community_id, member_id, allowance, granted, period, month, resets)
VALUES
('00000000000000000000000000000000', 700, 42, 12, 0, '2026-03-14', '2026-03', 0),
('00000000000000000000000000000001', 700, 42, 12, 0, '2026-03-14', '2026-03', 1)
"""


async def test_holds_of_before_a_reset_stay_forgiven(empty_database: Database, tmp_path: Path) -> None:
    before = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "0029*", "00[3-9]*"))
    await migrate(empty_database, before)

    def write(connection: Connection) -> None:
        for statement in FORGIVEN.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)

    await empty_database.write(write)
    await migrate(empty_database)
    forgiven = select(holds.c.forgiven).order_by(holds.c.job_id)
    assert await empty_database.read(lambda each: each.execute(forgiven).scalars().all()) == [True, False]


async def test_earlier_costs_are_found_without_a_scan_per_job(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'atelier.db'}")
    before = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "001[3-9]*", "00[2-9]*"))
    statement = ScriptDirectory(str(MIGRATIONS)).get_revision("0013").module._EARLIER

    def plan(connection: Connection) -> dict[int, tuple[int, str]]:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
        return {row.id: (row.parent, row.detail) for row in rows}

    try:
        await migrate(database, before)
        steps = await database.read(plan)
    finally:
        await database.close()
    per_job = {step for step, (_, detail) in steps.items() if detail.startswith("CORRELATED")}
    assert per_job
    assert [detail for parent, detail in steps.values() if parent in per_job and detail.startswith("SCAN")] == []


async def test_prompts_of_earlier_jobs_become_searchable(empty_database: Database, tmp_path: Path) -> None:
    """More of them than are read at a time."""
    before = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "001[2-9]*", "00[2-9]*"))
    await migrate(empty_database, before)
    prompts = [f"Straße\n{number}" for number in range(2_001)]
    insert = text(
        "INSERT INTO jobs (id, interaction_id, application_id, community_id, channel_id, member_id, upload_limit,"
        " model, prompt, options, price, state, fence, tries, charged, cancel_refused, created_at, due_at, deleted_at)"
        " VALUES (:id, :number, 1, 700, 1, 42, 1, 'reve-2.0', :prompt, '{}', 12, 'cancelled', 0, 0, 0, false,"
        " :at, :at, :gone)"
    ).bindparams(bindparam("at", START, UtcDateTime), bindparam("gone", None, UtcDateTime))
    rows = [
        {"id": f"{number:032}", "number": number, "prompt": prompt, "at": START, "gone": None}
        for number, prompt in enumerate([*prompts, KEEP_AS_IT_IS, "deleted"])
    ]
    rows[-1]["gone"] = START
    await empty_database.write(lambda connection: connection.execute(insert, rows))

    await migrate(empty_database)

    found = await empty_database.read(
        lambda connection: connection.execute(select(jobs.c.search_text).order_by(jobs.c.id)).scalars().all()
    )
    assert found == [*map(normalize_text, prompts), None, None]


CONTEST = """
INSERT INTO challenges (id, community_id, channel_id, theme, created_by, created_at, state, closes_at, ends_at, prize,
    is_age_restricted)
VALUES ('{id}', 700, 1, 'x', 1, '2026-04-01 00:00:00', '{state}', '2026-04-01 00:00:00', '2026-04-01 00:00:00', 0,
    false);
INSERT INTO challenge_votes VALUES ('{id}', 50, 1, '2026-04-01 00:00:00');
INSERT INTO challenge_votes VALUES ('{id}', 51, 1, '2026-04-01 00:00:00');
INSERT INTO challenge_votes VALUES ('{id}', 50, 3, '2026-04-01 00:00:00');
"""
CONTEST_ENTRY = """
INSERT INTO jobs (id, interaction_id, application_id, community_id, channel_id, member_id, upload_limit, model, prompt,
    options, price, state, fence, tries, charged, cancel_refused, created_at, due_at)
VALUES ('{id}', {unique}, 1, 700, 1, {member}, 1, 'reve-2.0', 'x', '{{}}', 12, 'done', 0, 0, 12, false,
    '2026-04-01 00:00:00', '2026-04-01 00:00:00');
INSERT INTO submissions (id, community_id, member_id, job_id, title, show_prompt, is_anonymous, is_spoiler,
    is_age_restricted, flags, state, revision, created_at, waiting_since, at, reason)
VALUES ('{id}', 700, {member}, '{id}', '', true, false, false, false, '[]', '{state}', 1, '2026-04-01 00:00:00',
    '2026-04-01 00:00:00', '2026-04-01 00:00:00', '');
INSERT INTO challenge_entries VALUES ('{contest}', {member}, '{id}', {member});
"""

RULES = """
INSERT INTO sharing_settings (community_id, review, trusted_roles, allows_anonymous, refusal_reasons, report_threshold,
    reminder_hours, votes, voter_roles)
VALUES ({guild}, 'all', '[]', false, '[]', 3, 24, '{way}', '[]')
"""
VOTED = """
INSERT INTO jobs (id, interaction_id, application_id, community_id, channel_id, member_id, upload_limit, model, prompt,
    options, price, state, fence, tries, charged, cancel_refused, created_at, due_at)
VALUES ('{id}', {guild}, 1, {guild}, 1, 42, 1, 'reve-2.0', 'x', '{{}}', 12, 'done', 0, 0, 12, false,
    '2026-04-01 00:00:00', '2026-04-01 00:00:00');
INSERT INTO submissions (id, community_id, member_id, job_id, title, show_prompt, is_anonymous, is_spoiler,
    is_age_restricted, flags, state, revision, created_at, waiting_since, at, reason)
VALUES ('{id}', {guild}, 42, '{id}', '', true, false, false, false, '[]', 'approved', 1, '2026-04-01 00:00:00',
    '2026-04-01 00:00:00', '2026-04-01 00:00:00', '');
INSERT INTO votes VALUES ('{id}', 61, {guild}, '2026-04-01 00:00:00')
"""


async def test_ended_challenges_keep_their_counts_without_votes(empty_database: Database, tmp_path: Path) -> None:
    before = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "004[2-9]*", "00[5-9]*"))
    await migrate(empty_database, before)
    statements = []
    for at, state in enumerate(("ended", "voting")):
        contest = f"{at:032}"
        statements.append(CONTEST.format(id=contest, state=state))
        for member, of_entry in ((1, "approved"), (2, "approved"), (3, "withdrawn")):
            unique = 10 * at + member
            row = {"id": f"{unique:032}", "unique": unique, "member": member, "contest": contest, "state": of_entry}
            statements.append(CONTEST_ENTRY.format(**row))

    def insert(connection: Connection) -> None:
        for statement in "".join(statements).split(";\n"):
            if statement.strip():
                connection.execute(text(statement))

    await empty_database.write(insert)

    await migrate(empty_database)

    entries = "SELECT votes FROM challenge_entries ORDER BY challenge_id, member_id"
    found = await empty_database.read(lambda connection: connection.execute(text(entries)).scalars().all())
    assert found == [2, 0, None, None, None, None]
    votes = "SELECT challenge_id FROM challenge_votes"
    kept = await empty_database.read(lambda connection: connection.execute(text(votes)).scalars().all())
    assert kept == [f"{1:032}"] * 3


async def test_earlier_votes_get_the_way_of_their_server(empty_database: Database, tmp_path: Path) -> None:
    before = tmp_path / "migrations"
    ignored = shutil.ignore_patterns("__pycache__", "004[5-9]*", "00[5-9]*")
    shutil.copytree(MIGRATIONS, before, ignore=ignored)
    await migrate(empty_database, before)

    def insert(connection: Connection) -> None:
        for guild, way in ((700, "reactions"), (701, "buttons")):
            connection.execute(text(RULES.format(guild=guild, way=way)))
            for statement in VOTED.format(id=f"{guild:032}", guild=guild).split(";\n"):
                connection.execute(text(statement))

    await empty_database.write(insert)

    await migrate(empty_database)

    ways = "SELECT by_reaction FROM votes ORDER BY community_id"
    found = await empty_database.read(lambda connection: connection.execute(text(ways)).scalars().all())
    assert list(map(bool, found)) == [True, False]

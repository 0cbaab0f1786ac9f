"""`atelier credits` for the operator: output, exit codes, audit log."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.audit_log import AuditEntry
from bot.settings import Settings
from db.audit_log import AuditLogRepository
from db.database import Database
from tests.test_command_line import atelier

WHO = ("--guild", "700", "--member", "42")


@pytest.fixture(autouse=True)
def _migrated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Create a database in an empty folder, without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    assert atelier("migrate").exit_code == 0


def logged(folder: Path) -> list[AuditEntry]:
    """Return the audit log of the server."""

    async def read() -> list[AuditEntry]:
        database = await Database.open(f"sqlite+aiosqlite:///{folder / 'data' / 'atelier.db'}")
        found = await database.read(lambda each: AuditLogRepository(each).list(700, limit=10))
        await database.close()
        return list(found)

    return asyncio.run(read())


def test_grant_and_take_are_printed_and_logged(tmp_path: Path) -> None:
    result = atelier("credits", "grant", "50", *WHO, "--reason", "a prize")
    assert result.stdout == "Granted 50. Member 42 has 50 granted credits now.\n"
    result = atelier("credits", "take", "80", *WHO)
    assert result.stdout == "Took 50 of 80: there were no more. Member 42 has 0 granted credits now.\n"
    assert [(each.action, each.actor_id, each.target_id, each.reason) for each in logged(tmp_path)] == [
        ("credits.take", 0, 42, ""),
        ("credits.grant", 0, 42, "a prize"),
    ]
    lines = atelier("credits", "history", *WHO).stdout.splitlines()
    assert [line.split("  ")[1:] for line in lines] == [
        ["-50", "take", "by the operator"],
        ["+50", "grant", "by the operator", "a prize"],
    ]
    assert atelier("audit").exit_code == 0


def test_balance_names_the_allowance() -> None:
    lines = atelier("credits", "balance", *WHO).stdout.splitlines()
    assert lines[:2] == ["200 credits to spend.", "Allowance: 200 a day (DEFAULT_ALLOWANCE)."]


def test_allowances_are_set_listed_and_removed(tmp_path: Path) -> None:
    guild = WHO[:2]
    assert atelier("credits", "allowance", "2000", *guild, "--role", "501", "--period", "week").stdout == (
        "Role 501: 2000 a week.\n"
    )
    assert atelier("credits", "allowance", "unlimited", *WHO).stdout == "Member 42: unlimited.\n"
    assert atelier("credits", "allowance", *guild).stdout.splitlines() == [
        "Everyone: 200 a day (DEFAULT_ALLOWANCE)",
        "Role 501: 2000 a week",
        "Member 42: unlimited",
    ]
    assert atelier("credits", "balance", *WHO).stdout.startswith("Unlimited credits.\n")
    assert atelier("credits", "allowance", "unset", *WHO).stdout == "Member 42: removed.\n"
    assert [each.action for each in logged(tmp_path)] == ["allowance.remove", "allowance.set", "allowance.set"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("grant", "1.000", *WHO), "'1.000' is not an amount: it takes a whole number from 1 to 1000000000 in digits"),
        (("grant", "0", *WHO), "'0' is not an amount"),
        (("grant", *WHO, "-5"), "The amount must be positive. For the opposite, use `atelier credits take`."),
        (("take", "-5", *WHO), "The amount must be positive. For the opposite, use `atelier credits grant`."),
        (("allowance", *WHO, "-5"), "An allowance cannot be negative: 0 gives nothing"),
        (("grant", "9223372036854775808", *WHO), "'9223372036854775808' is not an amount"),
        (("take", "5", *WHO), "There are no granted credits to take."),
        (("reset", *WHO), "Nothing of the allowance is used"),
        (("allowance", "1,000", *WHO), "'1,000' is not an amount"),
        (("allowance", "unset", *WHO), "There is no such allowance to remove."),
        (("allowance", "5", *WHO, "--role", "1"), "Choose --role or --member, not both."),
        (("allowance", *WHO), "The amount is missing"),
        (("balance", "--guild", "-1", "--member", "42"), "-1 is not an id"),
        (("balance", "--guild", "700", "--member", "99999999999999999999"), "99999999999999999999 is not an id"),
        (("grant", "5", *WHO, "--reason", "x" * 201), "--reason takes 200 characters at most; this has 201."),
    ],
)
def test_mistake_is_one_line(arguments: tuple[str, ...], line: str, tmp_path: Path) -> None:
    result = atelier("credits", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(line)
    assert len(result.stderr.splitlines()) == 1
    assert logged(tmp_path) == []


def test_limit_that_leaves_too_little_for_a_picture_alerts_that_it_is_spent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REVE2IMG_API_KEY", "key")
    with closing(sqlite3.connect(tmp_path / "data" / "atelier.db")) as connection:
        row = (700, f"{datetime.now(UTC):%Y-%m}", 0, 24, 0)
        connection.execute(
            "INSERT INTO budgets (community_id, month, held, captured, at_risk) VALUES (?, ?, ?, ?, ?)", row
        )
        connection.commit()
        assert atelier("budget", "--guild", "700", "--cap", "30").exit_code == 0
        alerts = connection.execute("SELECT target, percentage FROM budget_alerts ORDER BY target").fetchall()
    assert alerts == [("channel", 100), ("owner", 100)]

"""`atelier stats` from the operator's side."""

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from bot.command_line import app
from bot.command_line.statistics_report import parse_since
from bot.command_line.studio_control import ControlError
from bot.domain.costs import CostSource, usd
from bot.domain.jobs import Outcome, State
from bot.settings import Settings
from db.attempts import AttemptRepository
from db.database import Database
from db.guilds import GuildRepository
from db.migrate import migrate
from tests.support.factories import GUILD, make_attempt, make_context, make_job
from tests.support.ledger import hold, make_ledger

TODAY = date(2026, 11, 30)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


def atelier(*arguments: str) -> Result:
    """Run a command; a traceback fails the test."""
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def write_jobs(connection: Connection) -> None:
    """Insert done jobs of three members, one deleted, and of another server."""
    ledger, at = make_ledger(), datetime.now(UTC)
    for guild, member in ((GUILD, 41), (GUILD, 42), (GUILD, -7), (GUILD + 1, 41)):
        job = make_job(
            place=make_context(guild_id=guild, member_id=member),
            state=State.DONE,
            charged=12,
            created_at=at,
            due_at=at,
            finished_at=at + timedelta(seconds=30),
        )
        hold(connection, ledger, job, at)
        attempt = make_attempt(job)
        AttemptRepository(connection).add_all([attempt])
        cost = usd(Decimal("0.02"), CostSource.REPORTED)
        AttemptRepository(connection).end_call(attempt, Outcome.COMPLETED, at, cost=cost)
    GuildRepository(connection).change_settings(GUILD, {"time_zone": "Pacific/Auckland"})


@pytest.fixture
def database(tmp_path: Path) -> None:
    """Make the default database, with jobs."""

    async def fill() -> None:
        database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'atelier.db'}")
        await migrate(database)
        await database.write(write_jobs)
        await database.close()

    asyncio.run(fill())


def cells(text: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in text.splitlines() if line.strip()]


@pytest.mark.usefixtures("database")
def test_statistics_of_all_servers_are_tables() -> None:
    result = atelier("stats")
    assert result.exit_code == 0
    printed = cells(result.stdout)
    assert ["all", "4", "4", "0", "100", "%", "48", "30", "s", "30", "s"] in printed
    assert ["reve-2.0", "4", "4", "0", "100", "%", "48"] in printed
    assert ["41", "2", "24"] in printed
    assert ["skillboss", "reve-2.0", "usd", "0.08", "0.08", "0.00", "0.00", "0"] in printed
    assert printed[0][-1] == "(UTC):"


@pytest.mark.usefixtures("database")
def test_statistics_of_one_server_are_in_its_time_zone() -> None:
    """A member without data has a number in the list, and no id."""
    result = atelier("stats", "--guild", str(GUILD), "--since", "7d")
    printed = cells(result.stdout)
    assert printed[0][-1] == "(Pacific/Auckland):"
    assert ["all", "3", "3", "0", "100", "%", "36", "30", "s", "30", "s"] in printed
    assert ["member", "1", "1", "12"] in printed
    assert "-7" not in result.stdout


@pytest.mark.usefixtures("database")
def test_csv_has_the_numbers_of_the_tables() -> None:
    result = atelier("stats", "--since", "1d", "--csv")
    lines = list(csv.DictReader(io.StringIO(result.stdout)))
    found = {(line["table"], line["name"], line["measure"]): line["value"] for line in lines if not line["day"]}
    assert found["total", "", "jobs"] == "4"
    assert found["member", "41", "credits"] == "24"
    assert found["offer", "SkillBoss · reve-2.0", "usd"] == "0.08"


@pytest.mark.usefixtures("database")
def test_csv_file_is_written_once(tmp_path: Path) -> None:
    first = atelier("stats", "--csv", "numbers.csv")
    assert (first.exit_code, first.stdout) == (0, "Written to numbers.csv.\n")
    content = (tmp_path / "numbers.csv").read_bytes()
    assert content.decode("utf-8-sig").startswith("table,day,name,measure,value\r\ntotal,,,jobs,4\r\n")
    second = atelier("stats", "--csv", "numbers.csv")
    assert (second.exit_code, second.stderr) == (1, "numbers.csv exists. Choose a new name.\n")
    assert (tmp_path / "numbers.csv").read_bytes() == content


@pytest.mark.usefixtures("database")
def test_server_without_jobs_is_one_line() -> None:
    result = atelier("stats", "--guild", "5", "--since", "1d")
    assert result.exit_code == 0
    assert result.stdout.startswith("No jobs from ")
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "a month"), "--since takes days"),
        (("--since", "0d"), "--since takes days"),
        (("--since", "9999-01-01"), "--since takes days"),
        (("--guild", "0"), "--guild takes the server's id"),
        (("--guild", "-5"), "--guild takes the server's id"),
        (("numbers.csv",), "A file needs --csv"),
        (("--csv", "missing/numbers.csv"), "missing/numbers.csv cannot be written: No such file or directory."),
    ],
)
def test_wrong_argument_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    result = atelier("stats", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1


def test_statistics_without_a_database_name_the_way_out() -> None:
    result = atelier("stats")
    assert result.exit_code == 1
    assert result.stderr.startswith("This database is not up to date. Run `atelier migrate` first")


@pytest.mark.parametrize(
    ("since", "days"), [("1d", 1), ("30d", 30), ("3660d", 3660), ("2026-11-30", 1), ("2026-11-01", 30)]
)
def test_since_is_days_up_to_today(since: str, days: int) -> None:
    assert parse_since(since, TODAY) == days


@pytest.mark.parametrize("since", ["", "d", "-1d", "3661d", "1e3d", "999999999999d", "2026-12-01", "2000-01-01", "30"])
def test_other_since_is_refused(since: str) -> None:
    with pytest.raises(ControlError, match="--since takes"):
        parse_since(since, TODAY)

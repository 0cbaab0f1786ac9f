"""The command line from the operator's side: output and exit codes."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from importlib.abc import MetaPathFinder
from pathlib import Path

import discord
import pytest
from typer.testing import CliRunner, Result

from bot import __version__
from bot.command_line import app
from bot.providers.registry import PROVIDERS
from bot.settings import Settings
from db.process_lock import hold_process_lock
from sandbox.discord import DiscordServer, default_world
from tests.db.test_migrate import ALL

SECRET = "s3cret-value"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def atelier(*arguments: str, **variables: str) -> Result:
    """Run a command with these variables; a traceback fails the test."""
    result = CliRunner().invoke(app, arguments, env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    return result


def let_threads_end() -> None:
    """Wait for threads of failed connections.

    aiosqlite leaves them behind, and they warn.
    """
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(10)


def database(tmp_path: Path) -> sqlite3.Connection:
    """Return the default database, opened by hand."""
    return sqlite3.connect(tmp_path / "data" / "atelier.db", isolation_level=None)


def test_version_prints_version_only() -> None:
    assert atelier("--version").stdout == f"{__version__}\n"


def test_no_command_prints_help() -> None:
    printed = atelier("--help").stdout
    for command in ("run", "sandbox", "migrate", "audit", "money", "doctor"):
        assert command in printed


def test_typo_in_command_is_answered_with_similar_names() -> None:
    assert "Did you mean 'doctor'?" in atelier("doctr").output


def test_run_without_token_is_refused() -> None:
    """One line with the remedy."""
    result = atelier("run")
    assert result.exit_code == 1
    assert result.stderr == (
        "DISCORD_TOKEN is not set. Put the bot's token into .env, or try the bot with: atelier sandbox\n"
    )


@pytest.mark.parametrize(("module", "missing"), [("sandbox.terminal", "sandbox"), ("markdown_it", "markdown_it")])
@pytest.mark.parametrize("arguments", [("sandbox",), ("run", "--or-sandbox")])
def test_sandbox_without_modules_says_how_to_install(
    arguments: tuple[str, ...], module: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The production image lacks the package and its dependencies."""
    for loaded in [name for name in sys.modules if name.split(".")[0] in ("sandbox", "markdown_it")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "meta_path", [_Missing(missing), *sys.meta_path])
    result = atelier(*arguments)
    assert result.exit_code == 1
    assert result.stderr == (
        f"The sandbox is not part of this installation (no module named {missing}). "
        "In a checkout of the source, start it with: make run\n"
    )
    assert module not in sys.modules


class _Missing(MetaPathFinder):
    """Hides one package from imports."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Refuse the package; leave everything else to the other finders."""
        del path, target
        if name == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_run_without_provider_key_is_refused() -> None:
    """One line with the variables."""
    result = atelier("run", DISCORD_TOKEN=SECRET)
    assert result.exit_code == 1
    variables = ", ".join(spec.switch_variable for spec in PROVIDERS.values())
    assert result.stderr == f"No provider has a key. Set one of these in .env: {variables}\n"


@pytest.mark.parametrize("command", ["run", "sandbox", "migrate", "audit", "money", "doctor"])
def test_wrong_settings_stop_command(command: str) -> None:
    """One line per mistake, before anything else."""
    result = atelier(command, HTTP_PORT=SECRET, LOG_LEVEL="loud", DISCORD_TOKEN=SECRET)
    assert result.exit_code == 1
    assert result.stderr == (
        "HTTP_PORT takes a port, 0 to 65535 (0: any)\n"
        "LOG_LEVEL takes DEBUG, INFO, WARNING or ERROR\n"
        "Fix the settings above in the environment or in .env.\n"
    )
    assert SECRET not in result.output
    assert not Path("data").exists()


def test_second_migration_changes_nothing() -> None:
    first = atelier("migrate")
    assert (first.exit_code, first.stdout) == (0, f"Applied: {', '.join(ALL)}\n")
    second = atelier("migrate")
    assert (second.exit_code, second.stdout) == (0, "The database is up to date.\n")


def test_audit_of_sound_ledger_passes() -> None:
    atelier("migrate")
    result = atelier("audit")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "The ledger balances.\n", "")


def test_audit_prints_parts_of_each_budget(tmp_path: Path) -> None:
    """They are shown also if the ledger does not balance."""
    atelier("migrate")
    with database(tmp_path) as connection:
        connection.execute("INSERT INTO budgets (month, held, captured, at_risk) VALUES ('2026-03', 12, 24, 36)")
    connection.close()
    result = atelier("audit", MONTHLY_BUDGET="100")
    assert result.stdout == "Budget 2026-03: 12 held, 24 captured, 36 at risk, 28 of 100 left.\n"
    assert result.exit_code == 1


def test_audit_of_tampered_ledger_names_account(tmp_path: Path) -> None:
    """An account with unexplained credits."""
    atelier("migrate")
    with database(tmp_path) as connection:
        connection.execute("INSERT INTO accounts VALUES (700, 42, '2026-03-14', 0, 500, 0, 0, 0)")
    connection.close()
    result = atelier("audit")
    assert result.exit_code == 1
    assert result.stderr == (
        "account of member 42 in guild 700: granted is 500, the ledger says 0\n"
        "The ledger does not balance: 1 mistake.\n"
    )


def test_money_reads_while_the_bot_runs(tmp_path: Path) -> None:
    """The process of the bot holds the lock of the database."""
    atelier("migrate")
    with hold_process_lock(tmp_path / "data" / "atelier.db"):
        result = atelier("money", "--month", "2026-03")
    assert (result.exit_code, result.stdout) == (0, "No call to a provider in 2026-03.\n")


@pytest.mark.parametrize("month", ["2026-13", "2026-3", "March"])
def test_money_of_strange_month_is_refused(month: str) -> None:
    result = atelier("money", "--month", month)
    assert (result.exit_code, result.stderr) == (1, "--month takes a month as YYYY-MM, such as 2026-11.\n")


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_newer_database_is_left_alone(tmp_path: Path, command: str) -> None:
    """One line with the remedy."""
    atelier("migrate")
    with database(tmp_path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    result = atelier(command, DISCORD_TOKEN=SECRET, SKILLBOSS_WHOLESALE_KEY=SECRET, LOG_LEVEL="ERROR")
    assert result.exit_code == 1
    assert "The database is from a newer version of Atelier (revision 9999)." in result.stderr


def test_move_copies_the_database_and_says_what_is_next(tmp_path: Path) -> None:
    """Again, it refuses; with the new address, the audit passes."""
    atelier("migrate")
    new = f"sqlite+aiosqlite:///{tmp_path}/new/place.db"
    moved = CliRunner().invoke(app, ["move", "-"], input=f"{new}\n")
    assert moved.exit_code == 0
    first, proof, *_, last = moved.stdout.splitlines()
    assert first.endswith(f" tables, with 0 jobs, to {new}.")
    assert proof == "Each table has as many rows as before, and the ledger balances."
    assert last.startswith("Next: set DATABASE_URL to the new address, and start the bot.")
    assert atelier("audit", DATABASE_URL=new).exit_code == 0
    again = atelier("move", new, DATABASE_URL=new)
    assert again.stderr == "This is the database of your settings already. Name another one.\n"
    assert again.exit_code == 1


@pytest.mark.parametrize("url", ["", "atelier.db", f"mysql://a:{SECRET}@host/x", f"postgresql+asyncpg://a:{SECRET}@h"])
def test_move_to_strange_address_is_refused(url: str) -> None:
    result = atelier("move", url)
    assert result.exit_code == 1
    assert result.stderr == (
        "URL takes sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME, as DATABASE_URL.\n"
    )


def test_move_beside_running_bot_is_refused(tmp_path: Path) -> None:
    atelier("migrate")
    with hold_process_lock(tmp_path / "data" / "atelier.db"):
        result = atelier("move", f"sqlite+aiosqlite:///{tmp_path}/new.db")
    assert result.exit_code == 1
    assert result.stderr.startswith("A bot runs on the old database. Stop it first; nothing was moved.")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("command", ["audit", "money"])
def test_read_before_migration_is_refused(command: str) -> None:
    """One line, no traceback."""
    result = atelier(command)
    assert result.exit_code == 1
    assert result.stderr.startswith("This database is not up to date. Run `atelier migrate` first;")


@pytest.mark.parametrize("command", ["migrate", "audit", "money"])
def test_unopenable_database_is_reported_in_one_line(tmp_path: Path, command: str) -> None:
    """A file for a folder, a folder for a file, a missing server."""
    (tmp_path / "file").write_text("")
    for url in (
        f"sqlite+aiosqlite:///{tmp_path}/file/atelier.db",
        f"sqlite+aiosqlite:///{tmp_path}",
        "postgresql+asyncpg://atelier:s3cret-value@127.0.0.1:1/atelier",
    ):
        result = atelier(command, DATABASE_URL=url)
        assert result.exit_code == 1
        assert result.stderr.startswith("The database cannot be used (")
        assert SECRET not in result.output
    let_threads_end()


def test_foreign_database_file_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "atelier.db").write_bytes(b"not a database, but long enough to look like a file" * 100)
    result = atelier("migrate")
    assert result.exit_code == 1
    assert result.stderr == "The database cannot be used (DatabaseError). `atelier doctor` says more.\n"
    let_threads_end()


def test_doctor_on_bare_machine_names_missing_parts() -> None:
    """With remedies and exit code 1."""
    result = atelier("doctor")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert any(line.startswith("ok") and "can be written" in line for line in lines)
    assert "fault DISCORD_TOKEN is not set" in lines
    assert (
        "      Copy the token from the Bot page of the developer portal into .env. `atelier try` needs none." in lines
    )
    assert "fault no provider has a key" in lines


def test_run_without_discord_waits_for_it(tmp_path: Path) -> None:
    """Lines without a traceback or the token; a signal ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        env={
            "PATH": os.environ["PATH"],
            "DISCORD_TOKEN": SECRET,
            "SKILLBOSS_WHOLESALE_KEY": SECRET,
            "DISCORD_API_URL": "http://127.0.0.1:1/api/v10",
            "DATA_DIR": str(tmp_path),
            "HTTP_PORT": "0",
        },
        cwd=Path(__file__).parent.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log = ""
    for line in process.stderr:
        log += line
        if "discord.unreachable" in line:
            break
    process.terminate()
    log += process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0
    assert "next_try_seconds=5.0" in log
    assert "Traceback" not in log
    assert SECRET not in log


def test_run_ended_by_unknown_fault_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the place, without a traceback."""

    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("bot.command_line.serving.run_bot", break_down)
    result = atelier("run", DISCORD_TOKEN=SECRET, SKILLBOSS_WHOLESALE_KEY=SECRET)
    assert result.exit_code == 1
    assert result.stderr.startswith("The bot ended by its own fault: RuntimeError at test_command_line.py:")
    assert len(result.stderr.splitlines()) == 1


def test_sync_without_token_is_refused() -> None:
    result = atelier("sync", SKILLBOSS_WHOLESALE_KEY=SECRET)
    assert result.exit_code == 1
    assert result.stderr.startswith("DISCORD_TOKEN is not set.")


async def test_sync_prints_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands on an empty application, none the second time."""
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)
    server = DiscordServer(default_world(token=SECRET))
    await server.start()
    server.commands.replace([{"name": "foreign", "description": "of another program"}])
    variables = {"DISCORD_TOKEN": SECRET, "DISCORD_API_URL": server.api_url, "SKILLBOSS_WHOLESALE_KEY": SECRET}
    first = await asyncio.to_thread(atelier, "sync", **variables)
    assert first.exit_code == 0
    lines = first.stdout.splitlines()
    assert {"added /imagine", "added Edit this image", "removed /foreign"} <= set(lines)
    assert lines[-1] == "Discord has the commands now."
    second = await asyncio.to_thread(atelier, "sync", **variables)
    assert second.stdout == "Discord had the same commands. They were sent again.\n"
    server.faults.add("PUT", "/commands$", status=503)
    refused = await asyncio.to_thread(atelier, "sync", **variables)
    server.faults.clear()
    server.faults.add("GET", "/commands$", status=200, body={"odd": True})
    odd = await asyncio.to_thread(atelier, "sync", **variables)
    assert odd.exit_code == 1
    assert odd.stderr.startswith("The commands were not sent. unexpected answer (")
    assert refused.exit_code == 1
    assert refused.stderr == "The commands were not sent. Discord has a fault (HTTP 503): nothing to do.\n"
    await server.close()


def test_files_of_command_are_private(tmp_path: Path) -> None:
    """Database, lock and folders, with any mask of the shell."""
    (tmp_path / "data").mkdir(mode=0o755)
    script = (
        "import os, sys; os.umask(0)\nsys.argv = ['atelier', *sys.argv[1:]]; from bot.command_line import main; main()"
    )
    ran = subprocess.run(  # noqa: S603 - our own interpreter, our own script
        [sys.executable, "-c", script, "doctor"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "DISCORD_TOKEN": SECRET,
            "SKILLBOSS_WHOLESALE_KEY": SECRET,
            "DISCORD_API_URL": "http://127.0.0.1:1/api/v10",
            "DATABASE_URL": "sqlite+aiosqlite:///deep/er/atelier.db",
            "HTTP_PORT": "0",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    made = [path for path in tmp_path.rglob("*") if path != tmp_path / "data"]
    assert {path.name for path in made} >= {"deep", "er", "atelier.db", "atelier.db.lock"}
    assert {path.name: path.stat().st_mode & 0o077 for path in made} == dict.fromkeys((path.name for path in made), 0)

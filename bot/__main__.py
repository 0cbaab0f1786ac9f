"""The command line: `atelier`, or `python -m bot`."""

import asyncio
import importlib.util
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import aiohttp
import discord
import structlog
import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from bot import __version__
from bot.backup import (
    BackupError,
    check_backup,
    checked_lines,
    create_backup,
    created_lines,
    restore_backup,
    restored_lines,
)
from bot.client import TokenRefusedError
from bot.command_sync import describe_problem
from bot.container import command_payload, open_database, sync_commands
from bot.container import run as run_bot
from bot.credit_commands import Work, build_credit_commands
from bot.doctor import DATABASE_FAULTS, Finding, examine, first_cause
from bot.domain.credits import Budget, month_of
from bot.domain.statistics import Statistics
from bot.gateway import REFUSED_LOGIN, describe_end, describe_fault
from bot.ledger_view import sandbox_ledger
from bot.log_config import configure_logging
from bot.money_report import money_report
from bot.providers.registry import PROVIDERS
from bot.secret_key import SecretKeyError
from bot.settings import Settings, SettingsError, load_settings
from bot.statistics_report import read_report, report_tables, write_csv
from bot.studio_control import (
    ControlError,
    begin_pause,
    check_guild,
    end_pause,
    list_budgets,
    list_pauses,
    pause_target,
    show_budget,
)
from bot.trial import (
    ExitCode,
    Picture,
    Plan,
    TrialError,
    Wanted,
    check_out,
    make_picture,
    picture_lines,
    plan_lines,
    prepare,
)
from bot.ui.render.formatting import counted
from db.audit import audit as audit_books
from db.budgets import BudgetRepository
from db.database import Database
from db.migrate import NewerDatabaseError, pending_migrations
from db.migrate import migrate as migrate_database
from db.money import read_money
from db.process_lock import AlreadyRunningError

app = typer.Typer(
    help="Atelier: an image studio for Discord communities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
T = TypeVar("T")

_out = Console(soft_wrap=True, highlight=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False)

_log = structlog.get_logger(__name__)

_NOT_UP_TO_DATE = "This database is not up to date. Run `atelier migrate` first; a start of the bot does it too."
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DEMONSTRATION = "a red panda astronaut, cinematic lighting"


@app.command()
def run(
    or_sandbox: Annotated[bool, typer.Option(help="Without a token, start the sandbox instead.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Run the bot with the settings of the environment and of `.env`."""
    settings = _settings()
    if settings.discord_token is None and or_sandbox:
        _out.print("No DISCORD_TOKEN: starting the sandbox. Nothing leaves this machine.")
        _run_sandbox(settings, _DEMONSTRATION, stay=True)
        return
    _check_keys(settings)
    configure_logging(settings.log_level, settings.log_format)

    async def serve() -> None:
        stop, hurry = _stop_on_signals()
        await run_bot(settings, stop, hurry=hurry)

    try:
        asyncio.run(serve())
    except (discord.LoginFailure, TokenRefusedError):
        _fail(REFUSED_LOGIN)
    except (discord.ConnectionClosed, discord.PrivilegedIntentsRequired) as error:
        _fail(describe_end(error))
    except (discord.DiscordException, aiohttp.ClientError) as error:
        _fail(
            f"Discord cannot be reached, or ended the connection ({type(error).__name__}). `atelier doctor` says more."
        )
    except NewerDatabaseError as error:
        _fail(_newer(error))
    except AlreadyRunningError:
        _fail("Another Atelier serves this database. SQLite takes one process; several need PostgreSQL (DATABASE_URL).")
    except (SQLAlchemyError, sqlite3.Error) as error:
        _fail(f"The database cannot be used ({type(error).__name__}). `atelier doctor` says more.")
    except SecretKeyError as error:
        _fail(f"Cannot start: {error}")
    except OSError as error:
        _fail(f"Cannot start: {error.strerror or type(error).__name__}. `atelier doctor` says more.")
    except Exception as error:  # noqa: BLE001 - one line instead of a traceback, which is at DEBUG
        _log.debug("app.broke", exc_info=True)
        _fail(
            f"The bot ended by its own fault: {describe_fault(error)}. No job is lost: all go on with the next start."
            " Please report it; LOG_LEVEL=DEBUG shows more."
        )


@app.command()
def sync() -> None:
    """Send the commands to Discord, and print the changes."""
    settings = _settings()
    _check_keys(settings)
    try:
        changes = asyncio.run(sync_commands(settings))
    except Exception as error:  # noqa: BLE001 - an odd answer of Discord is named too
        problem = describe_problem(error)
        _fail(f"The commands were not sent. {problem.reason}: {problem.remedy}.")
    for verb, names in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed)):
        for name in names:
            _out.print(escape(f"{verb} {name}"))
    _out.print("Discord has the commands now." if changes else "Discord had the same commands. They were sent again.")


@app.command()
def sandbox(
    demo: Annotated[str | None, typer.Option(help="Run one /imagine with this prompt, then end.")] = None,
) -> None:
    """Run the bot against local fakes: no account and no key."""
    _run_sandbox(_settings(), demo or _DEMONSTRATION, stay=demo is None)


@app.command()
def migrate() -> None:
    """Upgrade the database to this version."""
    settings = _settings()

    async def apply() -> list[str]:
        async with open_database(settings) as database:
            return await migrate_database(database)

    applied = _with_database(apply())
    _out.print(f"Applied: {', '.join(applied)}" if applied else "The database is up to date.")


@app.command()
def audit() -> None:
    """Check the ledger; exit 1 with a line for each fault."""
    settings = _settings()

    months: list[Budget] = []

    async def prove() -> list[str]:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                _fail(_NOT_UP_TO_DATE)
            months.extend(await database.read(lambda each: BudgetRepository(each).list_months(settings.monthly_budget)))
            return await database.read(audit_books)

    problems = _with_database(prove())
    for budget in months:
        parts = f"{budget.held} held, {budget.captured} captured, {budget.at_risk} at risk"
        _out.print(f"Budget {budget.month}: {parts}, {budget.left} of {budget.limit} left.")
    for problem in problems:
        _err.print(escape(problem))
    if problems:
        _fail(f"The books do not balance: {counted(len(problems), 'mistake')}.")
    _out.print("The books balance.")


@app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="New file, or a folder.", show_default="DATA_DIR/backups")] = None,
    pictures: Annotated[bool, typer.Option("--pictures", help="Add the pictures.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Write the database to one file, also while the bot runs."""
    settings = _settings()
    created = _with_backup(create_backup(settings, file, datetime.now(UTC), pictures=pictures))
    for line in created_lines(created):
        _out.print(escape(line))
    if created.manifest.ledger_faults:
        raise typer.Exit(1)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file of `atelier backup`.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace a used database; it is kept aside.")] = False,  # noqa: FBT002 - typer's form of a flag
    check: Annotated[bool, typer.Option("--check", help="Only try the backup; change nothing.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Restore a backup, while no bot runs."""
    settings = _settings()
    now = datetime.now(UTC)
    if check:
        lines = checked_lines(_with_backup(check_backup(settings, file, now)))
    else:
        lines = restored_lines(_with_backup(restore_backup(settings, file, now, force=force)))
    for line in lines:
        _out.print(escape(line))


@app.command()
def money(
    month: Annotated[
        str | None, typer.Option(help="A month of UTC as YYYY-MM; this month if not given.", metavar="YYYY-MM")
    ] = None,
) -> None:
    """Print earnings and costs by provider and model."""
    chosen = month_of(datetime.now(UTC)) if month is None else month
    if not _MONTH.fullmatch(chosen):
        _fail("--month takes a month as YYYY-MM, such as 2026-11.")
    settings = _settings()

    async def report() -> list[str]:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                _fail(_NOT_UP_TO_DATE)
            return list(money_report(chosen, await database.read(lambda each: read_money(each, chosen))))

    for line in _with_database(report()):
        _out.print(escape(line))


@app.command()
def stats(
    file: Annotated[
        Path | None, typer.Argument(help="With --csv, a new file.", dir_okay=False, show_default=False)
    ] = None,
    since: Annotated[str, typer.Option(help="Days up to today, or the first day.", metavar="30d|YYYY-MM-DD")] = "30d",
    guild: Annotated[int | None, typer.Option(help="One server, by its id; else all.", show_default=False)] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values, or write FILE.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Print statistics of jobs, credits, success, waiting times and costs."""
    if file is not None and not csv:
        _fail("A file needs --csv: atelier stats --csv FILE")
    settings = _settings()

    async def read() -> Statistics:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                _fail(_NOT_UP_TO_DATE)
            return await read_report(database, since, guild)

    try:
        statistics = _with_database(read())
        if csv:
            typer.echo(write_csv(statistics, file), nl=False)
            return
    except ControlError as error:
        _fail(str(error))
    for part in report_tables(statistics):
        _out.print(part)


_AllOption = Annotated[bool, typer.Option("--all", help="Everything, in every server.")]
_ProviderOption = Annotated[str | None, typer.Option(help="One provider; its jobs go to others.", show_default=False)]
_ModelOption = Annotated[str | None, typer.Option(help="One model.", show_default=False)]
_GuildOption = Annotated[int | None, typer.Option(help="One server, by its id.", show_default=False)]


@app.command()
def pause(
    everything: _AllOption = False,  # noqa: FBT002 - typer's form of a flag
    provider: _ProviderOption = None,
    model: _ModelOption = None,
    guild: _GuildOption = None,
    reason: Annotated[str, typer.Option(help="Members see it.", show_default=False)] = "",
) -> None:
    """Stop new jobs, also while the bot runs; without options, list pauses."""
    settings = _settings()

    async def work(database: Database) -> list[str]:
        target = pause_target(everything=everything, provider=provider, model=model, guild=guild)
        if target is None:
            return await list_pauses(database, settings)
        return await begin_pause(database, settings, target, reason)

    _control(settings, work)


@app.command()
def resume(
    everything: _AllOption = False,  # noqa: FBT002 - typer's form of a flag
    provider: _ProviderOption = None,
    model: _ModelOption = None,
    guild: _GuildOption = None,
) -> None:
    """End a pause."""
    settings = _settings()

    async def work(database: Database) -> list[str]:
        target = pause_target(everything=everything, provider=provider, model=model, guild=guild)
        if target is None:
            raise ControlError("Choose --all, --provider, --model or --guild. `atelier pause` lists what is paused.")
        return await end_pause(database, settings, target)

    _control(settings, work)


@app.command()
def budget(
    guild: _GuildOption = None,
    cap: Annotated[
        str | None, typer.Option(help="Credits a month that you give the server, or none.", show_default=False)
    ] = None,
) -> None:
    """Print this month's budgets, or limit a server's."""
    settings = _settings()

    async def work(database: Database) -> list[str]:
        if guild is None and cap is not None:
            raise ControlError("--cap needs --guild. MONTHLY_BUDGET limits all servers together.")
        if guild is None:
            return await list_budgets(database, settings)
        return await show_budget(database, settings, check_guild(guild), cap)

    _control(settings, work)


def _run_credits(work: Work) -> None:
    """Run a command of `atelier credits`."""
    settings = _settings()
    _control(settings, lambda database: work(database, settings))


app.add_typer(build_credit_commands(_run_credits), name="credits")


def _control(settings: Settings, work: Callable[[Database], Awaitable[list[str]]]) -> None:
    """Print the lines of a change of the operator's, or its mistake."""

    async def change() -> list[str]:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                _fail(_NOT_UP_TO_DATE)
            return await work(database)

    try:
        lines = _with_database(change())
    except ControlError as error:
        _fail(str(error))
    for line in lines:
        _out.print(escape(line))


@app.command()
def doctor(
    strict: Annotated[bool, typer.Option(help="Exit with 1 for warnings too.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Check all needs of the bot; exit 1 for a fault."""
    settings = _settings()
    findings = asyncio.run(examine(settings, commands=command_payload))
    for finding in findings:
        sign = _sign_of(finding)
        _out.print(f"{sign} {escape(finding.what)}")
        if finding.remedy:
            _out.print(f"      {escape(finding.remedy)}")
    if not all(finding.good and not (strict and finding.is_warning) for finding in findings):
        raise typer.Exit(1)


@app.command("try")
def try_(
    prompt: Annotated[str, typer.Argument(help="The prompt, in quotation marks.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="Model; else the default one.", show_default=False)] = None,
    provider: Annotated[str | None, typer.Option(help="Provider; else PROVIDER_ORDER.", show_default=False)] = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="Such as 16:9.", show_default=False)] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to edit.", dir_okay=False, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help="New file, or a folder.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Make one picture with a real key: no Discord and no database."""
    settings = _settings()
    configure_logging("DEBUG" if settings.log_level == "DEBUG" else "ERROR", settings.log_format)
    wanted = Wanted(prompt=prompt, model=model, provider=provider, aspect_ratio=aspect_ratio, image=image)
    try:
        check_out(out)
        plan = asyncio.run(prepare(settings, wanted))
        for line in plan_lines(plan):
            _out.print(escape(line))
        if not yes:
            _ask_to_send()
        picture = asyncio.run(_try_plan(settings, plan, out))
    except TrialError as error:
        _fail(error.line, code=error.code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("Stopped. Nothing was sent.")
    except OSError as error:
        _fail(f"The picture cannot be saved: {error.strerror or type(error).__name__}.")
    except Exception as error:  # noqa: BLE001 - one line instead of a traceback, which is at DEBUG
        _log.debug("try.broke", exc_info=True)
        _fail(
            f"This ended by a fault of Atelier: {describe_fault(error)}. Please report it; LOG_LEVEL=DEBUG shows more."
        )
    for line in picture_lines(picture):
        _out.print(escape(line))


def _ask_to_send() -> None:
    if not sys.stdin.isatty():
        line = "Nothing was sent: there is no terminal to answer at. Add --yes to send it."
        raise TrialError(line, code=ExitCode.USAGE)
    if not typer.confirm("Send?"):
        raise TrialError("Nothing was sent.")


async def _try_plan(settings: Settings, plan: Plan, out: Path | None) -> Picture:
    interrupted = _stop_on_signals()[0]
    if not _err.is_terminal:
        shown: list[str] = []

        def show_change(line: str) -> None:
            if line not in shown[-1:]:
                _err.print(escape(line))
            shown.append(line)

        return await make_picture(settings, plan, out=out, show=show_change, interrupted=interrupted)
    with _err.status("") as status:
        return await make_picture(
            settings, plan, out=out, show=lambda line: status.update(escape(line)), interrupted=interrupted
        )


def _sign_of(finding: Finding) -> str:
    if not finding.good:
        return "[red]fault[/]"
    return "[yellow]warn[/] " if finding.is_warning else "[green]ok[/]   "


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Atelier: an image studio for Discord communities."""
    if show:
        _out.print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line.

    What it creates holds prompts, tokens and pictures, so only its user may read it.
    """
    os.umask(0o077)
    app()


def _check_keys(settings: Settings) -> None:
    """Check for a token and a provider's key."""
    if settings.discord_token is None:
        hint = ", or try the bot with: atelier sandbox" if importlib.util.find_spec("sandbox") else ""
        _fail(f"DISCORD_TOKEN is not set. Put the bot's token into .env{hint}")
    if not settings.providers:
        variables = ", ".join(spec.switch_variable for spec in PROVIDERS.values())
        _fail(f"No provider has a key. Set one of these in .env: {variables}")


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        for line in error.lines:
            _err.print(escape(line))
        _fail("Fix the settings above in the environment or in .env.")


def _run_sandbox(settings: Settings, prompt: str, *, stay: bool) -> None:
    try:
        # Imported here because the production image has no sandbox.
        from sandbox.data_folder import reserve_folder  # noqa: PLC0415 - an extra that may be missing
        from sandbox.terminal import run_in_terminal  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        _fail(
            f"The sandbox is not part of this installation (no module named {error.name}). "
            "In a checkout of the source, start it with: make run"
        )

    async def serve(folder: Path) -> int:
        return await run_in_terminal(
            command=[sys.executable, "-m", "bot", "run"],
            folder=folder,
            ledger=sandbox_ledger(folder / "atelier.db"),
            prompt=prompt,
            stay=stay,
            stop=_stop_on_signals()[0],
            show=lambda line, style: _out.print(escape(line), style=style),
        )

    wanted = settings.data_dir / "sandbox"
    with reserve_folder(wanted) as folder:
        if folder != wanted:
            _out.print(escape(f"Another sandbox uses {wanted}. This one uses {folder} and removes it at its end."))
        code = asyncio.run(serve(folder))
    if code:
        raise typer.Exit(code)


def _stop_on_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Return the events of the first and of the second signal to end."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def end() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    return stop, hurry


def _with_database(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except NewerDatabaseError as error:
        _fail(_newer(error))
    except DATABASE_FAULTS as error:
        _fail(f"The database cannot be used ({type(error).__name__}). `atelier doctor` says more.")


def _with_backup(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except BackupError as error:
        _fail(str(error))
    except NewerDatabaseError as error:
        _fail(_newer(error))
    except DATABASE_FAULTS as error:
        _fail(f"The database cannot be used ({first_cause(error)}). `atelier doctor` says more.")


def _newer(error: NewerDatabaseError) -> str:
    return (
        f"The database is from a newer version of Atelier (revision {error.revision}). "
        "Install that version again, or restore a backup from before the upgrade."
    )


def _fail(line: str, *, code: int = 1) -> NoReturn:
    _err.print(escape(line))
    raise typer.Exit(code)


if __name__ == "__main__":
    main()

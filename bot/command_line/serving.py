"""`atelier run`, `sync` and `sandbox`."""

import asyncio
import importlib.util
import sqlite3
import sys
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import discord
import structlog
import typer
from sqlalchemy.exc import SQLAlchemyError

from bot.client import TokenRefusedError
from bot.command_line.ledger_view import sandbox_ledger
from bot.command_line.output import OUT
from bot.command_line.terminal import fail, newer_database, read_settings, stop_on_signals
from bot.command_sync import describe_problem
from bot.container import run as run_bot
from bot.container import sync_commands
from bot.gateway import REFUSED_LOGIN, describe_end, describe_fault
from bot.log_config import configure_logging
from bot.providers.registry import PROVIDERS
from bot.secret_key import SecretKeyError
from bot.settings import Settings
from db.migrate import NewerDatabaseError
from db.process_lock import AlreadyRunningError

_log = structlog.get_logger(__name__)

_DEMONSTRATION: Final = "a red panda astronaut, cinematic lighting"


def run(
    or_sandbox: Annotated[bool, typer.Option(help="Without a token, start the sandbox instead.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Run the bot with the settings of the environment and of `.env`."""
    settings = read_settings()
    if settings.discord_token is None and or_sandbox:
        OUT.print("No DISCORD_TOKEN: starting the sandbox. Nothing leaves this machine.")
        _run_sandbox(settings, _DEMONSTRATION, stay=True)
        return
    _check_keys(settings)
    configure_logging(settings.log_level, settings.log_format)

    async def serve() -> None:
        stop, hurry = stop_on_signals()
        await run_bot(settings, stop, hurry=hurry)

    try:
        asyncio.run(serve())
    except (discord.LoginFailure, TokenRefusedError):
        fail(REFUSED_LOGIN)
    except (discord.ConnectionClosed, discord.PrivilegedIntentsRequired) as error:
        fail(describe_end(error))
    except (discord.DiscordException, aiohttp.ClientError) as error:
        fail(
            f"Discord cannot be reached, or ended the connection ({type(error).__name__}). `atelier doctor` says more."
        )
    except NewerDatabaseError as error:
        fail(newer_database(error))
    except AlreadyRunningError:
        fail("Another Atelier serves this database. SQLite takes one process; several need PostgreSQL (DATABASE_URL).")
    except (SQLAlchemyError, sqlite3.Error) as error:
        fail(f"The database cannot be used ({type(error).__name__}). `atelier doctor` says more.")
    except SecretKeyError as error:
        fail(f"Cannot start: {error}")
    except OSError as error:
        fail(f"Cannot start: {error.strerror or type(error).__name__}. `atelier doctor` says more.")
    except Exception as error:  # noqa: BLE001 - one line instead of a traceback, which is at DEBUG
        _log.debug("app.broke", exc_info=True)
        fail(
            f"The bot ended by its own fault: {describe_fault(error)}. No job is lost: all go on with the next start."
            " Please report it; LOG_LEVEL=DEBUG shows more."
        )


def sync() -> None:
    """Send the commands to Discord, and print the changes."""
    settings = read_settings()
    _check_keys(settings)
    try:
        changes = asyncio.run(sync_commands(settings))
    except Exception as error:  # noqa: BLE001 - an odd answer of Discord is named too
        problem = describe_problem(error)
        fail(f"The commands were not sent. {problem.reason}: {problem.remedy}.")
    for verb, names in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed)):
        for name in names:
            OUT.print(f"{verb} {name}")
    OUT.print("Discord has the commands now." if changes else "Discord had the same commands. They were sent again.")


def sandbox(
    demo: Annotated[str | None, typer.Option(help="Run one /imagine with this prompt, then end.")] = None,
) -> None:
    """Run the bot against local fakes: no account and no key."""
    _run_sandbox(read_settings(), demo or _DEMONSTRATION, stay=demo is None)


def _check_keys(settings: Settings) -> None:
    """Check for a token and a provider's key."""
    if settings.discord_token is None:
        hint = ", or try the bot with: atelier sandbox" if importlib.util.find_spec("sandbox") else ""
        fail(f"DISCORD_TOKEN is not set. Put the bot's token into .env{hint}")
    if not settings.providers:
        variables = ", ".join(spec.switch_variable for spec in PROVIDERS.values())
        fail(f"No provider has a key. Set one of these in .env: {variables}")


def _run_sandbox(settings: Settings, prompt: str, *, stay: bool) -> None:
    try:
        # Imported here because the production image has no sandbox.
        from sandbox.data_folder import reserve_folder  # noqa: PLC0415 - an extra that may be missing
        from sandbox.terminal import run_in_terminal  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        fail(
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
            stop=stop_on_signals()[0],
            show=lambda line, style: OUT.print(line, style=style),
            over_http=settings.interactions == "http",
        )

    wanted = settings.data_dir / "sandbox"
    with reserve_folder(wanted) as folder:
        if folder != wanted:
            OUT.print(f"Another sandbox uses {wanted}. This one uses {folder} and removes it at its end.")
        code = asyncio.run(serve(folder))
    if code:
        raise typer.Exit(code)

"""Checks of `atelier doctor`: each need of the bot, and its remedy."""

import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.providers.registry import PROVIDERS
from bot.settings import Settings
from db.database import Database
from db.migrate import NewerDatabaseError, pending_migrations

# What opening or using a database may raise; SQLite's own errors are not wrapped while it is being opened.
DATABASE_FAULTS = (SQLAlchemyError, OSError, ValueError, sqlite3.Error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check.

    `remedy` says how to fix a fault. With a good result it is a note.
    """

    good: bool
    what: str
    remedy: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; no finding ever holds a secret."""
    checks: tuple[Callable[[Settings], Awaitable[list[Finding]]], ...] = (
        _folder,
        _database,
        _discord,
        _keys,
        _webhook,
    )
    return [finding for check in checks for finding in await check(settings)]


async def _folder(settings: Settings) -> list[Finding]:
    folder = settings.data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or type(error).__name__
        return [
            Finding(
                good=False,
                what=f"DATA_DIR {folder} cannot be written: {why}",
                remedy="Make the folder writable for the user that runs the bot, or set DATA_DIR to another.",
            )
        ]
    return [Finding(good=True, what=f"DATA_DIR {folder} can be written")]


async def _database(settings: Settings) -> list[Finding]:
    try:
        database = await Database.open(settings.database_address)
        try:
            await database.write(lambda connection: connection.execute(text("SELECT 1")).scalar())
            pending = await pending_migrations(database)
        finally:
            await database.close()
    except NewerDatabaseError as error:
        what = f"the database is from a newer version (revision {error.revision})"
        remedy = "Install that version again, or restore a backup from before the upgrade."
        return [Finding(good=False, what=what, remedy=remedy)]
    except DATABASE_FAULTS as error:
        return [
            Finding(
                good=False,
                what=f"the database cannot be used: {_first_cause(error)}",
                remedy="Look at DATABASE_URL: does the server run, do user, password and name fit, is the disk full?",
            )
        ]
    state = "its tables will be brought up to date at the start" if pending else "up to date"
    return [Finding(good=True, what=f"the {database.dialect} database can be used ({state})")]


async def _discord(settings: Settings) -> list[Finding]:
    if settings.discord_token is None:
        return [
            Finding(
                good=False,
                what="DISCORD_TOKEN is not set",
                remedy="Copy the token from the Bot page of the developer portal into .env.",
            )
        ]
    headers = {"Authorization": f"Bot {settings.discord_token.get_secret_value()}"}
    answer = await _ask(f"{settings.discord_api_url}/applications/@me", headers)
    if answer is not None and answer.status_code == httpx.codes.OK:
        accepted = Finding(good=True, what="Discord accepts DISCORD_TOKEN")
        return [accepted, _user_install(wanted=settings.user_install, possible=_on_accounts(answer))]
    if answer is not None and answer.status_code == httpx.codes.UNAUTHORIZED:
        remedy = "Copy the token anew from the Bot page of the developer portal; resetting it makes the old one void."
        return [Finding(good=False, what="Discord does not accept DISCORD_TOKEN", remedy=remedy)]
    return [_unreachable("Discord", None if answer is None else answer.status_code, "DISCORD_API_URL")]


def _on_accounts(answer: httpx.Response) -> bool:
    """Return True if people can add the application to their accounts.

    That is Discord's installation type 1.
    """
    try:
        return answer.json()["integration_types_config"]["1"] is not None
    except (ValueError, LookupError, TypeError):
        return False


def _user_install(*, wanted: bool, possible: bool) -> Finding:
    setting = f"USER_INSTALL is {'on' if wanted else 'off'}"
    joined = "and" if wanted == possible else "but"
    people = "people add the application to their accounts" if possible else "nobody add the application to an account"
    what = f"{setting}, {joined} Discord lets {people}"
    if wanted and not possible:
        remedy = "Tick User Install on the Installation page of the developer portal, or set USER_INSTALL=off."
        return Finding(good=False, what=what, remedy=remedy)
    # No fault: who has added it only finds no command of the studio's there.
    remedy = "They find no commands there: untick User Install on the Installation page of the developer portal."
    return Finding(good=True, what=what, remedy=remedy if possible and not wanted else "")


async def _keys(settings: Settings) -> list[Finding]:
    """Check each key by asking its provider for an impossible job.

    That is free, and its status shows whether the key is accepted.
    """
    findings: list[Finding] = []
    for name, spec in PROVIDERS.items():
        key = settings.key_of(name)
        if key is None:
            continue
        status = await _get(
            f"{settings.api_url_of(name)}{spec.probe_path}", {"Authorization": f"Bearer {key.get_secret_value()}"}
        )
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = "Copy the key anew from the provider's dashboard; SkillBoss takes wholesale keys only."
            findings.append(Finding(good=False, what=f"{name} does not accept {spec.key_variable}", remedy=remedy))
        elif status is None or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            findings.append(_unreachable(name, status, spec.url_variable))
        else:
            findings.append(Finding(good=True, what=f"{name} accepts {spec.key_variable}"))
    if not findings:
        remedy = f"Set {' or '.join(spec.key_variable for spec in PROVIDERS.values())} in .env."
        findings.append(Finding(good=False, what="no provider has a key", remedy=remedy))
    return findings


async def _webhook(settings: Settings) -> list[Finding]:
    if settings.webhook_public_url is None:
        return [Finding(good=True, what="WEBHOOK_PUBLIC_URL is not set: the providers are polled")]
    refusing = [
        spec.display_name
        for spec in PROVIDERS.values()
        if spec.needs_public_webhooks and not _is_private(settings.api_url_of(spec.name))
    ]
    if _is_private(settings.webhook_public_url) and refusing:
        what = f"WEBHOOK_PUBLIC_URL is not a public address: {refusing[0]} refuses every job that names one"
        remedy = "Set it to the https address at which the internet reaches the bot, or leave it unset."
        return [Finding(good=False, what=what, remedy=remedy)]
    status = await _get(f"{settings.webhook_public_url}/healthz", {})
    if status == httpx.codes.OK:
        return [Finding(good=True, what="WEBHOOK_PUBLIC_URL is set and reaches a running bot")]
    # No fault: the bot may not have been started yet, a machine may not reach itself from outside, and a proxy may
    # pass on no more than /webhooks.
    why = "no connection" if status is None else f"HTTP {status}"
    what = f"WEBHOOK_PUBLIC_URL is set, but no bot answers there yet ({why})"
    remedy = (
        "Ask again once the bot runs. If it stays so, let the reverse proxy pass this address on to"
        " HTTP_HOST:HTTP_PORT. Until then the providers are polled."
    )
    return [Finding(good=True, what=what, remedy=remedy)]


def _is_private(url: str) -> bool:
    """Return True if a URL names this machine or a private network.

    Names are not looked up.
    """
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _first_cause(error: BaseException) -> str:
    """Return the name of the driver's own error.

    The wrappers around it name nothing.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__


def _unreachable(whom: str, status: int | None, variable: str) -> Finding:
    why = "no connection" if status is None else f"HTTP {status}"
    remedy = f"Look at the network of this machine, and at {variable}. The service itself may be down."
    return Finding(good=False, what=f"{whom} cannot be reached ({why})", remedy=remedy)


async def _get(url: str, headers: dict[str, str]) -> int | None:
    answer = await _ask(url, headers)
    return None if answer is None else answer.status_code


async def _ask(url: str, headers: dict[str, str]) -> httpx.Response | None:
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            return await client.get(url, headers=headers)
    except httpx.HTTPError:
        return None

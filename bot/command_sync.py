"""Registration of the commands with Discord, beside the running bot.

Discord's own list is the measure: another program with the same token may have replaced it. A refusal is logged
with its remedy and tried again later; it never ends or delays the start.
"""

import asyncio
import hashlib
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import aiohttp
import discord
import structlog
from discord.http import HTTPClient, Route

from bot.engine.clock import Clock

Json: TypeAlias = dict[str, Any]
OpenHttp: TypeAlias = Callable[[], AbstractAsyncContextManager[HTTPClient]]
"""Opens a logged-in connection to Discord's REST API, apart from the gateway's."""

_SLASH_COMMAND: Final = 1
# Discord makes one for applications with an activity, and a list without it is refused (50240).
_ENTRY_POINT: Final = 4
# Fields that Discord adds, or that only repeat others.
_ASSIGNED: Final = frozenset(
    {
        "id",
        "application_id",
        "version",
        "guild_id",
        "default_permission",
        "name_localized",
        "description_localized",
        "description_default",
        "handler",
    }
)
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 900.0
# A refusal that only the operator or the next day ends.
_REFUSED_PAUSE: Final = 3600.0

_log = structlog.get_logger(__name__)


class SyncMemory:
    """Digests of the last commands sent, and of Discord's answer."""

    def __init__(self, get: Callable[[], Awaitable[str | None]], set: Callable[[str], Awaitable[Any]]) -> None:  # noqa: A002 - named as what it does
        self.get = get
        self.set = set


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandChanges:
    """Differences between the bot's commands and Discord's, by name."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProblem:
    """The reason why Discord did not take the commands.

    `pause` is the seconds until another try makes sense; None if no reason to wait for long is known.
    """

    reason: str
    remedy: str
    pause: float | None = None


class CommandSync:
    """Compares the commands with Discord's and sends them if they differ.

    `payload` returns the commands as Discord takes them.
    """

    def __init__(self, *, payload: Callable[[], Awaitable[list[Json]]], memory: SyncMemory | None = None) -> None:
        self._payload = payload
        self._memory = memory
        self.command_ids: Mapping[str, int] = {}
        """Discord's ids of the slash commands by name, empty until known."""

    async def sync(self, http: HTTPClient, *, force: bool = False) -> CommandChanges:
        """Send the commands if Discord's differ; return the differences.

        `force` sends them in any case.

        Raises:
            discord.DiscordException: Discord refuses, or asks for a long pause.
            aiohttp.ClientError: Discord cannot be reached.
        """
        application_id = (await http.application_info())["id"]
        commands = await self._payload()
        held = await read_commands(http, application_id)
        self.command_ids = _ids(held)
        changes = compare_commands(commands, held)
        if not force:
            sent, answered = await self._recall()
            if not changes or (sent, answered) == (_digest(commands), _versions(held)):
                return CommandChanges()  # the same, perhaps in Discord's own words
            if sent == _digest(commands):
                _log.warning(
                    "discord.commands_overwritten",
                    reason="another program has replaced the commands; they are sent again",
                    remedy="give each program a separate application and token, or stop the other one",
                )
        entry_points = [_stripped(command) for command in held if command.get("type") == _ENTRY_POINT]
        body: Any = [*commands, *entry_points]
        taken: Any = await http.bulk_upsert_global_commands(application_id, payload=body)
        self.command_ids = _ids(taken)
        if self._memory is not None:
            await self._memory.set(f"{_digest(commands)} {_versions(taken)}")
        return changes

    async def _recall(self) -> tuple[str, str]:
        """Return the digests of the last commands sent and of the answer."""
        remembered = None if self._memory is None else await self._memory.get()
        sent, _, answered = (remembered or "").partition(" ")
        return sent, answered


class BackgroundSync:
    """Syncs the commands until it succeeds, with growing pauses.

    With several processes, one of them runs it.
    """

    def __init__(
        self, *, command_sync: CommandSync, open_http: OpenHttp, clock: Clock, randomness: random.Random
    ) -> None:
        self._command_sync = command_sync
        self._open_http = open_http
        self._clock = clock
        self._randomness = randomness

    async def run(self) -> None:
        """Return once Discord has the commands. Raises nothing."""
        for tries in itertools.count():
            try:
                async with self._open_http() as http:
                    changes = await self._command_sync.sync(http)
            except Exception as error:  # noqa: BLE001 - nothing about commands may end the bot
                problem = describe_problem(error)
                pause = problem.pause or self._back_off(tries)
                _log.warning(
                    "discord.commands_not_synced",
                    reason=problem.reason,
                    remedy=problem.remedy,
                    next_try_seconds=round(pause),
                )
            else:
                if changes:
                    _log.info(
                        "discord.commands_synced",
                        added=changes.added,
                        changed=changes.changed,
                        removed=changes.removed,
                    )
                return
            await self._clock.wait(asyncio.Event(), pause)

    def _back_off(self, tries: int) -> float:
        longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(tries, 10))
        return longest * (0.5 + self._randomness.random() / 2)


async def read_commands(http: HTTPClient, application_id: int | str) -> list[Json]:
    """Return Discord's list of the application's global commands."""
    route = Route("GET", "/applications/{application_id}/commands", application_id=application_id)
    # Without this parameter Discord leaves the translations out, and every comparison would differ.
    held: list[Json] = await http.request(route, params={"with_localizations": "true"})
    return held


def compare_commands(commands: Sequence[Json], held: Sequence[Json]) -> CommandChanges:
    """Return the differences between the bot's commands and Discord's."""
    ours = {_key(command): normalise_command(command) for command in commands}
    theirs = {_key(each): normalise_command(each) for each in held if each.get("type") != _ENTRY_POINT}
    return CommandChanges(
        added=_names(ours.keys() - theirs.keys()),
        changed=_names({key for key in ours.keys() & theirs.keys() if _differ(ours[key], theirs[key])}),
        removed=_names(theirs.keys() - ours.keys()),
    )


def normalise_command(command: Json) -> Json:
    """Return a command without Discord's additions and defaults."""
    plain: Json = _normalised(command)
    plain["type"] = command.get("type") or _SLASH_COMMAND
    rights = command.get("default_member_permissions")
    if rights is not None:
        plain["default_member_permissions"] = str(rights)
    for places in ("contexts", "integration_types"):
        if command.get(places):
            plain[places] = sorted(command[places])
    # The older form of `contexts`; Discord sends its default, True, for every command.
    plain.pop("dm_permission", None)
    if command.get("dm_permission") is False and "contexts" not in plain:
        plain["dm_permission"] = False
    return plain


def describe_problem(error: Exception) -> SyncProblem:
    """Return the reason of a failed sync with its remedy."""
    match error:
        case discord.RateLimited():
            return SyncProblem(
                reason=f"Discord asks to wait {round(error.retry_after)} seconds",
                remedy="nothing to do; the commands that Discord has keep working",
                pause=error.retry_after,
            )
        case discord.LoginFailure():
            return SyncProblem(
                reason="Discord does not accept DISCORD_TOKEN",
                remedy="copy the token from the Bot page of the developer portal and restart",
                pause=_REFUSED_PAUSE,
            )
        case discord.HTTPException(code=30034):
            return SyncProblem(
                reason="Discord takes 200 new commands a day, and today's are used up (30034)",
                remedy="nothing to do; it is tried again each hour. Do not start the bot again and again",
                pause=_REFUSED_PAUSE,
            )
        case discord.HTTPException(code=50035) if "integration_types" in error.text:
            return SyncProblem(
                reason="Discord does not offer this application to accounts, but USER_INSTALL is on (50035)",
                remedy="tick User Install on the Installation page of the developer portal, or set USER_INSTALL=off",
                pause=_REFUSED_PAUSE,
            )
        case discord.HTTPException(status=429):  # without Discord's own headers: from its gatekeeper
            return SyncProblem(
                reason="Discord's gatekeeper limits this machine's address (HTTP 429)",
                remedy="look for another program on this address that calls Discord too often",
                pause=_REFUSED_PAUSE,
            )
        case discord.DiscordServerError():
            return SyncProblem(reason=f"Discord has a fault (HTTP {error.status})", remedy="nothing to do")
        case discord.HTTPException():
            return SyncProblem(
                reason=f"Discord refuses the commands (HTTP {error.status}, code {error.code}): {error.text}",
                remedy="run `atelier doctor`, then `atelier sync`",
                pause=_REFUSED_PAUSE,
            )
        case aiohttp.ClientError() | OSError():  # TimeoutError is an OSError
            return SyncProblem(
                reason=f"Discord cannot be reached ({type(error).__name__})",
                remedy="check the network of this machine; `atelier doctor` says more",
            )
    return SyncProblem(reason=f"unexpected answer ({type(error).__name__})", remedy="run `atelier sync`")


def _differ(ours: Json, theirs: Json) -> bool:
    """Compare two normalised commands.

    Discord chooses the places if we name none.
    """
    chosen = {places for places in ("contexts", "integration_types") if places not in ours}
    return ours != {key: value for key, value in theirs.items() if key not in chosen}


def _normalised(node: Any) -> Any:
    if isinstance(node, dict):
        plain = {key: _normalised(value) for key, value in node.items() if key not in _ASSIGNED}
        return {key: value for key, value in plain.items() if not _is_empty(value)}
    if isinstance(node, list):
        return [_normalised(each) for each in node]
    return node


def _is_empty(value: Any) -> bool:
    """Return True for a default of Discord's.

    Zero is a value: it may be an option's minimum.
    """
    return value is None or value is False or value in ("", [], {})


def _stripped(command: Json) -> Json:
    """Return a command of Discord's list as Discord takes it back."""
    handler = {"handler": command["handler"]} if command.get("handler") is not None else {}
    return {key: value for key, value in command.items() if key not in _ASSIGNED and value is not None} | handler


def _key(command: Json) -> tuple[int, str]:
    return command.get("type") or _SLASH_COMMAND, command["name"]


def _names(keys: set[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"/{name}" if kind == _SLASH_COMMAND else name for kind, name in sorted(keys))


def _digest(commands: Sequence[Json]) -> str:
    return hashlib.sha256(json.dumps(commands, sort_keys=True).encode()).hexdigest()


def _ids(held: Sequence[Json]) -> dict[str, int]:
    slash = [each for each in held if each.get("type", 1) == 1 and "id" in each]
    return {str(each["name"]): int(each["id"]) for each in slash}


def _versions(held: Sequence[Json]) -> str:
    """Return a digest of Discord's list; each change gives a new version."""
    versions = sorted((str(each.get("id")), str(each.get("version"))) for each in held)
    return hashlib.sha256(json.dumps(versions).encode()).hexdigest()

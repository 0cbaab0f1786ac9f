"""The bot's registered commands, global and by guild."""

from sandbox.discord.command_rules import CHAT_INPUT, ENTRY_POINT, check_command
from sandbox.discord.encoding import Json
from sandbox.discord.errors import (
    ENTRY_POINT_MISSING,
    TOO_MANY_COMMANDS,
    TOO_MANY_CREATES,
    UNKNOWN_COMMAND,
    FormErrors,
    Path,
    api_error,
)
from sandbox.discord.notifier import Notifier
from sandbox.discord.state import World

MOST = {1: 100, 2: 15, 3: 15, ENTRY_POINT: 1}
"""Commands a kind: slash commands, user menus, message menus, an activity's start."""

DAILY_CREATES = 200


class CommandRegistry:
    """Registered commands by scope (a guild's id, or None for everywhere).

    `creates_left` counts today's new commands by scope. A command with a known name is none.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._scopes: dict[str | None, dict[str, Json]] = {}
        self.creates_left: dict[str | None, int] = {}
        self.changed = Notifier()

    def registered(self, guild_id: str | None = None) -> list[Json]:
        """Return the commands of one scope."""
        return list(self._scopes.get(guild_id, {}).values())

    def get(self, command_id: str, guild_id: str | None = None) -> Json:
        """Return one command (code 10063)."""
        try:
            return self._scopes[guild_id][command_id]
        except KeyError:
            raise api_error(UNKNOWN_COMMAND) from None

    def find(self, name: str, kind: int, guild_id: str | None) -> Json | None:
        """Return a guild's command by name; its own goes before a global one."""
        for scope in (guild_id, None):
            for command in self.registered(scope):
                if command["name"] == name and command["type"] == kind:
                    return command
        return None

    def replace(self, commands: list[Json], guild_id: str | None = None) -> list[Json]:
        """Replace the commands of a scope.

        A command with a known name keeps its id.
        """
        form = FormErrors()
        for index, command in enumerate(commands):
            check_command(command, form, (index,))
            self._check_installable(command, form, (index,))
        _check_unique(commands, form)
        form.raise_if_any()
        kept = {command.get("type") for command in commands}
        if ENTRY_POINT not in kept and any(each["type"] == ENTRY_POINT for each in self.registered(guild_id)):
            raise api_error(ENTRY_POINT_MISSING)
        ids = {(each["name"], each["type"]): each["id"] for each in self.registered(guild_id)}
        built = [
            self._built(command, guild_id, ids.get((command["name"], command.get("type") or CHAT_INPUT)))
            for command in commands
        ]
        self._store(built, guild_id)
        return built

    def add(self, command: Json, guild_id: str | None = None) -> Json:
        """Register one command, in place of one of the same name and kind."""
        form = FormErrors()
        check_command(command, form)
        self._check_installable(command, form, ())
        form.raise_if_any()
        kind = command.get("type") or CHAT_INPUT
        others = [each for each in self.registered(guild_id) if (each["name"], each["type"]) != (command["name"], kind)]
        same = next((each for each in self.registered(guild_id) if each not in others), None)
        built = self._built(command, guild_id, same["id"] if same else None)
        self._store([*others, built], guild_id)
        return built

    def edit(self, command_id: str, changes: Json, guild_id: str | None = None) -> Json:
        """Change one command."""
        return self.add({**self.get(command_id, guild_id), **changes}, guild_id)

    def remove(self, command_id: str, guild_id: str | None = None) -> None:
        """Take one command away."""
        self.get(command_id, guild_id)
        self._store([each for each in self.registered(guild_id) if each["id"] != command_id], guild_id)

    def _store(self, commands: list[Json], guild_id: str | None) -> None:
        for kind, most in MOST.items():
            if sum(each["type"] == kind for each in commands) > most:
                raise api_error(TOO_MANY_COMMANDS)
        new = sum(each["id"] not in self._scopes.get(guild_id, {}) for each in commands)
        left = self.creates_left.get(guild_id, DAILY_CREATES)
        if new > left:
            raise api_error(TOO_MANY_CREATES)
        self.creates_left[guild_id] = left - new
        self._scopes[guild_id] = {each["id"]: each for each in commands}
        self.changed.notify()

    def _check_installable(self, command: Json, form: FormErrors, path: Path) -> None:
        for index, kind in enumerate(command.get("integration_types") or []):
            if kind not in self._world.application.installable:
                place = (*path, "integration_types", index)
                form.add(place, "APPLICATION_COMMAND_INVALID_INTEGRATION_TYPE", "The application is not installed so")

    def _built(self, command: Json, guild_id: str | None, known_id: str | None) -> Json:
        rights = command.get("default_member_permissions")
        built: Json = {
            "id": known_id or self._world.snowflakes.next(),
            "application_id": self._world.application.id,
            "version": self._world.snowflakes.next(),
            "type": command.get("type") or CHAT_INPUT,
            "name": command["name"],
            "name_localizations": command.get("name_localizations"),
            "description": command.get("description") or "",
            "description_localizations": command.get("description_localizations"),
            "default_member_permissions": None if rights is None else str(rights),
            "nsfw": bool(command.get("nsfw")),
            "contexts": command.get("contexts"),
            "integration_types": command.get("integration_types") or list(self._world.application.installable),
        }
        if guild_id is None:
            built["dm_permission"] = command.get("dm_permission") is not False
        else:
            built["guild_id"] = guild_id
        if command.get("options"):
            built["options"] = command["options"]
        return built


def without_translations(node: Json) -> Json:
    """Return a command as Discord lists it by default."""
    plain = {key: value for key, value in node.items() if not key.endswith("_localizations")}
    if "options" in plain:
        plain["options"] = [without_translations(option) for option in plain["options"]]
    if "choices" in plain:
        plain["choices"] = [without_translations(choice) for choice in plain["choices"]]
    return plain


def _check_unique(commands: list[Json], form: FormErrors) -> None:
    seen: set[tuple[str, int]] = set()
    for index, command in enumerate(commands):
        key = (str(command.get("name")), command.get("type") or CHAT_INPUT)
        if key in seen:
            path: Path = (index, "name")
            form.add(path, "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        seen.add(key)

"""Rules of Discord's own client: it fills in options and refuses the rest."""

from collections.abc import Mapping
from typing import Any

from sandbox.discord.cdn import Cdn
from sandbox.discord.encoding import Json
from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT, Channel, Guild, Upload, User
from sandbox.discord.installations import is_offered
from sandbox.discord.payloads import channel_payload, member_payload, role_payload, user_payload
from sandbox.discord.permissions import ALL, guild_permissions
from sandbox.discord.state import World

SUBCOMMAND, SUBCOMMAND_GROUP = 1, 2
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
LONGEST_STRING = 6000
LARGEST_NUMBER = 2**53

_NOT_RESOLVED = ("user", "deaf", "mute")
"""Fields missing in a resolved member."""


class ClientRefusal(Exception):  # noqa: N818 - what a person is told, no fault of the program
    """The client would not allow this action; nothing was sent.

    `field` is the option or input concerned.
    """

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field


class Resolver:
    """Turns picked members, channels and files into ids and objects."""

    def __init__(self, world: World, cdn: Cdn, channel: Channel) -> None:
        self._world = world
        self._cdn = cdn
        self._channel = channel
        self.resolved: Json = {}

    @property
    def guild(self) -> Guild | None:
        """The guild of the channel; None outside of guilds."""
        return None if self._channel.guild_id is None else self._world.guilds[self._channel.guild_id]

    def user(self, name: str) -> str:
        """Resolve a user, with the membership where there is one."""
        user = self._world.user(name)
        self._add("users", user.id, user_payload(user))
        guild = self.guild
        if guild is not None and user.id in guild.members:
            member = guild.members[user.id]
            permissions = self._world.permissions(user.id, self._channel)
            shown = {
                key: value for key, value in member_payload(member, self._world).items() if key not in _NOT_RESOLVED
            }
            self._add("members", user.id, {**shown, "permissions": str(int(permissions))})
        return user.id

    def role(self, name: str) -> str:
        """Resolve a role of this guild."""
        if self.guild is None:
            raise ClientRefusal("there are no roles outside a server")
        role = self._world.role(self.guild, name)
        self._add("roles", role.id, role_payload(role))
        return role.id

    def channel(self, name: str) -> str:
        """Resolve a channel."""
        channel = self._world.channel(name)
        if channel.guild_id is None or channel.guild_id != self._channel.guild_id:
            raise KeyError(name)
        self._add("channels", channel.id, {**channel_payload(channel, self._world), "permissions": "0"})
        return channel.id

    def mentionable(self, name: str) -> str:
        """Resolve a user or else a role."""
        try:
            return self.user(name)
        except KeyError:
            return self.role(name)

    def knows(self, kind: str, key: str) -> bool:
        """Return True if a user, role or channel of this id is still here."""
        guild = self.guild
        if kind == "user":
            return key in self._world.users
        if kind == "role":
            return guild is not None and key in guild.roles
        channel = self._world.channels.get(key)
        return channel is not None and guild is not None and channel.guild_id == guild.id

    def attachment(self, upload: Upload) -> str:
        """Upload a file, if it is within this place's limit, and resolve it."""
        limit = DEFAULT_UPLOAD_LIMIT if self.guild is None else self.guild.upload_limit
        if len(upload.data) > limit:
            raise ClientRefusal(f"{upload.filename} is larger than {limit:,} bytes")
        stored = self._cdn.store(
            upload,
            attachment_id=self._world.snowflakes.next(),
            channel_id=self._world.application.id,
            folder="ephemeral-attachments",
        )
        self._add("attachments", stored.id, self._cdn.attachment_payload(stored))
        return stored.id

    def require_kind(self, channel_id: str, kinds: list[int] | None, *, field: str) -> None:
        """Refuse a channel of another kind; without `kinds` any is accepted."""
        if kinds and self._world.channels[channel_id].kind not in kinds:
            raise ClientRefusal(f"{field} takes another kind of channel", field=field)

    def _add(self, group: str, key: str, payload: Json) -> None:
        self.resolved.setdefault(group, {})[key] = payload


def check_command_use(command: Json, user: User, channel: Channel, world: World) -> None:
    """Refuse a command if it is not offered to this person here."""
    in_guild = channel.guild_id is not None
    if not is_offered(command, world, user, channel):
        raise ClientRefusal(f"/{command['name']} is not offered here")
    if not in_guild and command.get("contexts") is None and command.get("dm_permission") is False:
        raise ClientRefusal(f"/{command['name']} is not offered in direct messages")
    if command.get("nsfw") and in_guild and not channel.nsfw:
        raise ClientRefusal(f"/{command['name']} is only offered in age-restricted channels")
    needed = command.get("default_member_permissions")
    if in_guild and needed is not None:
        guild = world.guilds[channel.guild_id or ""]
        held = guild_permissions(guild, guild.members[user.id])
        if held != ALL and (needed == "0" or held & int(needed) != int(needed)):
            raise ClientRefusal(f"/{command['name']} needs rights that {user.name} does not have")


def descend(command: Json, words: list[str]) -> tuple[list[Json], list[Json]]:
    """Return the subcommands on the path of `words`, and the final options."""
    options: list[Json] = command.get("options") or []
    way: list[Json] = []
    for word in words:
        step = next(
            (each for each in options if each["name"] == word and each["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP)), None
        )
        if step is None:
            raise ClientRefusal(f"/{command['name']} has no {word!r}")
        way.append(step)
        options = step.get("options") or []
    if any(each["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for each in options):
        names = ", ".join(each["name"] for each in options)
        raise ClientRefusal(f"/{command['name']} needs one of: {names}")
    return way, options


def fill_options(
    definitions: list[Json], values: Mapping[str, Any], resolver: Resolver, *, unchecked: bool, partial: bool = False
) -> list[Json]:
    """Return the options as a client would send them for these values.

    `partial` allows required options to be missing.
    """
    known = {each["name"]: each for each in definitions}
    filled = []
    for name, value in values.items():
        definition = known.get(name)
        if definition is None:
            if not unchecked:
                raise ClientRefusal(f"there is no option {name!r}; there are: {', '.join(known) or 'none'}", field=name)
            definition = {"name": name, "type": _guessed_kind(value)}
        wire = _wire_value(definition, value, resolver)
        if not unchecked:
            wire = _checked(definition, wire, partial=partial)
        filled.append({"name": name, "type": definition["type"], "value": wire})
    if not (unchecked or partial):
        missing = [each["name"] for each in definitions if each.get("required") and each["name"] not in values]
        if missing:
            raise ClientRefusal(f"required: {', '.join(missing)}", field=missing[0])
    return filled


def _guessed_kind(value: Any) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, Upload):
        return ATTACHMENT
    return INTEGER if isinstance(value, int) else NUMBER if isinstance(value, float) else STRING


def _wire_value(definition: Json, value: Any, resolver: Resolver) -> Any:
    picks = {
        USER: resolver.user,
        CHANNEL: resolver.channel,
        ROLE: resolver.role,
        MENTIONABLE: resolver.mentionable,
    }
    kind = definition["type"]
    if kind == ATTACHMENT:
        if not isinstance(value, Upload):
            raise ClientRefusal(f"{definition['name']} takes a file", field=definition["name"])
        return resolver.attachment(value)
    pick = picks.get(kind)
    if pick is None:
        return value
    try:
        picked = pick(str(value))
    except KeyError:
        raise ClientRefusal(f"{definition['name']}: there is no {value!r}", field=definition["name"]) from None
    if kind == CHANNEL:
        resolver.require_kind(picked, definition.get("channel_types"), field=definition["name"])
    return picked


def _checked(definition: Json, value: Any, *, partial: bool) -> Any:
    name, kind = definition["name"], definition["type"]
    types: dict[int, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float)}
    fits = isinstance(value, types.get(kind, (str,))) and (kind == BOOLEAN or not isinstance(value, bool))
    if not fits:
        raise ClientRefusal(f"{name}: {value!r} is not of the option's kind", field=name)
    choices = definition.get("choices")
    if choices:
        for choice in choices:
            if value in (choice["value"], choice["name"]):
                return choice["value"]
        offered = [each["value"] for each in choices]
        raise ClientRefusal(f"{name}: {value!r} is no choice; there are: {offered}", field=name)
    if kind == STRING and not partial:
        _within(name, len(value), definition.get("min_length", 1), definition.get("max_length", LONGEST_STRING))
    elif kind in (INTEGER, NUMBER) and not partial:
        _within(name, value, definition.get("min_value", -LARGEST_NUMBER), definition.get("max_value", LARGEST_NUMBER))
    return value


def _within(name: str, value: float, least: float | None, most: float | None) -> None:
    if (least is not None and value < least) or (most is not None and value > most):
        raise ClientRefusal(f"{name}: {value} is not within {least} to {most}", field=name)

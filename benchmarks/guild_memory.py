"""Memory for each server in a process with a gateway."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import discord

from benchmarks.measurements import Figure
from bot.client import AtelierClient

AIM: Final = 0.95
"""The highest accepted ratio to what discord.py keeps."""

_CHANNELS: Final = 50
_ROLES: Final = 30
_THREADS: Final = 10
_SOUNDS: Final = 8
_IDS_OF_A_GUILD: Final = 10_000
_ME: Final = "42"
_TOPIC: Final = "Channel {number} of server {guild}: be kind, and read the rules before you post something here."


async def measure_guilds(guilds: int) -> list[Figure]:
    """Measure the kilobytes for each of some servers."""
    kept = _kilobytes(guilds, lambda state: state.parsers["GUILD_CREATE"])
    base = _kilobytes(guilds, lambda state: state.parse_guild_create)
    return [Figure(name=f"a server of {_CHANNELS} channels, {_ROLES} roles", taken=kept, unit="kB", base=base, aim=AIM)]


def _kilobytes(guilds: int, parser: Callable[[Any], Callable[[Any], None]]) -> float:
    client = AtelierClient(shard_count=1)
    state: Any = client._connection  # noqa: SLF001 - what the gateway's events are parsed by
    state.user = discord.ClientUser(state=state, data=_me())
    state.dispatch = lambda *_: None
    parse = parser(state)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(guilds):
        parse(guild_create(number))
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / guilds / 1000


def guild_create(number: int) -> dict[str, Any]:
    """Return the event of a server with lively channels."""
    base = 10**18 + number * _IDS_OF_A_GUILD
    return {
        "id": str(base),
        "name": f"Server {number}",
        "icon": None,
        "owner_id": str(base + 9),
        "member_count": 500,
        "features": ["COMMUNITY", "NEWS"],
        "preferred_locale": "en-US",
        "joined_at": "2026-01-01T00:00:00+00:00",
        "roles": [_role(base, place) for place in range(_ROLES)],
        "channels": [_channel(number, base, place) for place in range(_CHANNELS)],
        "threads": [_thread(base, place) for place in range(_THREADS)],
        "members": [
            {"user": _me(), "roles": [str(base + 1)], "joined_at": None, "deaf": False, "mute": False, "flags": 0}
        ],
        "soundboard_sounds": [_sound(base, place) for place in range(_SOUNDS)],
        "system_channel_id": str(base + 101),
    }


def _me() -> Any:
    return {"id": _ME, "username": "atelier", "discriminator": "0", "avatar": None, "bot": True}


def _role(base: int, place: int) -> dict[str, Any]:
    colors = {"primary_color": place, "secondary_color": None, "tertiary_color": None}
    return {
        "id": str(base + place),
        "name": f"role {base + place}",
        "color": place,
        "colors": colors,
        "hoist": False,
        "position": place,
        "permissions": str(104_324_673 + place),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def _channel(guild: int, base: int, place: int) -> dict[str, Any]:
    group = base + 100 + place // 10 * 10
    return {
        "id": str(base + 100 + place),
        "type": 4 if place % 10 == 0 else 2 if place % 10 == 9 else 0,
        "name": f"channel-{base + place}",
        "position": place,
        "parent_id": None if place % 10 == 0 else str(group),
        "topic": _TOPIC.format(number=place, guild=guild) if place % 2 else None,
        "last_message_id": str(base + 900 + place),
        "bitrate": 64_000,
        "user_limit": 0,
        "permission_overwrites": [
            {"id": str(base + role), "type": 0, "allow": str(1024 + role), "deny": str(2048 + role)}
            for role in range(place % 4)
        ],
    }


def _thread(base: int, place: int) -> dict[str, Any]:
    return {
        "id": str(base + 5000 + place),
        "type": 11,
        "name": f"thread {base + place}",
        "parent_id": str(base + 101),
        "guild_id": str(base),
        "owner_id": str(base + 9),
        "message_count": 3,
        "member_count": 2,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 1440,
            "archive_timestamp": "2026-01-01T00:00:00+00:00",
            "locked": False,
        },
    }


def _sound(base: int, place: int) -> dict[str, Any]:
    return {
        "sound_id": str(base + 6000 + place),
        "name": f"sound {place}",
        "volume": 1,
        "emoji_id": None,
        "emoji_name": None,
        "available": True,
    }

"""Age restriction on Discord: flags of channels, ways of pictures."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import AsyncMock, Mock

import discord
import pytest

from bot.ui.delivery.age_flags import fetch_flag, flag_of, is_flagged

ROOT: Final = Path(__file__).parents[2]
UPLOADS: Final = frozenset(
    {"prepare_uploads", "prepare_upload", "prepare_unsigned", "prepare_thumbnail", "prepare_thumbnails"}
)
WAYS: Final = {
    "bot/ui/delivery/uploads.py": "the helper itself",
    "bot/ui/delivery/thumbnails.py": "the helper of lists",
    "bot/ui/handlers/sharing/review_queue.py": "asks `may_show` for each submission",
    "bot/ui/delivery/result_delivery.py": "asks `may_show` before any upload",
    "bot/ui/delivery/input_publisher.py": "asks for the flag of the job's channel",
    "bot/ui/handlers/history.py": "asks `may_show` for each job",
    "bot/ui/delivery/sharing/challenge_messages.py": "asks `may_show` for each entry",
    "bot/ui/handlers/comparisons.py": "its service asks `may_show`",
    "bot/ui/delivery/sharing/review_messages.py": "shows none on cards in channels without the flag",
    "bot/ui/delivery/sharing/report_messages.py": "asks `may_show` for the review channel",
    "bot/ui/delivery/sharing/showcase_messages.py": "asks `may_show` for the showcase",
    "bot/ui/delivery/sharing/picks_messages.py": "asks `may_show` for each pick",
    "bot/ui/delivery/duel_updater.py": "asks `may_show` for the duel's channel",
    "bot/services/export_parts.py": "a file of the member's own data, which Discord does not show",
}
"""Modules that upload stored pictures, and how each keeps age-restricted ones in their channels."""


def channel(*, nsfw: bool, level: discord.NSFWLevel = discord.NSFWLevel.default) -> Any:
    """Return a channel of a server."""
    return Mock(spec=discord.TextChannel, nsfw=nsfw, guild=Mock(nsfw_level=level))


@pytest.mark.parametrize("nsfw", [True, False])
def test_flag_is_that_of_the_channel_or_of_a_threads_channel(nsfw: bool) -> None:
    thread = Mock(spec=discord.Thread)
    thread.guild, thread.parent = None, SimpleNamespace(is_nsfw=lambda: nsfw)
    assert is_flagged(channel(nsfw=nsfw)) is nsfw
    assert is_flagged(thread) is nsfw


@pytest.mark.parametrize("level", list(discord.NSFWLevel))
def test_age_restricted_server_flags_all_its_channels(level: discord.NSFWLevel) -> None:
    restricted = level in (discord.NSFWLevel.age_restricted, discord.NSFWLevel.explicit)
    assert is_flagged(channel(nsfw=False, level=level)) is restricted


def test_direct_message_is_never_flagged() -> None:
    assert not is_flagged(Mock(spec=discord.DMChannel, guild=None))


@pytest.mark.parametrize("guild_id", [7, None])
def test_channel_that_discord_says_nothing_about_is_unknown_in_a_server(guild_id: int | None) -> None:
    place = Mock(spec=discord.PartialMessageable, guild=None, guild_id=guild_id)
    assert flag_of(place) is (None if guild_id else False)
    assert not is_flagged(place)


async def test_thread_without_its_channel_is_unknown_until_that_is_fetched() -> None:
    thread = Mock(spec=discord.Thread, guild=None, parent_id=5)
    thread.parent = None
    assert flag_of(thread) is None
    assert not is_flagged(thread)
    client = Mock(get_channel=lambda channel_id: thread if channel_id == 4 else None)
    client.fetch_channel = AsyncMock(return_value=channel(nsfw=True))
    assert await fetch_flag(client, 4)
    client.fetch_channel = AsyncMock(side_effect=discord.Forbidden(Mock(status=403), ""))
    assert [await fetch_flag(client, 4, unknown=unknown) for unknown in (True, False)] == [True, False]


def test_every_upload_of_a_stored_picture_is_known() -> None:
    """A new way to show a picture must ask `may_show`, and say so in `WAYS`."""
    found = set()
    for path in (*(ROOT / "bot").rglob("*.py"), *(ROOT / "cogs").rglob("*.py")):
        calls = (each for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(each, ast.Call))
        names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
        if names & UPLOADS:
            found.add(path.relative_to(ROOT).as_posix())
    assert found == set(WAYS)

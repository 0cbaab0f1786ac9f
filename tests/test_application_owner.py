"""Owners of the application: one person, or a team."""

import discord
import pytest

from bot.client import AtelierClient
from sandbox.discord import DiscordServer, default_world
from sandbox.discord.entities import TeamMember

TOKEN = "the-bots-token"


async def owners(team: dict[str, TeamMember], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the owners by name."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    world = server.world
    names = ("owner", "member", "member-two", "moderator")
    world.application.team = tuple(
        TeamMember(world.user(name).id, member.role, member.accepted) for name, member in team.items()
    )
    found = set()
    async with AtelierClient() as client:
        await client.login(TOKEN)
        for name in names:
            if await client.is_owner(await client.fetch_user(int(world.user(name).id))):
                found.add(name)
    await server.close()
    return found


async def test_single_owner_is_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await owners({}, monkeypatch) == {"owner"}


async def test_only_accepted_developers_of_team_are_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invitation alone gives no rights, and neither does reading."""
    team = {
        "owner": TeamMember("", "read_only"),
        "member": TeamMember("", "developer"),
        "member-two": TeamMember("", "admin", accepted=False),
        "moderator": TeamMember("", "read_only"),
    }
    assert await owners(team, monkeypatch) == {"owner", "member"}

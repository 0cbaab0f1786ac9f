"""Facts about servers in a process without a gateway."""

from collections.abc import AsyncIterator, Mapping

import discord
import pytest

from bot.client import AtelierClient
from bot.services.sharing.votes import PostedVotes
from bot.ui.delivery.guild_lookup import find_guild, find_upload_limit
from bot.ui.delivery.sharing.reaction_votes import ReactionVotes
from bot.ui.delivery.sharing.showcase_messages import VOTE_REACTION
from sandbox.discord import DiscordServer, default_world
from sandbox.discord.posting import Post

TOKEN = "token"
MiB = 1024 * 1024


class _Votes:
    """Keeps the recorded voters."""

    def __init__(self) -> None:
        self.recorded: dict[str, Mapping[int, tuple[int, ...]]] = {}

    async def record_reactions(self, submission_id: str, voters: Mapping[int, tuple[int, ...]]) -> None:
        """Record the voters of a post."""
        self.recorded[submission_id] = voters


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """Yield a running Discord."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: DiscordServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AtelierClient]:
    """Yield a client without a gateway."""
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    async with AtelierClient(has_shards=False) as client:
        await client.login(TOKEN)
        yield client


async def test_server_without_shard_is_read(server: DiscordServer, client: AtelierClient) -> None:
    guild = server.world.guild("Community")
    found = await find_guild(client, int(guild.id))
    assert found is not None
    assert found.name == "Community"
    assert await find_upload_limit(client, int(guild.id)) == 10 * MiB
    assert client.get_guild(int(guild.id)) is None  # nothing is kept


async def test_left_server_is_out_of_reach(server: DiscordServer, client: AtelierClient) -> None:
    guild = server.world.guild("Community")
    server.leave(guild)
    assert await find_guild(client, int(guild.id)) is None
    assert await find_upload_limit(client, int(guild.id)) == 10 * MiB


async def test_reactions_count_without_gateway(server: DiscordServer, client: AtelierClient) -> None:
    """Members count with their roles, former members do not."""
    world, votes = server.world, _Votes()
    guild, moderator = world.guild("Community"), world.user("moderator")
    post = server.post_as("app", Post(content="a lighthouse"), channel="showcase")
    for name in ("moderator", "member-two"):
        await server.actor(name).react(post, VOTE_REACTION)
    server.leave_guild("member-two")
    reader = ReactionVotes(votes=votes, client=client)  # type: ignore[arg-type] # it records alone
    posted = PostedVotes(submission_id="s", channel_id=int(post.channel_id), message_id=int(post.id), needs_roles=True)
    await reader.read(int(guild.id), [posted])
    roles = {int(guild.id), *(int(each) for each in guild.members[moderator.id].role_ids)}
    assert {member: set(held) for member, held in votes.recorded["s"].items()} == {int(moderator.id): roles}

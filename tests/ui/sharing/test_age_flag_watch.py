"""Changed age flags of channels with shared pictures."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.outbox import MessageKind
from bot.domain.sharing.submissions import SubmissionOptions
from bot.services.sharing.restricted_posts import RestrictedPosts
from bot.ui.delivery.sharing.age_flag_watch import AgeFlagWatch
from db.outbox import OutboxRepository
from tests.services.sharing.conftest import SHOWCASE, SharingHarness, sharer, sharing  # noqa: F401 - a fixture
from tests.support.factories import GUILD

POST = 900


class Channel:
    """A channel with an age flag."""

    def __init__(self) -> None:
        self.nsfw = True


class Guild:
    """A guild with one channel; the posts in its forum are archived."""

    def __init__(self) -> None:
        self.showcase = Channel()

    def get_channel_or_thread(self, channel_id: int) -> Channel | None:
        """Return the showcase."""
        return self.showcase if channel_id == SHOWCASE else None


class Client:
    """A client in one guild."""

    def __init__(self) -> None:
        self.guild = Guild()

    def get_guild(self, guild_id: int) -> Guild | None:
        """Return the guild."""
        return self.guild if guild_id == GUILD else None


@pytest.mark.parametrize("restricted", [True, False])
async def test_lost_and_regained_flag_renders_restricted_posts_again(
    sharing: SharingHarness,  # noqa: F811
    restricted: bool,
) -> None:
    await sharing.set_rules(review="none")
    job = await sharing.finished_job(age_restricted=restricted)
    flagged = replace(sharer(), restricted_channels=frozenset({SHOWCASE}))
    submission = await sharing.submissions.share(job.id, [0], SubmissionOptions(), flagged)

    async def wanted() -> int:
        def write(connection: Connection) -> int:
            outbox = OutboxRepository(connection)
            post = outbox.find(MessageKind.SHOWCASE, submission.id)
            assert post is not None
            outbox.set_message(post.id, POST, POST)
            return post.wanted

        return await sharing.database.write(write)

    client: Any = Client()
    posts = RestrictedPosts(database=sharing.database, clock=sharing.clock)
    watch = AgeFlagWatch(posts=posts, client=client, clock=sharing.clock)
    seen = [await wanted()]
    for flag in (True, False, False, True):
        client.guild.showcase.nsfw = flag
        await watch.check()
        seen.append(await wanted())
    assert seen == ([1, 1, 2, 2, 3] if restricted else [1] * 5)
    client.guild.showcase.nsfw = False
    await AgeFlagWatch(posts=posts, client=client, clock=sharing.clock).check()  # after a restart
    assert await wanted() == seen[-1] + restricted

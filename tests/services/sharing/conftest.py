"""Fixtures: a server with a showcase, and members' finished jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.bans import Ban, BanScope
from bot.domain.jobs import Job, State
from bot.engine.member_identity import MemberIdentity
from bot.services.access import AccessService
from bot.services.jobs import Actor
from bot.services.sharing.reviews import ReviewService
from bot.services.sharing.submissions import Sharer, SubmissionService
from db.bans import BanRepository
from db.database import Database
from db.deletions import DeletionRepository
from db.guilds import GuildRepository
from db.pictures import ResultImageRepository
from db.sharing_settings import SharingSettingsRepository
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_image, make_job, make_request
from tests.support.ledger import adding

REVIEW, SHOWCASE, MODERATOR = 801, 802, 90


@dataclass(slots=True)
class Woken:
    """A waker that keeps the ids."""

    ids: list[str] = field(default_factory=list)

    def wake(self, message_ids: Sequence[str]) -> None:
        """Keep the ids."""
        self.ids += message_ids


@dataclass(slots=True)
class SharingHarness:
    """The services of sharing on a real database."""

    database: Database
    clock: ManualClock
    submissions: SubmissionService
    reviews: ReviewService
    woken: Woken

    async def finished_job(
        self,
        *,
        pictures: int = 2,
        member: int = MEMBER,
        private: bool = False,
        message: int | None = None,
        **changes: Any,
    ) -> Job:
        """Store a finished job with pictures; return it."""
        job = make_job(
            place=make_context(member_id=member, private=private, message_id=message),
            request=make_request(images=max(pictures, 1)),
            state=State.DONE,
            finished_at=START,
            delivered_at=START,
            charged=12 * pictures,
            **changes,
        )
        await self.database.write(adding(job))
        kept = [make_image(job, position=each) for each in range(pictures)]
        if kept:
            await self.database.write(lambda connection: ResultImageRepository(connection).add_all(kept, START))
        return job

    async def set_rules(self, **changes: Any) -> None:
        """Change the server's settings for sharing."""
        await self.database.write(lambda connection: SharingSettingsRepository(connection).change(GUILD, changes))

    async def set_guild(self, **changes: Any) -> None:
        """Change the server's settings."""
        await self.database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, changes))


def identity_of(sharing: SharingHarness) -> MemberIdentity:
    """Return identities with negative ids as pseudonyms."""
    return MemberIdentity(pseudonym_of=lambda member_id: -member_id, now=sharing.clock.now)


async def gone(sharing: SharingHarness, member_id: int, scope: BanScope) -> None:
    """Ban a member and delete their data: the ban has a pseudonym."""
    now = sharing.clock.now()

    def write(connection: Connection) -> None:
        DeletionRepository(connection).add_finished(-member_id, now, now)
        BanRepository(connection).set(Ban(guild_id=GUILD, member_id=-member_id, scope=scope, at=now, actor_id=1))

    await sharing.database.write(write)


def sharer(member_id: int = MEMBER, *, roles: tuple[int, ...] = (), moderator: bool = False) -> Sharer:
    """Return a sharing member."""
    return Sharer(member_id=member_id, guild_id=GUILD, moderator=moderator, roles=roles)


def moderator(member_id: int = MODERATOR, guild_id: int = GUILD) -> Actor:
    """Return a moderator."""
    return Actor(member_id=member_id, guild_id=guild_id, moderator=True)


@pytest.fixture
async def sharing(database: Database, clock: ManualClock) -> SharingHarness:
    """Return the services, in a server with both channels."""
    woken = Woken()
    access = AccessService(database=database, admitted="*", now=clock.now)
    harness = SharingHarness(
        database=database,
        clock=clock,
        submissions=SubmissionService(database=database, access=access, clock=clock, new_id=make_id, waker=woken),
        reviews=ReviewService(database=database, clock=clock, new_id=make_id, waker=woken),
        woken=woken,
    )
    await harness.set_guild(review_channel_id=REVIEW, showcase_channel_id=SHOWCASE)
    return harness

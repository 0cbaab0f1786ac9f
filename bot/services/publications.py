"""Public cards of private jobs."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from bot.domain.bans import BanScope
from bot.domain.errors import (
    ChannelUnusedError,
    ImageGoneError,
    JobDeletedError,
    JobRunningError,
    NotAllowedError,
    NotOfferedError,
)
from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import Job, Snapshot, State
from bot.domain.lazy_text import LazyText
from bot.engine.clock import Clock
from bot.services.access import AccessService
from bot.services.job_cards import request_card
from bot.services.job_sources import check_usable, is_hidden
from bot.services.jobs import Actor
from bot.services.request_gate import check_ban
from bot.services.sharing.availability import is_shareable
from bot.services.sharing.submissions import Waker
from db.cards import CardRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.takedowns import TakedownRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A private job on its way to a public card.

    `snapshot` is the public card's. `is_first` is False if the card may have been posted before.
    """

    snapshot: Snapshot
    is_first: bool


class PublicationService:
    """Records private jobs as public, each once."""

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        clock: Clock,
        new_id: Callable[[], str],
        waker: Waker,
    ) -> None:
        self._database = database
        self._access = access
        self._clock = clock
        self._new_id = new_id
        self._waker = waker

    async def get(self, job_id: str, actor: Actor) -> Job:
        """Return a private job after checking the right to publish it.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            JobRunningError: the job has not ended.
            NotAllowedError: the job is another member's.
            NotOfferedError: the job is public, has no server or no pictures.
            PicturesHiddenError: its pictures are hidden after reports.
            NotAdmittedError: its server is not admitted.
            ImageGoneError: the pictures are no longer kept.
        """
        return (await self._database.read(lambda connection: self._publishable(connection, job_id, actor))).job

    async def check_channel(self, job: Job, parent_channel_id: int | None) -> None:
        """Check that the studio works in a job's channel now.

        `parent_channel_id` is the channel of a thread.

        Raises:
            ChannelUnusedError: the server's admins chose other channels.
        """
        await self._database.read(lambda connection: _settings_of(connection, job, parent_channel_id))

    async def begin(self, job_id: str, actor: Actor, *, parent_channel_id: int | None, locale: str) -> Publication:
        """Record the intent to post a public card.

        The server's language counts before `locale`. Raises as `get` and `check_channel` do.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Publication:
            snapshot = self._publishable(connection, job_id, actor)
            settings = _settings_of(connection, snapshot.job, parent_channel_id)
            is_first = snapshot.job.public_at is None
            CardRepository(connection).set_public(job_id, now)
            job = JobRepository(connection).get(job_id)
            job = replace(job, place=replace(job.place, private=False, locale=settings.locale or locale))
            return Publication(snapshot=replace(snapshot, job=job), is_first=is_first)

        return await self._database.write(write)

    async def finish(self, publication: Publication, message_id: int) -> bool:
        """Record the public card; return False if the job was deleted meanwhile.

        If pictures on it were taken down or hidden meanwhile, the card is edited: who did that knew no message.
        """
        job_id, now = publication.snapshot.job.id, self._clock.now()
        shown = {each.position for each in publication.snapshot.pictures}

        def write(connection: Connection) -> tuple[bool, list[str]]:
            # A takedown holds the job's row, so one of the two sees the other.
            CardRepository(connection).set_public_message(job_id, message_id)
            job = JobRepository(connection).get(job_id)
            if job.deleted_at is not None:
                return False, []
            if is_hidden(connection, job_id) or shown & TakedownRepository(connection).taken_of(job_id):
                return True, request_card(connection, job, new_id=self._new_id, at=now)
            return True, []

        is_kept, due = await self._database.write(write)
        self._waker.wake(due)
        return is_kept

    async def withdraw(self, job_id: str) -> None:
        """Keep a job private after Discord refused its public card."""
        await self._database.write(lambda connection: CardRepository(connection).withdraw_public(job_id))

    def _publishable(self, connection: Connection, job_id: str, actor: Actor) -> Snapshot:
        job = JobRepository(connection).get(job_id)
        if job.place.member_id != actor.member_id:
            raise NotAllowedError(LazyText("its member"))
        if job.deleted_at is not None:
            raise JobDeletedError
        if not job.state.ended:
            raise JobRunningError
        if job.state is not State.DONE or not job.place.private or not job.place.guild_id:
            raise NotOfferedError
        check_usable(connection, job)
        self._access.check(connection, job.place.guild_id)
        check_ban(connection, job.place.guild_id, actor.member_id, self._clock.now(), BanScope.SHARING)
        pictures = ResultImageRepository(connection).list_for(job_id)
        if not pictures and job.public_message_id is None:
            raise ImageGoneError
        return Snapshot(job=job, pictures=pictures, is_shareable=is_shareable(connection, job))


def _settings_of(connection: Connection, job: Job, parent_channel_id: int | None) -> GuildSettings:
    """Return the settings of a job's server after checking its channel."""
    settings = GuildRepository(connection).settings(job.place.guild_id)
    if not settings.is_studio_channel({job.place.channel_id, parent_channel_id or 0}):
        raise ChannelUnusedError(job.place.channel_id)
    return settings

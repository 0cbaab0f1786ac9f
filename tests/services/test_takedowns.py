"""Takedowns: their extent, removal and refusals, also after a crash."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image
from sqlalchemy import Connection, select

from bot.domain.errors import (
    ImageGoneError,
    JobDeletedError,
    JobNotFoundError,
    NotAllowedError,
    PicturesHiddenError,
    PictureTakenDownError,
    TakedownGoneError,
)
from bot.domain.images import ImageFile, ImageRef, InputImage, ResultImage
from bot.domain.jobs import Action, Job, Origin, State
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.sharing.submissions import SubmissionOptions
from bot.domain.takedowns import EVERYWHERE, TakedownKind, TakenPicture
from bot.engine.picture_screen import PictureScreen
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.services.access import AccessService
from bot.services.deletion_register import DeletionRegister
from bot.services.job_creation import check_takedowns
from bot.services.jobs import Actor
from bot.services.publications import Publication, PublicationService
from bot.services.sharing.submissions import SubmissionService
from bot.services.takedown_extent import Subject
from bot.services.takedowns import TakedownService
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guilds import GuildRepository
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.submissions import SubmissionRepository
from db.tables import inputs, takedowns
from sandbox.providers.pictures import draw_picture
from tests.services.sharing.conftest import Woken, sharer
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_job, make_request
from tests.support.ledger import adding

MODERATOR = 77
OTHER = 43


class Discord:
    """An eraser of messages; Discord may be away."""

    def __init__(self) -> None:
        self.erased: list[str] = []
        self.erased_private: list[str] = []
        self.away = False

    async def erase_direct(self, job: Job) -> None:
        """Find no direct message."""

    async def erase_cards(self, job: Job) -> bool:
        """Erase a job's cards."""
        if self.away:
            raise ConnectionError
        self.erased.append(job.id)
        return True

    async def erase_private(self, job: Job) -> None:
        """Erase the private card of a job."""
        if self.away:
            raise ConnectionError
        self.erased_private.append(job.id)


class Engine:
    """Records jobs with an urgent next step."""

    def __init__(self) -> None:
        self.hurried: list[str] = []

    async def schedule_now(self, job_id: str, *, interrupt: bool = False) -> None:
        """Record the job."""
        assert interrupt
        self.hurried.append(job_id)


class Studio:
    """Jobs with pictures, and the service of a process."""

    def __init__(self, database: Database, images: ImageService, clock: ManualClock, folder: Path) -> None:
        self.database = database
        self.images = images
        self.clock = clock
        self.folder = folder
        self.discord = Discord()
        self.woken = Woken()
        self.engine = Engine()
        self.service = self.restart()
        self.shell = TakedownService(
            database=database, image_service=images, register=self.register, clock=clock, new_id=make_id
        )

    @property
    def register(self) -> DeletionRegister:
        """The list of deletions."""
        return DeletionRegister(self.folder / "deletions.txt", "")

    def restart(self) -> TakedownService:
        """Return the service of a new process of the bot."""
        return TakedownService(
            database=self.database,
            image_service=self.images,
            register=self.register,
            clock=self.clock,
            new_id=make_id,
            engine=self.engine,
            eraser=self.discord,
        )

    async def add(
        self,
        picture: bytes | None,
        *,
        guild: int = GUILD,
        member: int = MEMBER,
        source: Job | None = None,
        action: Action | None = None,
        private: bool = False,
        position: int = 0,
        upload: ImageFile | None = None,
        state: State = State.DONE,
    ) -> Job:
        """Insert a job, ended an hour ago with a picture if one is given."""
        wanted: tuple[InputImage, ...] = ()
        if source is not None:
            wanted = (InputImage(url="https://cdn/secret", parent=ImageRef(job_id=source.id, position=position)),)
        elif upload is not None:
            wanted = (InputImage(url="https://cdn/secret", file=upload),)
        origin = (
            None if source is None or action is None else Origin(action=action, job_id=source.id, position=position)
        )
        ended = state.ended
        job = make_job(
            place=make_context(message_id=5, guild_id=guild, member_id=member, private=private),
            request=make_request(inputs=wanted),
            origin=origin,
            state=state,
            finished_at=START if ended else None,
            delivered_at=START if ended else None,
            charged=12 if ended else None,
        )
        await self.database.write(adding(job))
        if picture is not None:
            file = await self.images.store_bytes(picture)
            image = ResultImage(job_id=job.id, position=0, file=file)
            await self.database.write(lambda connection: ResultImageRepository(connection).add_all([image], START))
        return job

    async def add_more(self, job: Job, *contents: bytes) -> None:
        """Give a job further pictures."""
        files = [await self.images.store_bytes(each) for each in contents]
        more = [ResultImage(job_id=job.id, position=at, file=file) for at, file in enumerate(files, 1)]
        await self.database.write(lambda connection: ResultImageRepository(connection).add_all(more, START))

    async def kept(self, job: Job) -> list[int]:
        """Return the positions of a job's kept pictures."""
        found = await self.database.read(lambda connection: ResultImageRepository(connection).list_for(job.id))
        return [each.position for each in found]

    async def card(self, job: Job) -> OutboxMessage | None:
        """Return the due edit of a job's card."""
        return await self.database.read(lambda c: OutboxRepository(c).find(MessageKind.CARD, job.id))

    async def deleted(self, *jobs: Job) -> list[bool]:
        """Return for each job if it is deleted with its pictures."""

        def read(connection: Connection) -> list[bool]:
            pictures = ResultImageRepository(connection)
            return [
                JobRepository(connection).get(job.id).deleted_at is not None and not pictures.list_for(job.id)
                for job in jobs
            ]

        return await self.database.read(read)


def drawn(name: str, form: str = "png") -> bytes:
    """Return a picture of the sandbox."""
    return draw_picture(name, 0, width=256, height=256, format=form)


def recompressed(picture: bytes) -> bytes:
    """Return a scaled and re-encoded copy."""
    file = BytesIO()
    Image.open(BytesIO(picture)).convert("RGB").resize((200, 200)).save(file, "JPEG", quality=60)
    return file.getvalue()


@pytest.fixture
async def studio(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Studio]:
    """Yield a studio an hour after its jobs."""
    images = ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=ImageStore(tmp_path / "pictures"),
        workers=ImageThreadPool(),
    )
    clock.advance(3600)
    yield Studio(database, images, clock, tmp_path)
    await images.close()


async def take_down(studio: Studio, job: Job, *, guild: int = EVERYWHERE) -> str:
    """Take down a job from the shell; return the receipt's code."""
    taken = await studio.shell.take_down(
        Subject(job_id=job.id), kind=TakedownKind.OPERATOR, reason="a letter", guild_id=guild
    )
    return taken.code


async def test_takedown_removes_copies_and_derived_pictures_with_files_and_messages(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    copy = await studio.add(recompressed(drawn("one")), member=OTHER, guild=GUILD + 1)
    upscaled = await studio.add(drawn("two"), source=job, action=Action.UPSCALE, member=OTHER)
    edited = await studio.add(drawn("three"), source=upscaled, action=Action.EDIT, private=True)
    reference = await studio.add(drawn("four"), source=job, action=Action.REFERENCE, member=OTHER)
    repeated = await studio.add(drawn("five"), source=reference, action=Action.AGAIN)
    other = await studio.add(drawn("six"))

    await take_down(studio, job)
    await studio.service.carry_out()

    gone, stays = (job, copy, upscaled, edited), (reference, repeated, other)
    assert await studio.deleted(*gone) == [True] * 4
    assert await studio.deleted(*stays) == [False] * 3
    assert sorted(studio.discord.erased) == sorted(each.id for each in gone)
    assert set(studio.register.read_jobs()) == {each.id for each in gone}


async def test_preview_counts_without_changing_anything(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    await studio.add(drawn("one"), member=OTHER, guild=GUILD + 1)
    await studio.add(drawn("two"), source=job, action=Action.VARY)
    reference = await studio.add(drawn("three"), source=job, action=Action.REFERENCE)
    running = await studio.add(None, source=job, action=Action.EDIT, state=State.RUNNING)
    preview = await studio.shell.preview(Subject(job_id=job.id))
    extent = preview.extent
    assert (len(extent.roots), len(extent.copies), len(extent.derived)) == (1, 1, 1)
    assert extent.running == (running.id,)
    assert extent.references == (reference.id,)
    assert (preview.members, preview.guilds) == (2, 2)
    assert await studio.deleted(job) == [False]
    assert await studio.shell.list() == []
    with pytest.raises(JobNotFoundError):
        await studio.shell.preview(Subject(job_id="0" * 32))


async def test_takedown_of_a_guild_leaves_other_guilds_alone(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    elsewhere = await studio.add(drawn("one"), guild=GUILD + 1)
    moderator = Actor(member_id=MODERATOR, guild_id=GUILD, moderator=True)
    taken = await studio.service.take_down_job(job.id, None, moderator, reason="rule 3")
    await studio.service.carry_out()
    assert await studio.deleted(job, elsewhere) == [True, False]
    (entry,) = await studio.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=5))
    assert (entry.action, entry.actor_id, entry.target_id, entry.reason) == (
        "takedown.add",
        MODERATOR,
        MEMBER,
        "rule 3",
    )
    assert entry.detail == {"code": taken.code, "jobs": 1}
    screen = PictureScreen(studio.database)
    file = await studio.images.store_bytes(drawn("one"))
    assert await screen.refuses_result(make_job(), file)
    assert not await screen.refuses_result(make_job(place=make_context(guild_id=GUILD + 1)), file)


async def test_only_moderators_of_the_guild_take_down(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    private = await studio.add(drawn("two"), private=True)
    for actor in (
        Actor(member_id=OTHER, guild_id=GUILD),
        Actor(member_id=MODERATOR, guild_id=GUILD + 1, moderator=True),
    ):
        with pytest.raises(NotAllowedError):
            await studio.service.take_down_job(job.id, frozenset({0}), actor, reason="")
    moderator = Actor(member_id=MODERATOR, guild_id=GUILD, moderator=True)
    with pytest.raises(NotAllowedError):
        await studio.service.take_down_job(private.id, frozenset({0}), moderator, reason="")
    await studio.service.take_down_job(job.id, frozenset({0}), moderator, reason="")
    await studio.service.carry_out()
    with pytest.raises(JobDeletedError):
        await studio.service.take_down_job(job.id, frozenset({0}), moderator, reason="")


async def test_running_job_from_the_picture_is_cancelled_and_removed_at_its_end(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    running = await studio.add(None, source=job, action=Action.REFERENCE, state=State.RUNNING)
    await studio.database.write(
        lambda connection: InputImageRepository(connection).set_token_hash(running.id, 0, "f" * 64)
    )
    await take_down(studio, job)
    # At once: the provider can fetch it no longer.
    secrets = select(inputs.c.url, inputs.c.token_hash).where(inputs.c.job_id == running.id)
    assert await studio.database.read(lambda connection: connection.execute(secrets).all()) == [(None, None)]
    await studio.service.carry_out()
    assert studio.engine.hurried == [running.id]
    stored = await studio.database.read(lambda connection: JobRepository(connection).get(running.id))
    assert stored.cancel_requested_at is not None
    assert await PictureScreen(studio.database).refuses_result(stored, await studio.images.store_bytes(drawn("new")))

    def end(connection: Connection) -> None:
        repository = JobRepository(connection)
        storing = repository.advance(repository.get(running.id), State.STORING)
        repository.advance(storing, State.DONE, finished_at=studio.clock.now(), charged=12)

    await studio.database.write(end)
    await studio.service.carry_out()
    assert await studio.deleted(running) == [True]
    assert running.id in studio.discord.erased


async def test_takedown_of_one_picture_leaves_the_others_of_its_job(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    await studio.add_more(job, drawn("two"), drawn("three"))
    copy = await studio.add(drawn("four"), private=True)
    await studio.add_more(copy, recompressed(drawn("two")))
    edit = await studio.add(drawn("six"), source=job, action=Action.EDIT)
    vary = await studio.add(drawn("five"), source=job, position=1, action=Action.VARY)
    await studio.add_more(vary, drawn("two"))

    subject = Subject(job_id=job.id, positions=frozenset({1}))
    preview = await studio.shell.preview(subject)
    assert preview.extent.parts == {job.id: {1}, copy.id: {1}}
    assert preview.extent.derived == (vary.id,)
    taken = await studio.shell.take_down(subject, kind=TakedownKind.OPERATOR, reason="")
    assert taken.position == 1
    for _ in range(2):
        await studio.service.carry_out()

    assert [await studio.kept(each) for each in (job, copy, edit, vary)] == [[0, 2], [0], [0], []]
    assert await studio.deleted(job, copy, edit, vary) == [False, False, False, True]
    # The copy's card is private: it goes, and the history has the others. The public card is edited.
    assert studio.discord.erased_private == [copy.id]
    assert studio.discord.erased == [vary.id]
    card = await studio.card(job)
    assert card is not None
    assert (card.channel_id, card.message_id, card.wanted) == (job.place.channel_id, 5, 1)
    assert await studio.card(edit) is None
    assert studio.register.read_pictures() == {job.id: {1}, copy.id: {1}}


async def begin_publication(studio: Studio, job: Job) -> tuple[PublicationService, Publication]:
    """Begin to post a private job's public card: Discord has not answered yet."""
    access = AccessService(database=studio.database, admitted="*", now=studio.clock.now)
    publications = PublicationService(
        database=studio.database, access=access, clock=studio.clock, new_id=make_id, waker=studio.woken
    )
    member = Actor(member_id=MEMBER, guild_id=GUILD)
    return publications, await publications.begin(job.id, member, parent_channel_id=None, locale="en-US")


async def test_public_card_posted_during_a_takedown_is_edited(studio: Studio) -> None:
    job = await studio.add(drawn("one"), private=True)
    await studio.add_more(job, drawn("two"))
    publications, publication = await begin_publication(studio, job)
    assert len(publication.snapshot.pictures) == 2

    subject = Subject(job_id=job.id, positions=frozenset({1}))
    await studio.shell.take_down(subject, kind=TakedownKind.OPERATOR, reason="")
    await studio.service.carry_out()
    assert await studio.card(job) is None  # there is no message to edit yet

    assert await publications.finish(publication, 77)
    card = await studio.card(job)
    assert card is not None
    assert (card.channel_id, card.message_id, card.wanted) == (job.place.channel_id, 77, 1)
    assert studio.woken.ids == [card.id]


async def test_untouched_public_card_is_not_edited(studio: Studio) -> None:
    job = await studio.add(drawn("one"), private=True)
    publications, publication = await begin_publication(studio, job)
    assert await publications.finish(publication, 77)
    assert await studio.card(job) is None


async def test_publication_and_takedown_at_once_do_not_miss_each_other(studio: Studio) -> None:
    for number in range(5):
        job = await studio.add(drawn(f"{number} one"), private=True)
        await studio.add_more(job, drawn(f"{number} two"))
        publications, publication = await begin_publication(studio, job)
        subject = Subject(job_id=job.id, positions=frozenset({1}))
        await studio.shell.take_down(subject, kind=TakedownKind.OPERATOR, reason="")
        await asyncio.gather(studio.service.carry_out(), publications.finish(publication, 77))
        assert await studio.card(job) is not None


async def test_last_picture_takes_its_job_down(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    await studio.add_more(job, drawn("two"))
    for position in (0, 1):
        subject = Subject(job_id=job.id, positions=frozenset({position}))
        await studio.shell.take_down(subject, kind=TakedownKind.OPERATOR, reason="")
    await studio.service.carry_out()
    assert await studio.deleted(job) == [True]
    assert studio.discord.erased == [job.id]


async def test_restart_takes_up_what_a_crash_left(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    copy = await studio.add(drawn("one"))
    await take_down(studio, job)
    studio.discord.away = True
    await studio.service.carry_out()
    # The pictures do not wait for Discord.
    assert await studio.deleted(job, copy) == [True, True]
    assert studio.discord.erased == []
    studio.discord.away = False
    await studio.restart().carry_out()
    assert sorted(studio.discord.erased) == [job.id, copy.id]
    await studio.restart().carry_out()
    assert len(studio.discord.erased) == 2


async def test_message_out_of_reach_for_a_day_is_left(studio: Studio) -> None:
    await take_down(studio, await studio.add(drawn("one")))
    studio.discord.away = True
    await studio.service.carry_out()
    studio.clock.advance(86_401)
    await studio.service.carry_out()
    finished = select(takedowns.c.finished_at)
    assert await studio.database.read(lambda connection: connection.execute(finished).scalar()) is not None


async def test_card_of_a_job_that_has_just_ended_is_erased_twice(studio: Studio) -> None:
    # Its result may be on the way to its card.
    job = await studio.add(drawn("one"))
    studio.clock.advance(-3600 + 30)
    await take_down(studio, job)
    await studio.service.carry_out()
    studio.clock.advance(60)
    await studio.service.carry_out()
    await studio.service.carry_out()
    assert studio.discord.erased == [job.id, job.id]


async def test_picture_stored_just_after_the_comparison_is_found_later(studio: Studio) -> None:
    await take_down(studio, await studio.add(drawn("one")))
    await studio.service.carry_out()
    late = await studio.add(recompressed(drawn("one")), member=OTHER)
    await studio.service.carry_out()
    assert await studio.deleted(late) == [True]


async def test_shell_removes_pictures_and_files_while_the_bot_is_stopped(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    await take_down(studio, job)
    await studio.shell.carry_out()
    assert await studio.deleted(job) == [True]
    assert studio.discord.erased == []
    await studio.service.carry_out()
    assert studio.discord.erased == [job.id]


async def test_two_processes_carry_out_the_same_takedown(studio: Studio) -> None:
    jobs = [await studio.add(drawn("one"), member=member) for member in range(50, 55)]
    await take_down(studio, jobs[0])
    await asyncio.gather(studio.service.carry_out(), studio.restart().carry_out(), studio.shell.carry_out())
    assert await studio.deleted(*jobs) == [True] * 5
    assert set(studio.discord.erased) == {job.id for job in jobs}


async def test_uploaded_copy_of_a_file_is_refused_until_lifted(studio: Studio) -> None:
    picture = drawn("one")
    stored = await studio.images.store_bytes(picture)
    taken = await studio.shell.take_down(
        Subject(pictures=(TakenPicture(sha256="a" * 64, fingerprint=stored.fingerprint),)),
        kind=TakedownKind.OPERATOR,
        reason="",
    )
    copy = await studio.images.store_bytes(recompressed(picture))
    other = await studio.images.store_bytes(drawn("two"))
    screen, job = PictureScreen(studio.database), make_job()
    assert await screen.refuses_input(job, copy)
    assert await screen.refuses_input(job, other, "a" * 64)
    assert not await screen.refuses_input(job, other)

    lifted = await studio.shell.lift(taken.code.lower().replace("-", " "))
    assert lifted.code == taken.code
    assert not await screen.refuses_input(job, copy)
    for typed in (taken.code, "nothing"):
        with pytest.raises(TakedownGoneError):
            await studio.shell.lift(typed)
    assert [each.lifted_at is not None for each in await studio.shell.list()] == [True]


async def test_lifted_takedown_allows_the_picture_where_no_other_refuses_it(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    everywhere = await take_down(studio, job)
    file = await studio.images.store_bytes(drawn("one"))
    here = await studio.shell.take_down(
        Subject(pictures=(TakenPicture(sha256=file.sha256),)), kind=TakedownKind.MODERATOR, reason="", guild_id=GUILD
    )
    await studio.service.carry_out()
    screen = PictureScreen(studio.database)
    places = make_job(), make_job(place=make_context(guild_id=GUILD + 1))
    assert [await screen.refuses_result(each, file) for each in places] == [True, True]
    await studio.shell.lift(everywhere)
    assert [await screen.refuses_result(each, file) for each in places] == [True, False]
    await studio.shell.lift(here.code)
    assert [await screen.refuses_result(each, file) for each in places] == [False, False]
    assert await studio.deleted(job) == [True]  # what was removed does not come back
    entries = await studio.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=5))
    assert [each.action for each in entries] == ["takedown.lift", "takedown.add"]


async def test_lifted_takedown_removes_nothing_more(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    running = await studio.add(None, source=job, action=Action.EDIT, state=State.RUNNING)
    code = await take_down(studio, job)
    await studio.service.carry_out()
    await studio.shell.lift(code)
    again = await studio.add(drawn("one"), member=OTHER)
    await studio.service.carry_out()
    assert await studio.deleted(job, running, again) == [True, False, False]
    finished = select(takedowns.c.finished_at)
    assert await studio.database.read(lambda connection: connection.execute(finished).scalar()) is not None


async def test_lift_before_the_removal_keeps_the_pictures(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    await studio.shell.lift(await take_down(studio, job))
    await studio.service.carry_out()
    assert await studio.deleted(job) == [False]
    assert studio.discord.erased == []


async def test_others_of_a_job_are_shared_after_a_takedown_of_one(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    await studio.add_more(job, drawn("two"), drawn("three"))
    subject = Subject(job_id=job.id, positions=frozenset({1}))
    await studio.shell.take_down(subject, kind=TakedownKind.OPERATOR, reason="")
    submissions = SubmissionService(
        database=studio.database,
        access=AccessService(database=studio.database, admitted="*", now=studio.clock.now),
        clock=studio.clock,
        new_id=make_id,
        waker=studio.woken,
    )
    channels = {"review_channel_id": 801, "showcase_channel_id": 802}
    await studio.database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, channels))
    with pytest.raises(PicturesHiddenError):  # until it is carried out
        await submissions.offer(job.id, sharer())
    await studio.service.carry_out()
    offer = await submissions.offer(job.id, sharer())
    assert [each.position for each in offer.pictures] == [0, 2]
    listed = await studio.database.read(
        lambda c: SubmissionRepository(c).list_shareable(GUILD, MEMBER, limit=9, restricted=True)
    )
    assert [position for _, position in listed] == [0, 2]
    with pytest.raises(ImageGoneError):
        await submissions.share(job.id, [0, 1], SubmissionOptions(), sharer())
    shared = await submissions.share(job.id, [0, 2], SubmissionOptions(), sharer())
    assert shared.positions == (0, 2)


async def test_hash_of_a_stored_picture_finds_its_other_copies(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    copy = await studio.add(recompressed(drawn("one")))
    sha256 = (await studio.images.store_bytes(drawn("one"))).sha256
    preview = await studio.shell.preview(Subject(pictures=(TakenPicture(sha256=sha256),)))
    assert set(preview.extent.copies) == {job.id, copy.id}


async def test_flat_picture_is_refused_by_its_file_alone(studio: Studio) -> None:
    file = BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    job = await studio.add(file.getvalue())
    await take_down(studio, job)
    screen = PictureScreen(studio.database)
    assert await screen.refuses_result(make_job(), await studio.images.store_bytes(file.getvalue()))
    other = BytesIO()
    Image.new("RGB", (65, 64), "red").save(other, "PNG")
    assert not await screen.refuses_result(make_job(), await studio.images.store_bytes(other.getvalue()))


async def test_job_from_an_uploaded_copy_is_derived(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    upload = await studio.images.store_bytes(drawn("one"))
    edit = await studio.add(drawn("two"), upload=upload, member=OTHER)
    await take_down(studio, job)
    await studio.service.carry_out()
    assert await studio.deleted(edit) == [True]


async def test_new_job_from_a_stored_picture_that_was_taken_down_is_refused(studio: Studio) -> None:
    file = await studio.images.store_bytes(drawn("one"))
    await studio.shell.take_down(
        Subject(pictures=(TakenPicture(sha256=file.sha256),)), kind=TakedownKind.OPERATOR, reason="", guild_id=GUILD
    )
    job = make_job(request=make_request(inputs=(InputImage(file=file),)))
    with pytest.raises(PictureTakenDownError):
        await studio.database.read(lambda connection: check_takedowns(connection, job))
    elsewhere = replace(job, place=make_context(guild_id=GUILD + 1))
    await studio.database.read(lambda connection: check_takedowns(connection, elsewhere))


async def test_deleting_ones_picture_deletes_own_identical_copies_alone(studio: Studio) -> None:
    job = await studio.add(drawn("one"))
    own = await studio.add(drawn("one"), guild=GUILD + 1)
    alike = await studio.add(recompressed(drawn("one")))
    others = await studio.add(drawn("one"), member=OTHER)
    assert await studio.service.delete_own_copies(job.id, MEMBER) == 1
    await studio.service.carry_out()
    assert await studio.deleted(own, alike, others) == [True, False, False]
    # Members may make it again.
    again = await studio.images.store_bytes(drawn("one"))
    assert not await PictureScreen(studio.database).refuses_result(make_job(), again)
    assert await studio.service.delete_own_copies(alike.id, MEMBER) == 0

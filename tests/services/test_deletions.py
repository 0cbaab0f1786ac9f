"""Deletions carried out in steps, with Discord away, and after a restore."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest
from sqlalchemy import Connection, insert, select
from structlog.testing import capture_logs

from bot.domain.allowances import AllowanceChange, AllowanceEntry
from bot.domain.bans import BanScope
from bot.domain.errors import DeletionRunningError
from bot.domain.images import ResultImage
from bot.domain.jobs import Job, State
from bot.domain.pseudonyms import pseudonym_of
from bot.engine.engine import Engine
from bot.engine.job_store import JobStore
from bot.engine.member_identity import MemberIdentity
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.secret_key import SecretKey
from bot.services.access import AccessService
from bot.services.allowances import AllowanceService
from bot.services.credit_administration import CreditAdministration, Recipient
from bot.services.deletion_register import DeletionRegister
from bot.services.deletions import DeletionService, Holdings
from bot.services.moderation import ModerationService, Target
from db.accounts import AccountRepository
from db.audit import audit
from db.bans import BanRepository
from db.database import Database
from db.deletions import DeletionRepository
from db.pictures import ResultImageRepository
from db.tables import accounts, audit_log, deletions, jobs, movements, pictures
from sandbox.providers.pictures import draw_picture
from tests.support.catalogue import BOTH
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_job
from tests.support.ledger import adding, grant, make_ledger

SECRET_KEY = SecretKey(b"k" * 32)
KEY = SECRET_KEY.for_member_hashes
AWAY = pseudonym_of(MEMBER, KEY)
DAY = 86_400


class Discord:
    """An eraser of messages; it may be away, and channels may be closed."""

    def __init__(self) -> None:
        self.erased: list[str] = []
        self.tried: list[str] = []
        self.away = False
        self.closed: set[int] = set()

    async def erase_direct(self, job: Job) -> None:
        """Find no direct message."""

    async def erase_cards(self, job: Job) -> bool:
        """Erase a job's cards."""
        self.tried.append(job.id)
        if self.away:
            raise ConnectionError
        if job.place.channel_id in self.closed:
            return False
        self.erased.append(job.id)
        return True


class Told:
    """A member with a count of messages about the end."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        """Count."""
        self.times += 1


@pytest.fixture
async def image_service(tmp_path: Path) -> AsyncIterator[ImageService]:
    """Yield an image service with a store in a folder."""
    service = ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=ImageStore(tmp_path / "pictures"),
        workers=ImageThreadPool(),
    )
    yield service
    await service.close()


def service_of(
    database: Database,
    images: ImageService,
    discord: Discord,
    clock: ManualClock,
    folder: Path,
    key: SecretKey = SECRET_KEY,
) -> DeletionService:
    """Return the service of a process. No job of these tests is running."""
    return DeletionService(
        database=database,
        image_service=images,
        job_store=cast("JobStore", None),
        engine=cast("Engine", None),
        eraser=discord,
        register=DeletionRegister(folder / "deletions.txt", key.name),
        pseudonym_of=lambda member: pseudonym_of(member, key.for_member_hashes),
        clock=clock,
    )


async def add_job(database: Database, images: ImageService, *, channel: int = 800, member: int = MEMBER) -> Job:
    """Insert a delivered job with a card and a picture."""
    job = make_job(
        place=make_context(message_id=5, channel_id=channel, member_id=member),
        state=State.DONE,
        finished_at=START,
        delivered_at=START,
        charged=12,
    )
    file = await images.store_bytes(draw_picture(job.id, 0, width=64, height=64, format="png"))
    await database.write(adding(job))
    picture = ResultImage(job_id=job.id, position=0, file=file)
    await database.write(lambda connection: ResultImageRepository(connection).add_all([picture], START))
    return job


async def test_single_pictures_of_a_restored_backup_are_deleted_again(
    database: Database, image_service: ImageService, clock: ManualClock, tmp_path: Path
) -> None:
    job, other = await add_job(database, image_service), await add_job(database, image_service)
    for each in (job, other):
        drawn = (draw_picture(each.id, at, width=64, height=64, format="png") for at in (1, 2))
        files = [await image_service.store_bytes(picture) for picture in drawn]
        more = [ResultImage(job_id=each.id, position=at, file=file) for at, file in enumerate(files, 1)]
        await database.write(lambda connection, more=more: ResultImageRepository(connection).add_all(more, START))  # type: ignore[misc]
    # Of the time after the backup; the last job is of a later one.
    register = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name)
    register.add_pictures(job.id, {0, 2}, START)
    register.add_pictures("f" * 32, {0}, START)

    def stored() -> list[Path]:
        return [each for each in (tmp_path / "pictures").rglob("*.png") if each.is_file()]

    assert len(stored()) == 6
    for path in stored():
        os.utime(path, (0, 0))  # a file of just now may have a row soon
    clock.advance(3600)
    await service_of(database, image_service, Discord(), clock, tmp_path).replay()

    kept = await database.read(
        lambda connection: {
            each.id: [image.position for image in ResultImageRepository(connection).list_for(each.id)]
            for each in (job, other)
        }
    )
    assert kept == {job.id: [1], other.id: [0, 1, 2]}
    assert len(stored()) == 4


async def members(database: Database) -> list[int]:
    """Return the members of all jobs."""
    return await database.read(
        lambda connection: list(connection.execute(select(jobs.c.member_id).order_by(jobs.c.id)).scalars())
    )


async def test_deletion_erases_jobs_messages_and_files(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    mine, others = await add_job(database, image_service), await add_job(database, image_service, member=MEMBER + 1)
    discord, clock, told = Discord(), ManualClock(), Told()
    service = service_of(database, image_service, discord, clock, tmp_path)
    assert await service.count(MEMBER) == Holdings(jobs=1, pictures=1, presets=0, granted=0)
    await service.request(MEMBER, told)
    with pytest.raises(DeletionRunningError):
        await service.request(MEMBER, told)
    with pytest.raises(DeletionRunningError):
        await service.count(MEMBER)
    assert await service.carry_out()
    assert (discord.erased, told.times) == ([mine.id], 1)
    assert await members(database) == [AWAY, MEMBER + 1]
    kept = await database.read(lambda connection: connection.execute(select(pictures.c.job_id)).scalars().all())
    assert kept == [others.id]


async def test_deletion_waits_for_discord_for_a_day(
    database: Database, image_service: ImageService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.services.deletions._BATCH", 1)
    job, later = await add_job(database, image_service), await add_job(database, image_service)
    discord, clock = Discord(), ManualClock()
    discord.away = True
    service = service_of(database, image_service, discord, clock, tmp_path)
    await service.request(MEMBER, Told())
    with pytest.raises(ConnectionError):
        await service.carry_out()
    # The words are gone at once, and the messages are remembered.
    words = select(jobs.c.id, jobs.c.prompt, jobs.c.message_id).order_by(jobs.c.id)
    rows = await database.read(lambda connection: connection.execute(words).all())
    assert [tuple(row) for row in rows] == [(job.id, "", 5), (later.id, "", 5)]
    clock.advance(DAY + 1)
    assert await service.carry_out()
    assert await members(database) == [AWAY, AWAY]


async def test_closed_channel_is_asked_once(database: Database, image_service: ImageService, tmp_path: Path) -> None:
    # Thousands of refusals would get the bot's address blocked.
    first = await add_job(database, image_service, channel=900)
    for _ in range(3):
        await add_job(database, image_service, channel=900)
    other = await add_job(database, image_service, channel=901)
    discord = Discord()
    discord.closed = {900}
    service = service_of(database, image_service, discord, ManualClock(), tmp_path)
    await service.request(MEMBER, Told())
    assert await service.carry_out()
    assert discord.tried == [first.id, other.id]


async def test_two_services_carry_out_one_deletion(
    database: Database, other: Database, image_service: ImageService, tmp_path: Path
) -> None:
    await add_job(database, image_service)
    discord, clock = Discord(), ManualClock()
    await service_of(database, image_service, discord, clock, tmp_path).request(MEMBER, Told())
    for each in (database, other):
        assert await service_of(each, image_service, discord, clock, tmp_path).carry_out()
    assert await members(database) == [AWAY]


async def test_restored_backup_is_deleted_again(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    register = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name)
    register.add(AWAY, START)
    register.add(pseudonym_of(MEMBER + 5, KEY), START)  # not in the backup
    await add_job(database, image_service)
    await add_job(database, image_service, member=MEMBER + 1)
    service = service_of(database, image_service, Discord(), ManualClock(), tmp_path)
    await service.replay()
    assert await service.carry_out()
    assert await members(database) == [AWAY, MEMBER + 1]


async def test_member_without_jobs_is_deleted_again_in_a_restored_backup(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    """A moderator's decisions are all that is stored about them."""
    DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name).add(AWAY, START)
    entry = {"id": make_id(), "guild_id": GUILD, "actor_id": MEMBER, "action": "ban", "detail": {}, "reason": ""}
    await database.write(lambda connection: connection.execute(insert(audit_log), {**entry, "at": START}))
    service = service_of(database, image_service, Discord(), ManualClock(), tmp_path)
    await service.replay()
    assert await service.carry_out()
    actors = select(audit_log.c.actor_id)
    assert await database.read(lambda connection: connection.execute(actors).scalars().all()) == [AWAY]


async def test_restored_backup_is_deleted_again_once_the_key_is_back(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name).add(AWAY, START)
    await add_job(database, image_service)
    wrong, right = (
        service_of(database, image_service, Discord(), ManualClock(), tmp_path, key)
        for key in (SecretKey(b"z" * 32), SECRET_KEY)
    )
    with capture_logs() as logs:
        await wrong.replay()
    assert await wrong.carry_out()
    assert await members(database) == [MEMBER]
    assert [(line["event"], line["members"]) for line in logs] == [("deletion.other_key", 1)]
    await right.replay()
    assert await right.carry_out()
    assert await members(database) == [AWAY]
    with capture_logs() as logs:
        await wrong.replay()
    assert logs == []


async def test_deleted_job_of_a_restored_backup_is_deleted_again(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    gone, kept = await add_job(database, image_service), await add_job(database, image_service)
    running = make_job(state=State.RUNNING)
    await database.write(adding(running))
    register, clock = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name), ManualClock()
    for job_id in (gone.id, running.id, make_id()):
        register.add_job(job_id, START)
    clock.advance(DAY)
    service = service_of(database, image_service, Discord(), clock, tmp_path)
    listed = select(jobs.c.id, jobs.c.deleted_at).where(jobs.c.deleted_at.is_not(None))
    for _ in range(2):
        with capture_logs() as logs:
            await service.replay()
        rows = await database.read(lambda connection: connection.execute(listed).all())
        assert [tuple(row) for row in rows] == [(gone.id, START)]
    assert logs == []
    left = select(pictures.c.job_id).where(pictures.c.removed_at.is_(None))
    assert await database.read(lambda connection: connection.execute(left).scalars().all()) == [kept.id]


async def test_returned_member_is_not_deleted_again_at_a_start(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    await add_job(database, image_service)
    service = service_of(database, image_service, Discord(), ManualClock(), tmp_path)
    await service.request(MEMBER, Told())
    assert await service.carry_out()

    def come_back(connection: Connection) -> bool:
        return DeletionRepository(connection).restore_member(MEMBER, AWAY, START)

    assert await database.write(come_back)
    await add_job(database, image_service)
    await service.replay()
    assert await service.carry_out()
    assert await members(database) == [MEMBER, MEMBER]
    pending = select(deletions.c.member_id).where(deletions.c.finished_at.is_(None))
    assert await database.read(lambda connection: connection.execute(pending).all()) == []


async def test_credits_granted_during_the_end_of_a_deletion_stay(database: Database) -> None:
    """A grant in a server without an account does not wait for the deletion."""
    ledger = make_ledger()
    await database.write(lambda connection: grant(connection, ledger, 100))
    await database.write(lambda connection: DeletionRepository(connection).add_finished(AWAY, START, START))
    restored = await database.write(
        lambda connection: DeletionRepository(connection).restore_member(MEMBER, AWAY, START)
    )
    account = await database.read(lambda connection: ledger.available(connection, GUILD, MEMBER, START))
    assert (restored, account.granted) == (True, 100)
    assert await database.read(audit) == []


async def test_credits_granted_during_and_after_a_deletion_in_one_server_add_up(database: Database) -> None:
    ledger = make_ledger()
    await database.write(lambda connection: grant(connection, ledger, 100))
    await database.write(lambda connection: grant(connection, ledger, 30, member=AWAY))
    await database.write(lambda connection: DeletionRepository(connection).add_finished(AWAY, START, START))
    await database.write(lambda connection: DeletionRepository(connection).restore_member(MEMBER, AWAY, START))
    account = await database.read(lambda connection: ledger.available(connection, GUILD, MEMBER, START))
    assert account.granted == 130
    assert await database.read(audit) == []


def test_register_skips_a_line_that_a_crash_cut_off(tmp_path: Path) -> None:
    register = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name)
    register.add(-7, START)
    with register.path.open("a") as file:
        file.write("\n-8 2026-03-1")
    register.add(-9, START)
    register.add(-9, START)
    assert register.read() == {-7: START, -9: START}
    assert register.path.read_text().count("-9 ") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00garbage",
        b"-5 2026-03-01T12:00:00",
        b"7 2026-03-01T12:00:00+00:00",
        b"-9223372036854775809 2026-03-01T12:00:00+00:00",
        b"- -",
        b"\x00" * 100,
    ],
)
def test_register_with_an_odd_line_keeps_the_others(tmp_path: Path, line: bytes) -> None:
    register = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name)
    register.path.write_bytes(b"\xef\xbb\xbf-7 2026-03-01T12:00:00+00:00\r\n" + line + b"\n")
    register.add(-9, START)
    assert register.read() == {-7: datetime(2026, 3, 1, 12, tzinfo=UTC), -9: START}


def test_register_keeps_members_and_jobs_apart(tmp_path: Path) -> None:
    register, job_id = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name), make_id()
    register.add_job(job_id, START)
    register.add(-7, START)
    register.add_job(job_id, START + timedelta(days=1))
    with register.path.open("a") as file:
        file.write("job\njob 7 2026-03-01T12:00:00+00:00\njob " + make_id() + " 2026-03-0")
    assert (register.read(), register.read_jobs()) == ({-7: START}, {job_id: START})


def test_register_of_two_files_has_the_latest_requests(tmp_path: Path) -> None:
    register = DeletionRegister(tmp_path / "deletions.txt", SECRET_KEY.name)
    for at in (START + timedelta(days=1), START):
        register.add(-7, at)
    assert register.read() == {-7: START + timedelta(days=1)}


async def test_moderator_unbans_a_member_who_deleted_their_data(database: Database) -> None:
    clock = ManualClock()
    identity = MemberIdentity(pseudonym_of=lambda member: pseudonym_of(member, KEY), now=clock.now)
    moderation = ModerationService(database=database, clock=clock, catalogue=BOTH, new_id=make_id, identity=identity)
    await database.write(lambda connection: DeletionRepository(connection).add_finished(AWAY, START, START))

    def is_banned(connection: Connection) -> bool:
        identity.welcome(connection, MEMBER)
        return BanRepository(connection).find(GUILD, MEMBER, START, BanScope.STUDIO) is not None

    def returns_banned(connection: Connection) -> bool:
        with connection.begin_nested() as attempt:
            banned = is_banned(connection)
            attempt.rollback()  # as after a refusal
        return banned

    target = Target(member_id=MEMBER)
    await moderation.ban(GUILD, target, scope=BanScope.STUDIO, term=None, reason="spam", actor_id=1)
    (listed,) = await moderation.list_bans(GUILD)
    assert listed.member_id == AWAY
    assert await database.write(returns_banned)
    assert await moderation.unban(GUILD, MEMBER, reason="", actor_id=1) == (BanScope.STUDIO,)
    assert not await database.write(returns_banned)
    logged = await database.read(lambda connection: connection.execute(select(audit_log.c.target_id)).scalars().all())
    assert logged == [AWAY, AWAY]


async def test_credits_of_a_member_who_deleted_their_data_change_under_the_pseudonym(database: Database) -> None:
    """An admin's grant is no return."""
    clock = ManualClock()
    identity = MemberIdentity(pseudonym_of=lambda member: pseudonym_of(member, KEY), now=clock.now)
    administration = CreditAdministration(
        database=database,
        ledger=make_ledger(identity=identity),
        access=AccessService(database=database, admitted="*", now=clock.now),
        clock=clock,
        new_id=make_id,
    )
    await database.write(lambda connection: DeletionRepository(connection).add_finished(AWAY, START, START))
    recipient = Recipient(member_id=MEMBER, roles=())
    granted = await administration.grant(GUILD, recipient, 30, actor_id=1)
    assert (granted.member_id, granted.granted, granted.available) == (MEMBER, 30, 130)
    taken = await administration.take(GUILD, Recipient(member_id=MEMBER, is_present=False), 10, actor_id=1)
    assert (taken.member_id, taken.amount, taken.granted) == (MEMBER, 10, 20)

    def ids(connection: Connection) -> set[int]:
        columns = accounts.c.member_id, movements.c.member_id, audit_log.c.target_id
        return {value for column in columns for value in connection.execute(select(column)).scalars()}

    assert await database.read(ids) == {AWAY}
    await database.write(lambda connection: identity.welcome(connection, MEMBER))
    assert (await database.read(lambda each: AccountRepository(each).sum_granted(MEMBER))) == 20
    assert await database.read(audit) == []


async def test_allowance_of_a_member_who_deleted_their_data_changes_under_the_pseudonym(database: Database) -> None:
    """Else a removed one would come back with its member."""
    clock = ManualClock()
    identity = MemberIdentity(pseudonym_of=lambda member: pseudonym_of(member, KEY), now=clock.now)
    service = AllowanceService(
        database=database,
        ledger=make_ledger(identity=identity),
        access=AccessService(database=database, admitted="*", now=clock.now),
        clock=clock,
        new_id=make_id,
    )
    await database.write(lambda connection: DeletionRepository(connection).add_finished(AWAY, START, START))
    change = AllowanceChange(entry=AllowanceEntry(amount=500, member_id=MEMBER))
    await service.apply(GUILD, change, actor_id=1)
    assert [entry.member_id for entry in (await service.list(GUILD)).entries] == [AWAY]
    preview = await service.preview(GUILD, replace(change, removes=True))
    assert preview.change.entry.member_id == MEMBER
    await service.apply(GUILD, replace(change, removes=True), actor_id=1)
    assert (await service.list(GUILD)).entries == ()

"""`atelier takedown`: remove a picture for people outside Discord."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from sqlalchemy import Connection

from bot.command_line.output import OUT
from bot.command_line.studio_control import ControlError
from bot.command_line.terminal import NOT_UP_TO_DATE, fail, print_work, read_settings, run_with_database
from bot.container import open_database
from bot.container.engine import EngineContainer
from bot.domain.errors import ImageError, JobNotFoundError, TakedownGoneError
from bot.domain.outbox import MessageKind
from bot.domain.takedowns import EVERYWHERE, MAX_REASON, Takedown, TakedownKind, TakenPicture
from bot.images.identity import hash_file
from bot.images.image_service import ImageService
from bot.images.sanitize import read_look
from bot.providers.transport import provider_client
from bot.services.deletion_register import FILE_NAME, DeletionRegister
from bot.services.takedown_extent import Subject
from bot.services.takedowns import Preview, TakedownService
from bot.settings import Settings
from db.database import Database
from db.jobs import JobRepository
from db.migrate import pending_migrations
from db.outbox import OutboxRepository
from db.submissions import SubmissionRepository
from db.takedowns import Positions, TakedownRepository

_LINK: Final = re.compile(r"https://(?:\w+\.)?discord(?:app)?\.com/channels/(?:@me|\d+)/(\d{1,19})/(\d{1,19})/?")
_JOB: Final = re.compile(r"[0-9a-f]{32}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_WHAT: Final = "a message's link, a job's id, a picture's file or its SHA-256"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A takedown as typed."""

    what: str
    guild_id: int
    reason: str
    positions: Positions = None


def takedown(
    what: Annotated[str, typer.Argument(help=f"{_WHAT}. Or: list, lift.", show_default=False)],
    code: Annotated[str | None, typer.Argument(help="For lift: the receipt's code.", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="Kept with the receipt.", show_default=False)] = "",
    server: Annotated[
        int | None, typer.Option(help="Only in one server, by its id; else everywhere.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,  # noqa: FBT002 - typer's form of a flag
    picture: Annotated[
        list[int] | None,
        typer.Option(help="Only this picture of a job, from 1; repeatable.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Remove a picture and its copies, also while the bot runs."""
    settings = read_settings()
    if what == "list":
        print_work(settings, lambda database: _list(database, settings))
        return
    if what == "lift":
        print_work(settings, lambda database: _lift(database, settings, code))
        return
    if code is not None:
        fail(f"Name one thing: {_WHAT}.")
    if len(reason) > MAX_REASON:
        fail(f"--reason takes {MAX_REASON} characters at most; this has {len(reason)}.")
    if server is not None and not 0 < server < 2**63:
        fail("--server takes the server's id: in Discord, Copy Server ID in its menu.")
    if picture and min(picture) < 1:
        fail("--picture counts from 1.")
    positions = frozenset(each - 1 for each in picture) if picture else None
    wanted = _Wanted(what=what, guild_id=server or EVERYWHERE, reason=reason, positions=positions)
    try:
        subject, lines = run_with_database(_preview(settings, wanted))
    except ControlError as error:
        fail(str(error))
    for line in lines:
        OUT.print(line)
    if dry_run:
        return
    if not yes and not typer.confirm("Take it down?"):
        fail("Nothing was removed.")
    for line in run_with_database(_carry_out(settings, wanted, subject)):
        OUT.print(line)


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[Database, TakedownService, ImageService]]:
    """Open the database and the service; the bot itself erases messages."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        if await pending_migrations(database):
            fail(NOT_UP_TO_DATE)
        http = await stack.enter_async_context(provider_client())
        container = EngineContainer(settings, database=database, http=http)
        stack.push_async_callback(container.close)
        yield database, _service(container, settings), container.image_service


def _service(container: EngineContainer, settings: Settings) -> TakedownService:
    return TakedownService(
        database=container.database,
        image_service=container.image_service,
        register=DeletionRegister(settings.data_dir / FILE_NAME, ""),
        clock=container.clock,
        new_id=container.new_id,
    )


async def _preview(settings: Settings, wanted: _Wanted) -> tuple[Subject, list[str]]:
    async with _open(settings) as (database, service, _):
        subject = await _subject(database, wanted.what)
        if wanted.positions is not None:
            subject = await _narrowed(database, subject, wanted.positions)
        try:
            return subject, _preview_lines(await service.preview(subject, wanted.guild_id), wanted)
        except JobNotFoundError:
            raise ControlError(f"There is no job {wanted.what}.") from None


async def _carry_out(settings: Settings, wanted: _Wanted, subject: Subject) -> list[str]:
    async with _open(settings) as (database, service, image_service):
        taken = await service.take_down(
            subject, kind=TakedownKind.OPERATOR, reason=wanted.reason, guild_id=wanted.guild_id
        )
        await service.carry_out()
        left = await database.read(lambda connection: _count_kept(connection, taken))
        undeleted = len(image_service.take_unrecorded())
    lines = [
        f"Receipt {taken.code}, {taken.at:%Y-%m-%d %H:%M:%S} UTC.",
        f"The pictures{'' if undeleted else ' and their files'} are removed. The same picture is refused from now on.",
        "Messages on Discord are deleted by the bot: within a minute while it runs, else at its next start.",
    ]
    if undeleted:
        lines.append(f"{_counted(undeleted, 'file')} not deleted: the picture store failed. A running bot tries again.")
    if left:
        lines.append(f"{_counted(left, 'job')} still running: cancelled by the bot, or removed at their end.")
    return [*lines, f"Lift it with: atelier takedown lift {taken.code}"]


def _count_kept(connection: Connection, taken: Takedown) -> int:
    pending = TakedownRepository(connection).list_pending(taken.id)
    return sum(not JobRepository(connection).get(each.job_id).state.ended for each in pending)


async def _narrowed(database: Database, subject: Subject, positions: frozenset[int]) -> Subject:
    """Return some pictures of a job as the subject.

    Raises:
        ControlError: the subject is no job, or has no such picture.
    """
    job_id = subject.job_id
    if job_id is None:
        raise ControlError("--picture is for a job or a message's link: a file or a hash is one picture.")
    found = await database.read(lambda connection: TakedownRepository(connection).results_of([job_id], positions))
    if len(found) < len(positions):
        raise ControlError("The job has no such picture.")
    return Subject(job_id=job_id, positions=positions)


async def _subject(database: Database, what: str) -> Subject:
    """Return the subject of a takedown.

    Raises:
        ControlError: it names nothing that can be taken down.
    """
    if link := _LINK.fullmatch(what):
        channel_id, message_id = int(link[1]), int(link[2])
        found = await database.read(
            lambda connection: _find_by_message(connection, channel_id, message_id), long_running=True
        )
        if found is None:
            raise ControlError("No job's card or post is at this link. Save its picture, and name the file instead.")
        return found
    hexadecimal = what.lower().replace("-", "")
    if _JOB.fullmatch(hexadecimal):
        return Subject(job_id=hexadecimal)
    if _HASH.fullmatch(hexadecimal):
        return Subject(pictures=(TakenPicture(sha256=hexadecimal),))
    return Subject(pictures=(await asyncio.to_thread(_read_picture, Path(what)),))


def _find_by_message(connection: Connection, channel_id: int, message_id: int) -> Subject | None:
    """Return the pictures of a card, or of a post in a showcase."""
    job_id = TakedownRepository(connection).find_by_message(channel_id, message_id)
    if job_id is not None:
        return Subject(job_id=job_id)
    message = OutboxRepository(connection).find_by_message(message_id)
    if message is None or message.kind is not MessageKind.SHOWCASE:
        return None
    shared = SubmissionRepository(connection).get(message.subject_id)
    return Subject(job_id=shared.job_id, positions=frozenset(shared.positions))


def _read_picture(path: Path) -> TakenPicture:
    if not path.is_file():
        raise ControlError(f"This is none of these: {_WHAT}.")
    sha256 = hash_file(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "picture"
        shutil.copyfile(path, copy)
        try:
            look = read_look(copy)
        except ImageError as error:
            raise ControlError(f"{path.name} is no picture that can be read ({error.problem}).") from error
    return TakenPicture(sha256=sha256, fingerprint=look.fingerprint)


def _preview_lines(preview: Preview, wanted: _Wanted) -> list[str]:
    extent = preview.extent
    where = f"in server {wanted.guild_id}" if wanted.guild_id else "everywhere"
    plain = sum(each.fingerprint is None for each in extent.pictures)
    lines = [
        f"Refused {where} from then on: {_counted(len(extent.pictures), 'picture')}.",
        *([f"{plain} of them without a fingerprint: only the same file is recognised."] if plain else []),
        f"Removed {where}: {_counted(len(extent.job_ids) - len(extent.parts), 'job')} with all pictures and messages.",
        *([f"{_counted(len(extent.parts), 'job')} more without the picture: the others stay."] if extent.parts else []),
    ]
    parts = (
        (extent.roots, "named by you"),
        (extent.copies, "with the same picture"),
        (extent.derived, "made by changing it"),
        (extent.running, "running, from it"),
    )
    lines += [f"  {_counted(len(jobs), 'job')} {what}" for jobs, what in parts if jobs]
    if extent.job_ids:
        lines.append(f"  of {_counted(preview.members, 'member')} in {_counted(preview.guilds, 'server')}")
    if extent.references:
        lines.append(f"Not removed: {_counted(len(extent.references), 'job')} that only went by it as a reference.")
    lines += [f"  {job.id} {job.state} {job.created_at:%Y-%m-%d %H:%M} UTC" for job in preview.jobs[:20]]
    if len(preview.jobs) > 20:  # noqa: PLR2004 - as above
        lines.append(f"  and {len(preview.jobs) - 20} more")
    return [*lines, "Credits stay as they were charged."]


async def _list(database: Database, settings: Settings) -> list[str]:
    async with _open(settings) as (_, service, _):
        found = await service.list()
    del database
    return [_line(each) for each in found] or ["Nothing was taken down."]


async def _lift(database: Database, settings: Settings, code: str | None) -> list[str]:
    del database
    if code is None:
        raise ControlError("Name the receipt's code: atelier takedown lift CODE. `atelier takedown list` lists them.")
    async with _open(settings) as (_, service, _):
        try:
            lifted = await service.lift(code)
        except TakedownGoneError:
            raise ControlError(f"No takedown in force has the code {code}.") from None
    now = datetime.now(UTC)
    return [f"{lifted.code} is lifted, {now:%Y-%m-%d %H:%M:%S} UTC. What was removed does not come back."]


def _line(each: Takedown) -> str:
    where = f"server {each.guild_id}" if each.guild_id else "everywhere"
    lifted = "" if each.lifted_at is None else f", lifted {each.lifted_at:%Y-%m-%d %H:%M} UTC"
    reason = f": {each.reason}" if each.reason else ""
    return f"{each.code} {each.at:%Y-%m-%d %H:%M} UTC, {where}, by {each.kind}{lifted}{reason}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

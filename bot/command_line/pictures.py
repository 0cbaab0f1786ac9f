"""`atelier pictures`: move the pictures to another place, and check them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NoReturn, TypeVar

import typer

from bot.command_line.output import OUT
from bot.command_line.terminal import NOT_UP_TO_DATE, fail, read_settings, run_with_database
from bot.container import open_database
from bot.factories import build_picture_store
from bot.images.picture_store import PictureStore, StoredImageName
from bot.images.store_copy import CopyCount, SizedName, copy_images, delete_images, find_missing
from bot.images.store_faults import PictureStoreError
from bot.settings import Settings
from bot.settings.validators import check_picture_store
from bot.ui.render.formatting import counted
from db.file_references import list_kept_files
from db.migrate import pending_migrations
from db.workers import WorkerRepository

picture_commands = typer.Typer(help="Move the pictures to another place, and check them.", no_args_is_help=True)

T = TypeVar("T")
_RUNNING: Final = "A bot runs on this database. Stop it first; nothing was deleted."
_MOST_NAMED: Final = 20
# Later than any file: nothing is too young to be deleted.
_AHEAD: Final = timedelta(days=365)


@picture_commands.command()
def move(
    source: Annotated[
        str | None,
        typer.Option("--from", help="Where they are, as in PICTURE_STORE_URL.", show_default="DATA_DIR/pictures"),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Then delete them there, while no bot runs.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Copy all pictures to PICTURE_STORE_URL, also while the bot runs."""
    settings = read_settings()
    before = _settings_of(settings, source)
    if (before.object_store, before.picture_folder.resolve()) == (
        settings.object_store,
        settings.picture_folder.resolve(),
    ):
        fail("The pictures are there already. Set PICTURE_STORE_URL to the new place, or name the old one with --from.")
    rows = _rows(settings)
    if delete and rows.is_bot_running:
        fail(_RUNNING)
    old, new = build_picture_store(before), build_picture_store(settings)
    count = _with_stores(lambda: copy_images(old, new, rows.files, _show_progress))
    _print_count(count)
    _check(new, rows.files, read=False)
    if delete:
        deleted = _with_stores(lambda: delete_images(old, datetime.now(UTC) + _AHEAD))
        OUT.print(f"Deleted {counted(deleted, 'picture')} at the old place.")
    else:
        OUT.print("The old place is as it was: start the bot with the new one, then delete it.")


@picture_commands.command()
def check(
    read: Annotated[bool, typer.Option("--read", help="Read each picture and compare its hash.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Check that all pictures of the database are in their place."""
    settings = read_settings()
    _check(build_picture_store(settings), _rows(settings).files, read=read)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Files of rows with their sizes, and the state of the bot."""

    files: list[SizedName]
    is_bot_running: bool


def _rows(settings: Settings) -> _Rows:
    async def read() -> _Rows:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                fail(NOT_UP_TO_DATE)
            found = await database.read(list_kept_files, long_running=True)
            running = await database.read(lambda connection: WorkerRepository(connection).has_live(datetime.now(UTC)))
        files = [(StoredImageName(sha256=sha256, media_type=media_type), size) for sha256, media_type, size in found]
        return _Rows(files=files, is_bot_running=running)

    return run_with_database(read())


def _settings_of(settings: Settings, source: str | None) -> Settings:
    """Return the settings with another place of pictures."""
    try:
        url = None if source is None else check_picture_store(source)
    except ValueError:
        fail("--from takes s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER.")
    return settings.model_copy(update={"picture_store_url": url})


def _with_stores(work: Callable[[], T]) -> T:
    """Run work, or end with a line about a store."""
    try:
        return work()
    except PictureStoreError as error:
        _fail_for(f"{error.problem}")
    except OSError as error:
        _fail_for(error.strerror or str(error))


def _fail_for(why: str) -> NoReturn:
    fail(f"A place of pictures cannot be used ({why}). `atelier doctor` says more. The same command goes on from here.")


def _show_progress(count: CopyCount) -> None:
    OUT.print(f"{count.copied + count.there_before:,} …")


def _print_count(count: CopyCount) -> None:
    OUT.print(f"Copied {counted(count.copied, 'picture')}; {count.there_before:,} were there before.")
    if count.undecoded:
        OUT.print(f"Copied {counted(count.undecoded, 'picture')} of running jobs.")
    if count.damaged or count.missing:
        OUT.print(f"At the old place {count.damaged:,} are damaged and {count.missing:,} missing.")


def _check(store: PictureStore, files: list[SizedName], *, read: bool) -> None:
    """Print the result of a check, and end with 1 if pictures are missing."""
    missing = _with_stores(lambda: find_missing(store, files, read=read))
    if not missing:
        OUT.print(f"All {counted(len(files), 'picture')} of the database are in their place.")
        return
    for name in missing[:_MOST_NAMED]:
        OUT.print(f"  {name.file_name}")
    fail(f"{counted(len(missing), 'picture')} of {len(files):,} missing or damaged.")

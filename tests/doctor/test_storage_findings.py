"""Findings about folders and the database."""

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text
from typer.testing import CliRunner

from bot.command_line import app
from bot.container import open_database
from bot.doctor.picture_space import check_picture_space
from bot.domain.images import ImageFile, ResultImage
from bot.settings import Settings
from db.database import Database
from db.migrate import migrate
from db.pictures import ResultImageRepository
from db.tables import facts
from tests.doctor.fake_services import MACHINE, WRONG, FakeServices
from tests.support.clock import START
from tests.support.databases import Databases
from tests.support.factories import make_job
from tests.support.ledger import adding

ROOT = Path(__file__).parents[2]


async def test_uncreatable_folder_is_reported_with_reason(services: FakeServices, tmp_path: Path) -> None:
    """The database is elsewhere here."""
    (tmp_path / "file").write_text("")
    url = f"sqlite+aiosqlite:///{tmp_path / 'atelier.db'}"
    fault = await services.fault(data_dir=tmp_path / "file" / "data", database_url=url)
    assert fault.what == f"DATA_DIR {tmp_path / 'file' / 'data'} cannot be written: Not a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_unwritable_folder_is_reported_with_reason(services: FakeServices, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    fault = await services.fault(data_dir=locked, database_url=f"sqlite+aiosqlite:///{tmp_path / 'atelier.db'}")
    assert fault.what == f"DATA_DIR {locked} cannot be written: Permission denied"


async def test_unreachable_database_is_reported(services: FakeServices) -> None:
    """Without its password."""
    fault = await services.fault(database_url=f"postgresql+asyncpg://atelier:{WRONG}@127.0.0.1:1/atelier")
    assert fault.what.startswith("the database cannot be used: ")
    assert "DATABASE_URL" in fault.remedy


async def test_missing_database_is_reported(services: FakeServices, postgresql_databases: Databases) -> None:
    """The driver has different words for it."""
    url = await postgresql_databases.create(migrated=False)
    base, _, query = url.partition("?")
    missing = f"{base.rpartition('/')[0]}/nowhere" + (f"?{query}" if query else "")
    fault = await services.fault(database_url=missing)
    assert fault.what == "the database cannot be used: InvalidCatalogNameError"
    assert all(finding.good for finding in await services.examine(database_url=url))
    await postgresql_databases.drop(url)


def limit_file_size() -> None:
    """Let no file grow: a full disk for one process, root's too."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


async def test_full_disk_is_reported_for_folder_and_database(services: FakeServices) -> None:
    """A migrated database, so that only the probe writes."""
    environment = {name.upper(): str(value) for name, value in services.variables.items()}
    migrated = await asyncio.to_thread(CliRunner().invoke, app, ["migrate"], env=environment)
    assert migrated.exit_code == 0
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bot", "doctor"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=limit_file_size,
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    faults = [line for line in ran.stdout.splitlines() if line.startswith("fault")]
    assert faults == [
        f"fault DATA_DIR {services.variables['data_dir']} cannot be written: File too large",
        "fault the database cannot be used: OperationalError",
    ]


async def test_read_only_database_is_reported(services: FakeServices, postgresql_databases: Databases) -> None:
    """It can be read, and a start would die at its first write."""
    url = await postgresql_databases.create(migrated=True)
    database = await Database.open(url)
    name = await database.read(lambda connection: connection.execute(text("SELECT current_database()")).scalar())
    await database.write(
        lambda connection: connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    )
    await database.close()
    fault = await services.fault(database_url=url)
    assert fault.what == "the database cannot be used: ReadOnlySQLTransactionError"
    await postgresql_databases.drop(url)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
@pytest.mark.parametrize("place", ["atelier.db", "pictures", "pictures/ab"])
async def test_read_only_data_is_reported(services: FakeServices, tmp_path: Path, place: str) -> None:
    await services.examine()
    (tmp_path / "data" / "pictures" / "ab").mkdir()
    locked = tmp_path / "data" / place
    locked.chmod(0o400 if locked.is_file() else 0o500)
    fault = await services.fault()
    locked.chmod(0o700)
    assert "cannot be" in fault.what


async def test_probe_leaves_nothing_in_database(services: FakeServices, tmp_path: Path) -> None:
    """Before and after the migration."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'atelier.db'}"
    for migrated in (False, True):
        await services.examine()
        database = await Database.open(url)
        tables = await database.read(lambda connection: inspect(connection).get_table_names())
        assert "atelier_doctor" not in tables
        assert ("facts" in tables) is migrated
        if migrated:
            assert await database.read(lambda connection: connection.execute(select(facts.c.name)).all()) == []
        await migrate(database)
        await database.close()


async def test_open_files_are_warnings_with_command(services: FakeServices, tmp_path: Path) -> None:
    """Exit code 0, and 1 with --strict; a closed folder is enough."""
    await services.examine()
    data = tmp_path / "data"
    (tmp_path / ".env").touch(mode=0o644)
    (data / "atelier.db").chmod(0o640)
    assert [each.what for each in await services.examine() if each.is_warning] == [
        f"{tmp_path / '.env'} is open to other users of this machine (mode 0644)"
    ]
    data.chmod(0o755)
    warnings = [each for each in await services.examine() if each.is_warning and not MACHINE.search(each.what)]
    assert [warning.remedy for warning in warnings] == [
        f"Run: chmod 600 {tmp_path / '.env'}",
        f"Run: chmod -R go= {data}",
        f"Run: chmod 600 {data / 'atelier.db'}",
    ]
    assert all(warning.good for warning in warnings)
    environment = {name.upper(): str(value) for name, value in services.variables.items()}
    lenient = await asyncio.to_thread(CliRunner().invoke, app, ["doctor"], env=environment)
    strict = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", "--strict"], env=environment)
    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert f"warn  {tmp_path / '.env'} is open" in lenient.stdout


@pytest.mark.parametrize(
    ("free", "limits", "good", "said"),
    [
        (10**12, {}, True, "pictures take 0 of 50,000 MB"),
        (499_000_000, {}, False, "MIN_FREE_DISK_MB"),
        (499_000_000, {"min_free_disk_mb": 0}, True, "pictures take 0"),
        (10**12, {"max_stored_mb": 1}, False, "pictures take 2 of 1 MB"),
    ],
)
async def test_space_for_pictures_is_compared_with_limits(
    tmp_path: Path, free: int, limits: dict[str, Any], *, good: bool, said: str
) -> None:
    settings = Settings(data_dir=tmp_path, **limits)
    async with open_database(settings) as database:
        await migrate(database)
        if "max_stored_mb" in limits:
            job = make_job()
            file = ImageFile(sha256="a" * 64, media_type="image/png", width=64, height=64, size=2_000_000)
            image = ResultImage(job_id=job.id, position=0, file=file)
            await database.write(adding(job))
            await database.write(lambda connection: ResultImageRepository(connection).add_all([image], START))
    (finding,) = await check_picture_space(settings, lambda _: free)
    assert finding.good is good
    assert said in finding.what
    assert bool(finding.remedy) is not good


async def test_disk_is_compared_with_limit_before_first_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    (finding,) = await check_picture_space(settings, lambda _: 499_000_000)
    assert not finding.good
    assert "MIN_FREE_DISK_MB" in finding.what
    assert await check_picture_space(settings, lambda _: 10**12) == []

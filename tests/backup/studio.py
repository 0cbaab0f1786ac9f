"""A studio's database with jobs in every state."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from bot.backup import Restored, create_backup, restore_backup
from bot.domain.errors import FaultKind
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Job
from bot.engine.callback_urls import hash_token
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.images.store import ImageStore
from bot.providers.base import Finished, Pending
from bot.settings import Settings
from db.backup_columns import copied_tables
from db.database import Database
from db.key_value import KeyValueRepository
from db.tables import audit_log, communities, drafts, forms, inputs, jobs, preferences, presets, searches, workers
from sandbox.providers import SkillBossServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.catalogue import SEED_MODELS_FILE
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

NOW: Final = START + timedelta(hours=1)
PICTURE: Final = b"\x89PNG a picture"
WEBHOOK_HASHES: Final = tuple(hash_token(f"webhook-{number}") for number in range(20))
TOKEN_HASH: Final = "c0ffee" * 10 + "1234"
SECRETS: Final = ("interaction-secret", "signed-secret", "typed-minutes-ago", TOKEN_HASH, *WEBHOOK_HASHES)
"""Words that no backup holds."""


@dataclass(slots=True, kw_only=True)
class Studio:
    """A database with its settings, and its jobs by state."""

    settings: Settings
    database: Database
    harness: EngineHarness
    jobs: dict[str, Job]

    async def backup(self, *, pictures: bool = False) -> Path:
        """Return a new backup."""
        return (await create_backup(self.settings, None, NOW, pictures=pictures)).file


def settings_of(url: str, folder: Path, **changes: Any) -> Settings:
    """Return settings with a database and a data folder."""
    values = {"database_url": url, "data_dir": folder, "models_file": SEED_MODELS_FILE, **changes}
    return Settings(**values)


def sqlite_settings(folder: Path, **changes: Any) -> Settings:
    """Return settings with a SQLite database in the data folder."""
    return settings_of(f"sqlite+aiosqlite:///{folder / 'atelier.db'}", folder, **changes)


async def restore(file: Path, settings: Settings, *, force: bool = False) -> Restored:
    """Restore a backup an hour after it was made."""
    return await restore_backup(settings, file, NOW + timedelta(hours=1), force=force)


@asynccontextmanager
async def open_studio(
    url: str, folder: Path, *, server: SkillBossServer | None = None, live: bool = True
) -> AsyncIterator[Studio]:
    """Yield a studio with ended jobs, with `live` ones by default."""
    database = await Database.open(url)
    try:
        async with engine_harness(
            database,
            folder,
            start=False,
            server=server,
            config=EngineConfig(active_per_member=99),
            new_callback_url=_callback_urls(),
        ) as harness:
            made = await _make_jobs(harness, folder, live=live)
            await database.write(_fill)
            yield Studio(settings=settings_of(url, folder), database=database, harness=harness, jobs=made)
    finally:
        await database.close()


def _callback_urls() -> Callable[[str], CallbackUrl]:
    hashes = iter(WEBHOOK_HASHES)
    return lambda _: CallbackUrl(url="https://studio.example/webhooks/x", hash=next(hashes))


async def _make_jobs(harness: EngineHarness, folder: Path, *, live: bool) -> dict[str, Job]:
    store, made = harness.job_store, {}

    async def create(name: str) -> Job:
        place = make_context(token="interaction-secret")
        request = make_request(prompt=f"a fox, {name}", images=2 if name == "done" else 1)
        return await harness.create_job(place=place, request=request)

    async def claim(name: str) -> Job:
        await create(name)
        (claim,) = (await store.claim_batch(1, {"skillboss": 9})).claims
        return claim.job

    def pending(name: str, *, running: bool = False) -> Pending:
        return Pending(handle=f"handle-{name}", running=running)

    finished = Finished(image_urls=("https://cdn.example/x.png?signature=signed-secret",), handle="handle-storing")
    done = await store.mark_storing(await store.mark_accepted(await claim("done"), pending("done")), finished)
    made["done"] = await store.mark_done(done, [_store_picture(done, folder)])
    made["failed"] = await store.mark_failed(await claim("failed"), FaultKind.CONTENT)
    if live:
        made["storing"] = await store.mark_storing(
            await store.mark_accepted(await claim("storing"), pending("storing", running=True)), finished
        )
        made["running"] = await store.mark_accepted(await claim("running"), pending("running", running=True))
        made["queued"] = await store.mark_accepted(await claim("queued"), pending("queued"))
        made["unknown"] = await store.mark_reply_lost(await claim("unknown"), has_callback=True)
        made["submitting"] = await claim("submitting")
        made["held"] = await create("held")
    return made


def _store_picture(job: Job, folder: Path) -> ResultImage:
    """Store the file of a result image."""
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    file = ImageFile(sha256=sha256, media_type="image/png", width=8, height=8, size=len(PICTURE), fingerprint="0f" * 32)
    store = ImageStore(folder / "pictures")
    temporary = store.temporary() / "incoming"
    temporary.write_bytes(PICTURE)
    store.add(temporary, file)
    return ResultImage(job_id=job.id, position=0, file=file)


def _fill(connection: Connection) -> None:
    """Insert rows with each kind of value, and secrets."""
    at = START + timedelta(microseconds=123_456)
    job = connection.execute(select(jobs.c.id).limit(1)).scalar_one()
    place = {"id": GUILD, "admitted_at": at, "admitted_by": 2**62, "studio_channels": None, "locale": None}
    connection.execute(insert(communities), [place, {**place, "id": 1, "studio_channels": [2**62, 1]}])
    connection.execute(
        insert(audit_log),
        {"id": make_id(), "guild_id": 0, "actor_id": 1, "action": "x", "detail": {"a": [None]}, "reason": "", "at": at},
    )
    KeyValueRepository(connection).save("fact", "ümlaut \U0001f98a")
    connection.execute(
        insert(preferences),
        [
            {"member_id": MEMBER, "private": True, "remix": None, "updated_at": at},
            {"member_id": MEMBER + 1, "private": False, "remix": True, "updated_at": at, "hinted_at": at},
        ],
    )
    options = {"negative": "ü", "list": [1, 2.5, None, True], "deep": {"empty": {}}}
    connection.execute(
        insert(presets),
        {
            "guild_id": GUILD,
            "member_id": 0,
            "key": "x",
            "name": "X",
            "template": "{prompt}\nat night",
            "options": options,
            "saved_by": MEMBER,
            "saved_at": at,
        },
    )
    connection.execute(
        insert(inputs),
        {
            "job_id": job,
            "position": 0,
            "url": "https://cdn.example/in.png?hm=signed-secret",
            "provider_url": "https://cdn.example/out.png?hm=signed-secret",
            "token_hash": TOKEN_HASH,
            "sha256": "e" * 64,
            "media_type": "image/png",
            "size": 2**40,
        },
    )
    connection.execute(insert(workers), {"id": make_id(), "started_at": at, "expires_at": at})
    said = "typed-minutes-ago"
    connection.execute(insert(searches), {"id": make_id(), "member_id": MEMBER, "query": said, "created_at": at})
    connection.execute(
        insert(forms), {"id": make_id(), "member_id": MEMBER, "content": {"prompt": said}, "created_at": at}
    )
    draft = {"id": make_id(), "guild_id": GUILD, "member_id": MEMBER, "prompt": said, "model": "reve-2.0"}
    connection.execute(insert(drafts), {**draft, "options": {}, "price": 12, "private": False, "created_at": at})


async def all_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of a backup's tables, sorted."""
    database = await Database.open(url)
    try:
        return await database.read(
            lambda connection: {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in copied_tables()
            }
        )
    finally:
        await database.close()

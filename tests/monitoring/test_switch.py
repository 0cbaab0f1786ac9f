"""The switch of the metrics: no part has a hook while they are off."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.container import Container
from bot.settings import Settings
from db.database import Database
from db.timed_backend import TimedBackend


@pytest.mark.parametrize("is_on", [False, True])
async def test_parts_have_hooks_only_while_metrics_are_on(
    sqlite_database: Database, tmp_path: Path, *, is_on: bool
) -> None:
    provider_settings: Any = {"skillboss_wholesale_key": "key"}
    settings = Settings(metrics=is_on, data_dir=tmp_path, **provider_settings)
    async with httpx.AsyncClient() as http:
        container = Container(settings, database=sqlite_database, http=http)
        container.web  # noqa: B018 - builds the page
        provider: Any = container.providers["skillboss"]
        hooked = [
            container.instruments is not None,
            container.metrics_page is not None,
            bool(container.engine._listeners),
            isinstance(sqlite_database._backend, TimedBackend),
            provider._http._record is not None,
        ]
        await container.close()
    assert hooked == [is_on] * 5

"""Imports of a start."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bot

_UNUSED = {
    "PIL",
    "alembic",
    "asyncpg",
    "bot.backup",
    "bot.charts",
    "bot.doctor",
    "bot.services.statistics",
    "bot.trial",
    "click",
    "confusable_homoglyphs",
    "cryptography",
    "matplotlib",
    "numpy",
    "obstore",
    "pillow_heif",
    "polib",
    "prometheus_client",
    "pydantic_settings",
    "pygments",
    "rich",
    "sandbox",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
}
"""Only other commands, child processes, or settings that are off need them."""

_IMPORTS = """
import gc, json, sys
from bot.optional_imports import import_without_extras
import_without_extras()
from bot.command_line import import_command
import_command("run")
from sqlalchemy import Column
from db.columns import metadata
gc.collect()
print(json.dumps({
    "modules": sorted(sys.modules),
    "columns": sum(isinstance(each, Column) for each in gc.get_objects()),
    "columns of tables": sum(len(each.columns) for each in metadata.tables.values()),
}))
"""


@pytest.fixture(scope="module")
def start() -> dict[str, Any]:
    """Return modules and columns after the imports of a start."""
    left: dict[str, Any] = json.loads(_run(_IMPORTS))
    return left


def test_start_imports_nothing_unused(start: dict[str, Any]) -> None:
    """Each of them would take memory as long as the bot runs."""
    imported = set(start["modules"])
    assert "bot.container" in imported
    assert imported & _UNUSED == set()


def test_start_builds_few_statements(start: dict[str, Any]) -> None:
    """Each alias and subquery copies the columns of its table, 2 kB a column."""
    assert start["columns"] < 2 * start["columns of tables"]


def test_extras_can_be_imported_later() -> None:
    """`atelier doctor` prints by rich."""
    lines = (
        "from bot.optional_imports import import_without_extras",
        "import_without_extras()",
        "import rich.console, httpx._main",
    )
    assert _run("\n".join(lines)) == b""


def _run(code: str) -> bytes:
    """Return the output of a new process."""
    return subprocess.run(  # noqa: S603 - this interpreter, with the code above
        [sys.executable, "-c", code],
        cwd=Path(bot.__file__).parents[1],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout

"""Standard error of a separate process, since logging is configured once."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, enum, logging, sys
import structlog
from sqlalchemy.exc import OperationalError
from bot.log_config import configure_logging

class OddState(enum.StrEnum):
    DONE = "done"

configure_logging(sys.argv[1], sys.argv[2])
log = structlog.get_logger("bot.test")
log.info("job.made", job="0a", model="reve-2.0")
log.debug("too.quiet")

def generate(prompt, token):
    raise RuntimeError("the cause")

try:
    generate("a very private fox", "a-secret-token")
except RuntimeError:
    log.exception("job.failed", job="0b")
    logging.getLogger("discord.http").exception("a library's words")

try:
    generate("a very private fox", "a-secret-token")
except RuntimeError:
    logging.getLogger("discord.shard").exception("Attempting a reconnect in %.2fs", 1)

import bot.providers.parsing as parsing
quoting = "raise ValueError('a very private fox\\\\nof two lines')"
try:
    try:
        exec(quoting, vars(parsing))
    except ValueError as error:
        raise ExceptionGroup("several", [error]) from error
except ExceptionGroup:
    log.exception("submit.broke", job="0c")
    logging.getLogger("elsewhere").exception("of a library")

logging.getLogger("httpx").info("HTTP Request: GET https://discord.com/webhooks/1/a-secret-token")
logging.getLogger("discord.http").debug("POST https://discord.com/webhooks/1/a-secret-token")
logging.getLogger("elsewhere").error("Cannot connect to https://studio.example/inputs/a-secret-token")
logging.getLogger("elsewhere").error("Cannot connect to http://user:a-secret-token@proxy.example:3128")
logging.getLogger("aiohttp.access").info("GET /a-secret-token")
logging.getLogger("elsewhere").warning("a warning of %s", "a library")

import warnings
warnings.warn("outdated", DeprecationWarning, stacklevel=1)

with structlog.contextvars.bound_contextvars(job="0d"):
    log.info("job.moved", state=OddState.DONE, at=object, data=b"x")
    logging.getLogger("discord.http").warning("a library at work\\non two lines")
"""


def run(level: str, form: str) -> subprocess.CompletedProcess[str]:
    """Run the script and return its output."""
    return subprocess.run(  # noqa: S603 - our own interpreter, our own script
        [sys.executable, "-c", SCRIPT, level, form],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "."},
        timeout=60,
    )


def test_json_format_prints_one_object_per_line() -> None:
    """With time, level, logger and event, tracebacks included."""
    ran = run("INFO", "json")
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "job.made",
        "job.failed",
        "a library's words",
        "Attempting a reconnect in 1.00s (RuntimeError)",
        "submit.broke",
        "of a library",
        "Cannot connect to https://studio.example/inputs/[hidden]",
        "Cannot connect to http://[hidden]@proxy.example:3128",
        "a warning of a library",
        next(line["event"] for line in lines if "DeprecationWarning: outdated" in line["event"]),
        "job.moved",
        "a library at work\non two lines",
    ]
    assert [line["level"] for line in lines] == ["info", *["error"] * 7, "warning", "warning", "info", "warning"]
    assert all({"timestamp", "level", "event", "logger"} <= line.keys() for line in lines)
    assert [line.get("job") for line in lines[-3:]] == [None, "0d", "0d"]
    assert (lines[0]["job"], lines[0]["model"]) == ("0a", "reve-2.0")
    assert "exception" not in lines[3]
    assert all("RuntimeError: the cause" in line["exception"] for line in lines[1:3])


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_log_contains_no_prompt_and_no_token(level: str, form: str) -> None:
    """No local variables in tracebacks; no addresses or bodies of libraries."""
    printed = run(level, form).stderr
    assert "RuntimeError: the cause" in printed
    assert "private fox" not in printed.replace('generate("a very private fox", "a-secret-token")', "")
    assert printed.count("ValueError: [hidden]") == 4
    assert "of two lines" not in printed
    assert "a-secret-token" not in printed.replace('generate("a very private fox", "a-secret-token")', "")


def test_lower_levels_are_not_printed() -> None:
    assert "too.quiet" not in run("INFO", "text").stderr
    assert "too.quiet" in run("DEBUG", "text").stderr
    assert "job.made" not in run("WARNING", "text").stderr

"""Logging by structlog over the standard library's.

So discord.py's lines have the same format.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import structlog

# The tokens of interactions, of providers' calls and of what they fetch are parts of addresses, and connection errors
# quote those.
_TOKEN: Final = re.compile(r"(/(?:(?:webhooks|interactions)/[\w.-]+|inputs)/)[\w.%~-]+")
# A proxy's address may hold a user and password.
_CREDENTIALS: Final = re.compile(r"(://)[^\s/@]+@")

QUIET: Final = ("discord", "httpx", "httpcore", "aiosqlite", "aiohttp", "sqlalchemy", "alembic", "PIL")
"""Libraries of which only warnings are logged.

At DEBUG they print bodies and addresses with tokens in them; httpx names every URL at INFO.
"""


# The message of an exception that passed through these may quote an answer, and answers quote prompts.
_QUOTING: Final = ("bot.providers", "json")


class _Discreet(structlog.stdlib.ProcessorFormatter):
    """Formatter removing the secrets inside error texts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _CREDENTIALS.sub(r"\1[hidden]@", _TOKEN.sub(r"\1[hidden]", super().format(record)))


class _OneLine(logging.Filter):
    """Puts an exception's name at the end of the line, without its traceback.

    discord.py logs each lost connection with one, although it connects again.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: every record is logged."""
        if record.exc_info and record.exc_info[0] is not None:
            record.msg = f"{record.getMessage()} ({record.exc_info[0].__name__})"
            record.args = ()
            record.exc_info = None
        return True


class _WithoutEndpointWarning(logging.Filter):
    """Drops discord.py's warning about an endpoint of interactions.

    The bot says itself where they go.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for the warning."""
        return not str(record.msg).startswith("Application has an interaction endpoint URL")


def configure_logging(level: str, form: str) -> None:
    """Log to standard error, as text or as one JSON object a line."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    # Plain tracebacks: the rich ones print local variables, and those hold prompts and tokens.
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    tracebacks = structlog.processors.ExceptionRenderer(_format_exception)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Discreet(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, tracebacks, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    logging.captureWarnings(capture=True)  # Python's own would be printed as they are
    root.setLevel(level)
    shards = logging.getLogger("discord.shard")
    shards.filters = [_OneLine()]
    logging.getLogger("discord.client").filters = [_WithoutEndpointWarning()]
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _format_exception(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> str:
    """Return a traceback without messages that may quote an answer."""
    whole = "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    for error in _chain(exc_info[1]):
        if not _passed_through_provider(error):
            continue
        first, *rest = str(error).splitlines() or [""]
        whole = whole.replace(f": {first}", ": [hidden]") if first else whole
        for line in filter(None, rest):
            whole = re.sub(rf"^([ |]*){re.escape(line)}$", r"\1[hidden]", whole, flags=re.MULTILINE)
    return whole


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, its causes, contexts and members, each once."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        pending += [linked for linked in (each.__cause__, each.__context__) if linked is not None]
        if isinstance(each, BaseExceptionGroup):
            pending += each.exceptions


def _passed_through_provider(error: BaseException) -> bool:
    names = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.split(".")[: len(part.split("."))] == part.split(".") for name in names for part in _QUOTING)

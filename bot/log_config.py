"""Logging by structlog over the standard library's.

So discord.py's lines have the same format.
"""

import logging
import re
import sys
from typing import Final

import structlog

# The tokens of interactions, of providers' calls and of what they fetch are parts of addresses, and connection errors
# quote those.
_TOKEN: Final = re.compile(r"(/(?:(?:webhooks|interactions)/[\w.-]+|inputs)/)[\w.%~-]+")

QUIET: Final = ("discord", "httpx", "httpcore", "aiosqlite", "aiohttp", "sqlalchemy", "alembic", "PIL")
"""Libraries of which only warnings are logged.

At DEBUG they print bodies and addresses with tokens in them; httpx names every URL at INFO.
"""


class _Discreet(structlog.stdlib.ProcessorFormatter):
    """Formatter removing the secrets inside error texts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _TOKEN.sub(r"\1[hidden]", super().format(record))


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
    last: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        # Plain tracebacks: the rich ones print local variables, and those hold prompts and tokens.
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Discreet(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    shards = logging.getLogger("discord.shard")
    shards.filters = [_OneLine()]
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))

"""Warnings about retiring models, in the log and to the bot's owners."""

import asyncio
from functools import partial
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.models import Model
from bot.engine.clock import Clock
from db.database import Database
from db.key_value import KeyValueRepository

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 3600.0
_KEY: Final = "owner knows that {model} retires on {day}"


class RetirementNotifier(Protocol):
    """Sends messages to the owners of the Discord application."""

    async def send_retirement(self, model: Model) -> bool:
        """Send the end of a model; return False if it reached nobody."""
        ...


class ModelAlerts:
    """Warns of retirements.

    Each start logs a line, and the owners get one message for each date. The database remembers each message, so
    neither a restart nor another process repeats it.
    """

    def __init__(self, *, catalogue: Catalogue, database: Database, notifier: RetirementNotifier, clock: Clock) -> None:
        self._catalogue = catalogue
        self._database = database
        self._notifier = notifier
        self._clock = clock

    async def run(self) -> None:
        """Log the retiring models, then check for due messages until cancelled."""
        self.log_models()
        while True:
            try:
                await self.check()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("models.not_checked")
            await self._clock.wait(asyncio.Event(), _CHECK_SECONDS)

    def log_models(self) -> None:
        """Log a line for each retired or retiring model."""
        today = self._clock.now().date()
        offered = {model.id for model in self._catalogue.models}
        for model in self._catalogue.known:
            if model.retires_soon(today) and model.id in offered:
                _log.warning("model.retires_soon", model=model.id, day=str(model.retires))
            elif model.enabled and not model.is_on(today):
                _log.warning("model.retired", model=model.id, day=str(model.retires))
            elif model.retired_upstream is not None and model.retired_upstream <= today and model.id in offered:
                _log.info("model.retired_upstream", model=model.id, day=str(model.retired_upstream), note=model.note)

    async def check(self) -> None:
        """Send the due messages, again later if one reached nobody."""
        for model in self._catalogue.retiring(self._clock.now().date()):
            key = _KEY.format(model=model.id, day=model.retires)
            if await self._database.read(partial(_find, key)):
                continue
            if await self._notifier.send_retirement(model):
                await self._database.write(partial(_save, key, self._clock.now().isoformat()))
            else:
                _log.warning("model.alert_not_sent", model=model.id)


def _find(key: str, connection: Connection) -> str | None:
    return KeyValueRepository(connection).find(key)


def _save(key: str, value: str, connection: Connection) -> None:
    KeyValueRepository(connection).save(key, value)

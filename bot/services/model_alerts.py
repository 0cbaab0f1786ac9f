"""Warnings about retiring and closed models.

They go to the log and to the bot's owners.
"""

import asyncio
from collections.abc import Callable, Collection
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

_CHECK_SECONDS: Final = 30.0
_RETIREMENTS_SECONDS: Final = 3600.0
_KEY: Final = "owner knows that {model} retires on {day}"
_CLOSED_KEY: Final = "owner knows that {model} had no provider on {day}"


class ModelNotifier(Protocol):
    """Sends messages to the owners of the Discord application."""

    async def send_retirement(self, model: Model) -> bool:
        """Send the end of a model; return False if it reached nobody."""
        ...

    async def send_closed_model(self, model: Model, successor: str | None) -> bool:
        """Send the loss of a model's last provider.

        Return False if it reached nobody. `successor` is the next default model, if this was the default.
        """
        ...


class ModelAlerts:
    """Warns of retirements, and of models without a provider.

    Each start logs a line about retirements, and the owners get one message for each date. Of a model that no provider
    serves they get one message a day. The database remembers each message, so neither a restart nor another process
    repeats it. `closed_models` returns the models that no provider serves at present; `default_model` the model for
    members who choose none.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: Database,
        notifier: ModelNotifier,
        clock: Clock,
        closed_models: Callable[[], Collection[str]] = frozenset,
        default_model: Callable[[], str] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._notifier = notifier
        self._clock = clock
        self._closed_models = closed_models
        self._default_model = default_model or (lambda: catalogue.default_model)
        self._closed: frozenset[str] = frozenset()
        self._unsent: set[str] = set()

    async def run(self) -> None:
        """Log the retiring models, then check for due messages until cancelled."""
        self.log_models()
        next_check = float("-inf")
        while True:
            try:
                if self._clock.monotonic() >= next_check:
                    await self.check()
                    next_check = self._clock.monotonic() + _RETIREMENTS_SECONDS
                await self.check_closed()
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

    async def check_closed(self) -> None:
        """Log the models that lost their last provider, and tell the owners.

        A message that reached nobody is sent again later, while the model is closed.
        """
        closed = frozenset(self._closed_models())
        for model_id in sorted(self._closed - closed):
            _log.info("model.open", model=model_id)
        new = closed - self._closed
        for model_id in sorted(new):
            _log.error("model.closed", model=model_id)
        self._closed = closed
        self._unsent = (self._unsent | new) & closed
        for model in self._catalogue.models:
            if model.id in self._unsent and await self._send_closed(model):
                self._unsent.discard(model.id)

    async def _send_closed(self, model: Model) -> bool:
        """Send the message about a closed model; return False to try later."""
        now = self._clock.now()
        key = _CLOSED_KEY.format(model=model.id, day=now.date())
        if await self._database.read(partial(_find, key)):
            return True
        default = self._default_model()
        was_default = model.id == self._catalogue.default_model and default != model.id
        if not await self._notifier.send_closed_model(model, default if was_default else None):
            _log.warning("model.alert_not_sent", model=model.id)
            return False
        await self._database.write(partial(_save, key, now.isoformat()))
        return True


def _find(key: str, connection: Connection) -> str | None:
    return KeyValueRepository(connection).find(key)


def _save(key: str, value: str, connection: Connection) -> None:
    KeyValueRepository(connection).save(key, value)

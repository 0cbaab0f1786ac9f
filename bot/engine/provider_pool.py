"""Clients of providers with the operator's keys and with those of guilds."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.guild_keys import KEY_FAULTS
from bot.domain.jobs import Attempt
from bot.engine.clock import Clock
from bot.providers.base import Failed, Provider
from db.database import Database
from db.guild_keys import GuildKeyRepository

if TYPE_CHECKING:
    from bot.engine.key_vault import KeyVault

_log = structlog.get_logger(__name__)

MOST_CLIENTS: Final = 64
"""Clients with guilds' keys that are kept. They share the connections of the others, and a new one costs little."""

_Answer = TypeVar("_Answer")


class ProviderPool:
    """Clients of providers by call.

    A call names the guild's key that it was sent with, and no other key is ever used for it. `build` returns a client
    for a provider with a key.
    """

    def __init__(
        self,
        *,
        operators: Mapping[str, Provider],
        database: Database,
        vault: "Callable[[], KeyVault]",
        build: Callable[[str, str], Provider],
        clock: Clock,
    ) -> None:
        self._operators = operators
        self._database = database
        self._vault = vault
        self._build = build
        self._clock = clock
        self._clients: OrderedDict[str, Provider] = OrderedDict()

    async def provider_of(self, call: Attempt) -> Provider | None:
        """Return the client of a call; None without its key."""
        if call.key_id is None:
            return self._operators.get(call.provider)
        client = self._clients.get(call.key_id)
        if client is None and (client := await self._open(call.key_id, call.provider)) is not None:
            self._clients[call.key_id] = client
        if client is not None:
            self._clients.move_to_end(call.key_id)
        while len(self._clients) > MOST_CLIENTS:
            await self._clients.popitem(last=False)[1].close()
        return client

    async def attribute(self, call: Attempt, answer: _Answer) -> _Answer:
        """Return an answer with a fault of the guild's key as such.

        It is recorded with the key, so that no new job uses it.
        """
        if call.key_id is None or not isinstance(answer, ProviderError | Failed) or answer.kind not in KEY_FAULTS:
            return answer
        kind = KEY_FAULTS[answer.kind]
        await self._record(call.key_id, kind)
        if isinstance(answer, ProviderError):
            answer.kind = kind
            return answer
        return replace(answer, kind=kind)

    async def keep_only(self, key_ids: Collection[str]) -> None:
        """Drop the clients with other keys: those are deleted."""
        for key_id in [each for each in self._clients if each not in key_ids]:
            await self._clients.pop(key_id).close()

    async def close(self) -> None:
        """Close the clients with guilds' keys."""
        await self.keep_only(())

    async def _open(self, key_id: str, provider: str) -> Provider | None:
        key = await self._database.read(lambda connection: GuildKeyRepository(connection).find(key_id))
        if key is None or key.provider != provider or provider not in self._operators:
            return None
        plain = self._vault().open(key)
        if plain is None:
            await self._record(key_id, FaultKind.GUILD_KEY_UNREADABLE)
            return None
        return self._build(provider, plain)

    async def _record(self, key_id: str, fault: FaultKind) -> None:
        now = self._clock.now()
        try:
            is_first = await self._database.write(
                lambda connection: GuildKeyRepository(connection).set_fault(key_id, fault, now)
            )
        except Exception:  # noqa: BLE001 - the answer counts all the same; the next one is recorded
            _log.exception("guild_key.fault_not_recorded", key_id=key_id, fault=fault)
            return
        if is_first:
            _log.warning("guild_key.unusable", key_id=key_id, fault=fault)

"""Servers' own provider keys: their entry, test and removal."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import FaultKind, KeyGoneError, KeyNotSavedError, KeysOffError, NotInServerError
from bot.domain.guild_keys import KEY_FAULTS, GuildKey, read_key
from bot.services.access import AccessService
from bot.services.member_limits import FreeAction, MemberLimits
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guild_keys import GuildKeyRepository
from db.guild_presence import GuildPresenceRepository

if TYPE_CHECKING:
    from bot.engine.key_vault import KeyVault

KeyCheck = Callable[[str, str], Awaitable[FaultKind | None]]
"""Returns the fault of a key for a provider, by a free call; None if it is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildKeys:
    """A server's own keys, by provider.

    `providers` are those that can have one, in the operator's order, and those with a stored one. Keys of providers
    outside `open` can only be removed.
    """

    guild_id: int
    providers: tuple[str, ...]
    open: frozenset[str]
    keys: dict[str, GuildKey]


class GuildKeyService:
    """Stores servers' keys, encrypted, and never returns one.

    `providers` are those that take a server's key; without any, the operator has switched own keys off. `on_change` is
    called after each change.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: "Callable[[], KeyVault]",
        check: KeyCheck,
        providers: Sequence[str],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        on_change: Callable[[], None],
        limits: MemberLimits,
        access: AccessService,
    ) -> None:
        self._access = access
        self._limits = limits
        self._database = database
        self._vault = vault
        self._check = check
        self._providers = tuple(providers)
        self._now = now
        self._new_id = new_id
        self._on_change = on_change

    async def get(self, guild_id: int) -> GuildKeys:
        """Return a server's keys.

        Raises:
            KeysOffError: no provider takes one, and none is stored.
        """
        keys = await self._database.read(lambda connection: GuildKeyRepository(connection).list(guild_id))
        found = {key.provider: key for key in keys}
        # A key of a provider that was switched off since can be removed all the same.
        others = tuple(each for each in found if each not in self._providers)
        if not (self._providers or others):
            raise KeysOffError
        providers = (*self._providers, *others)
        return GuildKeys(guild_id=guild_id, providers=providers, open=frozenset(self._providers), keys=found)

    async def set(self, guild_id: int, provider: str, typed: str, *, by: int) -> None:
        """Try a typed key at its provider, then store it.

        Jobs that run with an earlier one keep that until they end.

        Raises:
            KeysOffError: the provider takes none.
            NotAdmittedError: the server is not admitted: strangers try no keys here.
            NotInServerError: the bot has left the server.
            KeyFormError: it cannot be a key.
            KeyNotSavedError: the provider does not accept it, or did not answer.
            TooManyRequestsError: the server tried many keys within a minute.
        """
        if provider not in self._providers:
            raise KeysOffError
        plain = read_key(typed)
        await self._database.read(lambda connection: self._check_server(connection, guild_id))
        self._limits.count(FreeAction.KEY_CHECK, guild_id)
        fault = await self._check(provider, plain)
        if fault is not None:
            raise KeyNotSavedError(provider, KEY_FAULTS.get(fault, fault))
        key = GuildKey(
            id=self._new_id(),
            guild_id=guild_id,
            provider=provider,
            ciphertext=self._vault().seal(plain, guild_id=guild_id, provider=provider),
            set_by=by,
            set_at=self._now(),
        )

        def write(connection: Connection) -> None:
            self._check_server(connection, guild_id)  # the provider took its time
            is_new = not GuildKeyRepository(connection).replace(key)
            self._record(connection, "key.set" if is_new else "key.replace", key.guild_id, provider, by)

        await self._database.write(write)
        self._on_change()

    async def test(self, guild_id: int, provider: str) -> FaultKind | None:
        """Try a stored key, record its fault and return it.

        An accepted key is used again. If the provider does not answer, the fault is UNAVAILABLE and nothing changes.

        Raises:
            KeysOffError: the provider takes no keys any more.
            KeyGoneError: there is no key.
            TooManyRequestsError: the server tried many keys within a minute.
        """
        if provider not in self._providers:
            raise KeysOffError
        self._limits.count(FreeAction.KEY_CHECK, guild_id)
        key = await self._find(guild_id, provider)
        plain = self._vault().open(key)
        if plain is None:
            fault: FaultKind | None = FaultKind.GUILD_KEY_UNREADABLE
        else:
            found = await self._check(provider, plain)
            fault = None if found is None else KEY_FAULTS.get(found, found)
        if fault is not FaultKind.UNAVAILABLE:
            await self._database.write(lambda connection: GuildKeyRepository(connection).change_fault(key.id, fault))
            self._on_change()
        return fault

    async def remove(self, guild_id: int, provider: str, *, by: int) -> None:
        """Remove a key; its running jobs keep it until they end.

        Raises:
            KeyGoneError: there is no key.
        """
        now = self._now()

        def write(connection: Connection) -> None:
            if not GuildKeyRepository(connection).retire(guild_id, now, provider=provider):
                raise KeyGoneError
            self._record(connection, "key.remove", guild_id, provider, by)

        await self._database.write(write)
        self._on_change()

    async def _find(self, guild_id: int, provider: str) -> GuildKey:
        key = await self._database.read(lambda connection: GuildKeyRepository(connection).find_of(guild_id, provider))
        if key is None:
            raise KeyGoneError
        return key

    def _check_server(self, connection: Connection, guild_id: int) -> None:
        self._access.check(connection, guild_id)
        if GuildPresenceRepository(connection).has_left(guild_id):
            raise NotInServerError

    def _record(self, connection: Connection, action: str, guild_id: int, provider: str, by: int) -> None:
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=guild_id,
            actor_id=by,
            action=action,
            at=self._now(),
            detail={"provider": provider},
        )
        AuditLogRepository(connection).add(entry)

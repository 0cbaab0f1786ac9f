"""Free slots by provider, offer, guild and model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.models import Offer
from bot.domain.pauses import Pauses, PauseScope
from bot.domain.requests import images_by_call
from bot.engine.circuit_breaker import UNLIMITED
from bot.engine.config import EngineConfig
from db.attempts import AttemptRepository
from db.queue import QueueRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitLimits:
    """Limits of new submits with a key.

    Offers with a limit are named by provider and model.
    """

    providers: Mapping[str, int] = field(default_factory=dict)
    offers: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """Limits of guilds' own keys, by the key's id.

    `usual` are those of the others. A provider that `usual` does not name has no limit.
    """

    usual: SubmitLimits = field(default_factory=SubmitLimits)
    by_key: Mapping[str, SubmitLimits] = field(default_factory=dict)


NO_KEY_LIMITS: Final = KeyLimits()


class Slots:
    """Free slots, counted in the database and reduced by each claim.

    A provider's slots are the same for all keys: they are this installation's. How many submits may begin is counted
    for each key. Whatever is paused has no slot.
    """

    def __init__(
        self,
        connection: Connection,
        config: EngineConfig,
        catalogue: Catalogue,
        available_submits: Mapping[str, int],
        offer_limits: Mapping[tuple[str, str], int],
        pauses: Pauses,
        key_limits: KeyLimits = NO_KEY_LIMITS,
    ) -> None:
        busy = AttemptRepository(connection).count_active_by_provider()
        self._free = {
            provider: config.active_per_provider - busy.get(provider, 0)
            for provider in available_submits
            if pauses.of_all is None and provider not in pauses.names(PauseScope.PROVIDER)
        }
        self._paused_models = pauses.names(PauseScope.MODEL)
        self._paused_guilds = frozenset(pauses.guilds)
        self._offers = catalogue.offers
        self._operators = _Submits(SubmitLimits(providers=available_submits, offers=offer_limits))
        self._key_limits = key_limits
        self._keys: dict[str, _Submits] = {}
        self._has_own = QueueRepository(connection).has_waiting_own()
        self._per_guild = config.active_per_guild
        self._of_guild = QueueRepository(connection).count_active_by_guild() if self._per_guild else {}

    @property
    def has_free(self) -> bool:
        """True if any provider has a slot."""
        return any(
            free > 0 and (self._has_own or self._operators.left(provider) > 0) for provider, free in self._free.items()
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Models with a free slot at any provider."""
        return self._models(self._operators)

    @property
    def own_models(self) -> tuple[str, ...]:
        """Models with a free slot for guilds' own keys."""
        return self._models(None) if self._has_own else ()

    @property
    def full_guilds(self) -> tuple[int, ...]:
        """Guilds without a free slot."""
        full = set(self._paused_guilds)
        if self._per_guild is not None:
            full.update(each for each, active in self._of_guild.items() if active >= self._per_guild)
        return tuple(sorted(full))

    def take(
        self, guild_id: int, offers: Sequence[Offer], images: int = 1, keys: Mapping[str, str] | None = None
    ) -> Offer | None:
        """Take the slots of the calls to the best offer; None if none is free.

        The last free slot serves all calls of a job. `keys` are the ids of the guild's own keys by provider, of a job
        that uses no others.
        """
        active = self._of_guild.get(guild_id, 0)
        is_full = self._per_guild is not None and active >= self._per_guild
        if is_full or guild_id in self._paused_guilds:
            return None
        for offer in offers:
            if keys is not None and offer.provider not in keys:
                continue
            submits = self._operators if keys is None else self._of_key(keys[offer.provider])
            if self._is_free(offer, submits):
                calls = len(images_by_call(images, offer))
                self._free[offer.provider] -= calls
                submits.take(offer, calls)
                self._of_guild[guild_id] = active + 1
                return offer
        return None

    def _of_key(self, key_id: str) -> "_Submits":
        if key_id not in self._keys:
            limits = self._key_limits.by_key.get(key_id, self._key_limits.usual)
            self._keys[key_id] = _Submits(limits, usual=UNLIMITED)
        return self._keys[key_id]

    def _models(self, submits: "_Submits | None") -> tuple[str, ...]:
        return tuple(sorted({offer.model for offer in self._offers if self._is_free(offer, submits)}))

    def _is_free(self, offer: Offer, submits: "_Submits | None") -> bool:
        if self._free.get(offer.provider, 0) <= 0 or offer.model in self._paused_models:
            return False
        return submits is None or submits.has_left(offer)


class _Submits:
    """The remaining submits of one key."""

    def __init__(self, limits: SubmitLimits, *, usual: int = 0) -> None:
        self._usual = usual
        self._providers = dict(limits.providers)
        self._offers = dict(limits.offers)

    def left(self, provider: str) -> int:
        return self._providers.get(provider, self._usual)

    def has_left(self, offer: Offer) -> bool:
        return self.left(offer.provider) > 0 and self._offers.get(_key(offer), 1) > 0

    def take(self, offer: Offer, calls: int) -> None:
        self._providers[offer.provider] = self.left(offer.provider) - calls
        if (limit := self._offers.get(_key(offer))) is not None:
            self._offers[_key(offer)] = limit - 1


def _key(offer: Offer) -> tuple[str, str]:
    return offer.provider, offer.model

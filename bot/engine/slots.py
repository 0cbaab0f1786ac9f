"""Free slots by provider, offer, guild and model."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.models import Offer
from bot.domain.pauses import Pauses, PauseScope
from bot.domain.requests import images_by_call
from bot.engine.config import EngineConfig
from db.attempts import AttemptRepository
from db.queue import QueueRepository


class Slots:
    """Free slots, counted in the database and reduced by each claim.

    Whatever is paused has none.
    """

    def __init__(
        self,
        connection: Connection,
        config: EngineConfig,
        catalogue: Catalogue,
        available_submits: Mapping[str, int],
        offer_limits: Mapping[tuple[str, str], int],
        pauses: Pauses,
    ) -> None:
        busy = AttemptRepository(connection).count_active_by_provider()
        self._free_submits = {
            provider: min(config.active_per_provider - busy.get(provider, 0), limit)
            for provider, limit in available_submits.items()
            if pauses.of_all is None and provider not in pauses.names(PauseScope.PROVIDER)
        }
        self._paused_models = pauses.names(PauseScope.MODEL)
        self._paused_guilds = frozenset(pauses.guilds)
        self._offers = catalogue.offers
        self._offer_limits = dict(offer_limits)
        self._per_guild = config.active_per_guild
        self._of_guild = QueueRepository(connection).count_active_by_guild() if self._per_guild else {}

    @property
    def has_free(self) -> bool:
        """True if any provider has a slot."""
        return any(free > 0 for free in self._free_submits.values())

    @property
    def models(self) -> tuple[str, ...]:
        """Models with a free slot at any provider."""
        return tuple(sorted({offer.model for offer in self._offers if self._is_free(offer)}))

    @property
    def full_guilds(self) -> tuple[int, ...]:
        """Guilds without a free slot."""
        full = set(self._paused_guilds)
        if self._per_guild is not None:
            full.update(each for each, active in self._of_guild.items() if active >= self._per_guild)
        return tuple(sorted(full))

    def take(self, guild_id: int, offers: Sequence[Offer], images: int = 1) -> Offer | None:
        """Take the slots of the calls to the best offer; None if none is free.

        The last free slot serves all calls of a job.
        """
        active = self._of_guild.get(guild_id, 0)
        is_full = self._per_guild is not None and active >= self._per_guild
        if is_full or guild_id in self._paused_guilds:
            return None
        for offer in offers:
            if self._is_free(offer):
                self._free_submits[offer.provider] -= len(images_by_call(images, offer))
                if (limit := self._offer_limits.get(_key(offer))) is not None:
                    self._offer_limits[_key(offer)] = limit - 1
                self._of_guild[guild_id] = active + 1
                return offer
        return None

    def _is_free(self, offer: Offer) -> bool:
        has_slot = self._free_submits.get(offer.provider, 0) > 0 and self._offer_limits.get(_key(offer), 1) > 0
        return has_slot and offer.model not in self._paused_models


def _key(offer: Offer) -> tuple[str, str]:
    return offer.provider, offer.model

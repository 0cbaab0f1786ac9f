"""The providers and models of servers with own keys."""

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.errors import NoGuildKeyError
from bot.domain.requests import GenerationRequest, offers_for
from db.guild_keys import GuildKeyRepository


class GuildKeyPolicy:
    """Decides about the keys of a server's new jobs.

    A server with any key in use, also with an unusable one, uses its own keys alone: no job of it is ever paid by the
    operator unnoticed. Unless `enabled`, stored keys are ignored.
    """

    def __init__(self, *, enabled: bool, catalogue: Catalogue) -> None:
        self._enabled = enabled
        self._catalogue = catalogue

    def uses_own(self, connection: Connection, guild_id: int) -> bool:
        """Return whether new jobs of a server use its own keys."""
        return self._enabled and guild_id != 0 and GuildKeyRepository(connection).has_any(guild_id)

    def providers(self, connection: Connection, guild_id: int) -> frozenset[str] | None:
        """Return the providers with a usable key; None for the operator's keys."""
        if not self.uses_own(connection, guild_id):
            return None
        return frozenset(GuildKeyRepository(connection).usable(guild_id))

    def check(self, connection: Connection, guild_id: int, request: GenerationRequest) -> None:
        """Check that an own key serves a request.

        Raises:
            NoGuildKeyError: none does.
        """
        usable = self.providers(connection, guild_id)
        if usable is None:
            return
        offers = [offer.provider for offer in offers_for(request, self._catalogue)]
        if not usable.isdisjoint(offers):
            return
        faults = GuildKeyRepository(connection).faults(guild_id)
        provider = next((each for each in offers if each in faults), None)
        raise NoGuildKeyError(
            request.model,
            models=self._models(usable),
            provider=provider,
            fault=None if provider is None else faults[provider],
        )

    def closed_models(self, connection: Connection, guild_id: int) -> frozenset[str]:
        """Return the models without an own key of a server."""
        usable = self.providers(connection, guild_id)
        if usable is None:
            return frozenset()
        return frozenset(model.id for model in self._catalogue.models).difference(self._models(usable))

    def _models(self, providers: frozenset[str]) -> tuple[str, ...]:
        served = {offer.model for offer in self._catalogue.offers if offer.provider in providers}
        return tuple(model.id for model in self._catalogue.models if model.id in served)

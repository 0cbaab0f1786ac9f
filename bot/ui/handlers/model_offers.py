"""Other models for a refused request, one press away."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.domain.alternatives import MOST_ALTERNATIVES
from bot.domain.errors import AtelierError, ModelClosedError, ModelOffer, UnknownModelError
from bot.domain.jobs import InteractionContext, Origin
from bot.domain.requests import GenerationRequest
from bot.services.confirmations import ConfirmationService
from bot.services.model_availability import ModelAvailability
from bot.services.request_resolver import ResolverService, TypedRequest

_MOST_NAMED: Final = 5


class ModelOffers:
    """Stores a refused request at other models."""

    def __init__(
        self, *, availability: ModelAvailability, confirmations: ConfirmationService, resolver: ResolverService
    ) -> None:
        self._availability = availability
        self._confirmations = confirmations
        self._resolver = resolver

    async def add(
        self,
        error: ModelClosedError | UnknownModelError,
        context: InteractionContext,
        request: GenerationRequest,
        origin: Origin | None,
    ) -> None:
        """Add the able models to an error, best first."""
        others = self._availability.alternatives(request)
        if others or isinstance(error, ModelClosedError):
            error.models = _names(others)
        error.offers = await self._store(context, others, origin)

    async def add_known(self, error: UnknownModelError, context: InteractionContext, asked: TypedRequest) -> None:
        """Add the able models to an error about a model unknown here."""
        resolved = await self._resolver.resolve_at(self._availability.living_models(), **asked)
        if not resolved:
            return
        others = self._availability.order(error.model, [each.request for each in resolved])
        error.models = _names(others)
        error.offers = await self._store(replace(context, private=resolved[0].private), others, None)

    async def _store(
        self, context: InteractionContext, others: Sequence[GenerationRequest], origin: Origin | None
    ) -> tuple[ModelOffer, ...]:
        """Store the best of some requests, to choose one by a press."""
        if not others:
            return ()
        try:
            stored = await self._confirmations.add_all(context, others, origin, most=MOST_ALTERNATIVES)
        except AtelierError:
            return ()  # the refusal itself still names the models
        return tuple(ModelOffer(confirmation_id=each.id, model=each.request.model, price=each.price) for each in stored)


def _names(requests: Sequence[GenerationRequest]) -> tuple[str, ...]:
    """Return the first models of requests; more would be a list to study."""
    return tuple(each.model for each in requests[:_MOST_NAMED])

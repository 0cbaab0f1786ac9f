"""The models with a provider at present."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bot.domain.alternatives import MODEL_FAULTS, MOST_ALTERNATIVES, Alternative, alternatives, by_nearest_price
from bot.domain.catalogue import Catalogue
from bot.domain.jobs import Job, State
from bot.domain.requests import GenerationRequest, price
from bot.engine.provider_status import ProviderStatus


class ModelAvailability:
    """The catalogue as the circuit breakers of this process see it."""

    def __init__(self, *, catalogue: Catalogue, provider_status: ProviderStatus) -> None:
        self._catalogue = catalogue
        self._provider_status = provider_status

    def closed_models(self) -> frozenset[str]:
        """Return the models without a provider at present."""
        return self._provider_status.resting_models()

    def default_models(self, reserved: Collection[str] = frozenset()) -> tuple[str, ...]:
        """Return the models for requests without one, best first.

        It is the studio's default alone while a provider serves it, else those that live. `reserved` models are for
        others.
        """
        catalogue, closed = self._catalogue, self.closed_models().union(reserved)
        offered = {model.id for model in catalogue.models}
        living = tuple(each for each in catalogue.default_order if each in offered and each not in closed)
        return living if living and catalogue.default_model in closed else (catalogue.default_model,)

    def catalogue(self) -> Catalogue:
        """Return the catalogue with the present default model."""
        default = self.default_models()[0]
        return self._catalogue if default == self._catalogue.default_model else self.with_default(default)

    def with_default(self, model_id: str) -> Catalogue:
        """Return the catalogue with another default model."""
        return replace(self._catalogue, default_model=model_id)

    def is_blocked(self, request: GenerationRequest) -> bool:
        """Return whether no provider accepts the request until its operator acts."""
        return self._provider_status.is_blocked(request)

    def alternatives(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        """Return the request at each able living model, nearest price first."""
        closed = self.closed_models()
        return alternatives(
            request, self._catalogue, lambda other: other.model in closed or self._provider_status.is_blocked(other)
        )

    def living_models(self) -> tuple[str, ...]:
        """Return the offered models with a provider, in the catalogue's order."""
        closed = self.closed_models()
        return tuple(model.id for model in self._catalogue.models if model.id not in closed)

    def order(self, model_id: str, requests: Sequence[GenerationRequest]) -> tuple[GenerationRequest, ...]:
        """Return requests by their difference in price to that of `model_id`."""
        before = replace(requests[0], model=model_id) if requests else None
        return by_nearest_price(requests, before, self._catalogue)

    def alternatives_of(self, job: Job) -> tuple[Alternative, ...]:
        """Return the models for a job's card, if it failed without a model."""
        if job.state is not State.FAILED or job.fault not in MODEL_FAULTS:
            return ()
        return self.priced(self.alternatives(job.request)[:MOST_ALTERNATIVES])

    def priced(self, requests: Collection[GenerationRequest]) -> tuple[Alternative, ...]:
        """Return models and prices of requests."""
        return tuple(Alternative(model=each.model, price=price(each, self._catalogue)) for each in requests)

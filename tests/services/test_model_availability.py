"""The models with a provider, by the circuit breakers."""

import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Offer
from bot.engine.circuit_breaker import FIRST_PAUSE_SECONDS, CircuitBreakers
from bot.engine.health import HealthRegistry
from bot.engine.provider_status import REST_SECONDS, ProviderStatus
from bot.services.model_availability import ModelAvailability
from tests.support.catalogue import MODEL_IDS, catalogue_of, generation_request
from tests.support.clock import ManualClock

CATALOGUE = catalogue_of("reve2img", defaults=("seedream-5", "nano-banana-pro"))


@pytest.fixture
def status(clock: ManualClock) -> ProviderStatus:
    """Return the status of one provider."""
    return ProviderStatus(
        catalogue=CATALOGUE,
        health=HealthRegistry(CATALOGUE.providers),
        breakers=CircuitBreakers(CATALOGUE.providers),
        clock=clock,
    )


@pytest.fixture
def availability(status: ProviderStatus) -> ModelAvailability:
    """Return the availability of its models."""
    return ModelAvailability(catalogue=CATALOGUE, provider_status=status)


def offer_of(model: str) -> Offer:
    """Return the provider's offer of a model."""
    (offer,) = CATALOGUE.offers_of(model)
    return offer


def refuse(status: ProviderStatus, model: str, fault: FaultKind = FaultKind.MODEL_UNAVAILABLE) -> None:
    """Record the refusal of a submit."""
    offer = offer_of(model)
    error = ProviderError(fault, provider=offer.provider, status=410)
    status.record_refusal(offer, error, status.record_start(offer), member_id=1)


def test_next_living_default_follows_the_operators_order(
    status: ProviderStatus, availability: ModelAvailability
) -> None:
    assert availability.default_models() == ("seedream-5",)
    refuse(status, "seedream-5")
    assert availability.default_models()[0] == availability.catalogue().default_model == "nano-banana-pro"
    refuse(status, "nano-banana-pro")
    assert availability.default_models()[0] == next(each for each in MODEL_IDS if each in ("reve-2.0", "nano-banana"))


def test_default_stays_if_no_model_lives(status: ProviderStatus, availability: ModelAvailability) -> None:
    refuse(status, "seedream-5", FaultKind.KEY_REJECTED)
    assert availability.closed_models() == {model.id for model in CATALOGUE.models}
    assert availability.default_models() == ("seedream-5",)
    assert availability.alternatives(generation_request(prompt="a fox", model="seedream-5", catalogue=CATALOGUE)) == ()


def test_refused_key_ends_no_waiting_job(status: ProviderStatus) -> None:
    refuse(status, "seedream-5", FaultKind.KEY_REJECTED)
    assert not status.is_withdrawn([offer_of("seedream-5")])
    assert not status.has_withdrawn_offer("seedream-5")


def test_withdrawn_model_ends_waiting_jobs_until_a_probe_is_due(status: ProviderStatus, clock: ManualClock) -> None:
    gone: list[str] = []
    status.subscribe(gone.append)
    refuse(status, "seedream-5")
    assert gone == ["seedream-5"]
    assert status.is_withdrawn([offer_of("seedream-5")])
    assert not status.is_withdrawn([offer_of("seedream-5"), offer_of("nano-banana")])
    assert not status.is_withdrawn([])
    clock.advance(FIRST_PAUSE_SECONDS)
    assert not status.is_withdrawn([offer_of("seedream-5")])


def test_failed_probe_begins_another_rest(
    status: ProviderStatus, availability: ModelAvailability, clock: ManualClock
) -> None:
    refuse(status, "seedream-5")
    clock.advance(REST_SECONDS)
    assert availability.closed_models() == frozenset()
    refuse(status, "seedream-5")
    assert availability.closed_models() == {"seedream-5"}


def test_alternatives_have_all_options_and_the_nearest_price(
    status: ProviderStatus, availability: ModelAvailability
) -> None:
    request = generation_request(prompt="a fox", model="nano-banana", images=2, catalogue=CATALOGUE)
    others = availability.alternatives(request)
    assert [(each.model, each.price) for each in availability.priced(others)] == [
        ("seedream-5", 50),
        ("reve-2.0", 24),
        ("nano-banana-pro", 140),
    ]
    refuse(status, "seedream-5")
    assert [each.model for each in availability.alternatives(request)] == ["reve-2.0", "nano-banana-pro"]
    only_pro = generation_request(prompt="a fox", model="nano-banana-pro", resolution="4K", catalogue=CATALOGUE)
    assert availability.alternatives(only_pro) == ()

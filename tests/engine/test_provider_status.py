import pytest
from structlog.testing import capture_logs

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.pauses import Pauses
from bot.engine.circuit_breaker import FIRST_PAUSE_SECONDS, CircuitBreakers
from bot.engine.config import EngineConfig
from bot.engine.health import HealthRegistry
from bot.engine.provider_status import ProviderStatus
from bot.engine.slots import Slots
from bot.providers.base import Failed, Finished, Pending
from db.database import Database
from tests.support.catalogue import OFFERS, SKILLBOSS
from tests.support.clock import ManualClock

OFFER = next(offer for offer in OFFERS if offer.provider == "skillboss")


@pytest.fixture
def status(clock: ManualClock) -> ProviderStatus:
    """Return the status of one provider."""
    providers = ("skillboss",)
    return ProviderStatus(
        catalogue=SKILLBOSS, health=HealthRegistry(providers), breakers=CircuitBreakers(providers), clock=clock
    )


def test_images_of_a_probe_open_a_model_that_failed_after_acceptance(
    status: ProviderStatus, clock: ManualClock
) -> None:
    key = (OFFER.provider, OFFER.model)
    status.record_status(*key, Failed(kind=FaultKind.MODEL_UNAVAILABLE))
    assert status.offer_limits() == {key: 0}
    clock.advance(FIRST_PAUSE_SECONDS)
    status.record_answer(OFFER, Pending(handle="h", running=False), status.record_start(OFFER))
    assert status.offer_limits() == {key: 0}
    status.record_status(*key, Finished(image_urls=("https://cdn.example/a.png",)))
    assert status.offer_limits() == {}


def test_refused_webhooks_are_logged_once(status: ProviderStatus) -> None:
    error = ProviderError(FaultKind.WEBHOOK_REFUSED, provider="skillboss", status=400)
    with capture_logs() as logs:
        for _ in range(3):
            status.record_refusal(OFFER, error, status.record_start(OFFER), member_id=1)
    assert [entry["event"] for entry in logs] == ["webhook.refused"]


async def test_claim_uses_up_the_limit_of_its_offer(sqlite_database: Database) -> None:
    limits = {(OFFER.provider, OFFER.model): 1}
    slots = await sqlite_database.read(
        lambda connection: Slots(connection, EngineConfig(), SKILLBOSS, {OFFER.provider: 5}, limits, Pauses())
    )
    assert [slots.take(1, [OFFER]) for _ in range(2)] == [OFFER, None]
    assert slots.has_free
    assert OFFER.model not in slots.models

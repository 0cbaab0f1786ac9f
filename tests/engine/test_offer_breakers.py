from bot.domain.errors import FaultKind
from bot.engine.circuit_breaker import FIRST_PAUSE_SECONDS
from bot.engine.offer_breakers import MEMBERS_TO_OPEN, OfferBreakers
from tests.support.catalogue import OFFERS

OFFER, OTHER = (offer for offer in OFFERS if offer.model in ("nano-banana", "seedream-5"))
LIMITED = (OFFER.provider, OFFER.model)
START = 1_000.0


def refused(breakers: OfferBreakers, fault: FaultKind, member: int, now: float = START) -> None:
    """Begin a submit of a member and refuse it."""
    epoch = breakers.record_start(OFFER, now)
    breakers.record_refused(OFFER, fault, now, member_id=member, epoch=epoch)


def opened_by_words() -> OfferBreakers:
    """Return breakers with one open offer."""
    breakers = OfferBreakers(OFFERS)
    refused(breakers, FaultKind.MODEL_UNAVAILABLE, 1)
    return breakers


def test_withdrawn_model_closes_its_offer_alone() -> None:
    breakers = opened_by_words()
    assert breakers.limits(START) == {LIMITED: 0}
    assert (breakers.is_open(OFFER), breakers.is_open(OTHER)) == (True, False)
    assert breakers.is_blocked(OFFER, START)


def test_offer_is_probed_and_opens_for_twice_as_long() -> None:
    breakers = opened_by_words()
    due = START + FIRST_PAUSE_SECONDS
    assert breakers.next_change_in(START) == FIRST_PAUSE_SECONDS
    assert breakers.limits(due) == {LIMITED: 1}
    refused(breakers, FaultKind.MODEL_UNAVAILABLE, 2, due)
    assert breakers.next_change_in(due) == 2 * FIRST_PAUSE_SECONDS


def test_accepted_probe_closes_the_circuit() -> None:
    breakers = opened_by_words()
    due = START + FIRST_PAUSE_SECONDS
    breakers.record_accepted(OFFER, breakers.record_start(OFFER, due))
    assert breakers.limits(due) == {}


def test_refusals_of_different_members_in_a_row_open_the_circuit() -> None:
    breakers = OfferBreakers(OFFERS)
    for member in range(MEMBERS_TO_OPEN):
        assert not breakers.is_open(OFFER)
        refused(breakers, FaultKind.INVALID, member)
    assert breakers.is_open(OFFER)


def test_refusals_of_one_member_never_open_the_circuit() -> None:
    breakers = OfferBreakers(OFFERS)
    for _ in range(50):
        refused(breakers, FaultKind.INVALID, 1)
    assert breakers.limits(START) == {}


def test_accepted_job_between_refusals_starts_the_count_again() -> None:
    breakers = OfferBreakers(OFFERS)
    for member in range(2 * MEMBERS_TO_OPEN):
        refused(breakers, FaultKind.INVALID, member)
        breakers.record_accepted(OFFER, breakers.record_start(OFFER, START))
    assert breakers.limits(START) == {}


def test_probe_of_a_member_refused_before_is_repeated() -> None:
    breakers = OfferBreakers(OFFERS)
    for member in range(MEMBERS_TO_OPEN):
        refused(breakers, FaultKind.INVALID, member)
    due = START + FIRST_PAUSE_SECONDS
    refused(breakers, FaultKind.INVALID, 0, due)
    assert breakers.limits(due) == {LIMITED: 1}
    refused(breakers, FaultKind.INVALID, MEMBERS_TO_OPEN, due)
    assert breakers.limits(due) == {LIMITED: 0}


def test_faults_of_provider_and_content_say_nothing_about_the_model() -> None:
    breakers = OfferBreakers(OFFERS)
    others = set(FaultKind) - {FaultKind.INVALID, FaultKind.MODEL_UNAVAILABLE}
    for member, fault in enumerate(sorted(others)):
        refused(breakers, fault, member)
    assert breakers.limits(START) == {}


def test_offer_that_fails_accepted_jobs_stays_open_until_images_come() -> None:
    breakers = OfferBreakers(OFFERS)
    breakers.record_failed_later(OFFER, START)
    due = START + FIRST_PAUSE_SECONDS
    breakers.record_accepted(OFFER, breakers.record_start(OFFER, due))
    assert breakers.is_open(OFFER)
    breakers.record_finished(OFFER)
    assert not breakers.is_open(OFFER)

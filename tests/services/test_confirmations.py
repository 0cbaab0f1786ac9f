"""Confirmations: storage, permission, price changes and double presses."""

import asyncio
from datetime import timedelta

import pytest

from bot.domain.confirmations import Confirmation
from bot.domain.errors import (
    AlreadyAskedError,
    AlreadyBegunError,
    AtelierError,
    ConfirmationGoneError,
    InsufficientCreditsError,
    NotAllowedError,
    NotInServerError,
    UnsupportedOptionError,
)
from bot.domain.fit import Fit
from bot.domain.images import ImageFile, ImageRef, InputChange, InputImage
from bot.domain.jobs import Action, Origin, State
from bot.domain.requests import GenerationRequest
from bot.images.decoder_values import SanitizedImage
from bot.services.confirmations import ConfirmationService
from bot.services.member_limits import MemberLimits
from bot.services.request_gate import RequestGate
from db.confirmations import ConfirmationRepository
from db.database import Database
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.catalogue import BOTH
from tests.support.factories import MEMBER, make_context, make_id, make_request

KEPT = ImageFile(sha256="a" * 64, media_type="image/png", width=10, height=20, size=30)


async def test_confirmation_is_stored_whole_and_holds_nothing(services: ServiceHarness) -> None:
    parent = make_id()
    inputs = (
        InputImage(file=KEPT, parent=ImageRef(job_id=parent, position=2), changes=frozenset({InputChange.SCALED})),
        InputImage(url="https://cdn.discordapp.com/secret"),
    )
    request = make_request(images=4, detail=2, upscale=2, fit=Fit.parse("1024"), effect="sepia", inputs=inputs)
    origin = Origin(action=Action.VARY, job_id=parent, position=2)
    confirmation = await services.confirmations.add(make_context(private=True), request, origin)
    assert await services.confirmations.get(confirmation.id, MEMBER) == (confirmation, False)
    assert (confirmation.request, confirmation.origin, confirmation.private) == (request, origin, True)
    assert (await services.account()).held == 0


REFUSALS: list[tuple[type[AtelierError], dict[str, int], dict[str, object]]] = [
    (InsufficientCreditsError, {}, {"images": 4, "detail": 15}),
    (UnsupportedOptionError, {}, {"aspect_ratio": "auto", "model": "nano-banana"}),
    (NotInServerError, {"guild_id": 0}, {"images": 4}),
]


@pytest.mark.parametrize(("error", "place", "request_"), REFUSALS, ids=[case[0].__name__ for case in REFUSALS])
async def test_add_rejects_request_that_could_not_be_created(
    services: ServiceHarness, error: type[AtelierError], place: dict[str, int], request_: dict[str, object]
) -> None:
    with pytest.raises(error):
        await services.confirmations.add(make_context(**place), make_request(**request_))


async def test_confirmation_of_another_member_raises_not_allowed(services: ServiceHarness) -> None:
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    with pytest.raises(NotAllowedError):
        await services.confirmations.get(confirmation.id, MEMBER + 1)
    with pytest.raises(NotAllowedError):
        await services.confirmations.delete(confirmation.id, MEMBER + 1)
    assert (await services.confirmations.get(confirmation.id, MEMBER))[0] == confirmation


async def test_concurrent_confirmations_create_one_job(services: ServiceHarness) -> None:
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    presses = [
        services.jobs.create(make_context(), confirmation.request, confirmation_id=confirmation.id) for _ in range(2)
    ]
    results = await asyncio.gather(*presses, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["ConfirmationGoneError", "Snapshot"]
    assert (await services.account()).held == 48
    with pytest.raises(ConfirmationGoneError):
        await services.confirmations.get(confirmation.id, MEMBER)


async def test_unaffordable_confirmation_stays_open(open_services: Open) -> None:
    services = open_services(allowance=60)
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    await services.jobs.create(make_context(), make_request(images=2))
    with pytest.raises(InsufficientCreditsError):
        await services.jobs.create(make_context(), confirmation.request, confirmation_id=confirmation.id)
    assert (await services.confirmations.get(confirmation.id, MEMBER))[0] == confirmation


async def test_confirmation_expires_after_a_day_and_is_purged(services: ServiceHarness) -> None:
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    services.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    with pytest.raises(ConfirmationGoneError) as caught:
        await services.confirmations.get(confirmation.id, MEMBER)
    assert caught.value.expired
    purged = await services.database.write(
        lambda connection: ConfirmationRepository(connection).purge_before(services.clock.now() - timedelta(days=1))
    )
    assert purged == 1


async def test_risen_price_is_reported_once_and_fallen_price_is_taken(services: ServiceHarness) -> None:
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    await services.database.write(lambda connection: ConfirmationRepository(connection).set_price(confirmation.id, 40))
    assert await services.confirmations.get(confirmation.id, MEMBER) == (confirmation, True)
    assert await services.confirmations.get(confirmation.id, MEMBER) == (confirmation, False)
    await services.database.write(lambda connection: ConfirmationRepository(connection).set_price(confirmation.id, 60))
    assert await services.confirmations.get(confirmation.id, MEMBER) == (confirmation, False)


async def test_risen_price_is_reported_until_a_button_shows_it(services: ServiceHarness) -> None:
    """A second press, or one after a crash, may come before the new price."""
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    for _ in range(2):
        assert await services.confirmations.get(confirmation.id, MEMBER, shown=40) == (confirmation, True)
    assert await services.confirmations.get(confirmation.id, MEMBER, shown=confirmation.price) == (confirmation, False)
    assert await services.confirmations.get(confirmation.id, MEMBER, shown=60) == (confirmation, False)


async def test_concurrent_identical_requests_are_asked_about_once(services: ServiceHarness, other: Database) -> None:
    """Two processes get the same request at once.

    A newly signed URL is the same image. Another image, request, member or origin, or a later request, is asked about.
    """
    there = ConfirmationService(
        database=other,
        ledger=services.ledger,
        gate=RequestGate(database=other, access=services.access, catalogue=BOTH, now=services.clock.now),
        clock=services.clock,
        catalogue=BOTH,
        new_id=make_id,
        limits=MemberLimits(clock=services.clock),
    )
    cdn = "https://cdn.discordapp.com/attachments/1/2"

    def request(name: str = "fox.png", signed: str = "a", **options: int) -> GenerationRequest:
        return make_request(images=3, inputs=(InputImage(url=f"{cdn}/{name}?hm={signed}"),), **options)

    asked = [
        services.confirmations.add(make_context(), request(signed="a")),
        there.add(make_context(), request(signed="b")),
    ]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["AlreadyAskedError", "Confirmation"]
    (confirmation,) = [each for each in results if isinstance(each, Confirmation)]
    assert (await there.get(confirmation.id, MEMBER))[0] == confirmation

    await services.confirmations.add(make_context(), request("cat.png"))
    await services.confirmations.add(make_context(), request(detail=2))
    await services.confirmations.add(make_context(), request(), Origin(action=Action.AGAIN, job_id=make_id()))
    await services.confirmations.add(make_context(member_id=MEMBER + 1), request())
    with pytest.raises(AlreadyAskedError):
        await services.confirmations.add(make_context(), request())
    services.clock.advance(3.1)
    await services.confirmations.add(make_context(), request())


async def test_declined_request_may_be_repeated_at_once(services: ServiceHarness) -> None:
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    await services.confirmations.delete(confirmation.id, MEMBER)
    await services.confirmations.add(make_context(), make_request(images=4))


async def test_declined_confirmation_cannot_create_a_job(services: ServiceHarness) -> None:
    confirmation = await services.confirmations.add(make_context(), make_request(images=4))
    await services.confirmations.delete(confirmation.id, MEMBER)
    with pytest.raises(ConfirmationGoneError):
        await services.jobs.create(make_context(), confirmation.request, confirmation_id=confirmation.id)
    assert (await services.account()).held == 0


async def test_second_press_within_dedup_window_raises_already_begun(services: ServiceHarness) -> None:
    """Another request, or a later one, is allowed.

    The request counts as the same even if its input's aspect ratio became known meanwhile.
    """
    parent = (await services.jobs.create(make_context(), make_request())).job
    origin = Origin(action=Action.AGAIN, job_id=parent.id)
    presses = [services.jobs.create(make_context(), make_request(), origin=origin) for _ in range(2)]
    results = await asyncio.gather(*presses, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["AlreadyBegunError", "Snapshot"]
    assert (await services.account()).held == 24
    await services.jobs.create(make_context(member_id=MEMBER + 1), make_request(), origin=origin)
    await services.jobs.create(make_context(), make_request(detail=2), origin=origin)
    with pytest.raises(AlreadyBegunError):
        await services.jobs.create(make_context(), make_request(detail=2), origin=origin)
    edit = make_request(
        inputs=(InputImage(url="https://cdn.discordapp.com/a.png"),), aspect_ratio="3:2", keep_aspect_ratio=True
    )
    made = (await services.jobs.create(make_context(), edit, origin=origin)).job
    await services.input_store.mark_prepared(made, {0: SanitizedImage(file=KEPT)})
    with pytest.raises(AlreadyBegunError):
        await services.jobs.create(make_context(), edit, origin=origin)
    services.clock.advance(3.1)
    again = await services.jobs.create(make_context(), make_request(), origin=origin)
    kept = await services.database.read(lambda connection: JobRepository(connection).get(again.job.id))
    assert (kept.origin, kept.state) == (origin, State.HELD)

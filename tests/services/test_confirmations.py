"""Requests that wait for their member's word: what is kept, who may answer, and that an answer counts once."""

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
from bot.domain.jobs import Action, Origin, State
from bot.domain.requests import GenerationRequest, ImageFile, ImageRef, InputImage
from bot.services.confirmations import ConfirmationService
from db.confirmations import ConfirmationRepository
from db.database import Database
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.factories import MEMBER, make_context, make_id, make_request

KEPT = ImageFile(sha256="a" * 64, media_type="image/png", width=10, height=20, size=30)


async def test_a_draft_is_kept_whole(desk: ServiceHarness) -> None:
    """Every option, the pictures to start from and where it came from come back as they were; nothing is held."""
    parent = make_id()
    inputs = (
        InputImage(file=KEPT, parent=ImageRef(job_id=parent, position=2)),
        InputImage(url="https://cdn.discordapp.com/secret"),
    )
    request = make_request(images=4, detail=2, upscale=2, fit=Fit.parse("1024"), effect="sepia", inputs=inputs)
    origin = Origin(action=Action.VARY, job_id=parent, position=2)
    draft = await desk.drafts.add(make_context(private=True), request, origin)
    assert await desk.drafts.get(draft.id, MEMBER) == (draft, False)
    assert (draft.request, draft.origin, draft.private) == (request, origin, True)
    assert (await desk.account()).held == 0


REFUSALS: list[tuple[type[AtelierError], dict[str, int], dict[str, object]]] = [
    (InsufficientCreditsError, {}, {"images": 4, "detail": 15}),
    (UnsupportedOptionError, {}, {"aspect_ratio": "auto", "model": "nano-banana"}),
    (NotInServerError, {"guild_id": 0}, {"images": 4}),
]


@pytest.mark.parametrize(("error", "place", "request_"), REFUSALS, ids=[case[0].__name__ for case in REFUSALS])
async def test_who_would_be_refused_is_not_asked(
    desk: ServiceHarness, error: type[AtelierError], place: dict[str, int], request_: dict[str, object]
) -> None:
    """What cannot be done, paid or used here is refused before it is asked about."""
    with pytest.raises(error):
        await desk.drafts.add(make_context(**place), make_request(**request_))


async def test_only_its_member_answers(desk: ServiceHarness) -> None:
    """Nobody else can make it or take it away."""
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    with pytest.raises(NotAllowedError):
        await desk.drafts.get(draft.id, MEMBER + 1)
    with pytest.raises(NotAllowedError):
        await desk.drafts.delete(draft.id, MEMBER + 1)
    assert (await desk.drafts.get(draft.id, MEMBER))[0] == draft


async def test_an_answer_counts_once(desk: ServiceHarness) -> None:
    """Confirmed twice at the same moment, one job is made and the other press hears that it has been answered."""
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    presses = [desk.generation.create(make_context(), draft.request, confirmation_id=draft.id) for _ in range(2)]
    results = await asyncio.gather(*presses, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["ConfirmationGoneError", "Snapshot"]
    assert (await desk.account()).held == 48
    with pytest.raises(ConfirmationGoneError):
        await desk.drafts.get(draft.id, MEMBER)


async def test_a_refused_confirmation_keeps_the_draft(open_desk: Open) -> None:
    """Who cannot pay any more when they confirm may do so later: the question still stands."""
    desk = open_desk(allowance=60)
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    await desk.generation.create(make_context(), make_request(images=2))
    with pytest.raises(InsufficientCreditsError):
        await desk.generation.create(make_context(), draft.request, confirmation_id=draft.id)
    assert (await desk.drafts.get(draft.id, MEMBER))[0] == draft


async def test_after_a_day_the_question_is_too_old(desk: ServiceHarness) -> None:
    """It is refused as expired, and housekeeping removes it."""
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    desk.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    with pytest.raises(ConfirmationGoneError) as caught:
        await desk.drafts.get(draft.id, MEMBER)
    assert caught.value.expired
    purged = await desk.database.write(
        lambda connection: ConfirmationRepository(connection).purge_before(desk.clock.now() - timedelta(days=1))
    )
    assert purged == 1


async def test_a_price_that_rose_is_asked_about_again(desk: ServiceHarness) -> None:
    """What was asked about at a lower price is said to be dearer, once; a lower price is simply taken."""
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    await desk.database.write(lambda connection: ConfirmationRepository(connection).set_price(draft.id, 40))
    assert await desk.drafts.get(draft.id, MEMBER) == (draft, True)
    assert await desk.drafts.get(draft.id, MEMBER) == (draft, False)
    await desk.database.write(lambda connection: ConfirmationRepository(connection).set_price(draft.id, 60))
    assert await desk.drafts.get(draft.id, MEMBER) == (draft, False)


async def test_a_question_that_came_twice_is_asked_once(desk: ServiceHarness, other: Database) -> None:
    """At the same moment, at two processes: one question, whose draft is kept, and one that hears so.

    An address signed anew is the same picture; another picture, wish, member or origin, or later, is asked about.
    """
    there = ConfirmationService(
        database=other,
        ledger=desk.ledger,
        access=desk.access,
        clock=desk.clock,
        providers=("skillboss", "reve2img"),
        new_id=make_id,
    )
    cdn = "https://cdn.discordapp.com/attachments/1/2"

    def wish(name: str = "fox.png", signed: str = "a", **options: int) -> GenerationRequest:
        return make_request(images=3, inputs=(InputImage(url=f"{cdn}/{name}?hm={signed}"),), **options)

    asked = [desk.drafts.add(make_context(), wish(signed="a")), there.add(make_context(), wish(signed="b"))]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["AlreadyAskedError", "Confirmation"]
    (draft,) = [each for each in results if isinstance(each, Confirmation)]
    assert (await there.get(draft.id, MEMBER))[0] == draft

    await desk.drafts.add(make_context(), wish("cat.png"))
    await desk.drafts.add(make_context(), wish(detail=2))
    await desk.drafts.add(make_context(), wish(), Origin(action=Action.AGAIN, job_id=make_id()))
    await desk.drafts.add(make_context(member_id=MEMBER + 1), wish())
    with pytest.raises(AlreadyAskedError):
        await desk.drafts.add(make_context(), wish())
    desk.clock.advance(3.1)
    await desk.drafts.add(make_context(), wish())


async def test_a_question_that_was_left_may_be_asked_again_at_once(desk: ServiceHarness) -> None:
    """Who says no and wants it after all need not wait."""
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    await desk.drafts.delete(draft.id, MEMBER)
    await desk.drafts.add(make_context(), make_request(images=4))


async def test_what_is_left_is_gone(desk: ServiceHarness) -> None:
    """A draft that its member leaves cannot be made any more."""
    draft = await desk.drafts.add(make_context(), make_request(images=4))
    await desk.drafts.delete(draft.id, MEMBER)
    with pytest.raises(ConfirmationGoneError):
        await desk.generation.create(make_context(), draft.request, confirmation_id=draft.id)
    assert (await desk.account()).held == 0


async def test_a_button_pressed_twice_makes_one_job(desk: ServiceHarness) -> None:
    """The same wish of the same picture within three seconds is one press too many; another wish, or later, is not.

    A wish is the same also when its picture's form was found to be another meanwhile.
    """
    parent = (await desk.generation.create(make_context(), make_request())).job
    origin = Origin(action=Action.AGAIN, job_id=parent.id)
    presses = [desk.generation.create(make_context(), make_request(), origin=origin) for _ in range(2)]
    results = await asyncio.gather(*presses, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["AlreadyBegunError", "Snapshot"]
    assert (await desk.account()).held == 24
    await desk.generation.create(make_context(member_id=MEMBER + 1), make_request(), origin=origin)
    await desk.generation.create(make_context(), make_request(detail=2), origin=origin)
    with pytest.raises(AlreadyBegunError):
        await desk.generation.create(make_context(), make_request(detail=2), origin=origin)
    edit = make_request(
        inputs=(InputImage(url="https://cdn.discordapp.com/a.png"),), aspect_ratio="3:2", keep_aspect_ratio=True
    )
    made = (await desk.generation.create(make_context(), edit, origin=origin)).job
    await desk.job_store.mark_prepared(made, {0: KEPT})
    with pytest.raises(AlreadyBegunError):
        await desk.generation.create(make_context(), edit, origin=origin)
    desk.clock.advance(3.1)
    again = await desk.generation.create(make_context(), make_request(), origin=origin)
    kept = await desk.database.read(lambda connection: JobRepository(connection).get(again.job.id))
    assert (kept.origin, kept.state) == (origin, State.HELD)

from dataclasses import replace
from datetime import timedelta

from bot.domain.jobs import Delivery, Job, State
from db.cards import CardRepository, DeliveredJob, PostedCard
from db.database import Database
from db.job_owners import JobOwnerRepository
from db.jobs import JobRepository
from tests.support.clock import START
from tests.support.factories import make_job
from tests.support.ledger import adding


async def get(database: Database, job: Job) -> Job:
    """Return the job as it is stored."""
    return await database.read(lambda connection: JobRepository(connection).get(job.id))


async def test_second_acknowledgement_keeps_first_time_and_message(database: Database) -> None:
    job = make_job()
    await database.write(adding(job))
    later = START + timedelta(seconds=2)
    await database.write(
        lambda connection: CardRepository(connection).set_acknowledged(
            [PostedCard(job_id=job.id, message_id=5, at=START)]
        )
    )
    await database.write(
        lambda connection: CardRepository(connection).set_acknowledged(
            [PostedCard(job_id=job.id, message_id=6, at=later)]
        )
    )
    assert await get(database, job) == replace(job, acknowledged_at=START, place=replace(job.place, message_id=5))


async def test_cards_of_one_job_at_once_are_recorded_as_one_after_another(database: Database) -> None:
    """One of two reports of a card may know less."""
    one, other = make_job(), make_job()
    await database.write(adding(one, other))
    cards = [
        PostedCard(job_id=one.id, message_id=5, at=START, private=True),
        PostedCard(job_id=other.id, message_id=7, at=START),
        PostedCard(job_id=one.id, message_id=None, at=START + timedelta(seconds=2)),
    ]
    await database.write(lambda connection: CardRepository(connection).set_acknowledged(cards))
    place = replace(one.place, message_id=5, private=True)
    assert await get(database, one) == replace(one, acknowledged_at=START, place=place)
    assert (await get(database, other)).place.message_id == 7


async def test_first_of_two_deliveries_at_once_counts(database: Database) -> None:
    one, other = (make_job(state=State.FAILED, finished_at=START, charged=0) for _ in range(2))
    await database.write(adding(one, other))
    deliveries = [
        DeliveredJob(job_id=one.id, at=START, delivery=Delivery.DIRECT),
        DeliveredJob(job_id=other.id, at=START),
        DeliveredJob(job_id=one.id, at=START + timedelta(hours=1)),
    ]
    await database.write(lambda connection: CardRepository(connection).set_delivered(deliveries))
    assert (await get(database, one)).delivery is Delivery.DIRECT
    assert (await get(database, other)).delivery is Delivery.CARD


async def test_second_delivery_keeps_first_time_and_channel(database: Database) -> None:
    live = make_job(state=State.RUNNING, owner="me")
    first, second = (make_job(state=State.FAILED, finished_at=START, charged=0, owner="me") for _ in range(2))
    await database.write(adding(second, live, first, make_job(owner="another")))

    async def owned() -> tuple[tuple[str, ...], set[str]]:
        live, undelivered = await database.read(lambda connection: JobOwnerRepository(connection).list_owned("me"))
        return live, set(undelivered)

    assert await owned() == ((live.id,), {first.id, second.id})
    early = DeliveredJob(job_id=first.id, at=START, delivery=Delivery.DIRECT)
    await database.write(lambda connection: CardRepository(connection).set_delivered([early]))
    late = DeliveredJob(job_id=first.id, at=START + timedelta(hours=1))
    await database.write(lambda connection: CardRepository(connection).set_delivered([late]))
    assert await owned() == ((live.id,), {second.id})
    assert await get(database, first) == replace(first, delivered_at=START, delivery=Delivery.DIRECT)


async def test_erase_tokens_erases_old_tokens_only(database: Database) -> None:
    old = make_job(created_at=START - timedelta(minutes=16))
    young = make_job(created_at=START - timedelta(minutes=14))
    await database.write(adding(old, young))
    await database.write(lambda connection: CardRepository(connection).erase_tokens(START - timedelta(minutes=15)))
    assert (await get(database, old)).place.token is None
    assert (await get(database, young)).place.token == young.place.token

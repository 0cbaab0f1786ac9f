"""The promises about paid calls: purchases, pictures and charges."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bot.domain.jobs import Delivery, Outcome, State
from sandbox.providers import expected_mark
from tests.chaos.observations import Card, JobRecord, RequestRecord, awaits_news

_NO_CHARGE: Final = "Nothing was charged"


class Purchase(StrEnum):
    """The end of a picture billed by a provider."""

    DELIVERED = "billed and delivered"
    LATE = "billed and delivered late, free of charge"
    AT_RISK = "billed, the operator's possible cost"


def call_faults(record: RequestRecord) -> Iterator[str]:
    """Yield the broken promises about a request's calls."""
    name = repr(record.planned.prompt)
    card, bought = record.card, _bought(record)
    answered = card is not None and not card.ephemeral
    if len(record.jobs) > 1:
        yield f"{name} has {len(record.jobs)} jobs"
    if bought > record.planned.images:
        yield f"{name}: {bought} pictures were bought of {record.planned.images}"
    if record.accepted and not answered:
        yield f"{name} was accepted by a provider without a card"
    if answered and not record.jobs:
        yield f"{name} has a card and no job"
    for job in record.jobs:
        yield from (f"{name}: {line}" for line in (*_sent_twice(record, job), *_money_faults(record, job)))
        if not awaits_news(job, accepted=bool(record.accepted)):
            yield from (f"{name}: {line}" for line in _end_faults(record, job, answered=answered))


def purchases(record: RequestRecord) -> Counter[Purchase]:
    """Return the ends of a request's billed pictures."""
    if not record.jobs:
        return Counter()
    job, bought = record.jobs[0], _bought(record)
    delivered = min(bought, len(job.positions))
    kind = Purchase.DELIVERED if job.charged else Purchase.LATE
    return +Counter({kind: delivered, Purchase.AT_RISK: bought - delivered})


def _bought(record: RequestRecord) -> int:
    return sum(each.images for each in record.accepted if each.billed)


def _sent_twice(record: RequestRecord, job: JobRecord) -> Iterator[str]:
    """Only a surely refused call of a part may be followed by another."""
    unsure = Counter(call.part for call in job.attempts if call.outcome != Outcome.REFUSED)
    for part, count in unsure.items():
        if count > 1:
            yield f"part {part} was sent {count} times without a refusal"
    billed = sum(each.billed for each in record.accepted)
    if billed > unsure.total():
        yield f"{billed} calls were billed, {unsure.total()} were not refused"


def _money_faults(record: RequestRecord, job: JobRecord) -> Iterator[str]:
    unit, charged = job.price // record.planned.images, job.charged or 0
    due = unit * len(job.positions) if job.state == State.DONE else 0
    if charged != due or charged > job.price:
        yield f"charged {charged} of {job.price} for {len(job.positions)} pictures, {job.state}"
    costly = sum(each.images for each in record.accepted if each.billed and not each.is_free)
    if costly * unit > unit * len(job.positions) + job.at_risk and State(job.state).ended:
        yield f"{costly} pictures were bought, {len(job.positions)} came, {job.at_risk} credits are at risk"


def _end_faults(record: RequestRecord, job: JobRecord, *, answered: bool) -> Iterator[str]:
    state, card = State(job.state), record.card
    if not state.ended:
        yield f"the job is still {state}, {[*job.attempts]}"
        return
    if not job.delivered:
        yield f"the job is {state} and was not delivered"
    made = [digest for each in record.accepted for digest in each.digests]
    if made and not set(job.digests) <= set(made):
        yield "a stored picture differs from the provider's"
    if made and len(set(job.digests)) < len(job.digests):
        yield "a picture was stored twice"
    if state is State.DONE and card is not None and job.delivery == Delivery.CARD:
        yield from _gallery_faults(record, job, card)
    elif state is State.DONE and answered:
        yield f"the card is there, delivered in {job.delivery}"
    elif answered and card is not None and (card.attached or card.cancellable or _NO_CHARGE not in card.text):
        yield f"the card does not tell the end: {card.text!r}, {card.attached} files"


def _gallery_faults(record: RequestRecord, job: JobRecord, card: Card) -> Iterator[str]:
    if not job.positions:
        yield "the job is done without a picture"
    if not len(card.marks) == card.attached == len(job.positions):
        yield f"{len(job.positions)} pictures; the card shows {len(card.marks)} and has {card.attached} files"
    own = {expected_mark(record.planned.prompt, index) for index in range(record.planned.images)}
    if not own.issuperset(card.marks):
        yield "the card shows a foreign picture"

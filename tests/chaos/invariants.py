"""The promises, as pure functions of the observations of a round."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bot.domain.errors import FaultKind
from bot.domain.jobs import Delivery, State
from sandbox.providers import State as ProviderState
from sandbox.providers import expected_mark
from tests.chaos.call_invariants import call_faults
from tests.chaos.observations import Card, JobRecord, Observations, RequestRecord, awaits_news


class Settlement(StrEnum):
    """Result of an accepted submit: captured from the member, or the reason."""

    CAPTURED = "captured"
    CAPTURED_IN_PART = "captured in part: some of its pictures were unusable"
    UNKNOWN = "reply lost: never sent again, the member pays nothing"
    LOST = "lost: too late, the member pays nothing"
    UNUSABLE = "billed, but no picture was usable"
    FAILED_THERE = "failed at the provider, which does not bill"
    CANCELLED_THERE = "cancelled at the provider, which does not bill"
    UNEXPLAINED = "unexplained"


_NO_CHARGE: Final = "Nothing was charged"


def broken_promises(observations: Observations, stops: list[int], *, by_calls: bool = False) -> list[str]:
    """Return one line per broken promise.

    `stops` are the exit codes of bots that were asked to stop. `by_calls`: a job may have several calls.
    """
    faults = call_faults if by_calls else _record_faults
    return [
        *(f"the audit: {problem}" for problem in observations.problems),
        *_ledger_faults(observations),
        *(line for record in observations.records for line in faults(record)),
        *(f"a message that answers nothing: {stray!r}" for stray in observations.stray_messages),
        *(f"the log tells {secret}" for secret in observations.secrets),
        *(f"a stack in the log: {stack}" for stack in observations.stacks),
        *([f"{observations.kept_files} files of answers are left"] if observations.kept_files else []),
        *(f"asked to stop, the bot ended with {code}" for code in stops if code != 0),
    ]


def settlement(record: RequestRecord) -> Settlement | None:
    """Return the settlement of a request's accepted submit.

    None without an accepted submit.
    """
    if not record.accepted:
        return None
    job = record.jobs[0] if record.jobs else None
    at_provider = record.accepted[0]
    match (None if job is None else job.state, at_provider.state):
        case (State.DONE, ProviderState.COMPLETED):
            return Settlement.CAPTURED if job is not None and job.charged == job.price else Settlement.CAPTURED_IN_PART
        case (State.FAILED | State.UNKNOWN, _) if job is not None and job.fault in (None, FaultKind.REPLY_LOST):
            return Settlement.UNKNOWN
        case (State.FAILED, ProviderState.COMPLETED) if job is not None and job.fault in _UNUSABLE:
            return Settlement.UNUSABLE
        case (State.LOST, _):
            return Settlement.LOST
        case (State.FAILED, ProviderState.FAILED):
            return Settlement.FAILED_THERE
        case (State.CANCELLED, ProviderState.CANCELLED):
            return Settlement.CANCELLED_THERE
    return Settlement.UNEXPLAINED


_UNUSABLE: Final = (FaultKind.NO_PICTURES, FaultKind.MALFORMED)


def _ledger_faults(observations: Observations) -> Iterator[str]:
    if observations.held != observations.awaiting_webhook:
        yield f"{observations.held} credits are held at the end, {observations.awaiting_webhook} of them rightly"
    if observations.lowest < 0:
        yield f"an account is at {observations.lowest}"
    if observations.unknown_jobs:
        yield f"{observations.unknown_jobs} jobs without a request"


def _record_faults(record: RequestRecord) -> Iterator[str]:
    name = f"{record.planned.prompt!r}"
    card, answered = record.card, record.card is not None and not record.card.ephemeral
    if len(record.jobs) > 1:
        yield f"{name} has {len(record.jobs)} jobs"
    if len(record.accepted) > 1:
        yield f"{name} was accepted {len(record.accepted)} times"
    if record.accepted and not answered:
        yield f"{name} was accepted by a provider without a card"
    if answered and not record.jobs:
        yield f"{name} has a card and no job"
    if card is not None and card.ephemeral and record.jobs:
        yield f"{name} was refused and has a job"
    if card is not None and card.deleted and record.planned.gone_after is None:
        yield f"the card of {name} is gone"
    if settlement(record) is Settlement.UNEXPLAINED:
        yield f"{name}: the provider says {record.accepted[0]}, the job is {record.jobs}"
    for job in record.jobs:
        yield from (f"{name}: {line}" for line in _job_faults(record, job, answered=answered))


def _job_faults(record: RequestRecord, job: JobRecord, *, answered: bool) -> Iterator[str]:
    if awaits_news(job, accepted=bool(record.accepted)):
        return
    state = State(job.state)
    if not state.ended:
        yield f"the job is still {state}, {[*job.attempts]}"
        return
    if not job.delivered:
        yield f"the job is {state} and was not delivered"
    if len(record.accepted) > len(job.attempts):
        yield f"{len(record.accepted)} submits were accepted of {len(job.attempts)}"
    if not answered and (state is State.DONE or job.charged):
        yield f"the job is {state} and charged {job.charged} without a card"
    if state is State.DONE:
        yield from _image_faults(record, job)
    elif job.charged != 0:
        yield f"the job is {state} and charged {job.charged}"
    elif job.positions:
        yield f"the job is {state} and has pictures"
    if answered and state is not State.DONE:
        yield from _failed_card_faults(record)


def _image_faults(record: RequestRecord, job: JobRecord) -> Iterator[str]:
    unit = job.price // record.planned.images
    if not job.positions:
        yield "the job is done without a picture"
    if job.charged != unit * len(job.positions):
        yield f"charged {job.charged} for {len(job.positions)} pictures of {unit}"
    if [each.billed for each in record.accepted] != [True]:
        yield f"the job is done, the providers say {record.accepted}"
    card = record.card
    # A card that was removed after it had shown them, before that was noted, rightly has a direct message after it.
    removed = card is not None and card.deleted and job.delivery == Delivery.DIRECT
    shown = [each for each in (None if removed else card, *record.direct) if each is not None and each.attached]
    match job.delivery:
        case Delivery.CARD if shown != [card]:
            yield f"delivered in the card, shown in {len(shown)} messages"
        case Delivery.DIRECT if shown != [*record.direct] or len(shown) != 1:
            yield f"delivered directly, shown in {len(shown)} messages, {len(record.direct)} of them direct"
        case Delivery.HISTORY if shown:
            yield f"delivered in the history alone, shown in {len(shown)} messages"
        case Delivery.NOWHERE | None:
            yield f"pictures were delivered nowhere: {job.delivery}"
        case Delivery.DIRECT | Delivery.HISTORY if record.planned.gone_after is None:
            yield f"the card is there, delivered in {job.delivery}"
    for each in shown:
        yield from _gallery_faults(record, job, each)


def _gallery_faults(record: RequestRecord, job: JobRecord, card: Card) -> Iterator[str]:
    if len(card.marks) != len(job.positions) or card.attached != len(job.positions):
        yield f"{len(job.positions)} pictures; the card shows {len(card.marks)} and has {card.attached} files"
    own = [expected_mark(record.planned.prompt, index) for index in range(record.planned.images)]
    shown = [own.index(mark) if mark in own else None for mark in card.marks]
    if None in shown or shown != sorted(set(shown), key=lambda index: index or 0):
        yield f"the card shows the pictures {shown}"


def _failed_card_faults(record: RequestRecord) -> Iterator[str]:
    card = record.card
    if card is None:
        return
    if card.marks or card.attached or record.direct:
        yield "the card shows pictures without a charge"
    if card.deleted:
        return
    if card.cancellable or _NO_CHARGE not in card.text:
        yield f"the card does not tell the end: {card.text!r}"

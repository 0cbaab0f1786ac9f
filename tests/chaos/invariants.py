"""The promises, judged by the evidence of a round: one line for each that is broken. Pure functions."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bot.domain.errors import FaultKind
from bot.domain.jobs import Delivery, State
from sandbox.providers import State as There
from sandbox.providers import expected_mark
from tests.chaos.observations import Booked, Card, Case, Evidence, hopes_for_a_webhook


class Bill(StrEnum):
    """What became of a submit that a provider accepted: captured from the member, or why not."""

    CAPTURED = "captured"
    CAPTURED_IN_PART = "captured in part: some of its pictures were unusable"
    UNKNOWN = "reply lost: never sent again, the member pays nothing"
    LOST = "lost: too late, the member pays nothing"
    UNUSABLE = "billed, but no picture was usable"
    FAILED_THERE = "failed at the provider, which does not bill"
    CANCELLED_THERE = "cancelled at the provider, which does not bill"
    UNEXPLAINED = "unexplained"


_NO_CHARGE: Final = "Nothing was charged"


def broken_promises(evidence: Evidence, stops: list[int]) -> list[str]:
    """Return one line for each promise that was broken; `stops` are the exit codes of bots asked to stop."""
    return [
        *(f"the audit: {problem}" for problem in evidence.problems),
        *_of_the_books(evidence),
        *(line for case in evidence.cases for line in _of_a_case(case)),
        *(f"a message that answers nothing: {stray!r}" for stray in evidence.strays),
        *(f"the log tells {secret}" for secret in evidence.secrets),
        *(f"a stack in the log: {stack}" for stack in evidence.stacks),
        *(f"asked to stop, the bot ended with {code}" for code in stops if code != 0),
    ]


def bill(case: Case) -> Bill | None:
    """Return what became of an order's accepted submit; None where there is none."""
    if not case.accepted:
        return None
    job = case.booked[0] if case.booked else None
    there = case.accepted[0]
    match (None if job is None else job.state, there.state):
        case (State.DONE, There.COMPLETED):
            return Bill.CAPTURED if job is not None and job.charged == job.price else Bill.CAPTURED_IN_PART
        case (State.FAILED | State.UNKNOWN, _) if job is not None and job.fault in (None, FaultKind.REPLY_LOST):
            return Bill.UNKNOWN
        case (State.FAILED, There.COMPLETED) if job is not None and job.fault in _UNUSABLE:
            return Bill.UNUSABLE
        case (State.LOST, _):
            return Bill.LOST
        case (State.FAILED, There.FAILED):
            return Bill.FAILED_THERE
        case (State.CANCELLED, There.CANCELLED):
            return Bill.CANCELLED_THERE
    return Bill.UNEXPLAINED


_UNUSABLE: Final = (FaultKind.NO_PICTURES, FaultKind.MALFORMED)


def _of_the_books(evidence: Evidence) -> Iterator[str]:
    if evidence.held != evidence.hoping:
        yield f"{evidence.held} credits are held after everything has ended, {evidence.hoping} of them rightly"
    if evidence.lowest < 0:
        yield f"an account is at {evidence.lowest}"
    if evidence.unknown_jobs:
        yield f"{evidence.unknown_jobs} jobs that nobody asked for"


def _of_a_case(case: Case) -> Iterator[str]:
    name = f"{case.order.prompt!r}"
    card, answered = case.card, case.card is not None and not case.card.ephemeral
    if len(case.booked) > 1:
        yield f"{name} has {len(case.booked)} jobs"
    if len(case.accepted) > 1:
        yield f"{name} was accepted {len(case.accepted)} times"
    if case.accepted and not answered:
        yield f"{name} was accepted by a provider without a card"
    if answered and not case.booked:
        yield f"{name} has a card and no job"
    if card is not None and card.ephemeral and case.booked:
        yield f"{name} was refused and has a job"
    if card is not None and card.deleted and case.order.gone_after is None:
        yield f"the card of {name} is gone"
    if bill(case) is Bill.UNEXPLAINED:
        yield f"{name}: the provider says {case.accepted[0]}, the job is {case.booked}"
    for job in case.booked:
        yield from (f"{name}: {line}" for line in _of_a_job(case, job, answered=answered))


def _of_a_job(case: Case, job: Booked, *, answered: bool) -> Iterator[str]:
    if hopes_for_a_webhook(job, accepted=bool(case.accepted)):
        return
    state = State(job.state)
    if not state.ended:
        yield f"the job is still {state}, {[*job.attempts]}"
        return
    if not job.delivered:
        yield f"the job is {state} and was not delivered"
    if len(case.accepted) > len(job.attempts):
        yield f"{len(case.accepted)} submits were accepted of {len(job.attempts)}"
    if not answered and (state is State.DONE or job.charged):
        yield f"the job is {state} and charged {job.charged} without a card"
    if state is State.DONE:
        yield from _of_pictures(case, job)
    elif job.charged != 0:
        yield f"the job is {state} and charged {job.charged}"
    elif job.positions:
        yield f"the job is {state} and has pictures"
    if answered and state is not State.DONE:
        yield from _of_an_end_without_pictures(case)


def _of_pictures(case: Case, job: Booked) -> Iterator[str]:
    unit = job.price // case.order.images
    if not job.positions:
        yield "the job is done without a picture"
    if job.charged != unit * len(job.positions):
        yield f"charged {job.charged} for {len(job.positions)} pictures of {unit}"
    if [each.billed for each in case.accepted] != [True]:
        yield f"the job is done, the providers say {case.accepted}"
    card = case.card
    # A card that was removed after it had shown them, before that was noted, rightly has a direct message after it.
    removed = card is not None and card.deleted and job.delivery == Delivery.DIRECT
    shown = [each for each in (None if removed else card, *case.direct) if each is not None and each.attached]
    match job.delivery:
        case Delivery.CARD if shown != [card]:
            yield f"delivered in the card, shown in {len(shown)} messages"
        case Delivery.DIRECT if shown != [*case.direct] or len(shown) != 1:
            yield f"delivered directly, shown in {len(shown)} messages, {len(case.direct)} of them direct"
        case Delivery.HISTORY if shown:
            yield f"delivered in the history alone, shown in {len(shown)} messages"
        case Delivery.NOWHERE | None:
            yield f"pictures were delivered nowhere: {job.delivery}"
        case Delivery.DIRECT | Delivery.HISTORY if case.order.gone_after is None:
            yield f"the card is there, delivered in {job.delivery}"
    for each in shown:
        yield from _of_a_gallery(case, job, each)


def _of_a_gallery(case: Case, job: Booked, card: Card) -> Iterator[str]:
    if len(card.marks) != len(job.positions) or card.attached != len(job.positions):
        yield f"{len(job.positions)} pictures; the card shows {len(card.marks)} and has {card.attached} files"
    own = [expected_mark(case.order.prompt, index) for index in range(case.order.images)]
    shown = [own.index(mark) if mark in own else None for mark in card.marks]
    if None in shown or shown != sorted(set(shown), key=lambda index: index or 0):
        yield f"the card shows the pictures {shown}"


def _of_an_end_without_pictures(case: Case) -> Iterator[str]:
    card = case.card
    if card is None:
        return
    if card.marks or card.attached or case.direct:
        yield "the card shows pictures that nobody paid"
    if card.deleted:
        return
    if card.cancellable or _NO_CHARGE not in card.text:
        yield f"the card does not tell the end: {card.text!r}"

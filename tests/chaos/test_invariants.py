"""The judge is not asleep: each kind of broken promise is found in evidence that has it."""

from dataclasses import replace

import pytest

from sandbox.providers import State as There
from sandbox.providers import expected_mark
from tests.chaos.invariants import Bill, bill, broken_promises
from tests.chaos.observations import Accepted, Booked, Card, Case, Evidence, Sent
from tests.chaos.scenario import Order

PROMPT = "a fox 0123"
ORDER = Order(member="victim-0", prompt=PROMPT, options={"images": 2})
MARKS = (expected_mark(PROMPT, 0), expected_mark(PROMPT, 1))
ACCEPTED = Accepted(provider="skillboss", state=There.COMPLETED, billed=True)
JOB = Booked(
    id="1",
    interaction_id=1,
    prompt=PROMPT,
    state="done",
    price=24,
    charged=24,
    delivered=True,
    delivery="card",
    attempts=(Sent(provider="skillboss", outcome="completed"),),
    positions=(0, 1),
)
CARD = Card(text="24 credits", marks=MARKS, attached=2)
DONE = Case(order=ORDER, interaction_id=1, booked=(JOB,), accepted=(ACCEPTED,), card=CARD)
REFUND = Card(text="Nothing was charged: 24 credits returned")
FAILED = replace(
    DONE,
    booked=(replace(JOB, state="failed", charged=0, fault="reply_lost", positions=()),),
    card=REFUND,
)
GONE = replace(
    DONE,
    order=replace(ORDER, gone_after=0.0),
    booked=(replace(JOB, delivery="direct"),),
    card=Card(text="Drawing", deleted=True),
    direct=(CARD,),
)
REMOVED = replace(GONE, card=replace(CARD, deleted=True))
UNSEEN = replace(FAILED, accepted=(), card=None)


@pytest.mark.parametrize("case", [DONE, FAILED, GONE, REMOVED, UNSEEN])
def test_what_is_sound_is_found_sound(case: Case) -> None:
    """Delivered, its reply lost, its card removed before or after the pictures, or never there: no promise broken."""
    assert broken_promises(Evidence(cases=(case,)), [0]) == []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (replace(DONE, booked=(JOB, replace(JOB, id="2"))), "has 2 jobs"),
        (replace(DONE, booked=()), "has a card and no job"),
        (replace(DONE, accepted=(ACCEPTED, ACCEPTED)), "accepted 2 times"),
        (replace(DONE, accepted=()), "the providers say"),
        (replace(DONE, card=None), "accepted by a provider without a card"),
        (replace(DONE, card=replace(CARD, deleted=True)), "is gone"),
        (replace(DONE, card=replace(CARD, ephemeral=True)), "was refused and has a job"),
        (replace(DONE, card=replace(CARD, marks=MARKS[:1])), "the card shows 1"),
        (replace(DONE, card=replace(CARD, attached=4)), "has 4 files"),
        (replace(DONE, card=replace(CARD, marks=(MARKS[0], MARKS[0]))), "shows the pictures"),
        (replace(DONE, card=replace(CARD, marks=(MARKS[1], MARKS[0]))), "shows the pictures"),
        (replace(DONE, card=replace(CARD, marks=(MARKS[0], 5))), "shows the pictures"),
        (replace(DONE, booked=(replace(JOB, charged=12),)), "charged 12 for 2 pictures"),
        (replace(DONE, booked=(replace(JOB, delivered=False),)), "not delivered"),
        (replace(DONE, booked=(replace(JOB, state="running"),)), "still running"),
        (replace(DONE, booked=(replace(JOB, attempts=()),)), "1 submits were accepted of 0"),
        (replace(DONE, booked=(replace(JOB, state="cancelled", charged=0),)), "the provider says"),
        (replace(FAILED, booked=(replace(FAILED.booked[0], charged=12),)), "charged 12"),
        (replace(FAILED, card=CARD), "pictures that nobody paid"),
        (replace(FAILED, card=replace(REFUND, cancellable=True)), "does not tell the end"),
        (replace(FAILED, card=replace(REFUND, text="Drawing")), "does not tell the end"),
        (replace(DONE, direct=(CARD,)), "shown in 2 messages"),
        (replace(GONE, direct=(CARD, CARD)), "2 of them direct"),
        (replace(GONE, direct=()), "shown in 0 messages"),
        (replace(GONE, order=ORDER), "the card is there"),
        (replace(GONE, booked=(replace(JOB, delivery="history"),)), "in the history alone"),
        (replace(GONE, booked=(replace(JOB, delivery="nowhere"),)), "delivered nowhere"),
        (replace(UNSEEN, booked=(replace(JOB, state="done"),)), "without a card"),
    ],
)
def test_what_is_wrong_with_a_job_is_found(case: Case, words: str) -> None:
    """Each line of evidence that contradicts a promise is told."""
    assert any(words in line for line in broken_promises(Evidence(cases=(case,)), []))


@pytest.mark.parametrize(
    ("evidence", "stops", "words"),
    [
        (Evidence(cases=(), problems=("it does not add up",)), [], "it does not add up"),
        (Evidence(cases=(), held=12), [], "12 credits are held"),
        (Evidence(cases=(), lowest=-1), [], "an account is at -1"),
        (Evidence(cases=(), unknown_jobs=1), [], "nobody asked for"),
        (Evidence(cases=(), strays=("again",)), [], "answers nothing"),
        (Evidence(cases=(), secrets=("a prompt",)), [], "the log tells a prompt"),
        (Evidence(cases=(), stacks=("ValueError",)), [], "a stack in the log"),
        (Evidence(cases=()), [0, 1], "ended with 1"),
    ],
)
def test_what_is_wrong_with_a_round_is_found(evidence: Evidence, stops: list[int], words: str) -> None:
    """Books, messages, the log and the exit codes are judged as a whole."""
    assert [words in line for line in broken_promises(evidence, stops)] == [True]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (DONE, Bill.CAPTURED),
        (replace(DONE, booked=(replace(JOB, charged=12, positions=(0,)),)), Bill.CAPTURED_IN_PART),
        (FAILED, Bill.UNKNOWN),
        (replace(FAILED, booked=(replace(FAILED.booked[0], fault="no_pictures"),)), Bill.UNUSABLE),
        (replace(FAILED, booked=(replace(FAILED.booked[0], state="lost"),)), Bill.LOST),
        (UNSEEN, None),
    ],
)
def test_every_accepted_submit_is_accounted_for(case: Case, expected: Bill | None) -> None:
    """Billed is captured, or one of the listed exceptions."""
    assert bill(case) is expected

"""Each kind of broken promise is found in faulty observations."""

from dataclasses import replace

import pytest

from sandbox.providers import State as ProviderState
from sandbox.providers import expected_mark
from tests.chaos.invariants import Settlement, broken_promises, settlement
from tests.chaos.observations import AcceptedSubmit, AttemptRecord, Card, JobRecord, Observations, RequestRecord
from tests.chaos.scenario import PlannedRequest

PROMPT = "a fox 0123"
ORDER = PlannedRequest(member="victim-0", prompt=PROMPT, options={"images": 2})
MARKS = (expected_mark(PROMPT, 0), expected_mark(PROMPT, 1))
ACCEPTED = AcceptedSubmit(provider="skillboss", state=ProviderState.COMPLETED, billed=True)
JOB = JobRecord(
    id="1",
    interaction_id=1,
    prompt=PROMPT,
    state="done",
    price=24,
    charged=24,
    delivered=True,
    delivery="card",
    attempts=(AttemptRecord(provider="skillboss", outcome="completed"),),
    positions=(0, 1),
)
CARD = Card(text="24 credits", marks=MARKS, attached=2)
DONE = RequestRecord(planned=ORDER, interaction_id=1, jobs=(JOB,), accepted=(ACCEPTED,), card=CARD)
REFUND = Card(text="Nothing was charged: 24 credits returned")
FAILED = replace(
    DONE,
    jobs=(replace(JOB, state="failed", charged=0, fault="reply_lost", positions=()),),
    card=REFUND,
)
GONE = replace(
    DONE,
    planned=replace(ORDER, gone_after=0.0),
    jobs=(replace(JOB, delivery="direct"),),
    card=Card(text="Drawing", deleted=True),
    direct=(CARD,),
)
REMOVED = replace(GONE, card=replace(CARD, deleted=True))
UNSEEN = replace(FAILED, accepted=(), card=None)


@pytest.mark.parametrize("record", [DONE, FAILED, GONE, REMOVED, UNSEEN])
def test_sound_record_breaks_no_promise(record: RequestRecord) -> None:
    """Delivered, reply lost, card removed early or late, or no card."""
    assert broken_promises(Observations(records=(record,)), [0]) == []


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (replace(DONE, jobs=(JOB, replace(JOB, id="2"))), "has 2 jobs"),
        (replace(DONE, jobs=()), "has a card and no job"),
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
        (replace(DONE, jobs=(replace(JOB, charged=12),)), "charged 12 for 2 pictures"),
        (replace(DONE, jobs=(replace(JOB, delivered=False),)), "not delivered"),
        (replace(DONE, jobs=(replace(JOB, state="running"),)), "still running"),
        (replace(DONE, jobs=(replace(JOB, attempts=()),)), "1 submits were accepted of 0"),
        (replace(DONE, jobs=(replace(JOB, state="cancelled", charged=0),)), "the provider says"),
        (replace(FAILED, jobs=(replace(FAILED.jobs[0], charged=12),)), "charged 12"),
        (replace(FAILED, card=CARD), "pictures without a charge"),
        (replace(FAILED, card=replace(REFUND, cancellable=True)), "does not tell the end"),
        (replace(FAILED, card=replace(REFUND, text="Drawing")), "does not tell the end"),
        (replace(DONE, direct=(CARD,)), "shown in 2 messages"),
        (replace(GONE, direct=(CARD, CARD)), "2 of them direct"),
        (replace(GONE, direct=()), "shown in 0 messages"),
        (replace(GONE, planned=ORDER), "the card is there"),
        (replace(GONE, jobs=(replace(JOB, delivery="history"),)), "in the history alone"),
        (replace(GONE, jobs=(replace(JOB, delivery="nowhere"),)), "delivered nowhere"),
        (replace(UNSEEN, jobs=(replace(JOB, state="done"),)), "without a card"),
    ],
)
def test_faulty_record_is_reported(record: RequestRecord, words: str) -> None:
    assert any(words in line for line in broken_promises(Observations(records=(record,)), []))


@pytest.mark.parametrize(
    ("observations", "stops", "words"),
    [
        (Observations(records=(), problems=("it does not add up",)), [], "it does not add up"),
        (Observations(records=(), held=12), [], "12 credits are held"),
        (Observations(records=(), lowest=-1), [], "an account is at -1"),
        (Observations(records=(), unknown_jobs=1), [], "without a request"),
        (Observations(records=(), stray_messages=("again",)), [], "answers nothing"),
        (Observations(records=(), secrets=("a prompt",)), [], "the log tells a prompt"),
        (Observations(records=(), stacks=("ValueError",)), [], "a stack in the log"),
        (Observations(records=()), [0, 1], "ended with 1"),
    ],
)
def test_faulty_round_is_reported(observations: Observations, stops: list[int], words: str) -> None:
    """Ledger, messages, log and exit codes."""
    assert [words in line for line in broken_promises(observations, stops)] == [True]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (DONE, Settlement.CAPTURED),
        (replace(DONE, jobs=(replace(JOB, charged=12, positions=(0,)),)), Settlement.CAPTURED_IN_PART),
        (FAILED, Settlement.UNKNOWN),
        (replace(FAILED, jobs=(replace(FAILED.jobs[0], fault="no_pictures"),)), Settlement.UNUSABLE),
        (replace(FAILED, jobs=(replace(FAILED.jobs[0], state="lost"),)), Settlement.LOST),
        (UNSEEN, None),
    ],
)
def test_accepted_submit_has_settlement(record: RequestRecord, expected: Settlement | None) -> None:
    assert settlement(record) is expected

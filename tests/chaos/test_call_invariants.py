"""Each kind of broken promise about paid calls is found."""

from dataclasses import replace

import pytest

from sandbox.providers import State as ProviderState
from sandbox.providers import expected_mark
from tests.chaos.call_invariants import Purchase, purchases
from tests.chaos.invariants import broken_promises
from tests.chaos.observations import AcceptedSubmit, AttemptRecord, Card, JobRecord, Observations, RequestRecord
from tests.chaos.scenario import PlannedRequest

PROMPT = "a fox 0123"
PLANNED = PlannedRequest(member="victim-0", prompt=PROMPT, options={"images": 2})
MARK = expected_mark(PROMPT, 0)
MADE = tuple(
    AcceptedSubmit(provider="gemini", state=ProviderState.COMPLETED, billed=True, digests=(digest,)) for digest in "ab"
)
CALLS = tuple(AttemptRecord(provider="gemini", outcome="completed", part=part) for part in (0, 1))
JOB = JobRecord(
    id="1",
    interaction_id=1,
    prompt=PROMPT,
    state="done",
    price=20,
    charged=20,
    delivered=True,
    delivery="card",
    attempts=CALLS,
    positions=(0, 1),
    digests=("a", "b"),
)
CARD = Card(text="20 credits", marks=(MARK, MARK), attached=2)
DONE = RequestRecord(planned=PLANNED, interaction_id=1, jobs=(JOB,), accepted=MADE, card=CARD)
REFUND = Card(text="Nothing was charged: 20 credits returned")
GONE = replace(JOB, state="failed", charged=0, fault="reply_lost", positions=(), digests=(), at_risk=20)
LOST = replace(
    DONE, jobs=(replace(GONE, attempts=tuple(replace(call, outcome="unknown") for call in CALLS)),), card=REFUND
)
LATE = replace(LOST, jobs=(replace(LOST.jobs[0], positions=(0, 1), digests=("a", "b")),))
PART = replace(
    DONE,
    jobs=(replace(JOB, charged=10, positions=(0,), digests=("b",), at_risk=10),),
    card=Card(text="10 credits", marks=(MARK,), attached=1),
)
REFUSED = AttemptRecord(provider="gemini", outcome="refused", part=0)
AGAIN = replace(DONE, jobs=(replace(JOB, attempts=(REFUSED, *CALLS)),))


@pytest.mark.parametrize("record", [DONE, LOST, LATE, PART, AGAIN])
def test_sound_calls_break_no_promise(record: RequestRecord) -> None:
    """Delivered, lost, delivered late, in part, and after a refusal."""
    assert broken_promises(Observations(records=(record,)), [0], by_calls=True) == []


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (replace(DONE, accepted=(*MADE, MADE[0])), "3 pictures were bought of 2"),
        (replace(DONE, jobs=(replace(JOB, attempts=(*CALLS, CALLS[0])),)), "part 0 was sent 2 times"),
        (replace(DONE, jobs=(replace(JOB, attempts=(REFUSED, CALLS[1])),)), "2 calls were billed, 1"),
        (replace(DONE, jobs=(replace(JOB, charged=40),)), "charged 40 of 20"),
        (replace(DONE, jobs=(replace(JOB, charged=10),)), "charged 10 of 20 for 2 pictures"),
        (replace(LATE, jobs=(replace(LATE.jobs[0], charged=20),)), "charged 20 of 20 for 2 pictures, failed"),
        (replace(LOST, jobs=(replace(LOST.jobs[0], at_risk=10),)), "10 credits are at risk"),
        (replace(PART, jobs=(replace(PART.jobs[0], at_risk=0),)), "1 came, 0 credits are at risk"),
        (replace(DONE, jobs=(replace(JOB, digests=("a", "c")),)), "differs from the provider's"),
        (replace(DONE, jobs=(replace(JOB, digests=("a", "a")),)), "stored twice"),
        (replace(DONE, jobs=(replace(JOB, state="running", charged=None),)), "still running"),
        (replace(DONE, jobs=(replace(JOB, delivered=False),)), "not delivered"),
        (replace(DONE, jobs=(JOB, JOB)), "has 2 jobs"),
        (replace(DONE, jobs=()), "has a card and no job"),
        (replace(DONE, card=None), "without a card"),
        (replace(DONE, card=replace(CARD, attached=1)), "has 1 files"),
        (replace(DONE, card=replace(CARD, marks=(MARK, 5))), "foreign picture"),
        (replace(DONE, jobs=(replace(JOB, delivery="history"),)), "delivered in history"),
        (replace(LOST, card=CARD), "does not tell the end"),
    ],
)
def test_faulty_calls_are_reported(record: RequestRecord, words: str) -> None:
    assert any(words in line for line in broken_promises(Observations(records=(record,)), [], by_calls=True))


def test_files_left_without_a_kill_are_reported() -> None:
    assert broken_promises(Observations(records=(), kept_files=2), []) == ["2 files of answers are left"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (DONE, {Purchase.DELIVERED: 2}),
        (PART, {Purchase.DELIVERED: 1, Purchase.AT_RISK: 1}),
        (LOST, {Purchase.AT_RISK: 2}),
        (LATE, {Purchase.LATE: 2}),
        (replace(DONE, jobs=()), {}),
    ],
)
def test_billed_picture_has_an_end(record: RequestRecord, expected: dict[Purchase, int]) -> None:
    assert purchases(record) == expected

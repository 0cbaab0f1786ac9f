"""Custom ids by which messages of the outbox are found."""

from datetime import timedelta

import pytest

from bot.domain.outbox import MessageKind, OutboxMessage, guild_subject
from bot.services.sharing.challenge_snapshots import CARD, WINNERS
from bot.ui.delivery.outbox.markers import is_about
from tests.support.clock import START
from tests.support.factories import GUILD, make_id

SUBJECT, SERVER = make_id(), guild_subject(GUILD)


def row(kind: MessageKind, number: int = 0, subject: str = SUBJECT) -> OutboxMessage:
    """Return a message of the outbox."""
    return OutboxMessage(
        id=make_id(),
        kind=kind,
        subject_id=subject,
        number=number,
        guild_id=GUILD,
        wanted=1,
        shown=0,
        tries=1,
        due_at=START + timedelta(minutes=1),
    )


ENTER, BALLOT = f"a1:challengeenter:{SUBJECT}:0", f"a1:challengeballot:{SUBJECT}:0"
VOTES = {number: f"a1:challengevote:{SUBJECT}:{number}" for number in (1, 2, 10, 11, 20)}
RESULTS, WINNERS_RESULTS = f"a1:challengeresults:{SUBJECT}:0", f"a1:challengeresults:{SUBJECT}:1"


@pytest.mark.parametrize(
    ("message", "own"),
    [
        (row(MessageKind.CHALLENGE, CARD), {ENTER, BALLOT, RESULTS}),
        (row(MessageKind.CHALLENGE, 1), {VOTES[1], VOTES[2], VOTES[10]}),
        (row(MessageKind.CHALLENGE, 2), {VOTES[11], VOTES[20]}),
        (row(MessageKind.CHALLENGE, WINNERS), {WINNERS_RESULTS}),
    ],
)
def test_message_of_a_challenge_is_told_from_the_others(message: OutboxMessage, own: set[str]) -> None:
    every = [ENTER, BALLOT, *VOTES.values(), RESULTS, WINNERS_RESULTS]
    assert {each for each in every if is_about(message, [each])} == own


def test_picks_of_a_week_and_queue_are_told_from_other_messages_of_their_server() -> None:
    picks = [f"a1:picksabout:{SERVER}:0:{week:032d}" for week in (739_000, 739_007)]
    queue, other = f"a1:reviewbulk:{SERVER}:0", f"a1:admit:{SERVER}:0"
    every = [*picks, queue, other]
    assert [each for each in every if is_about(row(MessageKind.PICKS, 739_007, SERVER), [each])] == [picks[1]]
    assert [each for each in every if is_about(row(MessageKind.QUEUE, 0, SERVER), [each])] == [queue]


def test_message_of_a_submission_has_its_id_in_a_button() -> None:
    review = row(MessageKind.REVIEW)
    assert is_about(review, [f"a1:any:{SUBJECT}:3"])
    assert not is_about(review, [f"a1:any:{make_id()}:3"])

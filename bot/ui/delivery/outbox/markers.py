"""Custom ids to find a message of the outbox on Discord."""

from collections.abc import Iterable

from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.sharing.challenges import ENTRIES_A_PAGE
from bot.services.sharing.challenge_snapshots import CARD, WINNERS
from bot.ui.buttons import (
    CHALLENGE_BALLOT,
    CHALLENGE_ENTER,
    CHALLENGE_RESULTS,
    CHALLENGE_VOTE,
    PICKS_ABOUT,
    REVIEW_BULK,
    custom_id,
)
from bot.ui.render.sharing.picks import week_target


def is_about(message: OutboxMessage, ids: Iterable[str]) -> bool:
    """Return whether custom ids on Discord belong to a message."""
    markers = _markers(message)
    if markers:
        return not markers.isdisjoint(ids)
    return any(f":{message.subject_id}:" in each for each in ids)


def _markers(message: OutboxMessage) -> frozenset[str]:
    """Return the custom ids of which a message has one.

    Empty if its subject has no other message of the bot in that channel.
    """
    subject = message.subject_id
    match message.kind:
        case MessageKind.CHALLENGE if message.number == CARD:
            specs = (CHALLENGE_ENTER, CHALLENGE_BALLOT, CHALLENGE_RESULTS)
            return frozenset(custom_id(each.action, subject) for each in specs)
        case MessageKind.CHALLENGE if message.number == WINNERS:
            return frozenset({custom_id(CHALLENGE_RESULTS.action, subject, 1)})
        case MessageKind.CHALLENGE:
            last = message.number * ENTRIES_A_PAGE
            numbers = range(last - ENTRIES_A_PAGE + 1, last + 1)
            return frozenset(custom_id(CHALLENGE_VOTE.action, subject, each) for each in numbers)
        case MessageKind.PICKS:
            return frozenset({custom_id(PICKS_ABOUT.action, subject, search_id=week_target(message.number))})
        case MessageKind.QUEUE:
            return frozenset({custom_id(REVIEW_BULK.action, subject)})
        case _:
            return frozenset()

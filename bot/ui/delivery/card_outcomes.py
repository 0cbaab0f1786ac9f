"""Outcomes of card updates, for the metrics."""

from enum import StrEnum


class CardOutcome(StrEnum):
    """The outcome of one update of a card."""

    EDITED = "edited"  # a running job
    DELIVERED = "delivered"  # the job's end
    DELIVERED_ELSEWHERE = "delivered_elsewhere"  # the card is out of reach
    GONE = "gone"  # a running job's card is out of reach
    REFUSED = "refused"  # Discord takes it for malformed
    LIMITED = "limited"  # Discord asks to wait
    BLOCKED = "blocked"  # Cloudflare turns this client away
    PUT_OFF = "put_off"  # Discord or the connection fails
    FAILED = "failed"  # our own fault

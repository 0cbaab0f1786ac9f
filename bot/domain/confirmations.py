"""Requests held back until the member confirms their price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.duels import DEFAULT_HOURS
from bot.domain.jobs import Origin
from bot.domain.requests import GenerationRequest

CONFIRMATION_LIFETIME: Final = timedelta(days=1)
"""Time to answer a confirmation; attached images are not reachable for longer either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelPlan:
    """The rest of a duel's confirmation.

    `others` are the requests besides the confirmation's own; the vote is open for `hours`.
    """

    others: tuple[GenerationRequest, ...]
    hours: int = DEFAULT_HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A request with its price, and the member it waits for.

    `private` is true if only that member sees the question and the result. `duel` makes it a duel, whose price is that
    of all requests.
    """

    id: str
    guild_id: int
    member_id: int
    request: GenerationRequest
    price: int
    private: bool
    created_at: datetime
    origin: Origin | None = None
    duel: DuelPlan | None = None

    @property
    def requests(self) -> tuple[GenerationRequest, ...]:
        """All requests: several of a duel."""
        return (self.request, *(self.duel.others if self.duel is not None else ()))

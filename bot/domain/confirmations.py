"""A request that waits for its member's word, because it costs more than they want to spend unasked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.jobs import Origin
from bot.domain.requests import GenerationRequest

CONFIRMATION_LIFETIME: Final = timedelta(days=1)
"""How long the question can be answered; the pictures that members attach are not reachable for longer either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What would be made, for how many credits, and whose word it waits for.

    `private` is whether only its member sees the question and what comes of it.
    """

    id: str
    guild_id: int
    member_id: int
    request: GenerationRequest
    price: int
    private: bool
    created_at: datetime
    origin: Origin | None = None

"""Ways out of an error by one press."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOffer:
    """A refused request at another model, stored as a confirmation."""

    confirmation_id: str
    model: str
    price: int

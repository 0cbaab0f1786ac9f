"""Exports of everything stored about a member."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

EXPORT_PAUSE: Final = timedelta(days=1)
"""Time between two exports of a member. An export that is not sent by then is given up."""

END: Final = "end"
"""The cursor after the last part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A member's request for all of their data, sent in numbered parts.

    `parts` were sent, and the next one begins at `cursor`, None for the first. `sending` is the cursor after the part
    that is perhaps being sent. `locale` is the member's language.
    """

    member_id: int
    requested_at: datetime
    locale: str
    parts: int = 0
    cursor: str | None = None
    sending: str | None = None
    finished_at: datetime | None = None

    @property
    def number(self) -> int:
        """The number of the next part, from 1."""
        return self.parts + 1

    def filename(self, number: int) -> str:
        """Return the file name of a part. No other export has the same."""
        return f"atelier-{self.requested_at:%Y-%m-%d-%H%M%S}-part-{number}.zip"

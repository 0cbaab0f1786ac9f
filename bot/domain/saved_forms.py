"""What a member filled into a form that was refused: kept, so that they can take it up again where they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.attachments import AttachmentInfo
from bot.domain.jobs import Action

FORM_LIFE: Final = timedelta(days=1)
"""How long a form is kept: until credits are there again; the addresses of its pictures do not live longer either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardForm:
    """The form of an action on a card: its job, and where the pictures that it offers can be fetched, by position."""

    job_id: str
    action: Action
    urls: Mapping[int, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageForm:
    """The form for the pictures of a message; `unshown` are those beyond the `pictures` that it offers."""

    pictures: tuple[AttachmentInfo, ...]
    unshown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledForm:
    """A form as it was sent: `chosen` are pictures, by position; `model` is None where there was none to choose."""

    form: CardForm | MessageForm
    prompt: str
    chosen: tuple[int, ...]
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedForm:
    """A filled form that was refused, and whose it is."""

    id: str
    member_id: int
    filled: FilledForm
    created_at: datetime

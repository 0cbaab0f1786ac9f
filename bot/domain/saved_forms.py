"""Refused forms, stored so that members can continue them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bot.domain.attachments import AttachmentInfo
from bot.domain.jobs import Action

FORM_LIFE: Final = timedelta(days=1)
"""Life of a stored form: until the next allowance; the URLs of its images expire then too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardForm:
    """The form of an action on a card.

    `urls` are the addresses of the offered images, by position. `edited`: the form to change the request first.
    `submission_id` is the submission if the form is about a post in the showcase.
    """

    job_id: str
    action: Action
    urls: Mapping[int, str | None]
    edited: bool = False
    submission_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageForm:
    """The form for the images of a message.

    `unshown` is the number of images beyond the offered `pictures`.
    """

    pictures: tuple[AttachmentInfo, ...]
    unshown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupForm:
    """The form of a section of a server's setup."""

    guild_id: int
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareForm:
    """The form to share pictures of a job.

    With `submission_id` it revises that submission, as of its `revision`.
    """

    job_id: str
    submission_id: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledForm:
    """A form as submitted.

    `chosen` are image positions; `model` is None if there was no choice. `options` are chosen image options, as typed.
    """

    form: CardForm | MessageForm | SetupForm | ShareForm
    prompt: str
    chosen: tuple[int, ...]
    model: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedForm:
    """A refused form and its member."""

    id: str
    member_id: int
    filled: FilledForm
    created_at: datetime

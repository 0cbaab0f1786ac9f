"""Messages of the outbox as they should be, and their renderers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from discord import ui

from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.ui.delivery.input_attachments import Attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class ForumPost:
    """Title and tags of a post in a forum."""

    title: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A message as it should be.

    A new one goes to `channel_id`, or to `member_id` directly. One of its custom ids holds the message's subject: after
    a crash the message is found by that. An edit without `files` keeps the attached ones. `post` is for a forum.
    `is_created`: a message that does not exist is sent. `is_reposted`: so is one that somebody deleted.
    `follows_channel`: one in another channel moves. The message is due again at `again_at`. `content` names
    the files, and is kept with the message. The bot adds `reaction`. A new message with a `pin_group` is pinned, and
    earlier ones with that part of a custom id no longer.
    """

    view: ui.LayoutView
    channel_id: int | None = None
    member_id: int | None = None
    files: Attachments | None = None
    post: ForumPost | None = None
    content: str = ""
    reaction: str | None = None
    pin_group: str | None = None
    is_created: bool = True
    is_reposted: bool = False
    follows_channel: bool = False
    again_at: datetime | None = None


class NoPlaceError(Exception):
    """There is no channel for a message."""


class NotYetError(Exception):
    """A message waits for something else, and is rendered again later."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class MessageRenderer(Protocol):
    """Renders the messages of one kind."""

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the message as it should be now; None removes it.

        Files are fitted to the upload limit, halved `halvings` times: Discord found the last ones too large.

        Raises:
            NotYetError: the message waits for another one, or for its turn.
        """
        ...

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Note the end of a message on Discord."""
        ...

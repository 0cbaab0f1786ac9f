"""The things that a Discord is made of: users, guilds, roles, channels, messages, attachments. State, no behaviour."""

from dataclasses import dataclass, field
from typing import Literal

from sandbox.discord.encoding import Json
from sandbox.discord.notifier import Bell

DEFAULT_UPLOAD_LIMIT = 10 * 1024 * 1024
"""Bytes a file may have where no boost raises it."""

TEXT_CHANNEL = 0
DIRECT_MESSAGE_CHANNEL = 1
GROUP_CHANNEL = 3
PUBLIC_THREAD = 11
FORUM_CHANNEL = 15

EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_EMBEDS = 1 << 2
SUPPRESS_NOTIFICATIONS = 1 << 12
HAS_SNAPSHOT = 1 << 14
COMPONENTS_V2 = 1 << 15


@dataclass(slots=True, kw_only=True)
class User:
    """An account, a person's or a bot's. `has_app`: the application is installed on it."""

    id: str
    name: str
    display_name: str
    bot: bool = False
    locale: str = "en-US"
    takes_direct_messages: bool = True
    has_app: bool = False


@dataclass(slots=True, kw_only=True)
class Role:
    """A role of a guild; the one whose id is the guild's is everyone's."""

    id: str
    name: str
    permissions: int
    position: int


@dataclass(slots=True, kw_only=True)
class Member:
    """A user's membership of one guild."""

    user_id: str
    joined_at: float
    role_ids: list[str] = field(default_factory=list)
    nick: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwrite:
    """What a channel allows or denies to one role (`kind` 0) or one member (1)."""

    id: str
    kind: Literal[0, 1]
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, kw_only=True)
class Guild:
    """A server. `upload_limit` is in bytes a file. The application is installed where the bot is a member."""

    id: str
    name: str
    owner_id: str
    created_at: float
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    locale: str = "en-US"
    premium_tier: int = 0
    upload_limit: int = DEFAULT_UPLOAD_LIMIT
    features: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to Discord; without a content type it is guessed from the name."""

    filename: str
    data: bytes
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that was uploaded. `folder` is the first part of its path on the CDN; pixels only for pictures."""

    id: str
    folder: str
    channel_id: str
    filename: str
    data: bytes
    content_type: str | None
    width: int | None = None
    height: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a message looked like from `at` on (Unix seconds), as the API showed it. `deleted` ends the list."""

    at: float
    payload: Json
    deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """A message and everything it ever said. `visible_to` is the one who sees an ephemeral message.

    `snapshot` is what a forwarded message took with it.
    """

    id: str
    channel_id: str
    guild_id: str | None
    author_id: str
    created_at: float
    kind: int = 0
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    flags: int = 0
    edited_at: float | None = None
    visible_to: str | None = None
    interaction_metadata: Json | None = None
    webhook_id: str | None = None
    nonce: str | int | None = None
    reference: Json | None = None
    snapshot: "Message | None" = None
    deleted: bool = False
    revisions: list[Revision] = field(default_factory=list)
    changed: Bell = field(default_factory=Bell)

    @property
    def payload(self) -> Json:
        """The message as the API shows it now; treat it as read-only."""
        return self.revisions[-1].payload

    @property
    def ephemeral(self) -> bool:
        """Whether only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it is the "is thinking" of a deferred answer."""
        return bool(self.flags & LOADING)

    @property
    def v2(self) -> bool:
        """Whether its body is made of Components V2."""
        return bool(self.flags & COMPONENTS_V2)


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel of a guild, a thread of one (`parent_id`), or a direct message.

    With the bot, `recipient_id` is the person; among people only, `people` are all who are in it.
    """

    id: str
    kind: int
    name: str
    guild_id: str | None = None
    nsfw: bool = False
    position: int = 0
    topic: str | None = None
    overwrites: list[Overwrite] = field(default_factory=list)
    recipient_id: str | None = None
    people: tuple[str, ...] = ()
    parent_id: str | None = None
    archived: bool = False
    locked: bool = False
    messages: dict[str, Message] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Application:
    """The bot's registration. `privileged_intents` are the gateway intents that were granted to it.

    `installable` are the ways in which it may be installed (0: to servers, 1: on accounts).
    """

    id: str
    name: str
    owner_id: str
    token: str
    privileged_intents: int = 0
    installable: tuple[int, ...] = (0, 1)

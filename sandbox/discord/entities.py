"""Data of the fake: users, guilds, roles, channels, messages, attachments."""

from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.discord.encoding import Json
from sandbox.discord.notifier import Notifier

DEFAULT_UPLOAD_LIMIT = 10 * 1024 * 1024
"""Bytes a file may have where no boost raises it."""

TEXT_CHANNEL = 0
DIRECT_MESSAGE_CHANNEL = 1
GROUP_CHANNEL = 3
PUBLIC_THREAD = 11
FORUM_CHANNEL = 15
VOCAL_CHANNELS = (2, 13)
"""The types of voice and stage channels, with messages too."""

PIN_NOTICE = 6
"""The type of the message that announces a pin."""
THREAD_NOTICE = 18
"""The type of the message that announces a thread without a starter message."""
REPLY = 19
"""The type of a message that refers to another one."""
EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_EMBEDS = 1 << 2
HAS_THREAD = 1 << 5
SUPPRESS_NOTIFICATIONS = 1 << 12
HAS_SNAPSHOT = 1 << 14
COMPONENTS_V2 = 1 << 15

PINNED_POST = 1 << 1
"""The flag of a forum's pinned post."""
REQUIRE_TAG = 1 << 4
"""The flag of a forum: its posts need a tag."""
SPOILER_FILE = 1 << 3
"""The flag of an attachment to be blurred."""
SPOILER_NAME = "SPOILER_"
"""The start of a file name for an attachment to be blurred."""
DEFAULT_ARCHIVE_MINUTES = 1440


@dataclass(slots=True, kw_only=True)
class User:
    """An account of a person or a bot.

    `has_app`: the application is installed on the account.
    """

    id: str
    name: str
    display_name: str
    bot: bool = False
    locale: str = "en-US"
    takes_direct_messages: bool = True
    has_app: bool = False


@dataclass(slots=True, kw_only=True)
class Role:
    """A role of a guild. The role with the guild's id is @everyone.

    `bot_id` is the bot behind a managed role: Discord creates it with the invitation, and people cannot assign it.
    """

    id: str
    name: str
    permissions: int
    position: int
    bot_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Member:
    """A user's membership of one guild."""

    user_id: str
    joined_at: float
    role_ids: list[str] = field(default_factory=list)
    nick: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwrite:
    """Permissions allowed or denied in a channel to a role or member.

    `kind` is 0 for a role, 1 for a member.
    """

    id: str
    kind: Literal[0, 1]
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, kw_only=True)
class Guild:
    """A server. `upload_limit` is in bytes per file.

    The application is installed in every guild with the bot as a member.
    """

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
    """A file to upload.

    A missing content type is guessed from the name.
    """

    filename: str
    data: bytes
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An uploaded file.

    `folder` is the first part of its path on the CDN. Only images have a width and a height.
    """

    id: str
    folder: str
    channel_id: str
    filename: str
    data: bytes
    content_type: str | None
    width: int | None = None
    height: int | None = None
    description: str | None = None
    marked_spoiler: bool = False

    @property
    def spoiler(self) -> bool:
        """True if it is blurred: by its mark or by its name."""
        return self.marked_spoiler or self.filename.startswith(SPOILER_NAME)


@dataclass(slots=True, kw_only=True)
class Reaction:
    """An emoji on a message, with the ids of its people, oldest first."""

    emoji: str
    user_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A message as the API showed it from `at` on (Unix seconds).

    `deleted` marks the last revision.
    """

    at: float
    payload: Json
    deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """A message and all its revisions.

    `visible_to` is the only user to see an ephemeral message. `snapshot` is the content of a forwarded message.
    `mentions` are the ids of the notified people. `reactions` are by emoji. `touches` counts changes other than edits.
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
    mentions: tuple[str, ...] = ()
    reactions: dict[str, Reaction] = field(default_factory=dict)
    pinned_at: float | None = None
    touches: int = 0
    deleted: bool = False
    revisions: list[Revision] = field(default_factory=list)
    changed: Notifier = field(default_factory=Notifier)

    @property
    def payload(self) -> Json:
        """The message as the API shows it now; treat it as read-only."""
        return self.revisions[-1].payload

    @property
    def ephemeral(self) -> bool:
        """True if only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """True if it is the "is thinking" of a deferred answer."""
        return bool(self.flags & LOADING)

    @property
    def v2(self) -> bool:
        """True if its body is made of Components V2."""
        return bool(self.flags & COMPONENTS_V2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForumTag:
    """A tag of a forum; a `moderated` one is for moderators of threads."""

    id: str
    name: str
    moderated: bool = False
    emoji: str | None = None


@dataclass(slots=True, kw_only=True)
class Channel:
    """A guild's channel, a thread (`parent_id`), or a direct message.

    In a direct message with the bot, `recipient_id` is the person. Among people only, `people` are its members.
    `hides_answers` makes every answer of the bot private, as AutoMod or missing permissions may.
    A forum has `tags` and a `default_reaction`. A thread has an owner (without one, the bot) and `applied_tags`, ids of
    the forum's. Times are Unix seconds.
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
    flags: int = 0
    last_pin_at: float | None = None
    tags: list[ForumTag] = field(default_factory=list)
    default_reaction: str | None = None
    parent_id: str | None = None
    owner_id: str | None = None
    applied_tags: list[str] = field(default_factory=list)
    created_at: float = 0.0
    archived: bool = False
    archived_at: float | None = None
    archive_minutes: int = DEFAULT_ARCHIVE_MINUTES
    locked: bool = False
    hides_answers: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    @property
    def tag_required(self) -> bool:
        """True for a forum with a tag on every post."""
        return bool(self.flags & REQUIRE_TAG)


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A member of the application's team.

    `role` is `admin`, `developer` or `read_only`; `accepted` is False for a mere invitation.
    """

    user_id: str
    role: str = "developer"
    accepted: bool = True


@dataclass(slots=True, kw_only=True)
class Application:
    """The bot's registration. With a `team`, `owner_id` is the team's owner.

    `privileged_intents` are its granted gateway intents. `installable` are the ways to install it (0: on servers, 1: on
    accounts). `interactions_url` is its endpoint for interactions, which `signing_key` signs; None: the gateway.
    """

    id: str
    name: str
    owner_id: str
    token: str
    privileged_intents: int = 0
    installable: tuple[int, ...] = (0, 1)
    team: tuple[TeamMember, ...] = ()
    interactions_url: str | None = None
    signing_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)


DURABLE = 2
CONSUMABLE = 3
SUBSCRIPTION = 5
SUBSCRIPTION_GROUP = 6
"""Types of SKUs."""

FOR_GUILD = 1
FOR_USER = 2
"""Owners of test entitlements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """An offer of the application; `for_guild` is one for a whole server.

    Discord adds a group to each subscription, with the id `group_id`.
    """

    id: str
    group_id: str
    name: str
    kind: int = SUBSCRIPTION
    for_guild: bool = False


@dataclass(slots=True, kw_only=True)
class Entitlement:
    """A person's or server's right to a SKU. Times are Unix seconds.

    A bought one has its buyer as `user_id`, also for a server. Without `ends_at` it is valid until its subscription
    ends. A `test` entitlement was made by the bot itself.
    """

    id: str
    sku_id: str
    kind: int
    user_id: str | None = None
    guild_id: str | None = None
    starts_at: float | None = None
    ends_at: float | None = None
    deleted: bool = False
    consumed: bool = False
    test: bool = False

    def has_ended(self, now: float) -> bool:
        """Return whether it has expired."""
        return self.ends_at is not None and self.ends_at <= now

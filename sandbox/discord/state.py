"""The fake's state, found by id or name, and the default world."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.discord.encoding import Clock, Snowflakes
from sandbox.discord.entities import (
    DIRECT_MESSAGE_CHANNEL,
    FORUM_CHANNEL,
    GROUP_CHANNEL,
    PUBLIC_THREAD,
    REQUIRE_TAG,
    TEXT_CHANNEL,
    Application,
    Channel,
    Entitlement,
    ForumTag,
    Guild,
    Member,
    Message,
    Overwrite,
    Role,
    Sku,
    User,
)
from sandbox.discord.permissions import DIRECT_MESSAGE, MEMBER_DEFAULT, Permission, channel_permissions

PAIR = 2

COMMUNITY = "Community"
"""The name of the default world's guild."""

ACKNOWLEDGE_WITHIN = 3.0
"""Seconds in which the first answer to an interaction must come."""


@dataclass(slots=True, kw_only=True)
class World:
    """All users, guilds and channels.

    Look-ups by name or id raise `KeyError` with the missing key. An interaction must be answered within
    `acknowledge_within` seconds; busy machines may need more than Discord's 3.
    """

    application: Application
    bot: User
    now: Clock
    snowflakes: Snowflakes
    users: dict[str, User] = field(default_factory=dict)
    guilds: dict[str, Guild] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    skus: dict[str, Sku] = field(default_factory=dict)
    entitlements: dict[str, Entitlement] = field(default_factory=dict)
    acknowledge_within: float = ACKNOWLEDGE_WITHIN

    def user(self, name: str) -> User:
        """Return the user with this id or name."""
        found = self.users.get(name) or next((user for user in self.users.values() if user.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def channel(self, name: str) -> Channel:
        """Return the channel with this id or name."""
        found = self.channels.get(name) or next((each for each in self.channels.values() if each.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def guild(self, name: str) -> Guild:
        """Return the guild with this id or name."""
        found = self.guilds.get(name) or next((each for each in self.guilds.values() if each.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def role(self, guild: Guild, name: str) -> Role:
        """Return the guild's role with this id or name."""
        found = guild.roles.get(name) or next((each for each in guild.roles.values() if each.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def guild_channels(self, guild: Guild) -> list[Channel]:
        """Return the guild's channels in their order, without threads."""
        own = (each for each in self.channels.values() if each.guild_id == guild.id and each.parent_id is None)
        return sorted(own, key=lambda channel: channel.position)

    def threads_of(self, channel: Channel) -> list[Channel]:
        """Return the threads of a channel, or a forum's posts, oldest first."""
        return sorted(
            (each for each in self.channels.values() if each.parent_id == channel.id), key=lambda each: int(each.id)
        )

    def tag(self, forum: Channel, name: str) -> ForumTag:
        """Return the forum's tag with this id or name."""
        found = next((tag for tag in forum.tags if name in (tag.id, tag.name)), None)
        if found is None:
            raise KeyError(name)
        return found

    def direct_message(self, user_id: str) -> Channel:
        """Return the direct message between bot and user, opened if missing."""
        for channel in self.channels.values():
            if channel.recipient_id == user_id:
                return channel
        opened = Channel(
            id=self.snowflakes.next(), kind=DIRECT_MESSAGE_CHANNEL, name=f"dm-{user_id}", recipient_id=user_id
        )
        self.channels[opened.id] = opened
        return opened

    def permissions(self, user_id: str, channel: Channel) -> int:
        """Return the user's permissions in the channel; 0 outside of it."""
        if channel.people:
            return DIRECT_MESSAGE if user_id in channel.people else 0
        if channel.guild_id is None:
            return DIRECT_MESSAGE if user_id in (channel.recipient_id, self.bot.id) else 0
        guild = self.guilds[channel.guild_id]
        member = guild.members.get(user_id)
        place = channel if channel.parent_id is None else self.channels[channel.parent_id]
        return 0 if member is None else channel_permissions(guild, member, place)

    def may(self, user_id: str, channel: Channel, needed: Permission) -> bool:
        """Return whether the user has all of `needed` in the channel."""
        return self.permissions(user_id, channel) & needed == needed

    def share_guild(self, user_id: str) -> bool:
        """Return whether the bot and this user share a guild."""
        return any({user_id, self.bot.id} <= guild.members.keys() for guild in self.guilds.values())

    def active_entitlements(self, user_id: str, guild_id: str | None) -> list[Entitlement]:
        """Return the valid entitlements of a person and of the server they are in."""
        now = self.now()
        return [
            each
            for each in self.entitlements.values()
            if not (each.deleted or each.consumed or each.has_ended(now))
            and (each.guild_id == guild_id if each.guild_id is not None else each.user_id == user_id)
        ]

    def message(self, message_id: str) -> Message:
        """Return a message wherever it is, deleted ones included."""
        for channel in self.channels.values():
            if message_id in channel.messages:
                return channel.messages[message_id]
        raise KeyError(message_id)

    def add_user(self, name: str, *, display_name: str | None = None, locale: str = "en-US") -> User:
        """Make a new person, member of no guild yet."""
        user = User(
            id=self.snowflakes.next(),
            name=name,
            display_name=display_name or name.replace("-", " ").title(),
            locale=locale,
        )
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, *, owner: User, with_bot: bool = True) -> Guild:
        """Create a guild with @everyone, its owner and, by default, the bot."""
        guild = Guild(id=self.snowflakes.next(), name=name, owner_id=owner.id, created_at=self.now())
        guild.roles[guild.id] = Role(id=guild.id, name="@everyone", permissions=int(MEMBER_DEFAULT), position=0)
        self.guilds[guild.id] = guild
        self.add_member(guild, owner)
        if with_bot:
            self.add_member(guild, self.bot)
        return guild

    def add_member(self, guild: Guild, user: User, *roles: Role) -> Member:
        """Make the user a member of the guild with these roles."""
        member = Member(user_id=user.id, joined_at=self.now(), role_ids=[role.id for role in roles])
        guild.members[user.id] = member
        return member

    def add_role(self, guild: Guild, name: str, permissions: int = 0) -> Role:
        """Make a role in the guild, above the ones it has."""
        role = Role(id=self.snowflakes.next(), name=name, permissions=permissions, position=len(guild.roles))
        guild.roles[role.id] = role
        return role

    def add_channel(
        self,
        guild: Guild,
        name: str,
        *,
        kind: int = TEXT_CHANNEL,
        nsfw: bool = False,
        topic: str | None = None,
        tags: Sequence[str | ForumTag] = (),
        tag_required: bool = False,
        default_reaction: str | None = None,
    ) -> Channel:
        """Make a channel in the guild, below the ones it has.

        A forum has `tags`, perhaps required ones.
        """
        channel = Channel(
            id=self.snowflakes.next(),
            kind=kind,
            name=name,
            guild_id=guild.id,
            nsfw=nsfw,
            topic=topic,
            position=len(self.guild_channels(guild)),
            flags=REQUIRE_TAG if tag_required else 0,
            tags=[self.new_tag(tag) if isinstance(tag, str) else tag for tag in tags],
            default_reaction=default_reaction,
            created_at=self.now(),
        )
        self.channels[channel.id] = channel
        return channel

    def new_tag(self, name: str, *, moderated: bool = False, emoji: str | None = None) -> ForumTag:
        """Return a new tag for a forum."""
        return ForumTag(id=self.snowflakes.next(), name=name, moderated=moderated, emoji=emoji)

    def add_private_channel(self, name: str, *people: User) -> Channel:
        """Create a direct message without the bot; a group for three or more."""
        kind = DIRECT_MESSAGE_CHANNEL if len(people) == PAIR else GROUP_CHANNEL
        channel = Channel(id=self.snowflakes.next(), kind=kind, name=name, people=tuple(person.id for person in people))
        self.channels[channel.id] = channel
        return channel

    def new_thread(self, parent: Channel, name: str, *, id_: str | None = None, owner_id: str | None = None) -> Channel:
        """Return a public thread for a channel, not yet in the world."""
        return Channel(
            id=id_ or self.snowflakes.next(),
            kind=PUBLIC_THREAD,
            name=name,
            guild_id=parent.guild_id,
            parent_id=parent.id,
            owner_id=owner_id,
            created_at=self.now(),
        )

    def add_thread(self, parent: Channel, name: str) -> Channel:
        """Make a public thread in a channel."""
        thread = self.new_thread(parent, name)
        self.channels[thread.id] = thread
        return thread


def empty_world(*, token: str, now: Clock = time.time) -> World:
    """Return a world with application, owner and bot, and no guild."""
    snowflakes = Snowflakes(now)
    bot_id = snowflakes.next()
    bot = User(id=bot_id, name="atelier", display_name="Atelier", bot=True)
    owner = User(id=snowflakes.next(), name="owner", display_name="Owner")
    # Applications made since 2016 share their id with their bot user.
    application = Application(id=bot_id, name="Atelier", owner_id=owner.id, token=token)
    world = World(application=application, bot=bot, now=now, snowflakes=snowflakes)
    world.users = {bot.id: bot, owner.id: owner}
    return world


def default_world(*, token: str, now: Clock = time.time) -> World:
    """Return the community for tests and demos.

    Guild "Community": "owner" (who also owns the application), "moderator" (Manage Messages), "member", "member-two".
    Channels: "general", "showcase", "restricted" (age-restricted), "moderators" (for moderators and the bot),
    "announcements" (the bot may read, not write), "secret" (the bot may not look). A direct message with "member".
    """
    world = empty_world(token=token, now=now)
    owner = world.user("owner")
    guild = world.add_guild(COMMUNITY, owner=owner)
    moderators = world.add_role(guild, "Moderators", int(Permission.MANAGE_MESSAGES | Permission.MODERATE_MEMBERS))
    bots = world.add_role(guild, "Atelier")
    bots.bot_id = world.bot.id
    world.add_role(guild, "Patrons")
    guild.members[world.bot.id].role_ids.append(bots.id)
    world.add_member(guild, world.add_user("moderator"), moderators)
    member = world.add_user("member")
    world.add_member(guild, member)
    world.add_member(guild, world.add_user("member-two"))

    world.add_channel(guild, "general", topic="Talk, and make pictures: type /imagine")
    world.add_channel(guild, "showcase", topic="Shared pictures, once a moderator has approved them")
    world.add_channel(guild, "restricted", nsfw=True, topic="For adults only")
    back_room = world.add_channel(guild, "moderators", topic="Reviews and reports; members cannot see it")
    back_room.overwrites = [
        Overwrite(id=guild.id, kind=0, deny=Permission.VIEW_CHANNEL),
        Overwrite(id=moderators.id, kind=0, allow=Permission.VIEW_CHANNEL),
        Overwrite(id=bots.id, kind=0, allow=Permission.VIEW_CHANNEL),
    ]
    announcements = world.add_channel(guild, "announcements", topic="News; the bot can read here, not write")
    announcements.overwrites = [Overwrite(id=bots.id, kind=0, deny=Permission.SEND_MESSAGES)]
    secret = world.add_channel(guild, "secret", topic="The bot cannot see this channel")
    secret.overwrites = [Overwrite(id=bots.id, kind=0, deny=Permission.VIEW_CHANNEL)]
    world.direct_message(member.id)
    return world


def add_sharing(world: World) -> None:
    """Add channels for moderated sharing to the default world.

    "review" is for moderators and the bot; "showcase-forum" is a forum with tags.
    """
    guild = world.guild(COMMUNITY)
    back_room = world.channel("moderators")
    review = world.add_channel(guild, "review", topic="Shared pictures wait here for a moderator")
    review.overwrites = list(back_room.overwrites)
    tags = [
        world.new_tag("portrait", emoji="🧑"),
        world.new_tag("landscape", emoji="⛰️"),
        world.new_tag("fantasy", emoji="🐉"),
        world.new_tag("picked", moderated=True, emoji="🏆"),
    ]
    world.add_channel(
        guild,
        "showcase-forum",
        kind=FORUM_CHANNEL,
        topic="Shared pictures, a post each",
        tags=tags,
        default_reaction="⭐",
    )


def add_elsewhere(world: World) -> Guild:
    """Add the guild "Elsewhere", without the application, and return it.

    "traveller" has the application on their own account, "stranger" does not; "member" of the community is in it too.
    Its channels are "lobby" and "strict" (no external apps). A direct message "friends" has traveller and stranger.
    """
    traveller = world.add_user("traveller", locale="de")
    traveller.has_app = True
    stranger = world.add_user("stranger")
    guild = world.add_guild("Elsewhere", owner=stranger, with_bot=False)
    guild.locale = "fr"
    world.add_member(guild, traveller)
    world.add_member(guild, world.user("member"))
    world.add_channel(guild, "lobby", topic="Atelier is not installed in this server")
    strict = world.add_channel(guild, "strict", topic="External apps answer privately here")
    strict.overwrites = [Overwrite(id=guild.id, kind=0, deny=Permission.USE_EXTERNAL_APPS)]
    world.add_private_channel("friends", traveller, stranger)
    return guild

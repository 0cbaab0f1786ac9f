"""A fake Discord over real sockets: gateway, REST v10, CDN, and its users."""

from sandbox.discord.actors import Actor
from sandbox.discord.automod import AutoModRule
from sandbox.discord.client_rules import ClientRefusal
from sandbox.discord.entities import (
    Channel,
    Entitlement,
    ForumTag,
    Guild,
    Message,
    Overwrite,
    Reaction,
    Revision,
    Role,
    Sku,
    Upload,
    User,
)
from sandbox.discord.faults import Fault
from sandbox.discord.invocations import Invocation, NoAnswerError
from sandbox.discord.message_reader import buttons, files, media, selects, text, texts
from sandbox.discord.permissions import Permission
from sandbox.discord.posting import Post
from sandbox.discord.ratelimits import Allowance, RateLimits
from sandbox.discord.recorder import RecordedRequest
from sandbox.discord.server import DiscordServer
from sandbox.discord.state import World, add_elsewhere, add_sharing, default_world, empty_world

__all__ = [
    "Actor",
    "Allowance",
    "AutoModRule",
    "Channel",
    "ClientRefusal",
    "DiscordServer",
    "Entitlement",
    "Fault",
    "ForumTag",
    "Guild",
    "Invocation",
    "Message",
    "NoAnswerError",
    "Overwrite",
    "Permission",
    "Post",
    "RateLimits",
    "Reaction",
    "RecordedRequest",
    "Revision",
    "Role",
    "Sku",
    "Upload",
    "User",
    "World",
    "add_elsewhere",
    "add_sharing",
    "buttons",
    "default_world",
    "empty_world",
    "files",
    "media",
    "selects",
    "text",
    "texts",
]

"""A stand-in for Discord over real sockets: gateway, REST v10 and CDN, with the people who use them."""

from bot.sandbox.discord.actors import Actor
from bot.sandbox.discord.client_rules import ClientRefusal
from bot.sandbox.discord.entities import Channel, Guild, Message, Overwrite, Revision, Role, Upload, User
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.invocations import Invocation, NoAnswerError
from bot.sandbox.discord.permissions import Permission
from bot.sandbox.discord.ratelimits import Allowance, RateLimits
from bot.sandbox.discord.reading import buttons, files, media, selects, text, texts
from bot.sandbox.discord.recorder import RecordedRequest
from bot.sandbox.discord.server import DiscordServer
from bot.sandbox.discord.world import World, add_elsewhere, default_world, empty_world
from bot.sandbox.discord.writing import Post

__all__ = [
    "Actor",
    "Allowance",
    "Channel",
    "ClientRefusal",
    "DiscordServer",
    "Fault",
    "Guild",
    "Invocation",
    "Message",
    "NoAnswerError",
    "Overwrite",
    "Permission",
    "Post",
    "RateLimits",
    "RecordedRequest",
    "Revision",
    "Role",
    "Upload",
    "User",
    "World",
    "add_elsewhere",
    "buttons",
    "default_world",
    "empty_world",
    "files",
    "media",
    "selects",
    "text",
    "texts",
]

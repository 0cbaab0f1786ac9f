"""Views of messages, users and commands for the page.

They are Discord's payloads with parsed texts and local addresses.
"""

import re
from typing import Any, Final
from urllib.parse import quote

from sandbox.discord import Channel, Message, World
from sandbox.discord.components import Kind
from sandbox.discord.encoding import Json
from sandbox.discord.entities import (
    DIRECT_MESSAGE_CHANNEL,
    FORUM_CHANNEL,
    PIN_NOTICE,
    PINNED_POST,
    SPOILER_FILE,
    THREAD_NOTICE,
    User,
)
from sandbox.discord.payloads import role_payload
from sandbox.discord.permissions import Permission, to_write
from sandbox.discord.rendering import file_id
from sandbox.web.markdown import Node, tree

MEDIA: Final = "/sandbox/page/media"
_MOST_THREADS: Final = 200
_NOTICES: Final = {PIN_NOTICE: "pin", THREAD_NOTICE: "thread"}
_EXCERPT_CHARS: Final = 120
_MENTION: Final = re.compile(r"<@!?(\d{1,20})>", re.ASCII)
_EMBED_PICTURES: Final = ("image", "thumbnail")
_EMBED_TEXTS: Final = ("title", "description")


class Views:
    """Builds views; message views are cached until the message changes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._messages: dict[str, tuple[tuple[int, int], Json]] = {}
        self._uses: dict[str, Json] = {}

    def set_command_use(self, message: Message, used: Json) -> None:
        """Record the command of a message and its user."""
        self._uses.setdefault(message.id, used)

    def has_command_use(self, message: Message) -> bool:
        """Return whether the message's command is recorded."""
        return message.id in self._uses

    def message(self, message: Message) -> Json:
        """Return the view of a message, the same for all readers."""
        version = (len(message.revisions), message.touches)
        cached = self._messages.get(message.id)
        if cached is not None and cached[0] == version:
            return cached[1]
        view = self._message(message)
        self._messages[message.id] = (version, view)
        return view

    def person(self, user: User) -> Json:
        """Return the public view of an account."""
        return {"id": user.id, "name": user.display_name, "account": user.name, "bot": user.bot}

    def self(self, user: User) -> Json:
        """Return an account's view for its owner."""
        return {
            **self.person(user),
            "has_app": user.has_app,
            "language": user.locale,
            "direct_messages": user.takes_direct_messages,
        }

    def world(self, user: User) -> Json:
        """Return the servers, channels, people and roles visible to a user."""
        guilds = []
        for guild in self._world.guilds.values():
            if user.id not in guild.members:
                continue
            channels = [
                self._channel(each, user)
                for each in self._world.guild_channels(guild)
                if self._world.may(user.id, each, Permission.VIEW_CHANNEL)
            ]
            threads = [each for channel in channels for each in self._threads(channel["id"], user)]
            roles = [
                {"id": role["id"], "name": role["name"]}
                for role in map(role_payload, guild.roles.values())
                if role["id"] != guild.id
            ]
            guilds.append(
                {
                    "id": guild.id,
                    "name": guild.name,
                    "channels": channels,
                    "threads": threads,
                    "roles": roles,
                    "members": list(guild.members),
                    "upload_limit": guild.upload_limit,
                    "has_app": self._world.bot.id in guild.members,
                }
            )
        direct = self._channel(self._world.direct_message(user.id), user)
        private = [self._channel(each, user) for each in self._world.channels.values() if user.id in each.people]
        people = [self.person(each) for each in self._world.users.values()]
        application = {"name": self._world.application.name, "bot": self._world.bot.id}
        return {
            "me": self.self(user),
            "people": people,
            "guilds": guilds,
            "direct": direct,
            "private": private,
            "application": application,
        }

    def text(self, text: str) -> list[Node]:
        """Return a text as a tree, with the names of its mentions."""
        return tree(text, self._name)

    def modal(self, modal: Json) -> Json:
        """Return a form."""
        components = [self._component(each, {}) for each in modal["components"]]
        return {"custom_id": modal["custom_id"], "title": modal["title"], "components": components}

    def _channel(self, channel: Channel, user: User) -> Json:
        name = channel.name
        if channel.people:
            others = (self._world.users[each].display_name for each in channel.people if each != user.id)
            name = ", ".join(others)
        elif channel.kind == DIRECT_MESSAGE_CHANNEL:
            name = self._world.bot.display_name
        forum, may_write = channel.kind == FORUM_CHANNEL, self._world.may(user.id, channel, to_write(channel))
        view = {
            "id": channel.id,
            "name": name,
            "kind": channel.kind,
            "topic": channel.topic,
            "nsfw": channel.nsfw,
            "guild": channel.guild_id,
            "people": list(channel.people),
            "writable": may_write and not forum,
            "last": next(reversed(channel.messages), None),
        }
        if forum:
            view["postable"] = may_write
            view["tag_required"] = channel.tag_required
            moderates = self._world.may(user.id, channel, Permission.MANAGE_THREADS)
            offered = [tag for tag in channel.tags if moderates or not tag.moderated]
            view["tags"] = [{"id": tag.id, "name": tag.name, "emoji": tag.emoji} for tag in offered]
        return view

    def _threads(self, parent_id: str, user: User) -> list[Json]:
        """Return the latest threads of a channel, oldest first."""
        parent = self._world.channels[parent_id]
        return [self._thread(each, parent, user) for each in self._world.threads_of(parent)[-_MOST_THREADS:]]

    def _thread(self, thread: Channel, parent: Channel, user: User) -> Json:
        view = self._channel(thread, user)
        moderates = self._world.may(user.id, thread, Permission.MANAGE_THREADS)
        return {
            **view,
            "writable": view["writable"] and (not thread.locked or moderates),
            "nsfw": parent.nsfw,
            "parent": parent.id,
            "archived": thread.archived,
            "locked": thread.locked,
            "pinned": bool(thread.flags & PINNED_POST),
            "tags": [tag.name for tag in parent.tags if tag.id in thread.applied_tags],
        }

    def _message(self, message: Message) -> Json:
        payload = message.payload
        said = [each for each in message.revisions if not each.payload["flags"] & 1 << 7 and not each.deleted]
        return {
            "id": message.id,
            "channel": message.channel_id,
            "author": self.person(self._world.users[message.author_id]),
            "at": message.created_at,
            "edited": len(said) > 1 and bool(payload["content"] or payload["embeds"]),
            "only": message.visible_to,
            "loading": message.loading,
            "silent": bool(message.flags & 1 << 12),
            "used": self._uses.get(message.id),
            "reply": self._reply(message),
            "forwarded": self._forwarded(message, payload),
            "raw": payload["content"],
            "pinned": message.pinned_at is not None,
            "reactions": [{"emoji": each.emoji, "people": list(each.user_ids)} for each in message.reactions.values()],
            "notice": _NOTICES.get(message.kind),
            "thread": self._started(message),
            **self._body(message, payload),
        }

    def _started(self, message: Message) -> Json | None:
        """Return the thread started from a message, or announced by it."""
        announced = message.reference or {}
        thread_id = announced.get("channel_id", "") if message.kind == THREAD_NOTICE else message.id
        thread = self._world.channels.get(thread_id)
        if thread is None or thread.id == message.channel_id:
            return None
        return {"id": thread.id, "name": thread.name}

    def _body(self, message: Message, payload: Json) -> Json:
        files = {each.id: {"size": len(each.data), "name": each.filename} for each in message.attachments.values()}
        return {
            "text": self.text(payload["content"]) if payload["content"] else [],
            "embeds": [self._embed(each) for each in payload["embeds"]],
            "components": [self._component(each, files) for each in payload["components"]],
            "files": [self._media(each, each) for each in payload["attachments"]],
        }

    def _forwarded(self, message: Message, payload: Json) -> Json | None:
        """Return the forwarded message without its buttons and selects."""
        if message.snapshot is None:
            return None
        taken = payload["message_snapshots"][0]["message"]
        shown = [each for each in taken["components"] if each["type"] != Kind.ACTION_ROW]
        for each in shown:
            if each["type"] == Kind.CONTAINER:
                inner = [part for part in each["components"] if part["type"] != Kind.ACTION_ROW]
                shown[shown.index(each)] = {**each, "components": inner}
        return {"at": message.snapshot.created_at, **self._body(message.snapshot, {**taken, "components": shown})}

    def _reply(self, message: Message) -> Json | None:
        if message.reference is None or message.snapshot is not None or "message_id" not in message.reference:
            return None
        channel = self._world.channels.get(message.reference["channel_id"])
        original = channel.messages.get(message.reference["message_id"]) if channel is not None else None
        if original is None or original.deleted or original.visible_to not in (None, message.visible_to):
            return {"id": message.reference["message_id"], "author": None, "excerpt": "Message could not be loaded"}
        plain = _MENTION.sub(lambda found: f"@{self._name('user', found[1]) or found[1]}", original.content)
        excerpt = plain[:_EXCERPT_CHARS] or "Press to see the message"
        return {"id": original.id, "author": self.person(self._world.users[original.author_id]), "excerpt": excerpt}

    def _component(self, component: Json, files: dict[str, Json]) -> Json:
        view: Json = {key: value for key, value in component.items() if value is not None}
        if view["type"] == Kind.TEXT_DISPLAY:
            view["tree"] = self.text(view.pop("content"))
        for key in ("media", "file"):
            if isinstance(view.get(key), dict):
                view[key] = self._media(view[key], view, files)
        if view["type"] == Kind.MEDIA_GALLERY:
            view["items"] = [
                {"spoiler": item.get("spoiler", False), "media": self._media(item["media"], item, files)}
                for item in view["items"]
            ]
        if "components" in view:
            view["components"] = [self._component(each, files) for each in view["components"]]
        for key in ("accessory", "component"):
            if isinstance(view.get(key), dict):
                view[key] = self._component(view[key], files)
        return view

    @staticmethod
    def _media(media: Json, about: Json, files: dict[str, Json] | None = None) -> Json:
        """Return a file's view; a remote file is named but never loaded."""
        file = (files or {}).get(media.get("attachment_id", ""), {})
        name = media.get("filename") or file.get("name") or "file"
        view: Json = {
            "name": name,
            "size": media.get("size") or file.get("size"),
            "alt": about.get("description") or "",
            "type": media.get("content_type") or "",
            "spoiler": bool(media.get("flags", 0) & SPOILER_FILE),
            "width": media.get("width"),
            "height": media.get("height"),
        }
        key = media.get("attachment_id") or (
            media["id"] if "filename" in media else file_id(media.get("proxy_url", ""))
        )
        if key is None:
            return {**view, "remote": media["url"]}
        return {**view, "src": f"{MEDIA}/{key}/{quote(name, safe='')}"}

    def _embed(self, embed: Json) -> Json:
        view: Json = {key: embed[key] for key in ("color", "url", "timestamp") if embed.get(key) is not None}
        view.update({key: self.text(embed[key]) for key in _EMBED_TEXTS if embed.get(key)})
        view["fields"] = [
            {
                "name": self.text(field["name"]),
                "value": self.text(field["value"]),
                "inline": field.get("inline", False),
            }
            for field in embed.get("fields") or []
        ]
        for key, inner in (("author", "name"), ("footer", "text")):
            if isinstance(embed.get(key), dict):
                view[key] = str(embed[key].get(inner, ""))
        for key in _EMBED_PICTURES:
            if isinstance(embed.get(key), dict):
                view[key] = self._media(embed[key], {})
        return view

    def _name(self, kind: str, id_: str) -> str | None:
        if kind == "user":
            user = self._world.users.get(id_)
            return None if user is None else user.display_name
        if kind == "channel":
            channel = self._world.channels.get(id_)
            return None if channel is None else channel.name
        roles: Any = (guild.roles.get(id_) for guild in self._world.guilds.values())
        return next((role.name for role in roles if role is not None), None)

"""Views of a forum's posts: title, tags, first words and first picture."""

from collections.abc import Iterator
from typing import Final

from sandbox.discord import Channel, Message, World, text
from sandbox.discord.encoding import Json
from sandbox.discord.entities import PINNED_POST
from sandbox.web.markdown import Node
from sandbox.web.views import Views

_EXCERPT_CHARS: Final = 160
_MENTIONS: Final = {"user": "@", "role": "@", "channel": "#"}
_INLINE: Final = ("strong", "em", "u", "s", "code", "link")
_SHOWN: Final = 100


class ForumViews:
    """Builds the list of a forum's posts."""

    def __init__(self, world: World, views: Views) -> None:
        self._world = world
        self._views = views

    def posts(self, forum: Channel) -> list[Json]:
        """Return the posts, pinned ones first, then the latest active ones."""
        threads = sorted(self._world.threads_of(forum), key=_activity, reverse=True)
        return [self._post(each, forum) for each in threads[:_SHOWN]]

    def _post(self, thread: Channel, forum: Channel) -> Json:
        starter = thread.messages.get(thread.id)
        shown = starter if starter is not None and not starter.deleted else None
        author = self._world.users.get(thread.owner_id or self._world.bot.id, self._world.bot)
        said = sum(not each.deleted and not each.ephemeral for each in thread.messages.values())
        return {
            "id": thread.id,
            "title": thread.name,
            "tags": [{"name": tag.name, "emoji": tag.emoji} for tag in forum.tags if tag.id in thread.applied_tags],
            "author": self._views.person(author),
            "at": thread.created_at,
            "answers": said - (shown is not None),
            "archived": thread.archived,
            "locked": thread.locked,
            "pinned": bool(thread.flags & PINNED_POST),
            "excerpt": "The first message was deleted." if shown is None else self._excerpt(shown),
            "picture": None if shown is None else next(_pictures(self._views.message(shown)), None),
            "reactions": [] if shown is None else self._views.message(shown)["reactions"],
        }

    def _excerpt(self, message: Message) -> str:
        words = _words(self._views.text(text(message)))
        return " ".join("".join(words).split())[:_EXCERPT_CHARS]


def _activity(thread: Channel) -> tuple[bool, bool, int]:
    last = next(reversed(thread.messages), thread.id)
    return bool(thread.flags & PINNED_POST), not thread.archived, int(last)


def _words(nodes: list[Node]) -> Iterator[str]:
    """Yield a tree's plain words; a spoiler stays hidden."""
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif node["t"] == "spoiler":
            yield "(spoiler)"
        elif node["t"] in _MENTIONS:
            yield f"{_MENTIONS[node['t']]}{node['name'] or node['id']}"
        else:
            yield from (node.get("v", ""), *_words(node.get("c", [])))
            yield "" if node["t"] in _INLINE else " "


def _pictures(view: Json) -> Iterator[Json]:
    """Yield the pictures of a message's view, each with its spoiler mark."""
    for component in _walk(view["components"]):
        for item in component.get("items", []) if "items" in component else [component]:
            media = item.get("media")
            if isinstance(media, dict) and "src" in media:
                yield {**media, "spoiler": bool(item.get("spoiler"))}
    for file in view["files"]:
        if file["type"].startswith("image/"):
            yield file
    for embed in view["embeds"]:
        for key in ("image", "thumbnail"):
            if "src" in embed.get(key, {}):
                yield embed[key]


def _walk(components: list[Json]) -> Iterator[Json]:
    for component in components:
        yield component
        yield from _walk(component.get("components", []))
        if isinstance(component.get("accessory"), dict):
            yield component["accessory"]

"""Posts by people, forwards, and other apps' messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.discord.cdn import Cdn, measured
from sandbox.discord.client_rules import ClientRefusal
from sandbox.discord.components import Kind
from sandbox.discord.encoding import Json
from sandbox.discord.entities import COMPONENTS_V2, DEFAULT_UPLOAD_LIMIT, Channel, Message, Upload, User
from sandbox.discord.limits import CONTENT, FILES
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.permissions import Permission, to_write
from sandbox.discord.state import World


def check_writing(world: World, user: User, place: Channel, content: str, uploads: Sequence[Upload]) -> None:
    """Refuse a message if the person's client would not send it there."""
    may = world.permissions(user.id, place)
    if place.locked and not may & Permission.MANAGE_THREADS:
        raise ClientRefusal("Only moderators may write in this locked post.")
    if not may & to_write(place) or (uploads and not may & Permission.ATTACH_FILES):
        raise ClientRefusal(f"{user.name} may not write this in #{place.name}")
    if len(content) > CONTENT:
        raise ClientRefusal(f"a message takes at most {CONTENT:,} characters")
    if not content.strip() and not uploads:
        raise ClientRefusal("a message needs a text or a file")
    if len(uploads) > FILES:
        raise ClientRefusal(f"a message takes at most {FILES} files")
    guild = None if place.guild_id is None else world.guilds[place.guild_id]
    limit = DEFAULT_UPLOAD_LIMIT if guild is None else guild.upload_limit
    if any(len(each.data) > limit for each in uploads):
        raise ClientRefusal(f"a file takes at most {limit:,} bytes")


def unfurled(world: World, cdn: Cdn, pictures: Mapping[str, Upload]) -> list[Json]:
    """Return Discord's embeds for links to images.

    The proxy keeps a copy of each image.
    """
    embeds: list[Json] = []
    for url, upload in pictures.items():
        cdn.copy(url, upload, attachment_id=world.snowflakes.next())
        width, height, _ = measured(upload.data)
        embeds.append({"type": "image", "url": url, "thumbnail": {"url": url, "width": width, "height": height}})
    return embeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A message of another app.

    `copies` are other sites' images by address; the proxy keeps them. A `webhook` has no account, so its user cannot be
    requested.
    """

    content: str = ""
    embeds: Sequence[Json] = ()
    components: Sequence[Json] = ()
    uploads: Sequence[Upload] = ()
    copies: Mapping[str, Upload] | None = None
    webhook: bool = False


def post_as(world: World, cdn: Cdn, messages: MessageStore, name: str, place: Channel, post: Post) -> Message:
    """Post a message as another app or webhook, created at its first post."""
    author = next((user for user in world.users.values() if user.name == name), None) or world.add_user(name)
    author.bot = True
    for url, upload in (post.copies or {}).items():
        cdn.copy(url, upload, attachment_id=world.snowflakes.next())
    payload: Json = {"content": post.content, "embeds": list(post.embeds)}
    if post.components:
        payload["components"] = list(post.components)
        if any(each.get("type") != Kind.ACTION_ROW for each in post.components):
            payload = {"components": list(post.components), "flags": COMPONENTS_V2}
    files = {str(number): upload for number, upload in enumerate(post.uploads)}
    return messages.create(
        place,
        author.id,
        MessageForm(payload=payload, files=files),
        webhook_id=author.id if post.webhook else None,
    )

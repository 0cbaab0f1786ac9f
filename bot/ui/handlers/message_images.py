"""Images of a message: files, components, embeds, forwards."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

import discord

from bot.domain.attachments import AttachmentInfo
from bot.domain.jobs import Action
from bot.ui.buttons import CUSTOM_ID, MENU, REMIX
from bot.ui.component_tree import custom_ids, walk

_PICTURE_ENDING: Final = re.compile(r".+\.(?:png|jpe?g|webp|gif)", re.IGNORECASE)


def offered(attachment: discord.Attachment) -> AttachmentInfo:
    """Return a file as something to start from."""
    return AttachmentInfo(
        url=attachment.url,
        filename=attachment.filename,
        media_type=attachment.content_type,
        size=attachment.size,
        width=attachment.width,
        height=attachment.height,
    )


def gather(message: discord.Message) -> tuple[AttachmentInfo, ...]:
    """Return a message's files and images from top to bottom, each once.

    Images from other hosts are taken from Discord's copy only: nobody is sent to a stranger's server.
    """
    found: dict[str, AttachmentInfo] = {}
    parts: list[discord.Message | discord.MessageSnapshot] = [message, *message.message_snapshots]
    for part in parts:
        for picture in _of_part(part):
            # The same file may be an attachment and shown by an embed; its signature differs each time.
            found.setdefault(urlsplit(picture.url).path, picture)
    return tuple(found.values())


def card_job(message: discord.Message, me: int) -> str | None:
    """Return the job of a finished card, or None.

    `me` is the bot: others may copy custom ids.
    """
    if message.author.id != me:
        return None
    issued = map(CUSTOM_ID.fullmatch, custom_ids(message.components))
    # The menu of an ended card names its job.
    return next((each["target"] for each in issued if each is not None and each["action"] == MENU), None)


def noted_job(message: discord.Message, me: int) -> str | None:
    """Return the job of a note on an earlier version, or None.

    Such a note has the Edit button of its job, but no menu.
    """
    if message.author.id != me or card_job(message, me) is not None:
        return None
    issued = map(CUSTOM_ID.fullmatch, custom_ids(message.components))
    edit = REMIX[Action.EDIT].action
    return next((each["target"] for each in issued if each is not None and each["action"] == edit), None)


def _of_part(part: discord.Message | discord.MessageSnapshot) -> Iterator[AttachmentInfo]:
    yield from (offered(attachment) for attachment in part.attachments)
    for component in walk(part.components):
        match component:
            case discord.MediaGalleryComponent():
                yield from (_of_media(item.media) for item in component.items)
            case discord.ThumbnailComponent():
                yield _of_media(component.media)
            case discord.FileComponent():
                yield _of_media(component.media, name=component.name, size=component.size)
    for embed in part.embeds:
        yield from _of_embed(embed)


def _of_media(media: discord.UnfurledMediaItem, *, name: str | None = None, size: int | None = None) -> AttachmentInfo:
    # Only what was uploaded lies at Discord under its own address.
    url = media.url if media.attachment_id is not None else media.proxy_url
    return AttachmentInfo(
        url=url or "",
        filename=name or _name_in(url or ""),
        media_type=media.content_type,
        size=size,
        width=media.width,
        height=media.height,
    )


def _of_embed(embed: discord.Embed) -> Iterator[AttachmentInfo]:
    for proxy in (embed.image, embed.thumbnail):
        if proxy.proxy_url:
            name = _name_in(proxy.proxy_url)
            # Discord has seen that it is a picture, whatever the page that it comes from is called.
            named = name if _PICTURE_ENDING.fullmatch(name) else ""
            yield AttachmentInfo(url=proxy.proxy_url, filename=named, width=proxy.width, height=proxy.height)


def _name_in(url: str) -> str:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def names_of(pictures: Sequence[AttachmentInfo]) -> list[str]:
    """Return a name for each image: file name and size in pixels."""
    return [" · ".join(part for part in (picture.filename, _sides(picture)) if part) for picture in pictures]


def _sides(picture: AttachmentInfo) -> str:
    return f"{picture.width}x{picture.height}" if picture.width and picture.height else ""

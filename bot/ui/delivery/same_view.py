"""A message's own components and attachments, to be sent again."""

from typing import Any
from urllib.parse import unquote, urlsplit

import discord
from discord import ui

from bot.ui.component_tree import walk
from bot.ui.delivery.input_attachments import KeptAttachment


def same_view(message: discord.Message) -> tuple[ui.LayoutView, tuple[KeptAttachment, ...]] | None:
    """Return a view equal to a message, and its attachments.

    None if a picture is no attachment of the message. The view is a payload and no listener.
    """
    view: Any = ui.LayoutView.from_message(message, timeout=None)
    view.stop()
    kept = []
    for gallery in view.walk_children():
        if not isinstance(gallery, ui.MediaGallery):
            continue
        for item in gallery.items:
            attachment = _kept(item.media)
            if attachment is None:
                return None
            kept.append(attachment)
            item.media = discord.UnfurledMediaItem(f"attachment://{attachment.filename}")
    return view, tuple(kept)


def shown_attachments(message: discord.Message) -> tuple[KeptAttachment, ...]:
    """Return the attachments in a message's galleries, from top to bottom."""
    galleries = (each for each in walk(message.components) if isinstance(each, discord.MediaGalleryComponent))
    found = (_kept(item.media) for gallery in galleries for item in gallery.items)
    return tuple(each for each in found if each is not None)


def _kept(media: discord.UnfurledMediaItem) -> KeptAttachment | None:
    """Return the attachment of a gallery's item, or None."""
    if media.attachment_id is None:
        return None
    return KeptAttachment(id=media.attachment_id, filename=unquote(urlsplit(media.url).path.rsplit("/", 1)[-1]))

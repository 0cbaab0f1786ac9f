"""A message's own components, to be sent again unchanged."""

from typing import Any
from urllib.parse import unquote, urlsplit

import discord
from discord import ui

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
            if item.media.attachment_id is None:
                return None
            name = unquote(urlsplit(item.media.url).path.rsplit("/", 1)[-1])
            kept.append(KeptAttachment(id=item.media.attachment_id, filename=name))
            item.media = discord.UnfurledMediaItem(f"attachment://{name}")
    return view, tuple(kept)

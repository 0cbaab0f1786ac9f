"""Direct messages with the parts of an export."""

import zlib
from typing import Final

import discord

from bot.domain.exports import Export
from bot.services.export_parts import ExportPart
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.i18n import use_locale
from bot.ui.render.privacy import export_text

_UPLOAD_SECONDS: Final = 300.0
_MESSAGES_READ: Final = 200


class ExportMessages:
    """Sends the parts of exports, each with a note.

    Methods raise what discord.py and the connection raise.
    """

    def __init__(self, *, client: discord.Client) -> None:
        self._client = client

    async def send_part(self, export: Export, part: ExportPart) -> bool:
        """Send a part; return False if the member takes no direct messages."""
        with use_locale(export.locale):
            text = export_text(part)
        try:
            async with bounded(_UPLOAD_SECONDS, in_channel=False):
                channel = await self._client.create_dm(discord.Object(export.member_id))
                await channel.send(
                    text,
                    file=discord.File(part.path, filename=part.filename),
                    nonce=_nonce(export, part),
                    allowed_mentions=discord.AllowedMentions.none(),
                )
        except discord.HTTPException as error:
            if classify(error) is DiscordErrorKind.CLOSED:
                return False
            raise
        return True

    async def was_sent(self, export: Export, number: int) -> bool:
        """Search the direct messages for a part's file."""
        name = export.filename(number)
        async with bounded(REQUEST_SECONDS, in_channel=False):
            channel = await self._client.create_dm(discord.Object(export.member_id))
            async for message in channel.history(limit=_MESSAGES_READ):
                if any(attachment.filename == name for attachment in message.attachments):
                    return True
        return False


def _nonce(export: Export, part: ExportPart) -> str:
    """Return a text for this part alone, in 25 characters."""
    return f"x{zlib.crc32(f'{export.member_id} {part.filename}'.encode()):08x}-{part.number}"

"""The fake CDN: files of attachments at signed, expiring addresses."""

import hashlib
import hmac
import io
import mimetypes
import re
import secrets
import warnings
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web
from PIL import Image

from sandbox.discord.encoding import Clock, Json
from sandbox.discord.entities import SPOILER_FILE, Attachment, Upload

LIFETIME = 24 * 3600
"""Seconds that an address is good for."""

_UNSAFE = re.compile(r"[^\w.\-]")


def measured(data: bytes) -> tuple[int | None, int | None, str | None]:
    """Return width, height and media type of an image; three None otherwise.

    No pixels are decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as picture:
                return picture.width, picture.height, Image.MIME.get(picture.format or "")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, None, None


class Cdn:
    """In-memory uploads, served under `/cdn` while their signature is valid."""

    def __init__(self, *, now: Clock, base_url: Callable[[], str]) -> None:
        self._now = now
        self._base_url = base_url
        self._secret = secrets.token_bytes(16)
        self._files: dict[str, Attachment] = {}
        self._copies: dict[str, Attachment] = {}

    def store(
        self,
        upload: Upload,
        *,
        attachment_id: str,
        channel_id: str,
        folder: str,
        description: str | None = None,
        marked_spoiler: bool = False,
    ) -> Attachment:
        """Store a file and return its attachment.

        The file name is made safe in the same way as on Discord.
        """
        filename = _UNSAFE.sub("_", upload.filename) or "unknown"
        width, height, picture_type = measured(upload.data)
        attachment = Attachment(
            id=attachment_id,
            folder=folder,
            channel_id=channel_id,
            filename=filename,
            data=upload.data,
            content_type=picture_type or upload.content_type or mimetypes.guess_type(filename)[0],
            width=width,
            height=height,
            description=description,
            marked_spoiler=marked_spoiler,
        )
        self._files[attachment.id] = attachment
        return attachment

    def url(self, attachment: Attachment) -> str:
        """Return the address of a file, signed and good for a day."""
        path = f"{attachment.folder}/{attachment.channel_id}/{attachment.id}/{quote(attachment.filename)}"
        issued = int(self._now())
        expires = issued + LIFETIME
        return f"{self._base_url()}/{path}?ex={expires:x}&is={issued:x}&hm={self._signature(attachment.id, expires)}&"

    def attachment_payload(self, attachment: Attachment) -> Json:
        """Return the attachment object of the API."""
        url = self.url(attachment)
        payload: Json = {
            "id": attachment.id,
            "filename": attachment.filename,
            "size": len(attachment.data),
            "url": url,
            "proxy_url": url,
        }
        for name in ("content_type", "width", "height", "description"):
            value = getattr(attachment, name)
            if value is not None:
                payload[name] = value
        if attachment.spoiler:
            payload["flags"] = SPOILER_FILE
        if attachment.folder == "ephemeral-attachments":
            payload["ephemeral"] = True
        return payload

    def media_payload(self, attachment: Attachment) -> Json:
        """Return a file's media object for Components V2."""
        url = self.url(attachment)
        return {
            "id": attachment.id,
            "url": url,
            "proxy_url": url,
            "width": attachment.width,
            "height": attachment.height,
            "content_type": attachment.content_type,
            "attachment_id": attachment.id,
        }

    def copy(self, url: str, upload: Upload, *, attachment_id: str) -> None:
        """Store another site's image by address, like the proxy behind embeds."""
        self._copies[url] = self.store(upload, attachment_id=attachment_id, channel_id="0", folder="external")

    def copy_of(self, url: str) -> Attachment | None:
        """Return the proxy's copy of an image at another site's address."""
        return self._copies.get(url)

    def expire(self) -> None:
        """Expire all addresses handed out so far; new ones are valid."""
        self._secret = secrets.token_bytes(16)

    def find(self, attachment_id: str) -> Attachment | None:
        """Return a stored file by its id."""
        return self._files.get(attachment_id)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a download; 404 for a wrong or expired signature, like Discord."""
        attachment = self._files.get(request.match_info["attachment_id"])
        if attachment is None or not self._signed(request, attachment):
            return web.Response(status=HTTPStatus.NOT_FOUND, text="This content is no longer available.")
        return self.sent(attachment)

    @staticmethod
    def sent(attachment: Attachment) -> web.Response:
        """Return a file as a response without active content.

        The CDN shares its origin with the sandbox's page.
        """
        kind = attachment.content_type or "application/octet-stream"
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        if not kind.startswith(("image/", "video/", "audio/")):
            headers["Content-Disposition"] = f'attachment; filename="{attachment.filename}"'
        return web.Response(body=attachment.data, content_type=kind, headers=headers)

    async def serve_avatar(self, request: web.Request) -> web.Response:
        """Answer any avatar with one plain square."""
        del request
        picture = io.BytesIO()
        Image.new("RGB", (128, 128), (88, 101, 242)).save(picture, "PNG")
        return web.Response(body=picture.getvalue(), content_type="image/png")

    def _signature(self, attachment_id: str, expires: int) -> str:
        return hmac.new(self._secret, f"{attachment_id}:{expires}".encode(), hashlib.sha256).hexdigest()

    def _signed(self, request: web.Request, attachment: Attachment) -> bool:
        try:
            expires = int(request.query.get("ex", ""), 16)
        except ValueError:
            return False
        fresh = expires >= self._now()
        return fresh and hmac.compare_digest(request.query.get("hm", ""), self._signature(attachment.id, expires))

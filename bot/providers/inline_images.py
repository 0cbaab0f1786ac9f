"""Images inside JSON: base64 and data URIs, encoded off the event loop."""

import asyncio
import base64
import binascii
from collections.abc import Iterable, Sequence
from itertools import islice

from bot.providers.base import InputFile
from bot.providers.parsing import MOST_IMAGES


async def encode(inputs: Sequence[InputFile]) -> list[str]:
    """Return the base64 of each input image."""
    return await asyncio.to_thread(lambda: [base64.b64encode(each.data).decode() for each in inputs])


async def data_uris(inputs: Sequence[InputFile]) -> list[str]:
    """Return a data URI for each input image."""
    encoded = await encode(inputs)
    return [f"data:{each.media_type};base64,{text}" for each, text in zip(inputs, encoded, strict=True)]


async def decode(texts: Iterable[object]) -> tuple[bytes, ...]:
    """Return the bytes of base64 texts or data URIs, without duplicates.

    Whatever is not such a text is left out, and so are texts beyond `MOST_IMAGES`.
    """
    listed = list(islice((text for text in texts if isinstance(text, str)), MOST_IMAGES))
    decoded = await asyncio.to_thread(lambda: [_decoded(text) for text in listed])
    return tuple(dict.fromkeys(data for data in decoded if data))


def _decoded(text: str) -> bytes | None:
    if text.startswith("data:"):
        _, _, text = text.partition(",")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None

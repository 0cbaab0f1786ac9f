"""Decompress gzip or deflate transfers with bounded output."""

import zlib
from collections.abc import Iterator
from typing import Final

from bot.domain.errors import ImageError, ImageProblem

BLOCK_BYTES: Final = 256 * 1024
"""The most that is inflated at a time."""

_ZLIB_OR_GZIP: Final = 47
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})


class Inflater:
    """Inflates a stream in blocks, so that the caller can stop a bomb early."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=_ZLIB_OR_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield blocks of at most `BLOCK_BYTES`.

        Raises:
            ImageError: NOT_A_PICTURE on garbage.
        """
        while True:
            try:
                block = self._inflate.decompress(data, BLOCK_BYTES)
            except zlib.error:
                raise ImageError(ImageProblem.NOT_A_PICTURE, "encoding") from None
            if block:
                yield block
            data = self._inflate.unconsumed_tail
            if not data and len(block) < BLOCK_BYTES:
                return

    def finish(self) -> None:
        """Raise `ImageError` (TRUNCATED) unless the stream came to its end."""
        if not self._inflate.eof:
            raise ImageError(ImageProblem.TRUNCATED, "encoding")


class Plain:
    """An uncompressed stream."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the data as it came."""
        yield data

    def finish(self) -> None:
        """Accept any end: the transfer's own length is checked by HTTP."""


def transfer_decoder(encoding: str) -> Inflater | Plain:
    """Return the decoder of a `Content-Encoding`.

    Raises:
        ImageError: NOT_A_PICTURE for stacked or unknown encodings.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return Plain()
    if encoding in _ENCODINGS:
        return Inflater()
    raise ImageError(ImageProblem.NOT_A_PICTURE, "encoding")

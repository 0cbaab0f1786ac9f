"""The place of image files, and the names of images in it."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, Self

from bot.domain.images import ImageFile

EXTENSIONS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
THUMBNAIL: Final = ".thumbnail"

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPES: Final = {extension: media_type for media_type, extension in EXTENSIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImageName:
    """The name of an image in the store."""

    sha256: str
    media_type: str

    @classmethod
    def parse(cls, file_name: str) -> Self | None:
        """Return the name of a file, or None if no image has such a name."""
        sha256, _, extension = file_name.partition(".")
        media_type = _MEDIA_TYPES.get(extension)
        return (
            None if media_type is None or not _SHA256.fullmatch(sha256) else cls(sha256=sha256, media_type=media_type)
        )

    @property
    def file_name(self) -> str:
        """The name with its extension."""
        return f"{self.sha256}.{EXTENSIONS[self.media_type]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in the store, as the store lists it.

    `modified` is the time of its last `add`.
    """

    sha256: str
    media_type: str
    size: int
    modified: datetime


def relative_path(sha256: str, media_type: str) -> str:
    """Return the path of an image below the root of any store.

    Raises:
        ValueError: This is not a hash, or not a known media type.
    """
    if not _SHA256.fullmatch(sha256) or media_type not in EXTENSIONS:
        raise ValueError(f"not a stored picture: {sha256!r}, {media_type!r}")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}.{EXTENSIONS[media_type]}"


class PictureStore(Protocol):
    """A folder or an object store with image files, always complete.

    Every method blocks, so call them in a worker. A place that cannot be reached or written raises OSError.
    """

    def temporary(self) -> Path:
        """Return a local folder for incoming files; create it if missing."""
        ...

    def keep_inline(self, data: bytes, name: str | None = None) -> str:
        """Store an image as it came in an answer, and return its name.

        It is durable when this returns. Another store's `name` can be used again.
        """
        ...

    def copy_inline(self, name: str) -> Path:
        """Copy an image of `keep_inline` to a temporary file.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def drop_inline(self, name: str) -> None:
        """Delete an image of `keep_inline`, if it is still there."""
        ...

    def sweep_inline(self, *, older_than: datetime) -> int:
        """Delete images of `keep_inline` not used since `older_than`."""
        ...

    def probe(self) -> None:
        """Write and delete a small file; raises OSError if impossible."""
        ...

    def add(self, temporary: Path, image: ImageFile | StoredImageName) -> None:
        """Move a file out of `temporary()` into the store, as `image` says.

        It is durable when this returns. The same content is stored once. The temporary file is gone afterwards, even
        if this raises.
        """
        ...

    def local_file(self, sha256: str, media_type: str) -> Path:
        """Return a file of this machine with a stored image.

        It stays for ten minutes at least, unless the image is removed. It must not be changed.

        Raises:
            FileNotFoundError: the image is not in the store, or damaged there.
        """
        ...

    def borrowed(self, sha256: str, media_type: str) -> AbstractContextManager[Path]:
        """Yield a file with a stored image, for the block alone.

        Raises as `local_file`.
        """
        ...

    def read_thumbnail(self, sha256: str, media_type: str) -> bytes | None:
        """Return a stored image's thumbnail, or None if it has none.

        Raises:
            FileNotFoundError: the image is not in the store.
        """
        ...

    def add_thumbnail(self, sha256: str, media_type: str, data: bytes) -> None:
        """Store an image's thumbnail, unless the image is gone."""
        ...

    def find_size(self, sha256: str, media_type: str) -> int | None:
        """Return the bytes of an image in the store; None if missing."""
        ...

    def is_sound(self, sha256: str, media_type: str) -> bool:
        """Read an image in the store; return False if missing or damaged."""
        ...

    def touch(self, sha256: str, media_type: str) -> bool:
        """Reset an image's age, so that `remove` leaves it; False if not stored."""
        ...

    def remove(self, sha256: str, media_type: str, *, older_than: datetime) -> bool:
        """Delete an image; return True if it is gone, now or before.

        An image stored since `older_than` stays, also if it is stored again at this moment.
        """
        ...

    def files(self) -> Iterator[StoredFile]:
        """Yield all images in no particular order.

        An image is stored before its row is written, so a recent file without a row is not an orphan.
        """
        ...

    def inline_names(self) -> Iterator[str]:
        """Yield the names of all images of `keep_inline`."""
        ...

    def sweep_temporary(self, *, older_than: datetime) -> int:
        """Delete temporary files not written since `older_than`; count them."""
        ...

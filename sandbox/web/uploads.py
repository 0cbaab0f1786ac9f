"""Uploaded files before their use in a message or command."""

from collections import OrderedDict
from typing import Final

from sandbox.discord import ClientRefusal, Upload

_MAX_FILES: Final = 100
_MAX_BYTES: Final = 400 * 1024 * 1024


class Uploads:
    """Keeps the latest files by id; beyond the limits the oldest are dropped."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, Upload] = OrderedDict()
        self._last = 0

    def keep(self, upload: Upload) -> str:
        """Keep a file and return its id."""
        self._last += 1
        key = str(self._last)
        self._files[key] = upload
        while len(self._files) > _MAX_FILES or sum(len(each.data) for each in self._files.values()) > _MAX_BYTES:
            self._files.popitem(last=False)
        return key

    def get(self, key: object) -> Upload:
        """Return a kept file.

        Raises:
            ClientRefusal: The file is not kept any more.
        """
        found = self._files.get(key) if isinstance(key, str) else None
        if found is None:
            raise ClientRefusal("This file is no longer here; choose it again.")
        return found

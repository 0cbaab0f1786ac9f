"""Stores for tests: a folder, and object stores in memory and on S3."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import obstore
from obstore.store import MemoryStore, ObjectStore

from bot.images.local_copies import LocalCopies
from bot.images.object_client import CallLimits, ObjectClient, StoreAddress
from bot.images.object_store import ObjectImageStore
from bot.images.picture_store import PictureStore, StoredImageName, relative_path
from bot.images.store import ImageStore
from bot.proxies import DIRECT
from tests.support.s3_server import ACCESS_KEY, REGION, SECRET_KEY

QUICK: Final = CallLimits(
    connect=timedelta(seconds=2),
    read=timedelta(seconds=20),
    total=timedelta(seconds=30),
    tries=3,
    first_pause=timedelta(milliseconds=1),
)
OPTIONS: Final = {"region": REGION, "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
BODY: Final = b"the store does not look inside"
NAME: Final = StoredImageName(sha256=hashlib.sha256(BODY).hexdigest(), media_type="image/jpeg")
PATH: Final = relative_path(NAME.sha256, NAME.media_type)


def open_s3(url: str, bucket: str, limits: CallLimits = QUICK) -> ObjectStore:
    """Return a bucket of a server, by a prefix."""
    address = StoreAddress.parse(f"s3://{bucket}/some/prefix")
    return address.open({**OPTIONS, "endpoint": url}, DIRECT, limits)


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A place of pictures; each `open` is as of another process."""

    folder: Path
    objects: ObjectStore | None

    def open(self, process: str = "a") -> PictureStore:
        """Return the store as a process has it."""
        if self.objects is None:
            return ImageStore(self.folder / "pictures")
        objects = self.objects
        return ObjectImageStore(ObjectClient(lambda: objects), LocalCopies(self.folder / process))

    def overwrite(self, path: str, content: bytes) -> None:
        """Put other content in the place of an image."""
        if self.objects is None:
            (self.folder / "pictures" / path).write_bytes(content)
        else:
            obstore.put(self.objects, path, content)

    def paths(self) -> list[str]:
        """Return the paths of all stored things."""
        if self.objects is not None:
            return sorted(each["path"] for page in obstore.list(self.objects) for each in page)
        root = self.folder / "pictures"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def place_in_memory(folder: Path) -> StorePlace:
    """Return a place in this process's memory."""
    return StorePlace(folder, MemoryStore())


def incoming(store: PictureStore, body: bytes = BODY, name: str = "download-1") -> Path:
    """Return a temporary file for the store."""
    path = store.temporary() / name
    path.write_bytes(body)
    return path

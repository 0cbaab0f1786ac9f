"""Calls of an object store through obstore, each with a limit of time.

The library is imported by the first call: a bot with a folder never loads it.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urlsplit

from bot.images.store_faults import PictureStoreError, StoreProblem, problem_of
from bot.proxies import Proxies

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_PAGE: Final = 1000
_CHUNK_BYTES: Final = 1 << 20
STORE_SCHEMES: Final = ("s3", "gs", "az")
"""Beginnings of the URLs of object stores."""
_DEFAULT_HOSTS: Final = {
    "s3": "https://s3.amazonaws.com",
    "gs": "https://storage.googleapis.com",
    "az": "https://blob.core.windows.net",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Limits of one call.

    `read` bounds the pause between two parts of an answer, `total` one try, and `tries` are begun within `retry_for`
    alone. So an unreachable store fails within about half a minute.
    """

    connect: timedelta = timedelta(seconds=5)
    read: timedelta = timedelta(seconds=15)
    total: timedelta = timedelta(seconds=60)
    tries: int = 4
    first_pause: timedelta = timedelta(milliseconds=200)
    retry_for: timedelta = timedelta(seconds=20)


_LIMITS: Final = CallLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """A bucket or container, and the prefix of its keys.

    `scheme` is s3, gs or az.
    """

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "StoreAddress":
        """Return the parts of a URL."""
        parts = urlsplit(url)
        return cls(scheme=parts.scheme, bucket=parts.netloc, prefix=parts.path.strip("/"))

    def open(self, config: Mapping[str, str], proxies: Proxies, limits: CallLimits = _LIMITS) -> "ObjectStore":
        """Return the library's store; nothing is sent yet.

        `config` has the library's names. What is missing there comes from the environment.
        """
        from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415 - see the module

        endpoint = config.get("endpoint", _DEFAULT_HOSTS[self.scheme])
        client = _client_options(endpoint, proxies, limits)
        retry = _retry_options(limits)
        prefix = self.prefix or None
        match self.scheme:
            case "s3":
                # Pictures go one at a time, and not every S3 server has the call for several.
                settings = {"disable_bulk_delete": "true", **config}
                return S3Store(self.bucket, prefix=prefix, config=settings, client_options=client, retry_config=retry)  # type: ignore[arg-type] # a TypedDict
            case "gs":
                return GCSStore(self.bucket, prefix=prefix, config=config, client_options=client, retry_config=retry)  # type: ignore[arg-type] # as above
            case _:
                return AzureStore(self.bucket, prefix=prefix, config=config, client_options=client, retry_config=retry)  # type: ignore[arg-type] # as above


def _client_options(endpoint: str, proxies: Proxies, limits: CallLimits) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": limits.connect,
        "read_timeout": limits.read,
        "timeout": limits.total,
        "allow_http": endpoint.startswith("http://"),
    }
    proxy = proxies.find(endpoint)
    if proxy is not None:
        options["proxy_url"] = proxy
        options["proxy_excludes"] = ",".join(filter(None, ("localhost,127.0.0.1,::1", proxies.bypass)))
    return options


def _retry_options(limits: CallLimits) -> "RetryConfig":
    return {
        "max_retries": limits.tries - 1,
        "retry_timeout": limits.retry_for,
        "backoff": {"init_backoff": limits.first_pause, "max_backoff": 10 * limits.first_pause, "base": 2},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as the store lists it."""

    key: str
    size: int
    modified: datetime


class ObjectClient:
    """Calls of one store. Keys are below its prefix.

    `open_store` is called once, by the first call. Every method blocks, and raises PictureStoreError if the store
    cannot be used.
    """

    def __init__(self, open_store: Callable[[], "ObjectStore"]) -> None:
        self._open_store = open_store
        self._opened: ObjectStore | None = None
        self._lock = threading.Lock()

    def put(self, key: str, content: bytes | Path) -> str | None:
        """Store an object under a key, whole or not at all.

        It is durable when this returns. Return its version if the store keeps versions.
        """
        import obstore  # noqa: PLC0415 - see the module

        with _mapped():
            try:
                # In one call: parts of a broken upload would stay in the bucket, and cost.
                return obstore.put(self._store, key, content, use_multipart=False)["version"]
            except FileNotFoundError as error:
                if isinstance(content, Path) and not content.exists():
                    raise OSError(error.errno, "the temporary file is gone") from None
                raise PictureStoreError(StoreProblem.NO_BUCKET) from None

    def read(self, key: str) -> tuple[bytes, StoredObject] | None:
        """Return an object with its description; None if missing."""
        import obstore  # noqa: PLC0415 - see the module

        with _mapped():
            try:
                result = obstore.get(self._store, key)
                return bytes(result.bytes()), _described(result.meta)
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def download(self, key: str, target: BinaryIO | None) -> str | None:
        """Write an object to a file, if any; return its hash, None if missing."""
        import obstore  # noqa: PLC0415 - see the module

        digest = hashlib.sha256()
        with _mapped():
            try:
                for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK_BYTES):
                    digest.update(chunk)
                    if target is not None:
                        target.write(chunk)
            except FileNotFoundError as error:
                _require_bucket(error)
                return None
        return digest.hexdigest()

    def find(self, key: str) -> StoredObject | None:
        """Return the description of an object; None if missing."""
        import obstore  # noqa: PLC0415 - see the module

        with _mapped():
            try:
                return _described(obstore.head(self._store, key))
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        import obstore  # noqa: PLC0415 - see the module

        with _mapped():
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError as error:
                _require_bucket(error)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield all objects below a prefix, read page by page."""
        import obstore  # noqa: PLC0415 - see the module

        with _mapped():
            pages = obstore.list(self._store, prefix or None, chunk_size=_PAGE)
        while True:
            with _mapped():
                page = next(pages, None)
            if page is None:
                return
            for meta in page:
                yield _described(meta)

    @property
    def _store(self) -> "ObjectStore":
        with self._lock:
            if self._opened is None:
                self._opened = self._open_store()
            return self._opened


def connect(
    address: StoreAddress, options: Mapping[str, str], proxies: Proxies, limits: CallLimits = _LIMITS
) -> ObjectClient:
    """Return the client of a store; nothing is sent yet.

    The options are those of `StoreAddress.open`.
    """
    return ObjectClient(lambda: address.open(options, proxies, limits))


def _described(meta: "ObjectMeta") -> StoredObject:
    return StoredObject(key=meta["path"], size=meta["size"], modified=meta["last_modified"])


def _require_bucket(error: FileNotFoundError) -> None:
    """Raise if not the object but its bucket is missing."""
    problem = problem_of(error)
    if problem is StoreProblem.NO_BUCKET:
        raise PictureStoreError(problem) from None


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn the library's errors into PictureStoreError.

    Their texts hold addresses and answers, so they are dropped.
    """
    from obstore.exceptions import BaseError  # noqa: PLC0415 - see the module

    try:
        yield
    except (BaseError, PermissionError) as error:
        raise PictureStoreError(problem_of(error)) from None

"""Pause of submits while finished images could not be stored."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.errors import ImageError, ImageProblem, StorageFullError
from bot.domain.requests import GenerationRequest, offers_for
from bot.engine.clock import Clock
from bot.images.disk_space import MEGABYTE, Shortage
from bot.images.image_service import ImageService
from bot.images.store_faults import PictureStoreError
from db.file_references import stored_bytes

_log = structlog.get_logger(__name__)

PROBE_SECONDS: Final = 10.0

# After that, another host of the provider may prove that the network is fine; each time it takes twice as long.
_FIRST_PATIENCE_SECONDS: Final = 300.0
_LONGEST_PATIENCE_SECONDS: Final = 3600.0
_MOST_SET_ASIDE: Final = 1000
_ROOM_SECONDS: Final = 30.0
_MOST_WITH_ROOM: Final = 1000


class StorageFault(StrEnum):
    """The operator's fault behind a closed storage gate."""

    UNWRITABLE = "unwritable"
    OBJECT_STORE = "object_store"
    DISK_FULL = "disk_full"
    LIMIT_REACHED = "limit_reached"
    FORBIDDEN_ADDRESS = "forbidden_address"
    UNREACHABLE = "unreachable"


_REMEDIES: Final = {
    StorageFault.UNWRITABLE: "Make DATA_DIR, or the folder of PICTURE_STORE_URL, writable for the bot's user.",
    StorageFault.OBJECT_STORE: "Look at PICTURE_STORE_URL and its credentials; `atelier doctor` names the mistake.",
    StorageFault.DISK_FULL: "Free space on the disk of DATA_DIR, or lower MIN_FREE_DISK_MB.",
    StorageFault.LIMIT_REACHED: "Raise MAX_STORED_MB, or lower PICTURE_RETENTION_DAYS.",
    StorageFault.FORBIDDEN_ADDRESS: (
        "The name server resolves the host to a private address. If that is meant, as with some proxies,"
        " name the network in TRUSTED_DOWNLOAD_NETWORKS."
    ),
    StorageFault.UNREACHABLE: "Look at the network of this machine.",
}
_SHORTAGES: Final = {Shortage.DISK: StorageFault.DISK_FULL, Shortage.TOTAL: StorageFault.LIMIT_REACHED}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closure:
    """A closed part: its fault, the monotonic time, and a URL to probe."""

    fault: StorageFault
    since: float
    url: str = ""


class StorageGate:
    """Lets no submit out while its images would be paid for and lost.

    One failure to store images closes it: for all providers if the disk is at fault, else for the provider whose images
    cannot be fetched. A successful probe or download opens it. A single host that never answers does not close a
    provider for ever: after a while the host of an image fetched earlier is probed instead.
    """

    def __init__(self, *, image_service: ImageService, catalogue: Catalogue, clock: Clock) -> None:
        self._image_service = image_service
        self._catalogue = catalogue
        self._clock = clock
        self._disk: _Closure | None = None
        self._providers: dict[str, _Closure] = {}
        # By provider: the URL of the image fetched last, and the seconds until its host is probed instead.
        self._fetched: dict[str, str] = {}
        self._patience: dict[str, float] = {}
        # URLs on hosts that alone do not answer: later tries of the same image prove nothing more.
        self._set_aside: dict[str, None] = {}
        self._with_room: dict[int, float] = {}
        self._on_open: list[Callable[[], None]] = []

    def subscribe(self, on_open: Callable[[], None]) -> None:
        """Call `on_open` whenever a closed part opens."""
        self._on_open.append(on_open)

    @property
    def faults(self) -> tuple[StorageFault, ...]:
        """Faults of all closed parts."""
        closed = [*([] if self._disk is None else [self._disk]), *self._providers.values()]
        return tuple(dict.fromkeys(closure.fault for closure in closed))

    @property
    def is_disk_closed(self) -> bool:
        """True if no image at all can be stored."""
        return self._disk is not None

    def check_space(self) -> None:
        """Check that there is space for the images of new jobs.

        Raises:
            StorageFullError: there is none.
        """
        if self.shortage is not None:
            raise StorageFullError

    def check_room(self, connection: Connection, member_id: int, megabytes: int | None) -> None:
        """Check that a member's stored images are below their limit.

        Raises:
            StorageFullError: they reach it.
        """
        if megabytes is not None and not self._has_room(connection, member_id, megabytes * MEGABYTE):
            raise StorageFullError(own=True, limit=megabytes)

    def _has_room(self, connection: Connection, member_id: int, limit: int) -> bool:
        """Return whether a member's stored images are below their limit.

        The sum of thousands of images would hold up the writer for each job, so a good answer holds for half a minute.
        """
        now = self._clock.monotonic()
        if now - self._with_room.get(member_id, float("-inf")) < _ROOM_SECONDS:
            return True
        if stored_bytes(connection, member_id) >= limit:
            return False
        if len(self._with_room) >= _MOST_WITH_ROOM:
            self._with_room.clear()
        self._with_room[member_id] = now
        return True

    @property
    def shortage(self) -> Shortage | None:
        """The reason why no new job may be made, or None."""
        return self._image_service.space.shortage()

    def is_closed_for(self, provider: str) -> bool:
        """Return whether images of a provider cannot be stored."""
        return self._disk is not None or provider in self._providers

    def blocks(self, request: GenerationRequest) -> bool:
        """Return whether the images of a request cannot be stored.

        That is so if its provider does not matter, or if no provider is left for it.
        """
        return bool(self._closures_for(request))

    def blocks_longer_than(self, request: GenerationRequest, seconds: float) -> bool:
        """Return whether a request has been blocked for more than `seconds`."""
        closures = self._closures_for(request)
        return bool(closures) and all(self._clock.monotonic() - each.since > seconds for each in closures)

    def _closures_for(self, request: GenerationRequest) -> list[_Closure]:
        """Return all closures blocking a request; empty if not blocked."""
        if self._disk is not None:
            return [self._disk]
        names = {offer.provider for offer in offers_for(request, self._catalogue)}
        return [self._providers[name] for name in names] if names <= self._providers.keys() else []

    def limit(self, available: Mapping[str, int]) -> dict[str, int]:
        """Return the number of submits open to each provider."""
        return {name: 0 if self.is_closed_for(name) else count for name, count in available.items()}

    def record_write_failure(self, error: OSError) -> None:
        """Record a failure to write an image."""
        if isinstance(error, PictureStoreError):
            self._close_disk(StorageFault.OBJECT_STORE, problem=error.problem)
            return
        shortage = self.shortage
        fault = StorageFault.UNWRITABLE if shortage is None else _SHORTAGES[shortage]
        self._close_disk(fault, errno=error.errno, error=os.strerror(error.errno) if error.errno else "")

    def record_download_failure(self, provider: str, url: str, error: ImageError) -> None:
        """Record a failure to fetch a provider's images."""
        if url in self._set_aside:
            return
        fault = StorageFault.UNREACHABLE
        if error.problem is ImageProblem.FORBIDDEN_ADDRESS:
            fault = StorageFault.FORBIDDEN_ADDRESS
        before = self._providers.get(provider)
        if before is None or before.fault is not fault:
            host = self._image_service.host_of(url)
            _log.error("storage.closed", fault=fault, provider=provider, host=host, remedy=_REMEDIES[fault])
        since = self._clock.monotonic() if before is None else before.since
        self._providers[provider] = _Closure(fault=fault, since=since, url=url)

    def record_success(self, provider: str, url: str | None) -> None:
        """Record a stored image of a provider; without a URL it came in an answer."""
        if url is not None:
            self._fetched[provider] = url
            self._open_provider(provider)
        if self._disk is not None and self._disk.fault not in _SHORTAGES.values():
            self._open_disk()

    async def probe(self) -> None:
        """Check the free space, and try failed parts again.

        A small file is written and flushed, and the hosts are connected to.
        """
        shortage = self.shortage
        if shortage is not None:
            self._close_disk(_SHORTAGES[shortage])
        elif self._disk is not None:
            await self.probe_disk()
        for provider, closure in list(self._providers.items()):
            try:
                await self._image_service.probe_host(closure.url)
            except ImageError as error:
                is_alone = await self._is_alone(provider, closure)
                if self._providers.get(provider) != closure:
                    continue  # a download was quicker
                if is_alone:
                    self._set_host_aside(provider, closure)
                else:
                    self.record_download_failure(provider, closure.url, error)
            else:
                self._patience.pop(provider, None)
                self._open_provider(provider)

    async def _is_alone(self, provider: str, closure: _Closure) -> bool:
        """Return whether only the closure's host has long failed to answer."""
        fetched = self._fetched.get(provider)
        patience = self._patience.get(provider, _FIRST_PATIENCE_SECONDS)
        if fetched is None or self._clock.monotonic() - closure.since < patience:
            return False
        if self._image_service.host_of(fetched) == self._image_service.host_of(closure.url):
            return False
        try:
            await self._image_service.probe_host(fetched)
        except ImageError:
            return False
        return True

    def _set_host_aside(self, provider: str, closure: _Closure) -> None:
        """Open a provider though one host of its images does not answer.

        An image of another job on that host closes it again.
        """
        _log.error("storage.host_set_aside", provider=provider, host=self._image_service.host_of(closure.url))
        patience = self._patience.get(provider, _FIRST_PATIENCE_SECONDS)
        self._patience[provider] = min(2 * patience, _LONGEST_PATIENCE_SECONDS)
        if len(self._set_aside) >= _MOST_SET_ASIDE:
            self._set_aside.pop(next(iter(self._set_aside)))
        self._set_aside[closure.url] = None
        self._open_provider(provider)

    async def probe_disk(self) -> None:
        """Write, flush and delete a small file."""
        try:
            await self._image_service.probe_store()
        except OSError as error:
            self.record_write_failure(error)
        else:
            if self.shortage is None:
                self._open_disk()

    def _close_disk(self, fault: StorageFault, **facts: object) -> None:
        before = self._disk
        if before is None or before.fault is not fault:
            _log.error("storage.closed", fault=fault, remedy=_REMEDIES[fault], **facts)
        self._disk = _Closure(fault=fault, since=self._clock.monotonic() if before is None else before.since)

    def _open_disk(self) -> None:
        if self._disk is not None:
            _log.info("storage.open", fault=self._disk.fault)
            self._disk = None
            self._announce()

    def _open_provider(self, provider: str) -> None:
        closure = self._providers.pop(provider, None)
        if closure is not None:
            _log.info("storage.open", fault=closure.fault, provider=provider)
            self._announce()

    def _announce(self) -> None:
        for on_open in self._on_open:
            on_open()

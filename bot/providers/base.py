"""Protocol of an image API and the values it returns."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.errors import FaultKind
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An accepted, unfinished job.

    `handle` names the job at the provider. Its support asks for `record_id`. `running` is False while the job
    waits in the provider's queue. `cost` is in the provider's units, if given.
    """

    handle: str
    running: bool
    record_id: str | None = None
    position: int | None = None
    percent: int | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished job.

    `image_urls` is never empty, without duplicates, in the provider's order. `handle` is None only if the
    provider answers inline and names no job.
    """

    image_urls: tuple[str, ...]
    handle: str | None = None
    record_id: str | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A job ended without an image.

    `detail` is the provider's error code and the loggable words of its reason.
    """

    kind: FaultKind
    detail: str = ""
    handle: str | None = None
    record_id: str | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """A job cancelled before it started; it is not billed."""

    handle: str


class CancelOutcome(StrEnum):
    """A provider's answer to a cancel."""

    CANCELLED = "cancelled"  # it said so explicitly
    STARTED = "started"  # too late: the work has begun and will be billed if it completes
    READ_AGAIN = "read_again"  # it does not say: the status tells
    UNKNOWN_JOB = "unknown_job"
    UNSUPPORTED = "unsupported"


SubmitAnswer = Pending | Finished | Failed
Status = Pending | Finished | Failed | Cancelled


class Provider(Protocol):
    """An image API.

    Faults of HTTP and of the contract are raised as `ProviderError`.
    """

    @property
    def name(self) -> str:
        """The provider's name in settings, offers and the database."""
        ...

    @property
    def takes_webhooks(self) -> bool:
        """True if it posts to the `webhook_url` of a submit at the job's end."""
        ...

    async def submit(self, request: GenerationRequest, offer: Offer, *, webhook_url: str | None = None) -> SubmitAnswer:
        """Send the job once; never retried here.

        This is a paid call: see `ProviderError.maybe_accepted`. `webhook_url` is ignored if the provider takes
        none.
        """
        ...

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Read the job's status once. Free, so it may be repeated.

        `hide` are texts, such as the prompt, that the provider may quote and no detail must.
        """
        ...

    async def cancel(self, handle: str) -> CancelOutcome:
        """Ask the provider to drop the job."""
        ...

    def parse_webhook(self, body: object) -> str | None:
        """Return the handle in a webhook's JSON, or None.

        Anybody may have posted it, so nothing else in it counts.
        """
        ...

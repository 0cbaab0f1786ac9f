"""Protocol of an image API and the values it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, Protocol

from bot.domain.costs import Cost, ProviderBalance
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest

MAX_SEED: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """The bytes of a sanitized input image."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One call for images.

    `request.images` is how many this call is to make. `call_id` is our own id of the call, a lower-case UUID, and
    `seed` is its own number from 0 to 2³¹ - 1: both are the same whenever the call is described again, also after a
    restart. `inputs` are the files of the request's inputs for a provider that takes bytes, else empty. `webhook_url`
    is None if the provider takes none, or if the call is described again. `member_tag` stands for the member: the same
    for all calls of one member, and meaningless outside this installation. `sent_at` is the aware time of the call if
    it is described again and that is known, else None.
    """

    request: GenerationRequest
    offer: Offer
    call_id: str
    seed: int
    inputs: tuple[InputFile, ...] = ()
    webhook_url: str | None = field(default=None, repr=False)
    member_tag: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An accepted, unfinished job.

    `handle` names the job at the provider. Its support asks for `record_id`. `running` is False while the job
    waits in the provider's queue. `position` is its place there, from 1; `percent` is from 0 to 100.
    """

    handle: str
    running: bool
    record_id: str | None = None
    position: int | None = None
    percent: int | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished job.

    The images are addresses or files, in the provider's order and without duplicates; one of the two is never empty.
    `handle` is None only if the provider answers inline and names no job.
    """

    image_urls: tuple[str, ...] = ()
    image_files: tuple[bytes, ...] = field(default=(), repr=False)
    handle: str | None = None
    record_id: str | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A job ended without an image.

    `detail` is the provider's error code and the loggable words of its reason. `cost` is set if it is billed all the
    same. `made_images`: it is billed like a finished one, for images that the provider does not show.
    """

    kind: FaultKind
    detail: str = ""
    handle: str | None = None
    record_id: str | None = None
    cost: Cost | None = None
    made_images: bool = False


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


class InputForm(Enum):
    """A provider's form of input images."""

    URL = "url"  # it downloads them from a public address
    FILE = "file"  # they are part of the call


class LostCall(StrEnum):
    """A provider's answer about a call without a reply, if not a handle."""

    NOT_TAKEN = "not_taken"  # it surely never accepted the call: another try is no repetition
    NOT_BILLED = "not_billed"  # the pictures are gone, and cost nothing
    ASK_AGAIN = "ask_again"  # it may know later
    UNDECIDED = "undecided"  # it never tells


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

    @property
    def input_form(self) -> InputForm:
        """The form of its input images."""
        ...

    @property
    def is_synchronous(self) -> bool:
        """True if a submit is answered with the images, after minutes perhaps."""
        ...

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send the call once; never retried here.

        This is a paid call: see `ProviderError.maybe_accepted`.
        """
        ...

    async def find_lost(self, submission: Submission) -> str | LostCall:
        """Look for a call without a reply, and return its handle.

        `submission` is the call described again. Free, so it may be repeated.
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

    async def verify_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Return whether the provider itself sent a webhook.

        `url` is the address of the submit, `body` the raw bytes. True if the provider does not sign its webhooks.
        """
        ...

    def parse_webhook(self, body: object) -> str | None:
        """Return the handle in a webhook's JSON, or None.

        Anybody may have posted it, so nothing else in it counts.
        """
        ...

    async def close(self) -> None:
        """Close the provider's own connections."""
        ...

    async def balance(self) -> ProviderBalance | None:
        """Read the balance of the account, or None if there is no way. Free."""
        ...


class ProviderDefaults:
    """Answers of a provider without cancels and webhooks."""

    name: str
    takes_webhooks: bool = False
    input_form: InputForm = InputForm.FILE
    is_synchronous: bool = False

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Raise NOT_FOUND: a synchronous provider has no jobs."""
        del handle, hide
        raise ProviderError(FaultKind.NOT_FOUND, provider=self.name)

    async def find_lost(self, submission: Submission) -> str | LostCall:
        """Return UNDECIDED: there is nothing to ask."""
        del submission
        return LostCall.UNDECIDED

    async def cancel(self, handle: str) -> CancelOutcome:
        """Return UNSUPPORTED."""
        del handle
        return CancelOutcome.UNSUPPORTED

    async def verify_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Return True: webhooks are not signed."""
        del url, headers, body
        return True

    def parse_webhook(self, body: object) -> str | None:
        """Return None: there are no webhooks."""
        del body
        return None

    async def close(self) -> None:
        """Do nothing: the builder closes the HTTP client."""

    async def balance(self) -> ProviderBalance | None:
        """Return None: the provider has no such call."""
        return None

"""Every error that the product raises on purpose.

    AtelierError
    |- RequestError            what a member asked for cannot be done as asked
    |  |- PromptError          empty, too long, or with characters that no provider takes
    |  |- UnknownModelError
    |  |- OptionRangeError     a value outside what the option takes
    |  |- UnsupportedOptionError  the model cannot do this option; names those that can
    |  |- ExclusiveOptionsError  two options that do not go together
    |  '- InputError           a picture to start from cannot be used
    |- CreditsError
    |  |- InsufficientCreditsError
    |  '- BudgetSpentError
    |- AccessError
    |  |- NotInServerError     outside a server
    |  |- NotAdmittedError     the operator has not admitted this server
    |  '- NotAllowedError      this person may not do this
    |- JobError
    |  |- QueueFullError       too many jobs waiting for this member
    |  |- DuplicateInteractionError  Discord delivered an interaction twice
    |  |- JobNotFoundError
    |  |- JobStateError        the job has moved on; the transition is not legal from here
    |  |- JobRunningError      it is still being made, so nothing can be made of it yet
    |  |- JobDeletedError      it was deleted
    |  |- AlreadyBegunError    the same press twice: the first one has made the job
    |  |- AlreadyAskedError    the same press twice: the first one is being asked about
    |  |- ConfirmationGoneError  a question about its price that was answered, or is too old
    |  |- FormGoneError        a refused form that is too old to be opened again
    |  |- SearchGoneError      a search of `/history` that is no longer stored
    |  |- ImageGoneError       a picture of the studio's own is no longer kept, and cannot be fetched again
    |  '- StaleJobError        somebody else moved the job between reading and writing
    |- PresetError
    |  |- PresetNotFoundError  no preset of this name for whoever asks
    |  |- EmptyPresetError     neither a prompt nor an option to keep
    |  |- PresetLimitError     as many as there may be
    |  '- PresetNameTakenError a deleted one cannot come back: another has its name
    |- StudioClosedError       no provider can take the job at present
    |- ProviderError           an image API answered with a fault, or not at all
    |- ImageError            a picture could not be fetched, or is not usable
    '- LedgerError             the ledger would not balance: a fault of ours

Errors carry a code and the facts, no prose: one table (`bot.ui.render.error_messages`) words them for people.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class AtelierError(Exception):
    """Base of all. `code` is stable and goes to logs; the attributes are the facts."""

    code: ClassVar[str] = "error"

    def __str__(self) -> str:
        """Return the code and the facts, for logs; never shown to a member."""
        facts = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{self.code}({facts})"


class RequestError(AtelierError):
    """What was asked for cannot be done as asked; nothing was held."""

    code = "request"


class PromptProblem(StrEnum):
    """What is wrong with a prompt."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"


class PromptError(RequestError):
    """The prompt is unusable; `length` and `limit` count Unicode code points."""

    code = "prompt"

    def __init__(self, problem: PromptProblem, *, length: int, limit: int) -> None:
        super().__init__()
        self.problem = problem
        self.length = length
        self.limit = limit


class UnknownModelError(RequestError):
    """No model of this name; `models` are the names that exist."""

    code = "unknown_model"

    def __init__(self, model: str, models: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.models = models


class OptionRangeError(RequestError):
    """`value` is not among what `option` takes, which `allowed` describes (a range or a list)."""

    code = "option_range"

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__()
        self.option = option
        self.value = value
        self.allowed = allowed


class UnsupportedOptionError(RequestError):
    """`model` cannot do `option` (or this `value` of it); `models` can."""

    code = "unsupported_option"

    def __init__(self, option: str, value: object, *, model: str, models: tuple[str, ...]) -> None:
        super().__init__()
        self.option = option
        self.value = value
        self.model = model
        self.models = models


class ExclusiveOptionsError(RequestError):
    """`option` does not go with this `value` of the `other` one, which takes only what is `allowed` then."""

    code = "exclusive_options"

    def __init__(self, option: str, *, other: str, value: str, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.option = option
        self.other = other
        self.value = value
        self.allowed = allowed


class InputProblem(StrEnum):
    """What is wrong with a picture to start from, as far as can be told before it is fetched."""

    NONE = "none"  # nothing there to start from
    TOO_MANY = "too_many"  # pictures
    FOREIGN = "foreign"  # not where Discord keeps files
    WRONG_TYPE = "wrong_type"
    UNMEASURED = "unmeasured"  # Discord found no width and height in it, so it is no picture
    TOO_HEAVY = "too_heavy"  # bytes
    TOO_LARGE = "too_large"  # a side, or pixels
    TOO_SMALL = "too_small"
    EXPIRED = "expired"  # its address has run out
    SHORT_LIVED = "short_lived"  # its address may run out before the job ends, and we have none of our own
    ANIMATED = "animated"  # it would have to be changed first, and we have no address of our own to give that from
    GONE = "gone"  # neither an address nor a file is left


class InputError(RequestError):
    """A picture to start from cannot be used; nothing was held.

    `position` counts from 1 and is None where there is but one. `name` is the file's, `value` what it has too much or
    too little of (bytes, pixels, a type, pictures), `limit` what it may have.
    """

    code = "input"

    def __init__(
        self,
        problem: InputProblem,
        *,
        position: int | None = None,
        name: str = "",
        value: int | str | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self.problem = problem
        self.position = position
        self.name = name
        self.value = value
        self.limit = limit


class CreditsError(AtelierError):
    """The books do not allow it; nothing was held."""

    code = "credits"


class InsufficientCreditsError(CreditsError):
    """`needed` credits, `available` to spend; the allowance is renewed at `renews_at`."""

    code = "insufficient_credits"

    def __init__(self, *, needed: int, available: int, renews_at: datetime) -> None:
        super().__init__()
        self.needed = needed
        self.available = available
        self.renews_at = renews_at


class BudgetSpentError(CreditsError):
    """The operator's budget of the month has no room for this; it is renewed at `renews_at`."""

    code = "budget_spent"

    def __init__(self, *, renews_at: datetime) -> None:
        super().__init__()
        self.renews_at = renews_at


class AccessError(AtelierError):
    """Not here, or not for this person."""

    code = "access"


class NotInServerError(AccessError):
    """The command was used outside a server."""

    code = "not_in_server"


class NotAdmittedError(AccessError):
    """The operator has not admitted this server."""

    code = "not_admitted"


class NotAllowedError(AccessError):
    """This person may not do this; `needs` names who may."""

    code = "not_allowed"

    def __init__(self, needs: str) -> None:
        super().__init__()
        self.needs = needs


class JobError(AtelierError):
    """A job cannot be made, found or moved."""

    code = "job"


class QueueFullError(JobError):
    """The member has `limit` jobs waiting already."""

    code = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class DuplicateInteractionError(JobError):
    """This interaction has made a job already: Discord delivered it twice."""

    code = "duplicate_interaction"


class JobNotFoundError(JobError):
    """No such job, or it is not visible to whoever asks."""

    code = "job_not_found"


class JobStateError(JobError):
    """The job is in `state`, where the wanted step is not legal."""

    code = "job_state"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__()
        self.state = state
        self.wanted = wanted


class StaleJobError(JobError):
    """The guarded update matched no row: the job moved on, or its fence did."""

    code = "stale_job"


class JobRunningError(JobError):
    """The job has no end yet, so nothing can be made of it."""

    code = "job_running"


class JobDeletedError(JobError):
    """The job was deleted by its member or a moderator."""

    code = "job_deleted"


class AlreadyBegunError(JobError):
    """The same member asked for the same of the same job a moment ago: a button pressed twice."""

    code = "already_begun"


class AlreadyAskedError(JobError):
    """The same member was asked about the same a moment ago: a button pressed, or a command sent, twice."""

    code = "already_asked"


class ConfirmationGoneError(JobError):
    """A request that waited for its member's word is gone: `expired`, or else it was answered before."""

    code = "draft_gone"

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__()
        self.expired = expired


class FormGoneError(JobError):
    """A form that was refused is not kept any more, or is another's."""

    code = "form_gone"


class SearchGoneError(JobError):
    """A search of `/history` is no longer stored, or is another member's."""

    code = "search_gone"


class ImageGoneError(JobError):
    """A picture to start from is no longer kept; `own` is what the job itself made, else what it was made from."""

    code = "picture_gone"

    def __init__(self, *, own: bool = True) -> None:
        super().__init__()
        self.own = own


class PresetError(AtelierError):
    """It cannot be done with this preset."""

    code = "preset"


class PresetNotFoundError(PresetError):
    """No preset of this `name`, neither the member's own nor the server's; None where a name is not known."""

    code = "preset_not_found"

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = name


class EmptyPresetError(PresetError):
    """Neither a prompt nor an option was given, so there is nothing to keep."""

    code = "preset_empty"


class PresetLimitError(PresetError):
    """There are `limit` presets already: the member's own, or the server's where it is `shared`."""

    code = "preset_limit"

    def __init__(self, limit: int, *, shared: bool) -> None:
        super().__init__()
        self.limit = limit
        self.shared = shared


class PresetNameTakenError(PresetError):
    """A deleted preset cannot come back, for another one has its `name` by now."""

    code = "preset_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class StudioClosedError(AtelierError):
    """No configured provider can take jobs for this model at present."""

    code = "studio_closed"


class FaultKind(StrEnum):
    """Why a job or a request to a provider failed; the wording table and the counters use these."""

    INVALID = "invalid"  # the provider rejects the request itself (400, 422)
    KEY_REJECTED = "key_rejected"  # the operator's key (401, 403)
    ACCOUNT_EMPTY = "account_empty"  # the operator's balance there (402, FAILED for low balance)
    RATE_LIMITED = "rate_limited"  # 429
    UNAVAILABLE = "unavailable"  # 503, no connection
    SERVER_ERROR = "server_error"  # 500 and other 5xx
    CONTENT = "content"  # refused for what it shows or says
    GENERATION = "generation"  # the vendor's model failed
    NO_PICTURES = "no_pictures"  # reported done without a usable picture
    REPLY_LOST = "reply_lost"  # sent, but the answer never came: perhaps accepted
    MALFORMED = "malformed"  # an answer that the contract does not know
    NOT_FOUND = "not_found"  # the provider does not know the handle (404)
    DEADLINE = "deadline"  # the hard deadline passed
    UNACKNOWLEDGED = "unacknowledged"  # the card never appeared
    INTERNAL = "internal"  # a fault of ours
    # What the member gave to start from, fetched and found wanting:
    INPUT_GONE = "input_gone"  # its message was deleted, or its address ran out
    INPUT_UNUSABLE = "input_unusable"  # no picture, or a broken one
    INPUT_TOO_LARGE = "input_too_large"  # more bytes or pixels than it said
    INPUT_TOO_SMALL = "input_too_small"
    INPUT_UNREACHABLE = "input_unreachable"  # Discord did not give it for minutes


class ProviderError(AtelierError):
    """A request to an image API failed.

    `maybe_accepted` is true when a submit may have reached the provider (so that it must never be repeated);
    `retry_after` is the wait in seconds that the provider asked for; `detail` is its own words, cut and with
    nothing secret in it, for the operator's log.
    """

    code = "provider"

    def __init__(
        self,
        kind: FaultKind,
        *,
        provider: str,
        detail: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        maybe_accepted: bool = False,
        record_id: str | None = None,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.provider = provider
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.maybe_accepted = maybe_accepted
        self.record_id = record_id


class ImageProblem(StrEnum):
    """Why a picture could not be had."""

    GONE = "gone"  # 404 or 410
    UNREACHABLE = "unreachable"  # no connection, 5xx, timeouts: trying again may help
    FORBIDDEN_ADDRESS = "forbidden_address"  # not HTTPS, or not a public address
    TOO_LARGE = "too_large"  # more bytes or pixels than allowed
    TOO_SMALL = "too_small"  # fewer pixels than anything can be made of
    NOT_A_PICTURE = "not_a_picture"
    TRUNCATED = "truncated"


class ImageError(AtelierError):
    """A picture could not be fetched or decoded; the address is never part of it (it may be signed)."""

    code = "picture"

    def __init__(self, problem: ImageProblem, detail: str = "") -> None:
        super().__init__()
        self.problem = problem
        self.detail = detail


class LedgerError(AtelierError):
    """The ledger would not balance: a fault of ours, never of a member."""

    code = "books"

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail

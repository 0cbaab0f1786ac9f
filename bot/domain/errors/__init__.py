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

from bot.domain.errors.access import AccessError, NotAdmittedError, NotAllowedError, NotInServerError, StudioClosedError
from bot.domain.errors.base import AtelierError
from bot.domain.errors.credits import BudgetSpentError, CreditsError, InsufficientCreditsError, LedgerError
from bot.domain.errors.jobs import (
    AlreadyAskedError,
    AlreadyBegunError,
    ConfirmationGoneError,
    DuplicateInteractionError,
    FormGoneError,
    ImageGoneError,
    JobDeletedError,
    JobError,
    JobNotFoundError,
    JobRunningError,
    JobStateError,
    QueueFullError,
    SearchGoneError,
    StaleJobError,
)
from bot.domain.errors.presets import (
    EmptyPresetError,
    PresetError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
)
from bot.domain.errors.providers import FaultKind, ImageError, ImageProblem, ProviderError
from bot.domain.errors.requests import (
    ExclusiveOptionsError,
    InputError,
    InputProblem,
    OptionRangeError,
    PromptError,
    PromptProblem,
    RequestError,
    UnknownModelError,
    UnsupportedOptionError,
)

__all__ = [
    "AccessError",
    "AlreadyAskedError",
    "AlreadyBegunError",
    "AtelierError",
    "BudgetSpentError",
    "ConfirmationGoneError",
    "CreditsError",
    "DuplicateInteractionError",
    "EmptyPresetError",
    "ExclusiveOptionsError",
    "FaultKind",
    "FormGoneError",
    "ImageError",
    "ImageGoneError",
    "ImageProblem",
    "InputError",
    "InputProblem",
    "InsufficientCreditsError",
    "JobDeletedError",
    "JobError",
    "JobNotFoundError",
    "JobRunningError",
    "JobStateError",
    "LedgerError",
    "NotAdmittedError",
    "NotAllowedError",
    "NotInServerError",
    "OptionRangeError",
    "PresetError",
    "PresetLimitError",
    "PresetNameTakenError",
    "PresetNotFoundError",
    "PromptError",
    "PromptProblem",
    "ProviderError",
    "QueueFullError",
    "RequestError",
    "SearchGoneError",
    "StaleJobError",
    "StudioClosedError",
    "UnknownModelError",
    "UnsupportedOptionError",
]

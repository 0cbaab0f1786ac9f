"""The errors of the product.

    AtelierError
    |- RequestError            the request is impossible as asked
    |  |- PromptError          empty, too long, or with unreadable characters
    |  |- UnknownModelError
    |  |- UnknownEffectError
    |  |- OptionRangeError     a value out of the option's range
    |  |- NotOfferedError      a choice that is not offered
    |  |- UnsupportedOptionError  the model lacks this option; others are named
    |  |- ExclusiveOptionsError  two options exclude each other
    |  |- EditOnlyError        a value for edits, in a request from text alone
    |  |- PictureTakenDownError  an input image was taken down
    |  |- PromptRefusedError   a prompt rule forbids words of the request
    |  '- InputError           an input image is unusable
    |- CreditsError
    |  |- InsufficientCreditsError
    |  |- BudgetSpentError
    |  '- BudgetLimitError     a limit of a server's budget that cannot be set
    |- CreditChangeError       an admin's change of credits is impossible
    |  |- AmountError          not a number of credits, or out of its range
    |  |- AllowanceMissingError  no entry to remove
    |  |- AllowanceTargetError  a role and a member together, or no amount
    |  |- CreditTargetError    a bot, or not a member of this server
    |  |- GrantTooLargeError   more than an account holds
    |  |- NothingGrantedError  no granted credit to take
    |  '- NothingUsedError     nothing of the allowance to give back
    |- AccessError
    |  |- NotInServerError     outside a server
    |  |- NotAdmittedError     the operator has not admitted this server
    |  |- AgeRestrictedError   a picture of an age-restricted channel, wanted elsewhere
    |  |- BannedError          the member is banned from the studio, or from sharing
    |  |- RoleNeededError      a model or an option is for some roles only
    |  |- BanRefusedError      this member cannot be banned
    |  |- NoBanError           the member has no ban
    |  |- WrongChannelError    the server's studio works in other channels
    |  |- CannotPostError      no right to post pictures in a channel
    |  |- ChannelGoneError     the job's channel is out of reach
    |  |- ChannelUnusedError   the studio no longer works in the job's channel
    |  '- NotAllowedError      this person may not do this
    |- JobError
    |  |- QueueFullError       too many jobs waiting for this member
    |  |- DuplicateInteractionError  Discord delivered an interaction twice
    |  |- JobNotFoundError
    |  |- JobStateError        the transition is illegal from the job's state
    |  |- JobRunningError      the job has not ended
    |  |- JobDeletedError      the job was deleted
    |  |- AlreadyBegunError    pressed twice: the job already exists
    |  |- AlreadyAskedError    pressed twice: the member is already asked to confirm
    |  |- ConfirmationGoneError  a confirmation was answered or has expired
    |  |- FormGoneError        a refused form is no longer stored
    |  |- SearchGoneError      a search of `/history` is no longer stored
    |  |- ImageGoneError       an image is no longer stored and cannot be fetched again
    |  '- StaleJobError        another worker changed the job after it was read
    |- DuelError
    |  |- SameModelError       a model was chosen twice
    |  |- DuelGoneError        there is no such duel any more
    |  |- VoteClosedError      the vote has not begun, or has ended
    |  |- OwnDuelError         the organizer has no vote
    |  |- DuelHiddenError      nobody else would see the duel
    |  '- DuelOpenError        a picture of a duel cannot be shared or changed before its end
    |- PresetError
    |  |- PresetNotFoundError  the member and the server have no preset of this name
    |  |- EmptyPresetError     neither a prompt nor an option to save
    |  |- PresetLimitError     the highest number is reached
    |  '- PresetNameTakenError a deleted preset's name is in use again
    |- PrivacyError
    |  |- ExportRunningError   an export of the member's data is being sent
    |  |- ExportTooSoonError   the member had one a short while ago
    |  '- DeletionRunningError everything about the member is being deleted
    |- StorageFullError        no space for further images
    |- LimitError
    |  |- TooManyRequestsError  the limit of a minute is reached
    |  '- SearchRunningError   earlier searches of the member are still running
    |- StudioClosedError       no provider takes the job at present
    |  '- ModelClosedError     no provider serves this model; others are named
    |- SetupError              a field of a server's setup cannot be read
    |  |- UnknownTimeZoneError  no time zone, or several, have this name
    |  |- RefusalReasonsError  reasons that cannot be stored
    |  '- ModeratorRoleError   a role of everyone or of a bot
    |- GuildKeyError           a server's own provider key
    |  |- KeysOffError         the operator allows none, or none for this provider
    |  |- KeyFormError         what was typed cannot be a key
    |  |- KeyNotSavedError     the provider does not accept it, or did not answer
    |  |- KeyGoneError         the server has no key for this provider any more
    |  '- NoGuildKeyError      no own key serves this request
    |- SharingError            a picture cannot be shared, or a submission not changed
    |  |- ChallengeError       a challenge cannot be started, entered or voted in
    |  |  |- ChallengeGoneError  no such challenge
    |  |  |- ChallengeStateError  it takes no entries, or no votes, now
    |  |  |- ChallengeTimesError  too short or too long
    |  |  |- ChallengePlaceError  the bot may not post in the channel
    |  |  |- ChallengeLimitError  the server has several already
    |  |  |- ChallengeFullError  it has the most entries
    |  |  |- AlreadyEnteredError  the member has an entry
    |  |  |- OwnEntryError    nobody votes for their own entry
    |  |  |- RoleNeededToVoteError  some roles vote in this server
    |  |  |- NoVotesLeftError  the member has voted often enough
    |  |  '- PrizeError       the server's budget does not cover the prize
    |  |- SubmissionNotFoundError
    |  |- SubmissionStateError  the transition is illegal from the submission's state
    |  |- AlreadyDecidedError  somebody else was faster
    |  |- SubmissionClaimedError  another moderator is at work on it
    |  |- AlreadySharedError   the picture is in a submission already
    |  |- RefusedBeforeError   the moderators refused this picture
    |  |- SharingOffError      no showcase channel, or none for the review
    |  |- AnonymousOffError    the server's rules allow no anonymous submission
    |  |- PicksPostedError     the picks of this week are posted already
    |  |- OwnVoteError         members cannot vote for their own pictures
    |  |- AgeRestrictedShareError  a channel for sharing may not show the picture
    |  |- NotShareableError    the message has no pictures of the member's from here
    |  '- SubmissionLimitError the member has too many waiting submissions
    |- ReportError             a picture cannot be reported, or a case not decided
    |  |- NothingToReportError  no picture of the studio in the message
    |  |- OwnPictureError      the member's own picture
    |  |- AlreadyReportedError  a second report by the same member
    |  |- ReportLimitError     the reports of a day are used up
    |  |- PicturesHiddenError  hidden until the moderators decide
    |  |- CaseNotFoundError
    |  '- CaseClosedError      somebody else was faster
    |- TakedownGoneError       no takedown in force has this code
    |- StudioPausedError       a pause refuses new jobs
    |- AppealError             an appeal against a refused prompt is impossible
    |  |- AppealGoneError      the refused prompt is no longer kept
    |  |- AppealBegunError     the member appealed already
    |  |- AppealDecidedError   a moderator decided already
    |  '- OwnAppealError      a moderator's own appeal
    |- PromptRuleError         a change of prompt rules is impossible
    |  |- PromptRuleTextError  the text of a rule cannot be used
    |  |- PromptRuleGoneError  the rule was removed
    |  |- AutoModRightError    the bot may not read AutoMod's rules
    |  '- AutoModUnreadError   Discord does not answer about AutoMod's rules
    |- UnknownPauseTargetError  no model or provider to pause has this name
    |- ProviderError           an image API answered with an error, or not at all
    |- ImageError              an image could not be fetched or used
    '- LedgerError             the ledger would not balance: our own fault

Errors carry a code and facts, no prose: `bot.ui.render.error_messages` has the texts.
"""

from bot.domain.errors.access import (
    AccessError,
    AgeRestrictedError,
    BannedError,
    BanRefusedError,
    CannotPostError,
    ChannelGoneError,
    ChannelUnusedError,
    ModelClosedError,
    NoBanError,
    NotAdmittedError,
    NotAllowedError,
    NotInServerError,
    RoleNeededError,
    StorageFullError,
    StudioClosedError,
    WrongChannelError,
)
from bot.domain.errors.alternatives import ModelOffer
from bot.domain.errors.appeals import (
    AppealBegunError,
    AppealDecidedError,
    AppealError,
    AppealGoneError,
    OwnAppealError,
)
from bot.domain.errors.base import AtelierError
from bot.domain.errors.challenges import (
    AlreadyEnteredError,
    ChallengeError,
    ChallengeFullError,
    ChallengeGoneError,
    ChallengeLimitError,
    ChallengePlaceError,
    ChallengeStateError,
    ChallengeTimesError,
    NoVotesLeftError,
    OwnEntryError,
    PrizeError,
    RoleNeededToVoteError,
)
from bot.domain.errors.credit_changes import (
    AllowanceMissingError,
    AllowanceTargetError,
    AmountError,
    CreditChangeError,
    CreditTargetError,
    GrantTooLargeError,
    NothingGrantedError,
    NothingUsedError,
    TargetProblem,
)
from bot.domain.errors.credits import (
    AffordableOffer,
    BudgetLimitError,
    BudgetSpentError,
    CreditsError,
    InsufficientCreditsError,
    LedgerError,
    Remedy,
)
from bot.domain.errors.duels import (
    DuelError,
    DuelGoneError,
    DuelHiddenError,
    DuelOpenError,
    OwnDuelError,
    SameModelError,
    VoteClosedError,
)
from bot.domain.errors.guild_keys import (
    GuildKeyError,
    KeyFormError,
    KeyFormProblem,
    KeyGoneError,
    KeyNotSavedError,
    KeysOffError,
    NoGuildKeyError,
)
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
from bot.domain.errors.limits import LimitError, SearchRunningError, TooManyRequestsError
from bot.domain.errors.pauses import StudioPausedError, UnknownPauseTargetError
from bot.domain.errors.presets import (
    EmptyPresetError,
    PresetError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
)
from bot.domain.errors.privacy import DeletionRunningError, ExportRunningError, ExportTooSoonError, PrivacyError
from bot.domain.errors.prompt_rules import (
    AutoModRightError,
    AutoModUnreadError,
    PromptRefusedError,
    PromptRuleError,
    PromptRuleGoneError,
    PromptRuleTextError,
)
from bot.domain.errors.providers import FaultKind, ImageError, ImageProblem, ProviderError
from bot.domain.errors.reports import (
    AlreadyReportedError,
    CaseClosedError,
    CaseNotFoundError,
    NothingToReportError,
    OwnPictureError,
    PicturesHiddenError,
    ReportError,
    ReportLimitError,
)
from bot.domain.errors.requests import (
    EditOnlyError,
    ExclusiveOptionsError,
    InputError,
    InputProblem,
    NotOfferedError,
    OptionRangeError,
    PromptError,
    PromptProblem,
    RequestError,
    UnknownEffectError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.domain.errors.setup import ModeratorRoleError, RefusalReasonsError, SetupError, UnknownTimeZoneError
from bot.domain.errors.sharing import (
    AgeRestrictedShareError,
    AlreadyDecidedError,
    AlreadySharedError,
    AnonymousOffError,
    NotShareableError,
    OwnVoteError,
    PicksPostedError,
    RefusedBeforeError,
    SharingError,
    SharingOffError,
    SubmissionClaimedError,
    SubmissionLimitError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.errors.takedowns import PictureTakenDownError, TakedownGoneError

__all__ = [
    "AccessError",
    "AffordableOffer",
    "AgeRestrictedError",
    "AgeRestrictedShareError",
    "AllowanceMissingError",
    "AllowanceTargetError",
    "AlreadyAskedError",
    "AlreadyBegunError",
    "AlreadyDecidedError",
    "AlreadyEnteredError",
    "AlreadyReportedError",
    "AlreadySharedError",
    "AmountError",
    "AnonymousOffError",
    "AppealBegunError",
    "AppealDecidedError",
    "AppealError",
    "AppealGoneError",
    "AtelierError",
    "AutoModRightError",
    "AutoModUnreadError",
    "BanRefusedError",
    "BannedError",
    "BudgetLimitError",
    "BudgetSpentError",
    "CannotPostError",
    "CaseClosedError",
    "CaseNotFoundError",
    "ChallengeError",
    "ChallengeFullError",
    "ChallengeGoneError",
    "ChallengeLimitError",
    "ChallengePlaceError",
    "ChallengeStateError",
    "ChallengeTimesError",
    "ChannelGoneError",
    "ChannelUnusedError",
    "ConfirmationGoneError",
    "CreditChangeError",
    "CreditTargetError",
    "CreditsError",
    "DeletionRunningError",
    "DuelError",
    "DuelGoneError",
    "DuelHiddenError",
    "DuelOpenError",
    "DuplicateInteractionError",
    "EditOnlyError",
    "EmptyPresetError",
    "ExclusiveOptionsError",
    "ExportRunningError",
    "ExportTooSoonError",
    "FaultKind",
    "FormGoneError",
    "GrantTooLargeError",
    "GuildKeyError",
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
    "KeyFormError",
    "KeyFormProblem",
    "KeyGoneError",
    "KeyNotSavedError",
    "KeysOffError",
    "LedgerError",
    "LimitError",
    "ModelClosedError",
    "ModelOffer",
    "ModeratorRoleError",
    "NoBanError",
    "NoGuildKeyError",
    "NoVotesLeftError",
    "NotAdmittedError",
    "NotAllowedError",
    "NotInServerError",
    "NotOfferedError",
    "NotShareableError",
    "NothingGrantedError",
    "NothingToReportError",
    "NothingUsedError",
    "OptionRangeError",
    "OwnAppealError",
    "OwnDuelError",
    "OwnEntryError",
    "OwnPictureError",
    "OwnVoteError",
    "PicksPostedError",
    "PictureTakenDownError",
    "PicturesHiddenError",
    "PresetError",
    "PresetLimitError",
    "PresetNameTakenError",
    "PresetNotFoundError",
    "PrivacyError",
    "PrizeError",
    "PromptError",
    "PromptProblem",
    "PromptRefusedError",
    "PromptRuleError",
    "PromptRuleGoneError",
    "PromptRuleTextError",
    "ProviderError",
    "QueueFullError",
    "RefusalReasonsError",
    "RefusedBeforeError",
    "Remedy",
    "ReportError",
    "ReportLimitError",
    "RequestError",
    "RoleNeededError",
    "RoleNeededToVoteError",
    "SameModelError",
    "SearchGoneError",
    "SearchRunningError",
    "SetupError",
    "SharingError",
    "SharingOffError",
    "StaleJobError",
    "StorageFullError",
    "StudioClosedError",
    "StudioPausedError",
    "SubmissionClaimedError",
    "SubmissionLimitError",
    "SubmissionNotFoundError",
    "SubmissionStateError",
    "TakedownGoneError",
    "TargetProblem",
    "TooManyRequestsError",
    "UnknownEffectError",
    "UnknownModelError",
    "UnknownPauseTargetError",
    "UnknownTimeZoneError",
    "UnsupportedOptionError",
    "VoteClosedError",
    "WrongChannelError",
]

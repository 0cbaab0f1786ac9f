"""Errors of image APIs and of images."""

from enum import StrEnum

from bot.domain.errors.base import AtelierError


class FaultKind(StrEnum):
    """The reason why a job or a request to a provider failed.

    The error messages and the counters use it.
    """

    INVALID = "invalid"  # the provider rejects the request itself (400, 422)
    KEY_REJECTED = "key_rejected"  # the operator's key (401, 403)
    ACCOUNT_EMPTY = "account_empty"  # the operator's balance there (402, FAILED for low balance)
    GUILD_KEY_REJECTED = "guild_key_rejected"  # as KEY_REJECTED, of the key of the job's server
    GUILD_ACCOUNT_EMPTY = "guild_account_empty"  # as ACCOUNT_EMPTY, likewise
    GUILD_KEY_UNREADABLE = "guild_key_unreadable"  # it cannot be decrypted: SECRET_KEY changed
    GUILD_KEY_GONE = "guild_key_gone"  # the server has no key for the job any more
    RATE_LIMITED = "rate_limited"  # 429
    UNAVAILABLE = "unavailable"  # 503, no connection
    SERVER_ERROR = "server_error"  # 500 and other 5xx
    CONTENT = "content"  # refused for what it shows or says
    MODERATION = "moderation"  # refused by the moderation service before any submit
    GENERATION = "generation"  # the vendor's model failed
    NO_PICTURES = "no_pictures"  # reported done without a usable image
    REPLY_LOST = "reply_lost"  # sent, but the answer never came: perhaps accepted
    MALFORMED = "malformed"  # an answer that the contract does not know
    MODEL_UNAVAILABLE = "model_unavailable"  # the provider does not offer this model any more, or refuses everybody
    WEBHOOK_REFUSED = "webhook_refused"  # the provider does not take our webhook URL
    NOT_FOUND = "not_found"  # the provider does not know the handle (404)
    DEADLINE = "deadline"  # the hard deadline passed
    UNACKNOWLEDGED = "unacknowledged"  # the card never appeared
    QUOTA = "quota"  # the member's stored images reach their limit
    TAKEN_DOWN = "taken_down"  # every picture that came was taken down before
    STORAGE = "storage"  # images could not be stored here for too long
    RESTORED = "restored"  # the database was restored from a backup in which the job had not ended
    INTERNAL = "internal"  # our own fault
    # Input images that turned out to be unusable:
    INPUT_GONE = "input_gone"  # its message was deleted, or its URL expired
    INPUT_UNUSABLE = "input_unusable"  # no image, or of a kind that is not taken
    INPUT_TAKEN_DOWN = "input_taken_down"  # it was taken down before
    INPUT_BROKEN = "input_broken"  # damaged or cut off
    INPUT_TOO_LARGE = "input_too_large"  # more bytes or pixels than declared
    INPUT_TOO_SMALL = "input_too_small"
    INPUT_UNDECODABLE = "input_undecodable"  # decoding it ended the process, or the bot, several times
    INPUT_AGE_RESTRICTED = "input_age_restricted"  # from an age-restricted channel, wanted in another one
    INPUT_UNPUBLISHED = "input_unpublished"  # Discord did not take the sanitized copy for the card
    INPUT_UNREACHABLE = "input_unreachable"  # Discord did not serve it for minutes
    INPUT_NOT_FETCHED = "input_not_fetched"  # the provider could not download it from where we serve it


class ProviderError(AtelierError):
    """A request to an image API failed.

    `maybe_accepted` is true if a submit may have reached the provider, so that it must never be repeated. `retry_after`
    is the wait in seconds that the provider asked for. `detail` is the provider's error code and the loggable words of
    its reason, for the operator's log.
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
    """The reason why an image could not be fetched or used."""

    GONE = "gone"  # 404 or 410
    UNREACHABLE = "unreachable"  # no connection, 5xx, timeouts: trying again may help
    FORBIDDEN_ADDRESS = "forbidden_address"  # not HTTPS, or not a public address
    TOO_LARGE = "too_large"  # more bytes or pixels than allowed
    TOO_SMALL = "too_small"  # fewer pixels than a generation needs
    NOT_A_PICTURE = "not_a_picture"
    TRUNCATED = "truncated"
    DECODER_DIED = "decoder_died"  # decoding ended its process, or ran into a limit: trying again may help
    OVER_QUOTA = "over_quota"  # the member's stored images would exceed their limit


class ImageError(AtelierError):
    """An image could not be fetched or decoded.

    Its URL is never part of the error, as it may be signed.
    """

    code = "picture"

    def __init__(self, problem: ImageProblem, detail: str = "") -> None:
        super().__init__()
        self.problem = problem
        self.detail = detail

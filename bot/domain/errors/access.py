"""Access errors: wrong place, missing permission, no provider."""

from collections.abc import Collection, Container
from datetime import datetime

from bot.domain.errors.alternatives import ModelOffer
from bot.domain.errors.base import AtelierError


class AccessError(AtelierError):
    """Not allowed here, or not for this person."""

    code = "access"


class NotInServerError(AccessError):
    """The command was used outside a server."""

    code = "not_in_server"


class NotAdmittedError(AccessError):
    """The operator has not admitted this server.

    `by_list` is True if a list in the settings decides, and not the owner's `/studio admit`.
    """

    code = "not_admitted"

    def __init__(self, *, by_list: bool = False) -> None:
        super().__init__()
        self.by_list = by_list


class NotAllowedError(AccessError):
    """This person may not do this.

    `needs` names the people who may.
    """

    code = "not_allowed"

    def __init__(self, needs: str) -> None:
        super().__init__()
        self.needs = needs


class AgeRestrictedError(AccessError):
    """A picture of an age-restricted channel is wanted in another place.

    `is_unknown`: the picture may be one, and the bot cannot see whether the place is age-restricted.
    """

    code = "age_restricted"

    def __init__(self, *, is_unknown: bool = False) -> None:
        super().__init__()
        self.is_unknown = is_unknown


class BannedError(AccessError):
    """The member is banned from the studio, or from sharing.

    It ends at `until`; None is for good. `reason` is the moderator's, and may be empty.
    """

    code = "banned"

    def __init__(self, *, sharing: bool, until: datetime | None, reason: str) -> None:
        super().__init__()
        self.sharing = sharing
        self.until = until
        self.reason = reason


class RoleNeededError(AccessError):
    """The server offers a model or an option to some roles only.

    `option` is None if it is about the model. `roles` are those that may use it.
    """

    code = "role_needed"

    def __init__(self, *, model: str, option: str | None, roles: Collection[int]) -> None:
        super().__init__()
        self.model = model
        self.option = option
        self.roles = tuple(sorted(roles))


class BanRefusedError(AccessError):
    """This member cannot be banned: oneself, an admin or a bot."""

    code = "ban_refused"


class NoBanError(AccessError):
    """The member has no ban in this server."""

    code = "no_ban"


class WrongChannelError(AccessError):
    """The server's admins let the studio work in other channels only.

    `channel_ids` are those channels.
    """

    code = "wrong_channel"

    def __init__(self, channel_ids: tuple[int, ...]) -> None:
        super().__init__()
        self.channel_ids = channel_ids

    def among(self, existing: Container[int]) -> "WrongChannelError":
        """Return the error without deleted channels."""
        return WrongChannelError(tuple(each for each in self.channel_ids if each in existing))


class CannotPostError(AccessError):
    """The member or the bot may not post pictures in a channel.

    `channel_id` is the channel, None for this one.
    """

    code = "cannot_post"

    def __init__(self, *, by_member: bool, channel_id: int | None = None) -> None:
        super().__init__()
        self.by_member = by_member
        self.channel_id = channel_id


class ChannelGoneError(AccessError):
    """The job's channel is gone, or its member or the bot cannot see it."""

    code = "channel_gone"


class ChannelUnusedError(AccessError):
    """The studio no longer works in the job's channel."""

    code = "channel_unused"

    def __init__(self, channel_id: int) -> None:
        super().__init__()
        self.channel_id = channel_id


class StorageFullError(AtelierError):
    """There is no space for further images.

    `own`: the member's stored images reach their limit of `limit` megabytes. Otherwise the studio's space is used up.
    """

    code = "storage_full"

    def __init__(self, *, own: bool = False, limit: int = 0) -> None:
        super().__init__()
        self.own = own
        self.limit = limit


class StudioClosedError(AtelierError):
    """No configured provider can take jobs for this model at present."""

    code = "studio_closed"


class ModelClosedError(StudioClosedError):
    """No provider serves this model at present.

    `models` can do the same request now, best first; `offers` are those that were stored for the member.
    """

    code = "model_closed"

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model
        self.models: tuple[str, ...] = ()
        self.offers: tuple[ModelOffer, ...] = ()

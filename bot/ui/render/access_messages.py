"""Words for refusals of access."""

from collections.abc import Sequence
from typing import Final

from bot.domain.errors import (
    AccessError,
    AgeRestrictedError,
    BannedError,
    BanRefusedError,
    CannotPostError,
    ChannelGoneError,
    ChannelUnusedError,
    NoBanError,
    NotAdmittedError,
    NotAllowedError,
    NotInServerError,
    RoleNeededError,
    WrongChannelError,
)
from bot.services.prompt_blocks import REASON
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import ago, channel_list, escaped, first_of, listed
from bot.ui.render.refusal_lines import in_lines, nothing_charged, option_name

_MOST_ROLES: Final = 5
_OWN_REASON: Final = N_("Too many refused prompts")


def access_message(error: AccessError) -> str | None:  # noqa: PLR0911, PLR0912 - one case for each error is what a table is
    """Return the words for a member; see `error_message`."""
    match error:
        case NotInServerError():
            return in_lines(_("This works only in servers that have the studio."), _("Use the command in one of them."))
        case NotAdmittedError():
            remedy = (
                _("Ask the bot's owner to add it to the list of servers in the bot's settings.")
                if error.by_list
                else _("Ask the bot's owner to admit it; they can do it here with `/studio admit`.")
            )
            return in_lines(_("The studio is not open to this server yet."), remedy)
        case BannedError():
            return _banned(error)
        case AgeRestrictedError(is_unknown=True):
            what = _("The studio cannot see whether this thread is age-restricted, so it takes no pictures here.")
            return nothing_charged(what, _("Start from a picture in another channel."))
        case AgeRestrictedError():
            what = _("This picture was made in an age-restricted channel.")
            return nothing_charged(what, _("Use it in an age-restricted channel."))
        case RoleNeededError():
            return _role_needed(error)
        case BanRefusedError():
            return in_lines(
                _("You cannot ban yourself, an admin or a bot."), _("Choose another member; nothing was changed.")
            )
        case NoBanError():
            return in_lines(_("This member has no ban here."), _("`/studio bans` lists those in force."))
        case NotAllowedError():
            return _("Only {who} can do that.").format(who=_(error.needs))
        case WrongChannelError():
            place = _("Use it in {channels}.").format(channels=channel_list(error.channel_ids))
            none = _("Its channels were deleted. An admin can choose others with `/studio setup`.")
            return in_lines(_("The studio does not work in this channel."), place if error.channel_ids else none)
        case ChannelGoneError():
            return _("The channel of this card is gone, or out of reach, so this cannot be made public there.")
        case ChannelUnusedError():
            words = _("The studio no longer works in {channel}, so this cannot be made public there.")
            return words.format(channel=f"<#{error.channel_id}>")
        case CannotPostError():
            return _cannot_post(error)
        case _:
            return None


def ban_reason(reason: str) -> str:
    """Return the reason of a ban; the studio's own in the reader's language."""
    return _(_OWN_REASON) if reason == REASON else reason


def _banned(error: BannedError) -> str:
    """Return the words for a ban, with the moderator's reason and its end."""
    what = (
        _("You may not share pictures in this server.")
        if error.sharing
        else _("You may not use the studio in this server.")
    )
    ends = _("It ends {when}.").format(when=ago(error.until)) if error.until else _("A moderator can end it.")
    reason = [_("Reason: {reason}").format(reason=escaped(ban_reason(error.reason)))] if error.reason else []
    return "\n".join([what, *reason, ends])


def _role_needed(error: RoleNeededError) -> str:
    """Return the words for a model or an option of other roles."""
    roles = listed(_named_roles(error.roles))
    if error.option is None:
        what = _("In this server, {model} is for {roles}.").format(model=error.model, roles=roles)
        return nothing_charged(what, _("Choose another model."))
    what = _("In this server, {option} is for {roles}.").format(option=option_name(error.option), roles=roles)
    return nothing_charged(what, _("Leave it out, and send it again."))


def _named_roles(roles: Sequence[int]) -> list[str]:
    """Return the first roles, and the number of the others."""
    return first_of([f"<@&{role}>" for role in roles], _MOST_ROLES)


def _cannot_post(error: CannotPostError) -> str:
    if error.channel_id is None:
        if error.by_member:
            return _("You may not post pictures in this channel, so this cannot be made public here.")
        return _("The studio may not post pictures in this channel, so this cannot be made public here.")
    said = (
        _("You may not post pictures in {channel}, so this cannot be made public there.")
        if error.by_member
        else _("The studio may not post pictures in {channel}, so this cannot be made public there.")
    )
    return said.format(channel=f"<#{error.channel_id}>")

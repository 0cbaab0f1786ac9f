"""Words for a server's settings for sharing."""

from collections.abc import Iterable
from typing import Final

from bot.domain.guild_settings import GuildSettings
from bot.domain.sharing.settings import DEFAULT_SHARING, ReviewMode, SharingSettings, VoteKind
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import number, role_list

REVIEWS: Final = {
    ReviewMode.ALL: N_("everything is reviewed"),
    ReviewMode.UNTRUSTED: N_("reviewed, except for trusted roles"),
    ReviewMode.NONE: N_("nothing is reviewed"),
}
VOTES: Final = {
    VoteKind.BUTTONS: N_("by buttons"),
    VoteKind.REACTIONS: N_("by reactions"),
    VoteKind.OFF: N_("none"),
}


def hours_words(hours: int) -> str:
    """Return the time of the reminder in words."""
    if not hours:
        return _("never")
    return ngettext("after {count} hour", "after {count} hours", hours).format(count=number(hours))


def reports_words(threshold: int) -> str:
    """Return the effect of reports in words."""
    if not threshold:
        return _("reports hide nothing")
    said = ngettext("{count} report hides a post", "{count} reports hide a post", threshold)
    return said.format(count=number(threshold))


def review_words(settings: SharingSettings) -> str:
    """Return the rules for the review in one line."""
    mode = _(REVIEWS[settings.review])
    if settings.review is ReviewMode.UNTRUSTED and settings.trusted_roles:
        mode = f"{mode} ({role_list(settings.trusted_roles)})"
    hours, count = settings.reminder_hours, len(settings.refusal_reasons)
    reminder = _("reminder {when}").format(when=hours_words(hours)) if hours else _("no reminder")
    reasons = ngettext("{count} reason to refuse", "{count} reasons to refuse", count).format(count=number(count))
    return " · ".join([mode, reminder, reasons])


def is_review_set(settings: SharingSettings) -> bool:
    """Return whether the server set a rule for the review."""
    return _is_set(settings, ("review", "trusted_roles", "reminder_hours", "refusal_reasons"))


def showcase_words(settings: SharingSettings) -> str:
    """Return the rules for the showcase in one line."""
    names = _("names may be hidden") if settings.allows_anonymous else _("names always shown")
    votes = _("votes {how}").format(how=_(VOTES[settings.votes]))
    if settings.votes is VoteKind.OFF:
        votes = _("no votes")
    elif settings.voter_roles:
        votes = f"{votes} ({role_list(settings.voter_roles)})"
    return " · ".join([names, votes, reports_words(settings.report_threshold)])


def is_showcase_set(settings: SharingSettings) -> bool:
    """Return whether the server set a rule for the showcase."""
    return _is_set(settings, ("allows_anonymous", "votes", "voter_roles", "report_threshold"))


def _is_set(settings: SharingSettings, names: Iterable[str]) -> bool:
    return any(getattr(settings, name) != getattr(DEFAULT_SHARING, name) for name in names)


def lacks_review_channel(guild: GuildSettings, sharing: SharingSettings) -> bool:
    """Return whether members can share nothing for want of a review channel."""
    has_none = guild.showcase_channel_id is not None and guild.review_channel_id is None
    return has_none and sharing.review is not ReviewMode.NONE

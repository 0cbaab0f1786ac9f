"""The forms of a server's setup, and the values in their submissions.

A form's custom id carries a fingerprint of each setting as the form shows it. A submission changes what its admin
changed, and nothing that another admin changed meanwhile.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord
from discord import ui

from bot.domain.allowances import AllowanceEntry, PeriodKind
from bot.domain.amounts import UNSET, parse_amount
from bot.domain.errors import ModeratorRoleError, NotOfferedError, RefusalReasonsError
from bot.domain.requests import readable
from bot.domain.sharing.settings import LONGEST_REASON, MAX_REASONS, ReviewMode, VoteKind
from bot.domain.time_zones import UTC_NAME, read_zone, zone_title
from bot.services.guild_setup import GuildState
from bot.ui.buttons import SETUP_SECTIONS, SetupSection, custom_id, guild_target
from bot.ui.handlers.modals import Form, chosen_value, select_options
from bot.ui.i18n import N_, _, language_title, languages
from bot.ui.render.channel_rights import STUDIO_KINDS
from bot.ui.render.formatting import one_line
from bot.ui.render.sharing.settings_words import REVIEWS, VOTES, hours_words, reports_words

MOST_CHANNELS: Final = 25
"""The most channels or roles of one menu."""

_TEXT: Final = (discord.ChannelType.text,)
_SHARING: Final = {
    "review": (N_("Review"), N_("Moderators see here what members want to share"), _TEXT),
    "showcase": (
        N_("Showcase"),
        N_("Shared pictures appear here"),
        (discord.ChannelType.text, discord.ChannelType.news, discord.ChannelType.forum),
    ),
    "log": (N_("Log"), N_("Alerts and decisions appear here"), _TEXT),
}
_PUBLIC, _PRIVATE = "public", "private"
_UNLIMITED, _OPERATOR, _DISCORD = "unlimited", "operator", "discord"
_LONGEST_TYPED: Final = 60
_LONGEST_REASONS: Final = 2000
_SHOWN, _HIDDEN = "shown", "hidden"
_HOURS: Final = (6, 12, 24, 48, 72, 168, 0)
_REPORTS: Final = (1, 2, 3, 5, 10, 0)
_NEVER_LAST: Final = 1000
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_ID: Final = re.compile(r"[0-9]{1,20}")

Values = Mapping[str, Sequence[str]]


class SetupForm(Form):
    """The form of a section, filled in with the settings or `typed` values."""

    def __init__(self, section: SetupSection, state: GuildState, guild: discord.Guild, typed: Values) -> None:
        action, target = SETUP_SECTIONS[section].action, guild_target(state.guild_id)
        super().__init__(_("Set up the studio"), custom_id(action, target, search_id=shown_values(section, state)))
        self._state = state
        self._guild = guild
        self._typed = typed
        match section:
            case SetupSection.CHANNELS:
                self._ask_channels()
            case SetupSection.SHARING:
                for name, (label, description, kinds) in _SHARING.items():
                    chosen = getattr(state.settings, f"{name}_channel_id")
                    self._ask(_(label), self._channels(name, [chosen or 0], kinds, most=1), _(description))
            case SetupSection.REVIEW:
                self._ask_review()
            case SetupSection.SHOWCASE:
                self._ask_showcase()
            case SetupSection.MODERATORS:
                chosen = self._roles("roles", state.settings.moderator_roles)
                self._ask(_("Moderators"), chosen, _("None: everyone with Manage Messages"))
            case SetupSection.ALLOWANCE:
                self._ask_allowance()
            case SetupSection.LOCALE:
                self._ask_locale()

    def _ask_channels(self) -> None:
        settings = self._state.settings
        channels = self._channels("channels", settings.studio_channels, STUDIO_KINDS, most=MOST_CHANNELS)
        self._ask(_("Where the studio works"), channels, _("Threads belong to their channel. None: every channel"))
        names = {_PUBLIC: _("Everyone in the channel"), _PRIVATE: _("Their member alone")}
        usual = _PRIVATE if settings.private_results else _PUBLIC
        self._ask(_("Who sees new pictures"), self._menu("results", names, usual), _("Members can choose otherwise"))

    def _ask_review(self) -> None:
        sharing = self._state.sharing
        modes = {mode.value: _(words) for mode, words in REVIEWS.items()}
        self._ask(_("What is reviewed"), self._menu("review", modes, sharing.review.value))
        trusted = self._roles("trusted", sharing.trusted_roles)
        self._ask(_("Trusted roles"), trusted, _("They share without a review, if you chose so above"))
        hours = sorted({*_HOURS, sharing.reminder_hours}, key=lambda each: each or _NEVER_LAST)
        names = {str(each): hours_words(each) for each in hours}
        self._ask(
            _("Remind the moderators"),
            self._menu("reminder", names, str(sharing.reminder_hours)),
            _("Once the oldest submission waits that long"),
        )
        reasons = self._text(
            "reasons",
            "\n".join(sharing.refusal_reasons),
            required=False,
            style=discord.TextStyle.paragraph,
            longest=_LONGEST_REASONS,
        )
        said = _("One a line; up to {most} of {characters} characters")
        self._ask(_("Reasons to refuse"), reasons, said.format(most=MAX_REASONS, characters=LONGEST_REASON))

    def _ask_showcase(self) -> None:
        sharing = self._state.sharing
        names = {_SHOWN: _("Always shown"), _HIDDEN: _("Members may hide theirs")}
        usual = _HIDDEN if sharing.allows_anonymous else _SHOWN
        self._ask(_("Names of members"), self._menu("names", names, usual))
        ways = {kind.value: _(words) for kind, words in VOTES.items()}
        self._ask(_("Votes"), self._menu("votes", ways, sharing.votes.value))
        self._ask(_("Who may vote"), self._roles("voters", sharing.voter_roles), _("None: everyone"))
        thresholds = sorted({*_REPORTS, sharing.report_threshold}, key=lambda each: each or _NEVER_LAST)
        reports = {str(each): reports_words(each) for each in thresholds}
        said = _("A hidden post waits for a moderator")
        self._ask(_("Reports of a post"), self._menu("reports", reports, str(sharing.report_threshold)), said)

    def _roles(self, name: str, chosen: Sequence[int]) -> ui.RoleSelect[Any]:
        known = [each for each in chosen if self._guild.get_role(each)]
        return ui.RoleSelect(
            custom_id=name,
            required=False,
            min_values=0,
            max_values=MOST_CHANNELS,
            default_values=[discord.SelectDefaultValue(id=each, type=_ROLE) for each in known],
        )

    def _ask_allowance(self) -> None:
        entry = self._state.for_everyone
        amount = self._state.default_allowance if entry is None else entry.amount
        default = "" if amount is None else str(amount)
        self._ask(
            _("Credits for everyone"), self._text("amount", default, required=False), _("Digits; 0 gives nothing")
        )
        names = {
            PeriodKind.DAY.value: _("a day"),
            PeriodKind.WEEK.value: _("a week"),
            PeriodKind.MONTH.value: _("a month"),
            _UNLIMITED: _("unlimited, whatever the number says"),
            _OPERATOR: _("the operator's default, whatever the number says"),
        }
        # Not the operator's default: a number typed beside that would be lost.
        period = PeriodKind.DAY if entry is None else entry.period
        usual = _UNLIMITED if entry is not None and entry.amount is None else period.value
        self._ask(_("Period"), self._menu("period", names, usual))

    def _ask_locale(self) -> None:
        settings = self._state.settings
        zone = self._text("zone", zone_title(settings.time_zone), required=True)
        self._ask(_("Time zone"), zone, _("A city such as Berlin, or hours such as UTC+1"))
        names = {_DISCORD: _("As Discord has it for this server")}
        names |= {each: language_title(each) for each in languages()}
        self._ask(_("Language of public cards"), self._menu("language", names, settings.locale or _DISCORD))

    def _channels(
        self, name: str, chosen: Sequence[int], kinds: Sequence[discord.ChannelType], *, most: int
    ) -> ui.ChannelSelect[Any]:
        known = [each for each in chosen if self._guild.get_channel(each)]
        return ui.ChannelSelect(
            custom_id=name,
            channel_types=list(kinds),
            required=False,
            min_values=0,
            max_values=most,
            default_values=[discord.SelectDefaultValue(id=each, type=_CHANNEL) for each in known],
        )

    def _menu(self, name: str, names: Mapping[str, str], usual: str) -> ui.Select[Any]:
        typed = next(iter(self._typed.get(name, ())), usual)
        return ui.Select(custom_id=name, options=select_options(names, typed))

    def _text(
        self,
        name: str,
        default: str,
        *,
        required: bool,
        style: discord.TextStyle = discord.TextStyle.short,
        longest: int = _LONGEST_TYPED,
    ) -> ui.TextInput[Any]:
        typed = next(iter(self._typed.get(name, ())), default)
        return ui.TextInput(custom_id=name, style=style, default=typed, max_length=longest, required=required)


_SETTINGS: Final = {
    SetupSection.CHANNELS: ("studio_channels", "private_results"),
    SetupSection.SHARING: ("review_channel_id", "showcase_channel_id", "log_channel_id"),
    SetupSection.REVIEW: ("review", "trusted_roles", "reminder_hours", "refusal_reasons"),
    SetupSection.SHOWCASE: ("allows_anonymous", "votes", "voter_roles", "report_threshold"),
    SetupSection.MODERATORS: ("moderator_roles",),
    SetupSection.LOCALE: ("time_zone", "locale"),
}
OF_SHARING: Final = (SetupSection.REVIEW, SetupSection.SHOWCASE)
"""Sections of the settings for sharing."""
_DIGITS_OF_PRINT: Final = 8
_SHOWN_DIGITS: Final = 32
_ROLE: Final = discord.SelectDefaultValueType.role
_CHANNEL: Final = discord.SelectDefaultValueType.channel


def shown_values(section: SetupSection, state: GuildState) -> str:
    """Return the fingerprints of a section's settings, as 32 digits."""
    if section is SetupSection.ALLOWANCE:
        prints = [_fingerprint("allowance", state.for_everyone)]
    else:
        source = state.sharing if section in OF_SHARING else state.settings
        prints = [_fingerprint(name, getattr(source, name)) for name in _SETTINGS[section]]
    return "".join(prints).ljust(_SHOWN_DIGITS, "0")


def changed_settings(section: SetupSection, submitted: Mapping[str, Any], shown: str | None) -> dict[str, Any]:
    """Return the submitted settings that the form did not show already.

    `shown` is of `shown_values`; forms of earlier versions have none.
    """
    prints = [(shown or "")[at : at + _DIGITS_OF_PRINT] for at in range(0, _SHOWN_DIGITS, _DIGITS_OF_PRINT)]
    before = dict(zip(_SETTINGS[section], prints, strict=False))
    return {name: value for name, value in submitted.items() if _fingerprint(name, value) != before[name]}


def is_allowance_shown(entry: AllowanceEntry | None, shown: str | None) -> bool:
    """Return whether the form showed this allowance for everyone."""
    return shown is not None and shown.startswith(_fingerprint("allowance", entry))


def _fingerprint(name: str, value: object) -> str:
    if name == "time_zone":
        value = value or UTC_NAME
    if isinstance(value, tuple) and name != "refusal_reasons":
        value = sorted(value)
    return f"{zlib.crc32(repr(value or None).encode()):08x}"


def read_settings(section: SetupSection, values: Values, guild: discord.Guild) -> dict[str, Any]:
    """Return the settings in a submission, by name.

    Raises:
        NotOfferedError: a channel, a role or a choice is not one of those offered.
        RefusalReasonsError: there are too many reasons, or one is too long.
        ModeratorRoleError: a role is everyone's or a bot's.
        UnknownTimeZoneError: the time zone is not clear.
    """
    match section:
        case SetupSection.CHANNELS:
            results = chosen_value(values, "results", (_PUBLIC, _PRIVATE))
            return {
                "studio_channels": _channels(values, "channels", guild, STUDIO_KINDS),
                # Public is what is usual: nothing is set.
                "private_results": True if results == _PRIVATE else None,
            }
        case SetupSection.SHARING:
            chosen = {name: _channels(values, name, guild, kinds) for name, (_l, _d, kinds) in _SHARING.items()}
            return {f"{name}_channel_id": next(iter(ids), None) for name, ids in chosen.items()}
        case SetupSection.REVIEW:
            return {
                "review": ReviewMode(chosen_value(values, "review", ReviewMode) or ReviewMode.ALL),
                "trusted_roles": _roles(values, guild, "trusted"),
                "reminder_hours": _number(values, "reminder"),
                "refusal_reasons": _reasons(_typed(values, "reasons")),
            }
        case SetupSection.SHOWCASE:
            return {
                "allows_anonymous": chosen_value(values, "names", (_SHOWN, _HIDDEN)) == _HIDDEN,
                "votes": VoteKind(chosen_value(values, "votes", VoteKind) or VoteKind.BUTTONS),
                "voter_roles": _roles(values, guild, "voters"),
                "report_threshold": _number(values, "reports"),
            }
        case SetupSection.MODERATORS:
            return {"moderator_roles": _roles(values, guild, "roles")}
        case _:
            language = chosen_value(values, "language", (_DISCORD, *languages()))
            zone = read_zone(_typed(values, "zone"))
            return {"time_zone": zone, "locale": None if language == _DISCORD else language}


def read_allowance(values: Values, state: GuildState, shown: str | None) -> AllowanceEntry | None:
    """Return a submission's allowance; None is the operator's.

    An unchanged submission leaves the operator's. `shown` is of `shown_values`.

    Raises:
        NotOfferedError: the period is not one of those offered.
        AmountError: the amount is neither a number within the limits nor a known word.
    """
    period = chosen_value(values, "period", (*PeriodKind, _UNLIMITED, _OPERATOR))
    typed = _typed(values, "amount")
    if period in (None, _OPERATOR) or (period != _UNLIMITED and typed.strip().casefold() == UNSET):
        return None
    if period == _UNLIMITED:
        return AllowanceEntry(amount=None)
    entry = AllowanceEntry(amount=parse_amount(typed), period=PeriodKind(period))
    was_operators = state.for_everyone is None if shown is None else is_allowance_shown(None, shown)
    return None if was_operators and entry == AllowanceEntry(amount=state.default_allowance) else entry


def _typed(values: Values, name: str) -> str:
    return next(iter(values.get(name, ())), "")


def _channels(values: Values, name: str, guild: discord.Guild, kinds: Sequence[discord.ChannelType]) -> tuple[int, ...]:
    """Return the chosen channels; a forged submission may name any other."""
    channels = [guild.get_channel(each) for each in _ids(values, name)]
    if any(each is None or each.type not in kinds for each in channels):
        raise NotOfferedError
    return tuple(each.id for each in channels if each is not None)


def _number(values: Values, name: str) -> int:
    """Return the chosen number of a menu, up to 999."""
    typed = _typed(values, name)
    if _NUMBER.fullmatch(typed) is None:
        raise NotOfferedError
    return int(typed)


def _reasons(typed: str) -> tuple[str, ...]:
    """Return the reasons in a text, each once.

    Raises:
        RefusalReasonsError: there are too many, or one is too long.
    """
    lines = (one_line(readable(line)) for line in typed.splitlines())
    reasons = tuple(dict.fromkeys(line for line in lines if line))
    if len(reasons) > MAX_REASONS or any(len(each) > LONGEST_REASON for each in reasons):
        raise RefusalReasonsError(most=MAX_REASONS, longest=LONGEST_REASON)
    return reasons


def _roles(values: Values, guild: discord.Guild, name: str) -> tuple[int, ...]:
    """Return the chosen roles, as `_channels` does."""
    roles = []
    for each in _ids(values, name):
        role = guild.get_role(each)
        if role is None:
            raise NotOfferedError
        if role.is_default() or role.is_bot_managed():
            raise ModeratorRoleError(role.name)
        roles.append(each)
    return tuple(roles)


def _ids(values: Values, name: str) -> list[int]:
    """Return the chosen ids, each once."""
    chosen = list(dict.fromkeys(values.get(name, ())))
    if len(chosen) > MOST_CHANNELS or any(_ID.fullmatch(each) is None for each in chosen):
        raise NotOfferedError
    return [int(each) for each in chosen]

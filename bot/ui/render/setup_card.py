"""The card of `/studio setup`, and the panel of `/studio show`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from discord import ui

from bot.domain.allowances import AllowanceEntry, PeriodKind
from bot.domain.time_zones import zone_title
from bot.services.guild_setup import GuildState, Silence
from bot.ui.buttons import SETUP, SETUP_SECTIONS, SetupSection, guild_target
from bot.ui.i18n import N_, _, language_title
from bot.ui.render.channel_rights import ChannelCheck, ChannelUse, ServerCheck, right_names
from bot.ui.render.formatting import and_more, channel_list, in_credits, role_list
from bot.ui.render.job_card import AMBER, GREEN, payload_view
from bot.ui.render.sharing.settings_words import (
    is_review_set,
    is_showcase_set,
    lacks_review_channel,
    review_words,
    showcase_words,
)

_SILENCES: Final = {
    Silence.NOT_ADMITTED: N_("This server is not admitted: the bot's owner does that with `/studio admit`."),
    Silence.NOT_LISTED: N_("This server is not admitted: the operator adds it to `COMMUNITIES`."),
    Silence.NO_MODELS: N_("No image service is configured: the operator adds a key."),
    Silence.NO_PROVIDER: N_("No image service takes jobs at present: `/status` says more."),
    Silence.MODELS_PAUSED: N_("The operator has paused every model or image service: `/status` says more."),
    Silence.MODELS_RESERVED: N_(
        "Every model is for roles that this server does not have: `/studio access` shows them."
    ),
    Silence.BUDGET_SPENT: N_("The operator's budget for this month is used up."),
    Silence.SERVER_BUDGET_ZERO: N_("This server's budget is 0: change it with `/studio budget`."),
    Silence.SERVER_BUDGET_SPENT: N_("This server's budget for this month is used up: raise it with `/studio budget`."),
    Silence.SERVER_CAP_SPENT: N_("What the operator gives this server for this month is used up."),
    Silence.NO_ALLOWANCE: N_("Nobody has credits, because the allowance is 0: change it below."),
    Silence.LOW_ALLOWANCE: N_("No allowance is enough for the cheapest picture: change it below."),
    Silence.NO_USABLE_KEY: N_("None of this server's own keys can be used: `/studio keys` says why."),
    Silence.PAUSED: N_("The studio is paused: `/studio resume` ends a pause of this server's admins."),
}
_USES: Final = {
    ChannelUse.REVIEW: N_("Review"),
    ChannelUse.SHOWCASE: N_("Showcase"),
    ChannelUse.LOG: N_("Log"),
}
_ALLOWANCES: Final = {
    PeriodKind.DAY: N_("{credits} a day"),
    PeriodKind.WEEK: N_("{credits} a week"),
    PeriodKind.MONTH: N_("{credits} a month"),
}
_MOST_PROBLEMS: Final = 8
_USABLE: Final = ServerCheck()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupChecks:
    """The bot's rights where the studio is to work.

    `everywhere` is the check of the whole server, if no channels are chosen. `known` is False while Discord has not
    said what the bot may do.
    """

    channels: Mapping[ChannelUse, tuple[ChannelCheck, ...]]
    everywhere: ServerCheck = _USABLE
    gone_roles: tuple[int, ...] = ()
    known: bool = True


def setup_card(state: GuildState, checks: SetupChecks) -> ui.LayoutView:
    """Return the setup: missing things first, then every section."""
    silent, missing = list(_silent(state, checks)), list(_missing(state, checks))
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=AMBER if silent or missing else GREEN)
    container.add_item(ui.TextDisplay("\n".join(_top(state, checks, silent, missing))))
    for section, lines in _sections(state, checks).items():
        button = SETUP_SECTIONS[section].build(guild_target(state.guild_id))
        container.add_item(ui.Section(ui.TextDisplay("\n".join(lines)), accessory=button))
    if silent or missing:
        again = SETUP.build(guild_target(state.guild_id), label=_("Check again"))
        container.add_item(ui.ActionRow(again))
    return payload_view(container)


def studio_panel(state: GuildState, checks: SetupChecks) -> ui.LayoutView:
    """Return every setting and its source, on one screen of a phone."""
    problems = [*_silent(state, checks), *_missing(state, checks)]
    lines = [f"## {_('Settings of the studio')}"]
    lines += _first(problems) or [_("Members can make pictures.")]
    for texts in _sections(state, checks).values():
        lines += texts
    lines.append("-# " + _("Change it with `/studio setup`."))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=AMBER if problems else GREEN))


def _first(problems: Sequence[str]) -> list[str]:
    """Return the first problems, and the number of the others."""
    others = len(problems) - _MOST_PROBLEMS
    more = [and_more(others)] if others > 0 else []
    return [*problems[:_MOST_PROBLEMS], *more]


def _top(state: GuildState, checks: SetupChecks, silent: Sequence[str], missing: Sequence[str]) -> list[str]:
    problems = [f"- {each}" for each in _first([*silent, *missing])]
    if silent:
        return [f"## {_('The studio is not ready')}", _("Members cannot make pictures yet:"), *problems]
    if missing:
        return [f"## {_('The studio is almost ready')}", _("Members can make pictures. Still missing:"), *problems]
    channels = state.settings.studio_channels
    exceptions = [each.channel_id for each in checks.everywhere.exceptions]
    if channels:
        place = _("in {channels}").format(channels=channel_list(channels))
    elif exceptions:
        place = _("in every channel except {channels}").format(channels=channel_list(exceptions))
    else:
        place = _("in every channel")
    said = _("Members can make pictures with `/imagine` {place}.").format(place=place)
    return [f"## {_('The studio is ready')}", said, _sharing(state)]


def _sharing(state: GuildState) -> str:
    showcase = state.settings.showcase_channel_id
    if showcase is None:
        return _("They can share them once you choose the channels for the review and the showcase below.")
    return _("They can share them to {showcase}.").format(showcase=f"<#{showcase}>")


def _silent(state: GuildState, checks: SetupChecks) -> Iterator[str]:
    """Yield the reasons for which no member can make a picture."""
    yield from (_(_SILENCES[each]) for each in state.silences)
    if not checks.known:
        yield _("Discord has not said yet what I may do here: check again in a moment.")
    if not checks.everywhere.is_usable:
        yield from _lacking_everywhere(checks.everywhere)
    studio = checks.channels.get(ChannelUse.STUDIO, ())
    if studio and all(each.gone for each in studio):
        yield _("The studio's channels are deleted: choose others below.")
    elif studio and not any(each.is_usable for each in studio):
        yield from _lacking(studio)


def _missing(state: GuildState, checks: SetupChecks) -> Iterator[str]:
    """Yield the missing things of less weight."""
    if checks.everywhere.is_usable and checks.everywhere.missing:
        yield from _lacking_everywhere(checks.everywhere)
    studio = checks.channels.get(ChannelUse.STUDIO, ())
    if any(each.is_usable for each in studio):
        yield from _lacking(studio)
        yield from (_("A channel of the studio is deleted: choose again below.") for each in studio if each.gone)
    for use, name in _USES.items():
        for check in checks.channels.get(use, ()):
            if check.gone:
                yield _("{what}: the channel is deleted, choose another below.").format(what=_(name))
            yield from _lacking([check])
    if lacks_review_channel(state.settings, state.sharing):
        yield _("Review: members can share nothing until you choose its channel below.")
    if checks.gone_roles:
        yield _("A moderators' role is deleted: choose again below.")


def _lacking_everywhere(check: ServerCheck) -> Iterator[str]:
    if check.missing:
        said = _("I lack {rights} in this server: allow it to my role in the server's settings.")
        yield said.format(rights=right_names(check.missing))
    elif check.exceptions:
        yield from _lacking(check.exceptions)
    else:
        yield _("Members may use commands in no channel where I can work: allow them Use Application Commands.")


def _lacking(checks: Sequence[ChannelCheck]) -> Iterator[str]:
    for check in checks:
        if check.missing:
            said = _("{channel}: I lack {rights}. Allow it to my role in the channel's permissions.")
            yield said.format(channel=f"<#{check.channel_id}>", rights=right_names(check.missing))
        if check.closed:
            said = _("{channel}: members may not use commands. Allow them Use Application Commands there.")
            yield said.format(channel=f"<#{check.channel_id}>")


def _sections(state: GuildState, checks: SetupChecks) -> dict[SetupSection, list[str]]:
    settings = state.settings
    place = channel_list(settings.studio_channels) if settings.studio_channels else _("every channel")
    private = settings.private_results
    results = _("for their member alone") if private else _("for everyone in the channel")
    notes = [note for check in checks.channels.get(ChannelUse.STUDIO, ()) for note in check.notes]
    roles = role_list(settings.moderator_roles) or _("everyone with Manage Messages")
    language = language_title(settings.locale) if settings.locale else _("as Discord has it for this server")
    return {
        SetupSection.CHANNELS: [
            _line(_("Works in"), place, is_set=bool(settings.studio_channels), notes=notes),
            _line(_("Pictures"), results, is_set=private is not None),
        ],
        SetupSection.SHARING: [_channel_line(use, name, state, checks) for use, name in _USES.items()],
        SetupSection.REVIEW: [_line(_("Sharing"), review_words(state.sharing), is_set=is_review_set(state.sharing))],
        SetupSection.SHOWCASE: [
            _line(_("Posts"), showcase_words(state.sharing), is_set=is_showcase_set(state.sharing))
        ],
        SetupSection.MODERATORS: [_line(_("Moderators"), roles, is_set=bool(settings.moderator_roles))],
        SetupSection.ALLOWANCE: [_allowance(state)],
        SetupSection.LOCALE: [
            _line(_("Time zone"), zone_title(settings.time_zone), is_set=settings.time_zone is not None),
            _line(_("Language"), language, is_set=settings.locale is not None),
        ],
    }


def _channel_line(use: ChannelUse, name: str, state: GuildState, checks: SetupChecks) -> str:
    channel_id = getattr(state.settings, f"{use.value}_channel_id")
    notes = [note for check in checks.channels.get(use, ()) for note in check.notes]
    shown = _("none") if channel_id is None else f"<#{channel_id}>"
    return _line(_(name), shown, is_set=channel_id is not None, notes=notes)


def _allowance(state: GuildState) -> str:
    entry = state.for_everyone
    name = _("Allowance")
    if entry is None:
        shown = _(_ALLOWANCES[PeriodKind.DAY]).format(credits=in_credits(state.default_allowance))
        return _line(name, shown, source=_("operator's default"))
    others = [_("others for some roles or members")] if len(state.entries) > 1 else []
    return _line(name, allowance_text(entry), is_set=True, notes=others)


def allowance_text(entry: AllowanceEntry) -> str:
    """Return an allowance in words, such as "200 credits a day"."""
    if entry.amount is None:
        return _("unlimited credits")
    return _(_ALLOWANCES[entry.period]).format(credits=in_credits(entry.amount))


def _line(name: str, value: str, *, is_set: bool = False, source: str | None = None, notes: Sequence[str] = ()) -> str:
    source = source or (_("set here") if is_set else _("default"))
    return " · ".join([f"**{name}**", value, source, *dict.fromkeys(notes)])

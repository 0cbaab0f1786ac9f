"""Panels of moderators: bans, rules for roles, and the audit log."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from discord import ui

from bot.domain.access_rules import AccessRule, RuleKind
from bot.domain.allowances import PeriodKind
from bot.domain.audit_log import AuditEntry
from bot.domain.bans import Ban, BanScope
from bot.domain.options import OPTIONS
from bot.ui.buttons import BANS, OLDER_LOG
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.access_messages import ban_reason
from bot.ui.render.allowance_words import amount_words
from bot.ui.render.formatting import ago, count_fitting, escaped, fitting, moment, number, person, role_list
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, GREY, payload_view
from bot.ui.render.sharing.settings_words import REVIEWS, VOTES
from bot.ui.truncation import cut

_REASON_SHOWN: Final = 150
_VALUE_SHOWN: Final = 80
_BANS_OF_PAGE: Final = 10
_LOGGED_ALLOWANCE: Final = re.compile(r"(\d+) a (day|week|month)")

LOG_KINDS: Final = (
    (),
    ("ban",),
    ("credits", "allowance"),
    ("settings", "access", "admission", "key", "rule"),
    ("budget", "pause"),
    ("privacy",),
    ("takedown", "report"),
    ("share",),
    ("challenge", "duel"),
    ("appeal",),
)
"""The filters of the audit log: first words of actions. Buttons hold their places, so new ones come last."""

LOG_FILTERS: Final = (
    N_("Everything"),
    N_("Bans"),
    N_("Credits and allowances"),
    N_("Settings and access"),
    N_("Budget and pauses"),
    N_("Privacy"),
    N_("Takedowns and reports"),
    N_("Sharing and review"),
    N_("Challenges and duels"),
    N_("Appeals"),
)
"""The names of the filters."""

# Other actions are shown by their names.
_ACTIONS: Final = {
    "share.submit": N_("shared pictures of"),
    "share.resubmit": N_("sent a changed submission of"),
    "share.approve": N_("approved a submission of"),
    "share.refuse": N_("refused a submission of"),
    "share.ask": N_("asked for changes of a submission of"),
    "share.withdraw": N_("withdrew a submission of"),
    "share.hide": N_("hid a submission after reports, of"),
    "share.takedown": N_("took down a submission of"),
    "share.picks": N_("posted the picks of the week in"),
    "ban.add": N_("banned"),
    "ban.end": N_("ended the ban of"),
    "budget.limit": N_("changed the limit of the budget"),
    "budget.cap": N_("changed the operator's limit of the budget"),
    "pause.begin": N_("paused the studio"),
    "pause.end": N_("ended the pause of the studio"),
    "access.allow": N_("allowed"),
    "access.remove": N_("removed the rule for"),
    "credits.grant": N_("granted credits to"),
    "credits.take": N_("took credits back from"),
    "credits.reset": N_("gave the used allowance back to"),
    "premium.grant": N_("gave bought credits to"),
    "premium.begin": N_("began the bought allowance of"),
    "premium.refund": N_("took a refunded purchase back from"),
    "settings.change": N_("changed the settings"),
    "admission.begin": N_("admitted the server"),
    "admission.end": N_("ended the admission of the server"),
    "key.set": N_("entered an own key"),
    "key.replace": N_("replaced an own key"),
    "key.remove": N_("removed an own key"),
    "rule.add": N_("added a prompt rule"),
    "rule.on": N_("switched a prompt rule on"),
    "rule.dry": N_("began a dry run of a prompt rule"),
    "rule.off": N_("switched a prompt rule off"),
    "rule.remove": N_("removed a prompt rule"),
    "rule.automod_on": N_("switched AutoMod's rules on for prompts"),
    "rule.automod_off": N_("switched AutoMod's rules off for prompts"),
    "allowance.set": N_("set the allowance of"),
    "allowance.remove": N_("removed the allowance of"),
    "appeal.begin": N_("appealed against a refused prompt of"),
    "appeal.allow": N_("allowed a refused prompt of"),
    "appeal.exception": N_("added an exception for a refused prompt of"),
    "appeal.keep": N_("kept a prompt refused of"),
    "duel.end": N_("ended the vote of a duel of"),
    "challenge.start": N_("started a challenge in"),
    "challenge.vote": N_("began the vote of a challenge in"),
    "challenge.end": N_("ended a challenge in"),
    "challenge.cancel": N_("cancelled a challenge in"),
    "report.dismiss": N_("dismissed reports of a picture of"),
    "takedown.add": N_("took down a picture of"),
    "takedown.lift": N_("lifted a takedown"),
}
_MENTIONS: Final = {
    "studio_channels": "<#{}>",
    "review_channel_id": "<#{}>",
    "showcase_channel_id": "<#{}>",
    "log_channel_id": "<#{}>",
    "moderator_roles": "<@&{}>",
    "trusted_roles": "<@&{}>",
    "voter_roles": "<@&{}>",
}
_CHOICES: Final = {
    "review": {mode.value: words for mode, words in REVIEWS.items()},
    "votes": {kind.value: words for kind, words in VOTES.items()},
}
_NAMES: Final = {
    "allows_anonymous": N_("members may hide their names"),
    "amount": N_("credits"),
    "asked": N_("asked for"),
    "granted": N_("granted now"),
    "locale": N_("language"),
    "log_channel_id": N_("log"),
    "model": N_("model"),
    "moderator_roles": N_("moderator roles"),
    "monthly_budget": N_("monthly budget"),
    "option": N_("option"),
    "period": N_("period of"),
    "block_ban_hours": N_("hours of a ban after refused prompts"),
    "block_hours": N_("hours in which refused prompts count"),
    "block_limit": N_("refused prompts until a ban"),
    "private_results": N_("private results"),
    "rule": N_("rule"),
    "rules": N_("rules"),
    "refusals": N_("refused prompts"),
    "refusal_reasons": N_("reasons to refuse"),
    "reminder_hours": N_("reminder in hours"),
    "report_threshold": N_("reports that hide a post"),
    "review": N_("review"),
    "review_channel_id": N_("review"),
    "scope": N_("from"),
    "scopes": N_("from"),
    "showcase_channel_id": N_("showcase"),
    "studio_channels": N_("studio channels"),
    "time_zone": N_("time zone"),
    "trusted_roles": N_("trusted roles"),
    "until": N_("until"),
    "voter_roles": N_("roles that vote"),
    "votes": N_("votes"),
}
# The words for no value; others are "not set".
_WITHOUT: Final = {
    "": N_("no limit"),
    "allowance": N_("no allowance"),
    "monthly_budget": N_("no limit"),
    "moderator_roles": N_("none"),
    "studio_channels": N_("all channels"),
    "trusted_roles": N_("none"),
    "voter_roles": N_("everyone"),
}
_SCOPES: Final = {BanScope.STUDIO: N_("the studio"), BanScope.SHARING: N_("sharing")}


def banned_panel(ban: Ban) -> ui.LayoutView:
    """Return the answer to a ban."""
    title = _("{member} is banned from {scope}").format(member=f"<@{ban.member_id}>", scope=_(_SCOPES[ban.scope]))
    lines = [f"### {title}", *(f"-# {part}" for part in _details(ban))]
    if ban.scope is BanScope.STUDIO:
        lines.append("-# " + _("Jobs that were sent before are finished. `/studio unban` ends the ban."))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=AMBER))


def unbanned_panel(member_id: int, scopes: Sequence[BanScope]) -> ui.LayoutView:
    """Return the answer to the end of bans."""
    names = ", ".join(_(_SCOPES[scope]) for scope in scopes)
    title = _("{member} may use {scope} again").format(member=f"<@{member_id}>", scope=names)
    return payload_view(ui.Container(ui.TextDisplay(f"### {title}"), accent_colour=GREEN))


def bans_panel(bans: Sequence[Ban], page: int = 0) -> ui.LayoutView:
    """Return a page of the bans in force, the latest first.

    Pages count from 0. A page beyond the last one is the last one: bans end meanwhile.
    """
    title = ngettext("{count} ban in force", "{count} bans in force", len(bans)).format(count=number(len(bans)))
    if not bans:
        title = _("Nobody is banned here")
    entries = [
        "\n".join([f"{_person(ban.member_id)} · {_(_SCOPES[ban.scope])}", *(f"-# {part}" for part in _details(ban))])
        for ban in bans
    ]
    pages = _pages(entries)
    page = min(page, len(pages) - 1)
    lines = [f"## {title}", *pages[page]]
    if len(pages) > 1:
        place = _("Page {page} of {pages}").format(page=number(page + 1), pages=number(len(pages)))
        lines.append(f"-# {place}")
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=AMBER if bans else GREY
    )
    turns = [BANS.build(f"{page - 1:032d}", label=_("Newer"))] if page else []
    turns += [BANS.build(f"{page + 1:032d}")] if page + 1 < len(pages) else []
    if turns:
        container.add_item(ui.ActionRow(*turns))
    return payload_view(container)


def rules_panel(rules: Sequence[AccessRule]) -> ui.LayoutView:
    """Return the models and options of some roles only."""
    lines = [f"## {_('Models and options by role')}"]
    lines += fitting([_rule(rule) for rule in rules])
    if not rules:
        lines.append(_("Everyone may use every model and option."))
    lines.append("-# " + _("`/studio access` with a role allows it; with *remove* it takes that back."))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE))


def log_panel(
    entries: Sequence[AuditEntry], *, kind: int = 0, about: int | None = None, more: bool = False
) -> ui.LayoutView:
    """Return a page of the audit log, newest first, with a button to the next.

    `kind` is the place of the filter in `LOG_KINDS`.
    """
    parts = [_("Audit log"), *([_(LOG_FILTERS[kind])] if kind else []), *([f"<@{about}>"] if about else [])]
    lines = [f"## {' · '.join(parts)}"]
    words = [log_line(entry) for entry in entries]
    shown = words[: count_fitting(words)]
    lines += shown or [_("Nothing here.") if about or kind else _("Nobody has changed anything yet.")]
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY)
    if more or len(shown) < len(words):
        search = None if about is None else f"{about:032x}"
        container.add_item(ui.ActionRow(OLDER_LOG.build(entries[len(shown) - 1].id, picture=kind, search_id=search)))
    return payload_view(container)


def log_line(entry: AuditEntry) -> str:
    """Return an entry in words: the time, the actor, the action, its values."""
    words = _ACTIONS.get(entry.action)
    action = entry.action.replace(".", " ").replace("_", " ") if words is None else _(words)
    parts = [ago(entry.at), f"**{_person(entry.actor_id)}** {action}"]
    parts[-1] += f" {_target(entry)}" if entry.target_id is not None or _is_for_all(entry) else ""
    small = [*_values(entry), *([escaped(cut(ban_reason(entry.reason), _REASON_SHOWN))] if entry.reason else [])]
    return "\n".join([" · ".join(parts), *([f"-# {' · '.join(small)}"] if small else [])])


def _person(member_id: int) -> str:
    if member_id == 0:
        return _("the operator")
    return person(member_id)


def _target(entry: AuditEntry) -> str:
    if _is_for_all(entry):
        return _("everyone")
    if entry.action.startswith("access.") or entry.detail.get("target") == "role":
        return f"<@&{entry.target_id}>"
    return _person(entry.target_id or 0)


def _is_for_all(entry: AuditEntry) -> bool:
    return entry.target_id is None and entry.action.startswith(("allowance.", "premium."))


def _values(entry: AuditEntry) -> Iterator[str]:
    """Yield the values of an entry; those before and after a change together."""
    detail = entry.detail
    if {"before", "after"} <= detail.keys():
        yield _change("", detail)
    # The sentence names the target, and the scope of a pause. A submission's id and waiting time are for statistics.
    said = {"target", "kind", "before", "after", "submission", "waited"}
    said |= {"scope"} if entry.action.startswith("pause.") else set()
    for name, value in detail.items():
        if name in said or value is None:
            continue
        title = str(detail.get("kind", name)) if name == "name" else name
        title = _(_NAMES[title]) if title in _NAMES else title.replace("_", " ")
        is_change = isinstance(value, Mapping) and {"before", "after"} <= value.keys()
        shown = _change(name, value) if is_change else _value(name, value)
        # The sentence names the allowance.
        yield shown if name == "allowance" else f"{title}: {shown}"


def _change(name: str, values: Mapping[str, Any]) -> str:
    return f"{_value(name, values['before'])} → {_value(name, values['after'])}"


def _value(name: str, value: object) -> str:
    if value is None or value == []:
        return _(_WITHOUT.get(name, N_("not set")))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(name, each) for each in value)
    if value in _CHOICES.get(name, ()):
        return _(_CHOICES[name][str(value)])
    if name in ("scope", "scopes"):
        return _(_SCOPES[BanScope(str(value))])
    if name == "allowance":
        return _allowance(str(value))
    if name == "until":
        return moment(datetime.fromisoformat(str(value)))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return _MENTIONS[name].format(value) if name in _MENTIONS else number(value)
    return escaped(cut(str(value), _VALUE_SHOWN))


def _allowance(logged: str) -> str:
    """Return the words for an allowance such as `200 a day`."""
    match = _LOGGED_ALLOWANCE.fullmatch(logged)
    return amount_words(None if match is None else int(match[1]), PeriodKind(match[2] if match else PeriodKind.DAY))


def _details(ban: Ban) -> Iterator[str]:
    if ban.reason:
        yield _("Reason: {reason}").format(reason=escaped(cut(ban_reason(ban.reason), _REASON_SHOWN)))
    yield _("ends {when}").format(when=ago(ban.until)) if ban.until else _("without an end")
    yield _("by {moderator}, {when}").format(moderator=_person(ban.actor_id), when=ago(ban.at))


def _rule(rule: AccessRule) -> str:
    spec = OPTIONS.get(rule.name)
    name = rule.name if rule.kind is RuleKind.MODEL or spec is None or spec.label is None else _(spec.label)
    return f"**{escaped(name)}** · {role_list(sorted(rule.roles))}"


def _pages(entries: Sequence[str]) -> list[Sequence[str]]:
    """Return the entries in pages with room for all; at least one page."""
    pages, rest = [], entries
    while rest:
        count = min(max(1, count_fitting(rest)), _BANS_OF_PAGE)
        pages.append(rest[:count])
        rest = rest[count:]
    return pages or [()]

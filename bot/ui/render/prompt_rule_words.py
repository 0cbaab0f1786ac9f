"""Words about prompt rules: refusals, and mistakes in rules."""

from typing import Final

from bot.domain.errors import (
    AutoModRightError,
    AutoModUnreadError,
    PromptRefusedError,
    PromptRuleError,
    PromptRuleGoneError,
    PromptRuleTextError,
)
from bot.domain.prompt_rules import PromptField, PromptRule, PromptRuleSource, RuleProblem
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, escaped, number, person
from bot.ui.render.refusal_lines import in_lines
from bot.ui.truncation import cut
from db.prompt_rules import RefusalBan

_QUOTED: Final = 200
_BUILT_IN: Final = {
    "undressing": N_("No edit may undress or sexualise people in uploaded pictures."),
    "minors": N_("Sexual content with minors is refused everywhere."),
}
_MISTAKES: Final = {
    RuleProblem.EMPTY: N_("“{text}” has no letters."),
    RuleProblem.TOO_SHORT: N_("“{text}” is too short: one letter is in nearly every prompt."),
    RuleProblem.TOO_LONG: N_("“{text}” is too long: a rule has up to {limit} characters."),
    RuleProblem.MATCHES_ALL: N_("“{text}” would match nearly every prompt."),
    RuleProblem.MATCHES_EMPTY: N_("“{text}” matches the empty text, so it would match every prompt."),
    RuleProblem.SYNTAX: N_("“{text}” is no pattern that can be used: {said}"),
    RuleProblem.TOO_LARGE: N_("The pattern “{text}” needs too much memory: use smaller repetitions."),
    RuleProblem.TOO_SIMILAR: N_("“{text}” differs from {limit} other rules in doubled letters alone."),
    RuleProblem.UNSUPPORTED: N_("The pattern “{text}” uses syntax that works at Discord alone."),
}


def refused_prompt(error: PromptRefusedError, *, public: bool = False) -> str:
    """Return the words for a refused prompt.

    They name the rule, the matched words and the field. In `public`, the words are hidden until they are pressed.
    """
    match = error.match
    words = f"“{escaped(cut(match.words, _QUOTED))}”"
    words = f"||{words}||" if public else words
    next_step = f"{_('Nothing was charged.')} {_('Reword it and send it again.')}"
    if match.rule.source is PromptRuleSource.BUILT_IN:
        found = (
            _("Found in the negative prompt: {words}")
            if match.field is PromptField.NEGATIVE
            else _("Found in the prompt: {words}")
        )
        return "\n".join([_(_BUILT_IN[match.rule.name]), found.format(words=words), next_step])
    what = _refusal(match.field, match.rule.source).format(words=words)
    named = [_("Rule: {name}").format(name=rule_title(match.rule))] if match.rule.name else []
    return "\n".join([what, *named, next_step])


def rule_title(rule: PromptRule) -> str:
    """Return a rule's name, or its text."""
    return escaped(cut(rule.name or rule.text, _QUOTED))


def prompt_rule_message(error: PromptRuleError) -> str:
    """Return the words for an impossible change of rules."""
    match error:
        case PromptRuleTextError(problem=RuleProblem.TOO_MANY):
            what = (
                _("A server has up to {count} patterns.") if error.patterns else _("A server has up to {count} rules.")
            )
            return in_lines(what.format(count=number(error.limit)), _("Remove some first; nothing was changed."))
        case PromptRuleTextError():
            what = rule_mistake(error)
            if error.number is not None:
                what = _("Line {number}: {what}").format(number=number(error.number), what=what)
            return in_lines(what, _("Nothing was changed."))
        case PromptRuleGoneError():
            return _("This rule was removed meanwhile.")
        case AutoModRightError():
            return in_lines(
                _("I may not read AutoMod's rules here, so nothing was switched on."),
                _("Give my role Manage Server in the server's settings, then press again."),
            )
        case AutoModUnreadError():
            return in_lines(
                _("Discord did not answer about AutoMod's rules, so nothing was switched on."),
                _("Press again in a minute."),
            )
        case _:
            return _("This rule cannot be changed.")


def rule_mistake(error: PromptRuleTextError, shown: int = _QUOTED) -> str:
    """Return the words for the fault of a rule's text; `shown` cuts it."""
    return _(_MISTAKES[error.problem]).format(
        text=escaped(cut(error.text, shown)), limit=number(error.limit), said=escaped(cut(error.said, shown))
    )


def automod_lost() -> str:
    """Return the words for admins about the lost right to AutoMod's rules."""
    return in_lines(
        _("I lost the right Manage Server, so AutoMod's rules no longer apply to prompts."),
        _("Give it back to my role, and they apply again. `/studio rules` switches them off for good."),
    )


def refusal_ban(ban: RefusalBan) -> str:
    """Return the words for moderators about a ban after refused prompts."""
    member = person(ban.member_id)
    what = ngettext(
        "{member} is banned from the studio after {count} refused prompt.",
        "{member} is banned from the studio after {count} refused prompts.",
        ban.refusals,
    ).format(member=member, count=number(ban.refusals))
    ends = _("It ends {when}.").format(when=ago(ban.until)) if ban.until is not None else ""
    return in_lines(what, f"{ends} {_('`/studio unban` ends it now, `/studio rules` changes the rules.')}".strip())


def _refusal(field: PromptField, source: PromptRuleSource) -> str:
    is_negative = field is PromptField.NEGATIVE
    match source:
        case PromptRuleSource.GUILD if is_negative:
            return _("A rule of this server forbids {words} in the negative prompt.")
        case PromptRuleSource.GUILD:
            return _("A rule of this server forbids {words} in the prompt.")
        case PromptRuleSource.AUTOMOD if is_negative:
            return _("This server's AutoMod forbids {words} in the negative prompt.")
        case PromptRuleSource.AUTOMOD:
            return _("This server's AutoMod forbids {words} in the prompt.")
        case _ if is_negative:
            return _("A rule of this studio forbids {words} in the negative prompt.")
        case _:
            return _("A rule of this studio forbids {words} in the prompt.")

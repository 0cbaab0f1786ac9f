"""The card of `/studio rules`."""

from collections.abc import Iterator, Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.guild_settings import GuildSettings
from bot.domain.prompt_rules import PromptField, PromptRule, PromptRuleKind, PromptRuleScope, PromptRuleState
from bot.services.automod import AutoModView
from bot.services.prompt_blocks import ban_terms
from bot.services.prompt_rules import AddedRules, Example, Trial
from bot.ui.buttons import (
    RULE_ADD,
    RULE_AUTOMOD,
    RULE_BANS,
    RULE_MENU,
    RULE_REMOVE,
    RULE_STATES,
    RULES,
    custom_id,
    guild_target,
)
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, escaped, number, person
from bot.ui.render.job_card import BLURPLE, GREEN, payload_view
from bot.ui.render.prompt_rule_words import rule_mistake
from bot.ui.truncation import cut
from db.prompt_rules import StoredRule

RULES_OF_PAGE: Final = 10
_TEXT_SHOWN: Final = 40
_NAME_SHOWN: Final = 30
_WORDS_SHOWN: Final = 40
_LONGEST_OPTION: Final = 100
_UNUSED_SHOWN: Final = 3

STATE_NAMES: Final = {
    PromptRuleState.ON: N_("on"),
    PromptRuleState.DRY: N_("dry run"),
    PromptRuleState.OFF: N_("off"),
}
KIND_NAMES: Final = {
    PromptRuleKind.WORD: N_("word or phrase"),
    PromptRuleKind.SUBSTRING: N_("part of a word"),
    PromptRuleKind.PATTERN: N_("pattern"),
    PromptRuleKind.ALLOW: N_("allowed words"),
}
SCOPE_NAMES: Final = {
    PromptRuleScope.ALL: N_("every request"),
    PromptRuleScope.EDITS: N_("edits alone"),
}


def prompt_rule_card(
    guild_id: int,
    rules: Sequence[StoredRule],
    settings: GuildSettings,
    automod: AutoModView,
    *,
    reads_automod: bool,
    page: int = 0,
    chosen: StoredRule | None = None,
    trial: Trial | None = None,
    note: str | None = None,
) -> ui.LayoutView:
    """Return a page of a server's rules, with the chosen one and its trial.

    `note` is about the last change. `reads_automod`: the bot has the right to read AutoMod's rules.
    """
    pages = max(1, -(-len(rules) // RULES_OF_PAGE))
    page = min(page, pages - 1)
    shown = rules[page * RULES_OF_PAGE : (page + 1) * RULES_OF_PAGE]
    target = guild_target(guild_id)
    lines = [note] if note else []
    lines.append(f"## {_('Prompt rules')}")
    lines += [_line(each.rule) for each in shown]
    if not rules:
        lines.append(_("This server has none. The studio's own rules apply all the same."))
    if pages > 1:
        place = _("Page {page} of {pages}").format(page=number(page + 1), pages=number(pages))
        lines.append(f"-# {place}")
    lines.append(f"-# {_bans(settings)}")
    lines += [f"-# {line}" for line in _automod(automod, may_read=reads_automod)]
    rows: list[ui.Item[ui.LayoutView]] = [ui.TextDisplay("\n".join(lines))]
    if shown:
        rows.append(ui.ActionRow(_menu(target, page, shown, chosen)))
    if chosen is not None:
        rows.append(ui.TextDisplay("\n".join(_details(chosen, trial))))
        rows.append(ui.ActionRow(*_change_buttons(target, page, chosen.rule)))
    turns = []
    if pages > 1:
        turns = [
            RULES.build(target, label=_("Newer"), picture=max(0, page - 1), disabled=page == 0),
            RULES.build(target, picture=min(pages - 1, page + 1), disabled=page == pages - 1),
        ]
    automod_label = _("Stop using AutoMod's rules") if automod.state.is_on else None
    automod_button = RULE_AUTOMOD.build(target, label=automod_label, picture=int(not automod.state.is_on))
    rows.append(ui.ActionRow(*turns, RULE_ADD.build(target), RULE_BANS.build(target), automod_button))
    return payload_view(ui.Container(*rows, accent_colour=GREEN if rules else BLURPLE))


def added_note(added: AddedRules) -> str:
    """Return the words about added rules and their trial."""
    count = len(added.rules)
    lines = [ngettext("{count} rule was added.", "{count} rules were added.", count).format(count=number(count))]
    if added.known:
        known = ngettext("{count} was there already.", "{count} were there already.", added.known)
        lines[0] += f" {known.format(count=number(added.known))}"
    if count and added.rules[0].kind is not PromptRuleKind.ALLOW:
        lines += _trial(added.trial)
    return "\n".join(lines)


def _line(rule: PromptRule) -> str:
    parts = [f"**{_(STATE_NAMES[rule.state])}**", _(_kind(rule)), f"“{_text(rule)}”"]
    if rule.name:
        parts.append(escaped(cut(rule.name, _NAME_SHOWN)))
    if rule.scope is PromptRuleScope.EDITS:
        parts.append(_(SCOPE_NAMES[rule.scope]))
    return " · ".join(parts)


def _text(rule: PromptRule) -> str:
    return escaped(cut(rule.text, _TEXT_SHOWN))


def _kind(rule: PromptRule) -> str:
    return KIND_NAMES[PromptRuleKind.WORD if rule.kind is PromptRuleKind.PHRASE else rule.kind]


def _menu(target: str, page: int, shown: Sequence[StoredRule], chosen: StoredRule | None) -> ui.Select[ui.LayoutView]:
    return ui.Select(
        custom_id=custom_id(RULE_MENU, target, page),
        placeholder=_("Choose a rule to try or change"),
        options=[
            discord.SelectOption(
                label=cut(" ".join(each.rule.text.split()), _LONGEST_OPTION),
                description=cut(f"{_(STATE_NAMES[each.rule.state])} · {_(_kind(each.rule))}", _LONGEST_OPTION),
                value=each.rule.id,
                default=chosen is not None and chosen.rule.id == each.rule.id,
            )
            for each in shown
        ],
    )


def _details(chosen: StoredRule, trial: Trial | None) -> Iterator[str]:
    rule = chosen.rule
    yield f"### “{_text(rule)}”"
    by = person(chosen.set_by)
    changed = _("changed by {member} {when}").format(member=by, when=ago(chosen.set_at))
    yield f"-# {_(STATE_NAMES[rule.state])} · {_(SCOPE_NAMES[rule.scope])} · {changed}"
    if rule.kind is PromptRuleKind.ALLOW:
        yield _("The other rules of this server do not match within these words.")
    elif trial is not None:
        yield from _trial(trial)
        if trial.recorded:
            recorded = ngettext(
                "It has matched {count} request in the last 90 days, dry runs included.",
                "It has matched {count} requests in the last 90 days, dry runs included.",
                trial.recorded,
            )
            yield f"-# {recorded.format(count=number(trial.recorded))}"


def _trial(trial: Trial) -> Iterator[str]:
    if not trial.tried:
        yield _("There are no prompts yet to try this with.")
        return
    said = ngettext(
        "Of the last {tried} prompt, {count} would have been refused.",
        "Of the last {tried} prompts, {count} would have been refused.",
        trial.tried,
    )
    yield said.format(tried=number(trial.tried), count=number(trial.refused))
    for example in trial.examples:
        yield f"-# {_example(example)}"


def _example(example: Example) -> str:
    if example.member_id is None or example.words is None:
        return _("a private picture")
    words = f"“{escaped(cut(example.words, _WORDS_SHOWN))}”"
    member = person(example.member_id)
    if example.field is PromptField.NEGATIVE:
        return _("{words} by {member}, in the negative prompt").format(words=words, member=member)
    return _("{words} by {member}").format(words=words, member=member)


def _change_buttons(target: str, page: int, rule: PromptRule) -> Iterator[ui.Button[ui.LayoutView]]:
    for state, button in RULE_STATES.items():
        if state is rule.state or (rule.kind is PromptRuleKind.ALLOW and state is PromptRuleState.DRY):
            continue
        yield button.build(target, picture=page, search_id=rule.id)
    yield RULE_REMOVE.build(target, picture=page, search_id=rule.id)


def _bans(settings: GuildSettings) -> str:
    limit, term, ban_term = ban_terms(settings)
    if not limit:
        return _("Refused prompts ban nobody.")
    said = ngettext(
        "{count} refused prompt within {hours} bans its member from the studio for {term}.",
        "{count} refused prompts within {hours} ban their member from the studio for {term}.",
        limit,
    )
    return said.format(count=number(limit), hours=_hours(term.total_seconds()), term=_hours(ban_term.total_seconds()))


def _automod(automod: AutoModView, *, may_read: bool) -> Iterator[str]:
    state, rules = automod.state, automod.rules
    if not state.is_on:
        said = _("AutoMod's rules do not apply to prompts.")
        yield said if may_read else f"{said} {_('To use them, first give my role Manage Server.')}"
        return
    if state.lost_at is not None:
        lost = _("AutoMod's rules do not apply: I lost Manage Server {when}. Give it back to my role.")
        yield lost.format(when=ago(state.lost_at))
        return
    if not rules:
        yield _("AutoMod has no rule of your own words here that blocks messages.")
        return
    said = ngettext(
        "{count} rule of AutoMod applies to prompts of members without Manage Server: {names}",
        "{count} rules of AutoMod apply to prompts of members without Manage Server: {names}",
        len(rules),
    )
    names = ", ".join(escaped(cut(each.name, _NAME_SHOWN)) for each in rules)
    yield said.format(count=number(len(rules)), names=names)
    for each in automod.unused[:_UNUSED_SHOWN]:
        unused = _("Not used of {rule}: {mistake}")
        yield unused.format(
            rule=escaped(cut(each.rule_name, _NAME_SHOWN)), mistake=rule_mistake(each.error, _TEXT_SHOWN)
        )
    more = len(automod.unused) - _UNUSED_SHOWN
    if more > 0:
        yield ngettext("{count} more is not used.", "{count} more are not used.", more).format(count=number(more))


def _hours(seconds: float) -> str:
    hours = int(seconds // 3600)
    return ngettext("{count} hour", "{count} hours", hours).format(count=number(hours))

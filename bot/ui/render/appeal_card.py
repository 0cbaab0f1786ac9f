"""Messages about appeals: the moderators' card, the member's answer."""

from typing import Final

from discord import ui

from bot.domain.appeals import AppealState
from bot.domain.prompt_rules import PromptField, PromptRuleSource
from bot.services.appeals import AppealSnapshot
from bot.ui.buttons import APPEAL_ALLOW, APPEAL_EXCEPTION, APPEAL_KEEP, APPEAL_SHOW
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, escaped, number, person
from bot.ui.render.job_card import AMBER, GREEN, GREY, payload_view
from bot.ui.truncation import cut

_PROMPT_SHOWN: Final = 1500
_WORDS_SHOWN: Final = 200
_DECIDED: Final = {
    AppealState.ALLOWED: N_("This prompt was allowed by {moderator}, {when}"),
    AppealState.EXCEPTION: N_("An exception was added by {moderator}, {when}"),
    AppealState.KEPT: N_("Kept refused by {moderator}, {when}"),
}
_COLOURS: Final = {
    AppealState.WAITING: AMBER,
    AppealState.ALLOWED: GREEN,
    AppealState.EXCEPTION: GREEN,
}
_ANSWERS: Final = {
    AppealState.ALLOWED: N_("A moderator allowed your prompt. Send it again within a day."),
    AppealState.EXCEPTION: N_("A moderator changed the rules for your prompt. Send it again."),
    AppealState.KEPT: N_("A moderator looked at your prompt, and it stays refused."),
}


def appeal_card(snapshot: AppealSnapshot) -> ui.LayoutView:
    """Return an appeal's card: the decision, the prompt, its member, the rule."""
    appeal, block = snapshot.appeal, snapshot.block
    member = person(appeal.member_id)
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_COLOURS.get(appeal.state, GREY))
    container.add_item(ui.TextDisplay(f"### {_state(snapshot)}"))
    container.add_item(ui.TextDisplay(escaped(cut(appeal.text, _PROMPT_SHOWN)) if appeal.text else _("Prompt removed")))
    refused = ngettext(
        "{count} refused prompt of theirs in 30 days", "{count} refused prompts of theirs in 30 days", snapshot.refusals
    )
    lines = [
        _("From {member} · {record}").format(member=member, record=refused.format(count=number(snapshot.refusals))),
        _found(block.field).format(words=escaped(cut(block.words, _WORDS_SHOWN))) if block.words else "",
        _rule(snapshot),
    ]
    container.add_item(ui.TextDisplay("\n".join(f"-# {line}" for line in lines if line)))
    if appeal.state is AppealState.WAITING:
        is_own = block.source is PromptRuleSource.GUILD
        buttons = (APPEAL_ALLOW, *([APPEAL_EXCEPTION] if is_own else []), APPEAL_KEEP)
        container.add_item(ui.ActionRow(*(each.build(appeal.block_id) for each in buttons)))
    return payload_view(container)


def appeal_answer(snapshot: AppealSnapshot, guild_name: str) -> ui.LayoutView:
    """Return the direct message about a decision."""
    appeal = snapshot.appeal
    lines = [_(_ANSWERS[appeal.state])]
    if guild_name:
        lines.append(f"-# {_('About your appeal in {server}').format(server=escaped(guild_name))}")
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=_COLOURS.get(appeal.state, GREY)
    )
    container.add_item(ui.ActionRow(APPEAL_SHOW.build(appeal.block_id)))
    return payload_view(container)


def appealed_note() -> str:
    """Return the answer to a member's appeal."""
    return _("A moderator will look at your prompt. You get a direct message when it is decided.")


def decided_note(state: AppealState) -> str:
    """Return the answer to a moderator's decision."""
    return {
        AppealState.ALLOWED: _("The member may send this prompt within a day."),
        AppealState.EXCEPTION: _("The exception is added. `/studio rules` lists it."),
    }.get(state, _("The prompt stays refused."))


def _state(snapshot: AppealSnapshot) -> str:
    appeal = snapshot.appeal
    if appeal.state in _DECIDED and appeal.decided_at is not None:
        moderator = f"<@{appeal.decided_by}>" if (appeal.decided_by or 0) > 0 else _("a moderator")
        return _(_DECIDED[appeal.state]).format(moderator=moderator, when=ago(appeal.decided_at))
    return _("An appeal waits for a decision · {when}").format(when=ago(appeal.appealed_at or appeal.at))


def _found(field: PromptField) -> str:
    if field is PromptField.NEGATIVE:
        return _("Found in the negative prompt: “{words}”")
    return _("Found in the prompt: “{words}”")


def _rule(snapshot: AppealSnapshot) -> str:
    name = escaped(cut(snapshot.block.rule_name, _WORDS_SHOWN))
    if snapshot.block.source is PromptRuleSource.AUTOMOD:
        return _("Rule: {name} · of AutoMod, changed in the server's settings").format(name=name)
    if snapshot.rule_author is None:
        return _("Rule: {name} · it was removed meanwhile").format(name=name)
    admin = person(snapshot.rule_author)
    return _("Rule: {name} · set by {admin}").format(name=name, admin=admin)

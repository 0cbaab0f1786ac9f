"""Panels of `/credits allowance`: the list, changes, explanations."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.allowances import AllowanceEntry, AllowanceSource, PeriodKind
from bot.services.allowances import AllowanceList, AllowancePreview, Explanation
from bot.ui.buttons import (
    ALLOWANCE_CANCEL,
    ALLOWANCE_OF,
    ALLOWANCE_SAVE,
    ALLOWANCE_UNSET,
    ALLOWANCES,
    NO_TARGET,
    custom_id,
)
from bot.ui.i18n import _, ngettext
from bot.ui.render.allowance_ids import target_of
from bot.ui.render.allowance_words import amount_words, holder_words, origin_words, used_words
from bot.ui.render.budget_panels import allowance_effect
from bot.ui.render.formatting import and_more, number
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, GREY, payload_view
from bot.ui.truncation import cut

ENTRIES_PER_PAGE: Final = 20
_LONGEST_LABEL: Final = 100


def allowance_list(
    found: AllowanceList, roles: Mapping[int, str], counts: Mapping[int, int], page: int = 0
) -> ui.LayoutView:
    """Return one page of a server's allowances, with menus.

    `roles` are the names of the roles that exist, `counts` their members if known. Entries are numbered, because the
    menu to remove one cannot show a member's name.
    """
    pages = max(1, -(-len(found.entries) // ENTRIES_PER_PAGE))
    page = min(page, pages - 1)
    first = page * ENTRIES_PER_PAGE
    shown = found.entries[first : first + ENTRIES_PER_PAGE]
    lines = [f"## {_('Allowances')}"]
    if not any(entry.source is AllowanceSource.SERVER for entry in found.entries):
        default = amount_words(found.default, PeriodKind.DAY)
        lines.append(_("Everyone: {allowance}, the operator's default").format(allowance=default))
    lines += [
        f"**{number(place)}** · {_entry_words(entry, roles, counts)}"
        for place, entry in enumerate(shown, start=first + 1)
    ]
    note = _("A member's own allowance counts first, then the most generous of their roles, then everyone's.")
    lines.append(f"-# {note}")
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE)
    container.add_item(ui.ActionRow(_member_menu()))
    if shown:
        container.add_item(ui.ActionRow(_removal_menu(shown, roles, first)))
    if pages > 1:
        container.add_item(
            ui.ActionRow(
                *([ALLOWANCES.build(NO_TARGET, label=_("Back"), picture=page - 1)] if page else []),
                *([ALLOWANCES.build(NO_TARGET, label=_("Next"), picture=page + 1)] if page < pages - 1 else []),
            )
        )
    return payload_view(container)


def _entry_words(entry: AllowanceEntry, roles: Mapping[int, str], counts: Mapping[int, int]) -> str:
    is_gone = bool(entry.role_id) and entry.role_id not in roles
    parts = [holder_words(entry, is_gone=is_gone), amount_words(entry.amount, entry.period)]
    if entry.role_id in counts:
        parts.append(_members(counts[entry.role_id]))
    return " · ".join(parts)


def _members(count: int) -> str:
    return ngettext("{count} member", "{count} members", count).format(count=number(count))


def _member_menu() -> ui.UserSelect[ui.LayoutView]:
    return ui.UserSelect(
        custom_id=custom_id(ALLOWANCE_OF, NO_TARGET), placeholder=_("See a member's allowance, and why")
    )


def _removal_menu(entries: Sequence[AllowanceEntry], roles: Mapping[int, str], first: int) -> ui.Select[ui.LayoutView]:
    options = []
    for place, entry in enumerate(entries, start=first + 1):
        if entry.member_id:
            holder = _("a member")
        elif entry.role_id:
            holder = roles.get(entry.role_id, _("deleted role"))
        else:
            holder = _("Everyone")
        label = f"{number(place)} · {holder} · {amount_words(entry.amount, entry.period)}"
        options.append(discord.SelectOption(label=cut(label, _LONGEST_LABEL), value=entry_key(entry)))
    return ui.Select(
        custom_id=custom_id(ALLOWANCE_UNSET, NO_TARGET), placeholder=_("Remove an allowance…"), options=options
    )


def entry_key(entry: AllowanceEntry) -> str:
    """Return the value of an entry in the menu to remove one."""
    return f"{entry.role_id}:{entry.member_id}"


def preview_panel(preview: AllowancePreview, heads: int | None, *, is_gone: bool = False) -> ui.LayoutView:
    """Return a change with its effect, to be saved or cancelled.

    `heads` is the number of members concerned, None if unknown.
    """
    change, entry = preview.change, preview.change.entry
    holder = holder_words(entry, is_gone=is_gone)
    if change.removes:
        lines = [f"## {_('Remove this allowance?')}", f"{holder} · {_was(preview)}", _after_removal(preview)]
    else:
        lines = [f"## {_('Save this allowance?')}", f"{holder} · **{amount_words(entry.amount, entry.period)}**"]
        if preview.before is not None:
            lines.append("-# " + _("before: {allowance}").format(allowance=_was(preview)))
        lines.append(_effect(preview, heads))
        lines.append("-# " + _("What a member has spent in the period counts against it."))
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=AMBER if change.removes or entry.amount is None else BLURPLE
    )
    save = ALLOWANCE_SAVE.build(target_of(change), label=_("Remove") if change.removes else None)
    container.add_item(ui.ActionRow(save, ALLOWANCE_CANCEL.build(NO_TARGET)))
    return payload_view(container)


def _was(preview: AllowancePreview) -> str:
    before = preview.before
    return "" if before is None else amount_words(before.amount, before.period)


def _after_removal(preview: AllowancePreview) -> str:
    match preview.change.entry.source:
        case AllowanceSource.MEMBER:
            return _("Then the allowances of their roles count, else everyone's.")
        case AllowanceSource.ROLE:
            return _("Then its members' other roles count, else everyone's allowance.")
        case _:
            default = amount_words(preview.default, PeriodKind.DAY)
            return _("Then the operator's default counts: {allowance}.").format(allowance=default)


def _effect(preview: AllowancePreview, heads: int | None) -> str:
    entry = preview.change.entry
    if heads is None and entry.amount == 0:
        return _("This blocks them: without granted credits they make no pictures.")
    if heads is None:
        return "-# " + _("How many members have this role could not be read.")
    return allowance_effect(entry.amount, entry.period, heads, preview.guild_budget)


def saved_panel(preview: AllowancePreview, *, is_gone: bool = False) -> ui.LayoutView:
    """Return the note on a saved change, with the way to the list."""
    entry = preview.change.entry
    holder = holder_words(entry, is_gone=is_gone)
    if preview.change.removes:
        said = _("The allowance is removed: {holder}").format(holder=holder)
    else:
        said = f"{holder} · {amount_words(entry.amount, entry.period)}"
        said = _("Saved: {allowance}").format(allowance=said)
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay(said), accent_colour=GREEN)
    container.add_item(ui.ActionRow(ALLOWANCES.build(NO_TARGET)))
    return payload_view(container)


def cancelled_panel() -> ui.LayoutView:
    """Return the note on a cancelled change."""
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay(_("Nothing was changed.")), accent_colour=GREY)
    container.add_item(ui.ActionRow(ALLOWANCES.build(NO_TARGET)))
    return payload_view(container)


def explanation_panel(found: Explanation, roles: Collection[int]) -> ui.LayoutView:
    """Return a member's allowance with its reason, and the others.

    `roles` are those that exist.
    """
    allowance = found.allowance
    lines = [
        f"## <@{found.member_id}>",
        f"**{amount_words(allowance.amount, allowance.period)}**, {origin_words(allowance, own=False)}",
        _reason(found),
    ]
    candidates = sorted(found.candidates, key=lambda entry: entry.generosity, reverse=True)
    for entry in candidates[:ENTRIES_PER_PAGE]:
        holder = holder_words(entry, is_gone=bool(entry.role_id) and entry.role_id not in roles)
        lines.append(f"-# {holder} · {amount_words(entry.amount, entry.period)}")
    more = len(candidates) - ENTRIES_PER_PAGE
    if more > 0:
        lines.append(f"-# {and_more(more)}")
    lines += _unknown_roles(found, roles)
    if allowance.amount != 0:
        lines.append(used_words(allowance, found.used))
    if found.granted:
        lines.append("-# " + _("{count} granted, which do not expire").format(count=number(found.granted)))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE))


def _unknown_roles(found: Explanation, roles: Collection[int]) -> list[str]:
    """Return the roles with allowances that the member may have."""
    shown = [holder_words(entry, is_gone=entry.role_id not in roles) for entry in found.unknown[:ENTRIES_PER_PAGE]]
    if not shown or found.allowance.source is AllowanceSource.MEMBER:
        return []
    if len(found.unknown) > ENTRIES_PER_PAGE:
        shown.append("…")
    said = _("They are not in this server. Unknown is whether they would have: {roles}")
    return ["-# " + said.format(roles=", ".join(shown))]


def _reason(found: Explanation) -> str:
    match found.allowance.source:
        case AllowanceSource.LAST:
            return _("Their roles are not known, so the allowance that they last used counts.")
        case AllowanceSource.MEMBER:
            return _("A member's own allowance counts first.")
        case AllowanceSource.ROLE:
            of_roles = sum(bool(entry.role_id) for entry in found.candidates)
            said = ngettext(
                "It is the only one of their roles with an allowance.",
                "It is the most generous of the {count} of their roles with an allowance.",
                of_roles,
            )
            return said.format(count=number(of_roles))
        case AllowanceSource.SERVER if found.unknown:
            return _("Their roles are not known, so everyone's allowance counts.")
        case AllowanceSource.SERVER:
            return _("None of their roles has an allowance.")
        case AllowanceSource.PREMIUM:
            return _("It was bought, and is more generous than those that apply without it.")
        case _:
            return _("This server has set none that applies.")

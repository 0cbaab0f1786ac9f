"""Handlers of `/credits allowance`, its buttons and menus."""

from collections.abc import Collection, Mapping
from typing import Any, cast

import discord

from bot.domain.allowances import AllowanceChange, AllowanceEntry, PeriodKind
from bot.domain.amounts import UNSET, parse_amount
from bot.domain.errors import AllowanceTargetError, CreditTargetError, NotInServerError, NotOfferedError, TargetProblem
from bot.services.allowances import AllowanceService
from bot.ui.delivery.role_counts import read_role_counts
from bot.ui.handlers.component_registry import picture_of, selected_values
from bot.ui.handlers.credits import Person
from bot.ui.handlers.interactions import guild_of, require_admin
from bot.ui.render.allowance_ids import change_of
from bot.ui.render.allowance_panels import (
    allowance_list,
    cancelled_panel,
    explanation_panel,
    preview_panel,
    saved_panel,
)

_QUIET = discord.AllowedMentions.none()


class AllowanceHandlers:
    """Answers `/credits allowance`, to one admin alone."""

    def __init__(self, *, allowances: AllowanceService) -> None:
        self._allowances = allowances

    async def set(
        self,
        interaction: discord.Interaction[Any],
        amount: str | None,
        period: PeriodKind | None,
        role: discord.Role | None,
        person: Person | None,
    ) -> None:
        """Ask whether to save a change; without any option, list all."""
        require_admin(interaction)
        if amount is None and period is None and role is None and person is None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            await self._show_list(interaction, 0)
            return
        change = _change(guild_of(interaction), amount, period, role, person)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._ask(interaction, change)

    async def show_list(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Show a page of the list in the pressed message."""
        require_admin(interaction)
        await interaction.response.defer()
        await self._show_list(interaction, picture_of(interaction))

    async def save(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Save the change of the pressed button."""
        require_admin(interaction)
        change, guild_id = change_of(target), guild_of(interaction)
        preview = await self._allowances.preview(guild_id, change)
        await self._allowances.apply(guild_id, change, actor_id=interaction.user.id)
        view = saved_panel(preview, is_gone=_is_gone(change.entry, _roles(interaction)))
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)

    async def cancel(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Leave everything as it is."""
        require_admin(interaction)
        await interaction.response.edit_message(view=cancelled_panel())

    async def unset(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Ask whether to remove the entry chosen in the menu."""
        require_admin(interaction)
        await interaction.response.defer()
        chosen = selected_values(interaction)
        if not chosen:
            raise NotOfferedError
        role_id, member_id = (int(each) for each in chosen[0].split(":"))
        entry = AllowanceEntry(amount=0, role_id=role_id, member_id=member_id)
        await self._ask(interaction, AllowanceChange(entry=entry, removes=True))

    async def explain(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Answer with the allowance of the member chosen in the menu."""
        require_admin(interaction)
        member_id, roles, is_bot = _chosen_member(interaction)
        if is_bot:
            raise CreditTargetError(TargetProblem.BOT)
        found = await self._allowances.explain(guild_of(interaction), member_id, roles)
        view = explanation_panel(found, _roles(interaction))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def forget_role(self, guild_id: int, role_id: int) -> None:
        """Remove the entry of a deleted role."""
        await self._allowances.forget_role(guild_id, role_id)

    async def _show_list(self, interaction: discord.Interaction[Any], page: int) -> None:
        found = await self._allowances.list(guild_of(interaction))
        counts = await _counts(interaction) if any(each.role_id for each in found.entries) else {}
        view = allowance_list(found, _roles(interaction), counts, page)
        await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)

    async def _ask(self, interaction: discord.Interaction[Any], change: AllowanceChange) -> None:
        preview = await self._allowances.preview(guild_of(interaction), change)
        heads = None if change.removes else await _heads(interaction, change.entry)
        view = preview_panel(preview, heads, is_gone=_is_gone(change.entry, _roles(interaction)))
        await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)


def _change(
    guild_id: int, amount: str | None, period: PeriodKind | None, role: discord.Role | None, person: Person | None
) -> AllowanceChange:
    """Return the change of a command's options.

    @everyone stands for the whole server.

    Raises:
        AmountError: the amount is neither a number within the limits nor a known word.
        AllowanceTargetError: there is a role and a member, or no amount.
        CreditTargetError: the member is a bot.
        NotInServerError: there is no server.
    """
    if not guild_id:
        raise NotInServerError
    if amount is None or (role is not None and person is not None):
        raise AllowanceTargetError(has_amount=amount is not None)
    if person is not None and person.bot:
        raise CreditTargetError(TargetProblem.BOT)
    removes = amount.strip().casefold() == UNSET
    entry = AllowanceEntry(
        amount=0 if removes else parse_amount(amount),
        period=period or PeriodKind.DAY,
        role_id=0 if role is None or role.id == guild_id else role.id,
        member_id=0 if person is None else person.id,
    )
    return AllowanceChange(entry=entry, removes=removes)


async def _heads(interaction: discord.Interaction[Any], entry: AllowanceEntry) -> int | None:
    """Return how many members an entry is for, None if unknown."""
    if entry.member_id:
        return 1
    if entry.role_id:
        return (await _counts(interaction)).get(entry.role_id)
    return None if interaction.guild is None else interaction.guild.member_count


async def _counts(interaction: discord.Interaction[Any]) -> Mapping[int, int]:
    return {} if interaction.guild is None else await read_role_counts(interaction.guild)


def _roles(interaction: discord.Interaction[Any]) -> dict[int, str]:
    """Return the names of the server's roles."""
    return {} if interaction.guild is None else {role.id: role.name for role in interaction.guild.roles}


def _is_gone(entry: AllowanceEntry, roles: Collection[int]) -> bool:
    return bool(entry.role_id) and entry.role_id not in roles


def _chosen_member(interaction: discord.Interaction[Any]) -> tuple[int, list[int] | None, bool]:
    """Return the chosen person: id, roles, and whether it is a bot.

    Discord describes the person in the interaction; the roles are None for somebody outside the server.

    Raises:
        NotOfferedError: nobody was chosen, or Discord does not describe them.
    """
    data = cast("dict[str, Any]", interaction.data or {})
    chosen, resolved = selected_values(interaction), data.get("resolved", {})
    user = resolved.get("users", {}).get(chosen[0]) if chosen else None
    if user is None:
        raise NotOfferedError
    member = resolved.get("members", {}).get(chosen[0])
    roles = None if member is None else [int(role) for role in member.get("roles", ())]
    return int(user["id"]), roles, bool(user.get("bot"))

"""Handlers of `/credits`: balance, history, and changes by admins."""

from typing import Any

import discord
from discord import ui

from bot.domain.errors import NotAllowedError
from bot.domain.lazy_text import LazyText
from bot.domain.ledger_entries import LedgerFilter
from bot.services.credit_administration import CreditAdministration, Recipient
from bot.services.credit_history import CreditHistoryService, LedgerPage
from bot.services.credits import CreditService
from bot.services.history import Direction
from bot.ui.handlers.component_registry import picture_of, search_id_of
from bot.ui.handlers.interactions import actor_of, guild_of, require_admin, roles_of
from bot.ui.render.credit_history import FILTERS, ledger_page
from bot.ui.render.credit_panels import balance_panel, granted_panel, reset_panel, taken_panel

Person = discord.Member | discord.User


class CreditHandlers:
    """Answers `/credits` and its buttons, to one person alone."""

    def __init__(
        self,
        *,
        credits: CreditService,  # noqa: A002 - the concept's name
        history: CreditHistoryService,
        administration: CreditAdministration,
    ) -> None:
        self._credits = credits
        self._history = history
        self._administration = administration

    async def show_balance(self, interaction: discord.Interaction[Any], person: Person | None) -> None:
        """Answer with one's own balance, or a member's for a moderator."""
        person = person or interaction.user
        own = _check_reader(interaction, person.id)
        balance = await self._credits.balance(guild_of(interaction), person.id, recipient_of(person).roles)
        await _send(interaction, balance_panel(balance, own=own))

    async def show_history(
        self, interaction: discord.Interaction[Any], person: Person | None, shown: LedgerFilter
    ) -> None:
        """Answer with the latest movements, one's own or a member's."""
        member_id = (person or interaction.user).id
        own = _check_reader(interaction, member_id)
        page = await self._history.open(guild_of(interaction), member_id, shown)
        await _send(interaction, ledger_page(page, own=own))

    async def open_history(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Answer a balance's button with the latest movements."""
        member_id = _member_of(interaction)
        own = _check_reader(interaction, member_id)
        page = await self._history.open(guild_of(interaction), member_id)
        await _send(interaction, ledger_page(page, own=own))

    async def filter_history(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Show other movements in the pressed message."""
        member_id = _member_of(interaction)
        own = _check_reader(interaction, member_id)
        page = await self._history.open(guild_of(interaction), member_id, _filter_of(interaction))
        await interaction.response.edit_message(view=ledger_page(page, own=own))

    async def turn_history(self, interaction: discord.Interaction[Any], entry_id: str, direction: Direction) -> None:
        """Show the next page in the pressed message."""
        member_id = _member_of(interaction)
        own = _check_reader(interaction, member_id)
        page: LedgerPage = await self._history.turn(
            guild_of(interaction), member_id, _filter_of(interaction), entry_id, direction
        )
        await interaction.response.edit_message(view=ledger_page(page, own=own))

    async def grant(self, interaction: discord.Interaction[Any], person: Person, amount: int, reason: str) -> None:
        """Grant a member credits."""
        require_admin(interaction)
        change = await self._administration.grant(
            guild_of(interaction), recipient_of(person), amount, actor_id=interaction.user.id, reason=reason
        )
        await _send(interaction, granted_panel(change, reason))

    async def take(self, interaction: discord.Interaction[Any], person: Person, amount: int, reason: str) -> None:
        """Take granted credits back from a member."""
        require_admin(interaction)
        change = await self._administration.take(
            guild_of(interaction), recipient_of(person), amount, actor_id=interaction.user.id, reason=reason
        )
        await _send(interaction, taken_panel(change, reason))

    async def reset(self, interaction: discord.Interaction[Any], person: Person, reason: str) -> None:
        """Give a member the used allowance back."""
        require_admin(interaction)
        change = await self._administration.reset(
            guild_of(interaction), recipient_of(person), actor_id=interaction.user.id, reason=reason
        )
        await _send(interaction, reset_panel(change, reason))


def recipient_of(person: discord.abc.User) -> Recipient:
    """Return a person as a recipient of credits.

    Discord describes members with their roles, and people outside the server without.
    """
    is_present = isinstance(person, discord.Member)
    roles = roles_of(person) if is_present else None
    return Recipient(member_id=person.id, roles=roles, is_bot=person.bot, is_present=is_present)


def _check_reader(interaction: discord.Interaction[Any], member_id: int) -> bool:
    """Return whether the credits are the person's own.

    Raises:
        NotAllowedError: they are not, and the person is no moderator.
    """
    own = member_id == interaction.user.id
    if not own and not actor_of(interaction, everywhere=True).moderator:
        raise NotAllowedError(LazyText("a moderator"))
    return own


def _member_of(interaction: discord.Interaction[Any]) -> int:
    """Return the member in the custom id, by default the pressing one."""
    member = search_id_of(interaction)
    return interaction.user.id if member is None else int(member, 16)


def _filter_of(interaction: discord.Interaction[Any]) -> LedgerFilter:
    number = picture_of(interaction)
    return FILTERS[number] if number < len(FILTERS) else LedgerFilter.ALL


async def _send(interaction: discord.Interaction[Any], view: ui.LayoutView) -> None:
    await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())

"""Handlers of moderators' commands in `/studio`."""

from typing import Any, Final

import discord
from discord import app_commands

from bot.domain.access_rules import RuleKind
from bot.domain.bans import BanScope
from bot.domain.catalogue import Catalogue
from bot.domain.errors import NotAllowedError, NotOfferedError
from bot.domain.lazy_text import LazyText
from bot.domain.options import OPTIONS
from bot.domain.terms import parse_term
from bot.services.moderation import ModerationService, Target
from bot.ui.handlers.component_registry import picture_of, search_id_of
from bot.ui.handlers.interactions import actor_of, is_admin, require_admin, roles_of, settings_of
from bot.ui.render.moderation_panels import (
    LOG_KINDS,
    banned_panel,
    bans_panel,
    log_panel,
    rules_panel,
    unbanned_panel,
)

_QUIET: Final = discord.AllowedMentions.none()
_PAGE: Final = 15
_MOST_CHOICES: Final = 25


class ModerationHandlers:
    """Answers moderators, privately."""

    def __init__(self, *, moderation: ModerationService, catalogue: Catalogue) -> None:
        self._moderation = moderation
        self._catalogue = catalogue

    async def ban(
        self,
        interaction: discord.Interaction[Any],
        member: discord.Member | discord.User,
        *,
        scope: BanScope,
        term: str | None,
        reason: str | None,
    ) -> None:
        """Ban a member and show the ban.

        Raises:
            NotAllowedError: the actor is no moderator, or the member is one and the actor no admin.
        """
        guild_id = require_moderator(interaction)
        if not is_admin(interaction) and member.id != interaction.user.id and _moderates(interaction, member):
            raise NotAllowedError(LazyText("an admin of this server"))
        manages = isinstance(member, discord.Member) and member.guild_permissions.manage_guild
        target = Target(member_id=member.id, is_protected=member.bot or manages)
        ban = await self._moderation.ban(
            guild_id,
            target,
            scope=scope,
            term=None if term is None else parse_term(term),
            reason=reason or "",
            actor_id=interaction.user.id,
        )
        await _answer(interaction, banned_panel(ban))

    async def unban(
        self, interaction: discord.Interaction[Any], member: discord.Member | discord.User, *, reason: str | None
    ) -> None:
        """End a member's bans.

        Raises:
            NotAllowedError: the actor is no moderator, or is the member and no admin.
        """
        guild_id = require_moderator(interaction)
        if member.id == interaction.user.id and not is_admin(interaction):
            raise NotAllowedError(LazyText("another moderator"))
        scopes = await self._moderation.unban(guild_id, member.id, reason=reason or "", actor_id=interaction.user.id)
        await _answer(interaction, unbanned_panel(member.id, scopes))

    async def list_bans(self, interaction: discord.Interaction[Any]) -> None:
        """Show the bans in force."""
        await _answer(interaction, bans_panel(await self._moderation.list_bans(require_moderator(interaction))))

    async def show_bans(self, interaction: discord.Interaction[Any], page: str) -> None:
        """Show another page of the bans in the pressed message."""
        if not page.isdecimal():
            raise NotOfferedError
        bans = await self._moderation.list_bans(require_moderator(interaction))
        await interaction.response.edit_message(view=bans_panel(bans, int(page)), allowed_mentions=_QUIET)

    async def change_access(
        self,
        interaction: discord.Interaction[Any],
        *,
        model: str | None,
        option: str | None,
        role: discord.Role | None,
        remove: bool,
    ) -> None:
        """Change a rule for a model or an option, and show all rules.

        @everyone stands for no rule.
        """
        guild_id = require_admin(interaction)
        if role is not None and role.is_default():
            role, remove = None, True
        subjects = [(RuleKind.MODEL, model), (RuleKind.OPTION, option)]
        chosen = [(kind, name) for kind, name in subjects if name is not None]
        rules = await self._moderation.list_rules(guild_id)
        for kind, name in chosen:
            if remove:
                rules = await self._moderation.remove_rule(
                    guild_id, kind, name, None if role is None else role.id, actor_id=interaction.user.id
                )
            elif role is not None:
                rules = await self._moderation.allow_role(guild_id, kind, name, role.id, actor_id=interaction.user.id)
        await _answer(interaction, rules_panel(rules))

    async def show_log(
        self, interaction: discord.Interaction[Any], *, kind: int, member: discord.Member | discord.User | None
    ) -> None:
        """Show the latest entries of the audit log."""
        about = None if member is None else member.id
        await _answer(interaction, await self._log(require_moderator(interaction), kind=kind, about=about))

    async def show_older_log(self, interaction: discord.Interaction[Any], before: str) -> None:
        """Show the next page of the audit log in the pressed message."""
        search_id = search_id_of(interaction)
        view = await self._log(
            require_moderator(interaction),
            kind=picture_of(interaction) % len(LOG_KINDS),
            about=None if search_id is None else int(search_id, 16),
            before=before,
        )
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)

    def models(self, typed: str) -> list[app_commands.Choice[str]]:
        """Return the matching models."""
        wanted = typed.strip().casefold()
        names = [model.id for model in self._catalogue.models if wanted in model.id.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in names[:_MOST_CHOICES]]

    def options(self, typed: str) -> list[app_commands.Choice[str]]:
        """Return the matching options; rules for models have their own choice."""
        wanted = typed.strip().casefold()
        names = [name for name in OPTIONS if name != "model" and wanted in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in names[:_MOST_CHOICES]]

    async def _log(
        self, guild_id: int, *, kind: int, about: int | None, before: str | None = None
    ) -> discord.ui.LayoutView:
        entries = await self._moderation.list_log(
            guild_id, limit=_PAGE + 1, before=before, kinds=LOG_KINDS[kind], about=about
        )
        return log_panel(entries[:_PAGE], kind=kind, about=about, more=len(entries) > _PAGE)


def require_moderator(interaction: discord.Interaction[Any]) -> int:
    """Return the guild of a moderator or an admin.

    Raises:
        NotAllowedError: the member is neither.
    """
    actor = actor_of(interaction, everywhere=True)
    if not actor.moderator:
        raise NotAllowedError(LazyText("a moderator"))
    return actor.guild_id


def _moderates(interaction: discord.Interaction[Any], member: discord.Member | discord.User) -> bool:
    """Return whether a member moderates the server and is no admin."""
    if not isinstance(member, discord.Member) or member.guild_permissions.manage_guild:
        return False
    return settings_of(interaction).is_moderator(
        roles_of(member), manages_messages=member.guild_permissions.manage_messages, is_admin=False
    )


async def _answer(interaction: discord.Interaction[Any], view: discord.ui.LayoutView) -> None:
    await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

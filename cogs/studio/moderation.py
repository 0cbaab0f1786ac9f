"""`/studio ban`, `unban`, `bans`, `access` and `audit`."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.bans import BanScope
from bot.services.moderation import MAX_REASON
from bot.ui.buttons import BANS, OLDER_LOG
from bot.ui.handlers.moderation import ModerationHandlers
from bot.ui.render.moderation_panels import LOG_FILTERS

_Person = discord.Member | discord.User
_Reason = app_commands.Range[str, 1, MAX_REASON]


class ModerationCommands(commands.Cog):
    """Commands for moderators."""

    def __init__(self, *, client: AtelierClient, handlers: ModerationHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons of the audit log and of the bans."""
        self._client.components.register(OLDER_LOG.action, self._handlers.show_older_log)
        self._client.components.register(BANS.action, self._handlers.show_bans)

    @app_commands.command(name="ban", description=locale_str("Ban a member from the studio or from sharing"))
    @app_commands.describe(
        member=locale_str("Choose the member"),
        scope=locale_str("The whole studio (default), or sharing alone"),
        term=locale_str("For how long, such as 12h, 7d or 2w; without it, until you end it"),
        reason=locale_str("Say why; the member reads it when they try"),
    )
    @app_commands.choices(
        scope=[
            app_commands.Choice(name=locale_str("The studio"), value=BanScope.STUDIO.value),
            app_commands.Choice(name=locale_str("Sharing"), value=BanScope.SHARING.value),
        ]
    )
    async def ban(
        self,
        interaction: discord.Interaction[Any],
        *,
        member: _Person,
        scope: str = BanScope.STUDIO.value,
        term: app_commands.Range[str, 1, 20] | None = None,
        reason: _Reason | None = None,
    ) -> None:
        """Ban the member."""
        await self._handlers.ban(interaction, member, scope=BanScope(scope), term=term, reason=reason)

    @app_commands.command(name="unban", description=locale_str("End a member's bans"))
    @app_commands.describe(member=locale_str("Choose the member"), reason=locale_str("Say why, for the audit log"))
    async def unban(
        self, interaction: discord.Interaction[Any], *, member: _Person, reason: _Reason | None = None
    ) -> None:
        """End the bans."""
        await self._handlers.unban(interaction, member, reason=reason)

    @app_commands.command(name="bans", description=locale_str("See who is banned, by whom and until when"))
    async def bans(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the bans in force."""
        await self._handlers.list_bans(interaction)

    @app_commands.command(name="access", description=locale_str("See or set which roles may use a model or an option"))
    @app_commands.describe(
        model=locale_str("Choose a model"),
        option=locale_str("Or an option, such as resolution"),
        role=locale_str("This role may use it; others may not, unless you allow them too"),
        remove=locale_str("Take the role's right back; without a role, let everyone use it again"),
    )
    async def access(
        self,
        interaction: discord.Interaction[Any],
        *,
        model: app_commands.Range[str, 1, 64] | None = None,
        option: app_commands.Range[str, 1, 64] | None = None,
        role: discord.Role | None = None,
        remove: bool = False,
    ) -> None:
        """Change a rule, and answer with all of them."""
        await self._handlers.change_access(interaction, model=model, option=option, role=role, remove=remove)

    @app_commands.command(name="audit", description=locale_str("See who changed or decided what"))
    @app_commands.describe(
        kind=locale_str("Show one kind of changes only"),
        member=locale_str("Show what this member did or met"),
    )
    @app_commands.choices(
        kind=[app_commands.Choice(name=locale_str(name), value=place) for place, name in enumerate(LOG_FILTERS)]
    )
    async def audit(
        self, interaction: discord.Interaction[Any], *, kind: int = 0, member: _Person | None = None
    ) -> None:
        """Answer with the latest entries."""
        await self._handlers.show_log(interaction, kind=kind, member=member)

    @access.autocomplete("model")
    async def _models(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return self._handlers.models(typed)

    @access.autocomplete("option")
    async def _options(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return self._handlers.options(typed)

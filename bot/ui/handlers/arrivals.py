"""Greetings in new servers, and the owner's decisions about them."""

from typing import Any, Final

import discord
import structlog

from bot.domain.errors import NotAdmittedError, NotAllowedError, NotOfferedError
from bot.domain.lazy_text import LazyText
from bot.services.access import AccessService, Admission
from bot.services.guild_presence import GuildPresenceService
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import RETRYABLE, classify
from bot.ui.delivery.guild_lookup import find_guild
from bot.ui.delivery.owner_messages import OwnerMessages
from bot.ui.i18n import use_locale
from bot.ui.render.arrival_cards import GuildCard, admission_card, greeting, left_card

_log = structlog.get_logger(__name__)

_QUIET: Final = discord.AllowedMentions.none()
_UNKNOWN_GUILD: Final = 10004


class ArrivalHandlers:
    """Greets each new server once, and asks the owner to admit it."""

    def __init__(
        self,
        *,
        presence: GuildPresenceService,
        access: AccessService,
        owners: OwnerMessages,
        client: discord.Client,
    ) -> None:
        self._presence = presence
        self._access = access
        self._owners = owners
        self._client = client
        self._seen: set[int] | None = None

    async def compare(self, guilds: list[discord.Guild], shards: list[int], count: int) -> None:
        """Greet the new servers since the last start.

        Nothing is known about an unavailable one: it waits for `become_available`.
        """
        by_id = {guild.id: guild for guild in guilds}
        unavailable = {guild.id for guild in guilds if guild.unavailable}
        for shard in shards:
            present = {each for each in by_id if (each >> 22) % count == shard}
            arrived = await self._presence.compare(
                present - unavailable, unavailable=present & unavailable, shard=shard, count=count
            )
            for guild_id in arrived:
                await self._try_greeting(by_id[guild_id])
        self._seen = by_id.keys() - unavailable
        for guild_id in unavailable:
            if not by_id[guild_id].unavailable:
                await self.become_available(by_id[guild_id])

    async def become_available(self, guild: discord.Guild) -> None:
        """Greet a server first seen after the comparison, if it is new."""
        if self._seen is not None and guild.id not in self._seen:
            await self.arrive(guild)

    async def arrive(self, guild: discord.Guild) -> None:
        """Greet a server, once."""
        if self._seen is not None:
            self._seen.add(guild.id)
        if await self._presence.arrive(guild.id):
            await self._greet(guild)

    async def leave(self, guild: discord.Guild) -> None:
        """Record a departure."""
        if self._seen is not None:
            self._seen.discard(guild.id)
        await self._presence.leave(guild.id)

    async def _try_greeting(self, guild: discord.Guild) -> None:
        """Greet a server; an error concerns that server alone."""
        try:
            await self._greet(guild)
        except Exception:  # noqa: BLE001 - the others are greeted all the same
            _log.exception("arrival.greeting_failed", guild=guild.id)

    async def _greet(self, guild: discord.Guild) -> None:
        try:
            is_admitted = await self._is_admitted(guild.id)
            if not is_admitted:
                card, by_list = _card(guild), self._access.is_by_list
                await self._owners.send_arrival(
                    guild.id, lambda: admission_card(card, is_admitted=False, by_list=by_list)
                )
            async with bounded(REQUEST_SECONDS):
                await self._send(guild, is_admitted=is_admitted)
        except Exception as error:
            kind = classify(error)
            _log.warning("arrival.not_greeted", guild=guild.id, error=type(error).__name__)
            if kind is None or kind in RETRYABLE:
                await self._presence.forget_arrival(guild.id)
            if kind is None:
                raise

    async def _is_admitted(self, guild_id: int) -> bool:
        try:
            await self._access.require(guild_id)
        except NotAdmittedError:
            return False
        return True

    async def _send(self, guild: discord.Guild, *, is_admitted: bool) -> None:
        """Send the greeting to a channel, or else to the server's owner."""
        channel = _channel_for(guild)
        place: discord.abc.Messageable | None = channel
        if channel is None and guild.owner_id is not None:
            place = await self._client.create_dm(discord.Object(guild.owner_id))
        if place is None:
            return
        with use_locale(guild.preferred_locale.value):
            view = greeting(guild.id, is_admitted=is_admitted)
        # A repeated one is the same message for Discord within minutes.
        await place.send(view=view, nonce=f"hello{guild.id}"[:25], allowed_mentions=_QUIET)

    async def admit(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Admit a server by the owner's card."""
        guild_id = await self._require_owner(interaction, target)
        admission = await self._access.admit(guild_id, by=interaction.user.id)
        await self._show(interaction, guild_id, is_admitted=admission is not Admission.UNLISTED)

    async def end_admission(self, interaction: discord.Interaction[Any], target: str) -> None:
        """End a server's admission by the owner's card."""
        guild_id = await self._require_owner(interaction, target)
        await self._access.end_admission(guild_id, by=interaction.user.id)
        await self._show(interaction, guild_id, is_admitted=False)

    async def depart(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Leave a server by the owner's card."""
        guild_id = await self._require_owner(interaction, target)
        await interaction.response.defer()
        card = await self._known(guild_id)
        try:
            async with bounded(REQUEST_SECONDS):
                await self._client.http.leave_guild(guild_id)
        except discord.HTTPException as error:
            if error.code != _UNKNOWN_GUILD:
                raise
        await interaction.edit_original_response(view=left_card(card), allowed_mentions=_QUIET)

    async def _show(self, interaction: discord.Interaction[Any], guild_id: int, *, is_admitted: bool) -> None:
        by_list = self._access.is_by_list and not is_admitted
        view = admission_card(await self._known(guild_id), is_admitted=is_admitted, by_list=by_list)
        await interaction.response.edit_message(view=view)

    async def _require_owner(self, interaction: discord.Interaction[Any], target: str) -> int:
        if not await interaction.client.is_owner(interaction.user):
            raise NotAllowedError(LazyText("the bot's owner"))
        if not target.isdecimal():
            raise NotOfferedError
        return int(target)

    async def _known(self, guild_id: int) -> GuildCard:
        guild = await find_guild(self._client, guild_id)
        return GuildCard(id=guild_id, name=str(guild_id), members=None) if guild is None else _card(guild)


def _card(guild: discord.Guild) -> GuildCard:
    return GuildCard(
        id=guild.id, name=guild.name or str(guild.id), members=guild.member_count or guild.approximate_member_count
    )


def _channel_for(guild: discord.Guild) -> discord.TextChannel | None:
    """Return the system channel, or the first one where the bot may write."""
    channels = [*([guild.system_channel] if guild.system_channel else []), *guild.text_channels]
    for channel in channels:
        rights = channel.permissions_for(guild.me)
        if rights.view_channel and rights.send_messages:
            return channel
    return None

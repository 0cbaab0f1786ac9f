"""Records of refused prompts, and the bans after many of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.bans import Ban, BanScope
from bot.domain.errors import PromptRefusedError
from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import InteractionContext
from bot.domain.prompt_rules import APPEALABLE
from bot.engine.clock import Clock
from db.accounts import AccountRepository
from db.appeals import AppealRepository
from db.audit_log import AuditLogRepository
from db.bans import BanRepository
from db.database import Database
from db.guilds import GuildRepository
from db.prompt_rules import PromptBlockRepository, block_of

T = TypeVar("T")

BLOCK_LIMIT: Final = 5
BLOCK_HOURS: Final = 24
BLOCK_BAN_HOURS: Final = 24
"""The terms of a server without settings for them."""

REASON: Final = "Too many refused prompts"
"""The reason of these bans. Texts for members translate it."""


class PromptBlockService:
    """Records refusals by prompt rules.

    Several within a time ban their member from the server's studio for a while, once.
    """

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def record(self, place: InteractionContext, work: Awaitable[T]) -> T:
        """Wait for a transaction with a request's check; record a refusal.

        Raises what `work` raises. A `PromptRefusedError` then has the id of its record.
        """
        try:
            return await work
        except PromptRefusedError as error:
            # The transaction of the request is undone, so the record has a separate one.
            error.block_id = await self._record(place, error)
            raise

    async def _record(self, place: InteractionContext, error: PromptRefusedError) -> str:
        now = self._clock.now()
        # A message or an interaction that arrives twice is refused once.
        block_id = f"{place.interaction_id:032x}" if place.interaction_id else self._new_id()

        def write(connection: Connection) -> None:
            block = block_of(error.match, block_id=block_id, guild_id=place.guild_id, member_id=place.member_id, at=now)
            if not PromptBlockRepository(connection).add(block):
                return
            if place.guild_id and error.match.rule.source in APPEALABLE:
                AppealRepository(connection).offer(block, error.text)
            if place.guild_id:  # a ban in guild 0 would be one in every server
                self._ban_if_due(connection, place, now)

        await self._database.write(write)
        return block_id

    def _ban_if_due(self, connection: Connection, place: InteractionContext, now: datetime) -> None:
        settings = GuildRepository(connection).settings(place.guild_id)
        limit, term, ban_term = ban_terms(settings)
        if not limit:
            return
        # A simultaneous refusal waits here, in whichever process, and then finds these refusals counted.
        AccountRepository(connection).lock(place.guild_id, place.member_id)
        blocks = PromptBlockRepository(connection)
        uncounted = blocks.list_uncounted(place.guild_id, place.member_id, now - term)
        bans = BanRepository(connection)
        if len(uncounted) < limit or bans.find(place.guild_id, place.member_id, now, BanScope.STUDIO):
            return
        until = now + ban_term
        bans.set(
            Ban(
                guild_id=place.guild_id,
                member_id=place.member_id,
                scope=BanScope.STUDIO,
                at=now,
                actor_id=place.application_id,
                until=until,
                reason=REASON,
            )
        )
        blocks.mark_counted([each.id for each in uncounted], now, report_at=now)
        AuditLogRepository(connection).add(
            AuditEntry(
                id=self._new_id(),
                guild_id=place.guild_id,
                actor_id=place.application_id,
                action="ban.add",
                target_id=place.member_id,
                detail={"scope": BanScope.STUDIO.value, "until": until.isoformat(), "refusals": len(uncounted)},
                reason=REASON,
                at=now,
            )
        )


def ban_terms(settings: GuildSettings) -> tuple[int, timedelta, timedelta]:
    """Return the number of refusals for a ban, their time, and the ban's."""
    limit = BLOCK_LIMIT if settings.block_limit is None else settings.block_limit
    return (
        limit,
        timedelta(hours=settings.block_hours or BLOCK_HOURS),
        timedelta(hours=settings.block_ban_hours or BLOCK_BAN_HOURS),
    )

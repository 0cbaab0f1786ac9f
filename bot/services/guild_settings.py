"""Settings of servers, and the record of their changes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.guild_settings import GuildSettings
from bot.domain.outbox import MessageKind
from bot.domain.sharing.votes import MOST_POSTS
from db.appeals import AppealRepository
from db.audit_log import AuditLogRepository
from db.batches import Batch
from db.database import Database
from db.guilds import GuildRepository
from db.outbox import OutboxRepository
from db.reports import refresh_reports
from db.sharing_settings import SharingSettingsRepository
from db.submissions import refresh_review
from db.votes import VoteRepository

# The moderators' menus list the reasons, and the queue's card is due for the reminder.
_ON_REVIEW_CARDS: Final = frozenset({"refusal_reasons", "reminder_hours"})
# Reports without a card get one in the first of them.
_MODERATORS_CHANNELS: Final = frozenset({"review_channel_id", "log_channel_id"})


class GuildSettingsService:
    """Reads and changes the settings of servers.

    A change takes effect with the next request: no process keeps the settings.
    """

    def __init__(self, *, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._reads = Batch(database, _read_all, reads=True)

    async def get(self, guild_id: int) -> GuildSettings:
        """Return a guild's settings.

        Commands of a guild that wait at the same moment share a reading.
        """
        return await self._reads.run(guild_id)

    async def change(self, guild_id: int, changes: Mapping[str, Any], *, by: int) -> GuildSettings:
        """Change settings by name and record the changed ones in the audit log.

        Return the settings before the change. The same values again change nothing.
        """
        now = self._now()

        def write(connection: Connection) -> GuildSettings:
            guilds = GuildRepository(connection)
            guilds.add(guild_id)
            before = guilds.settings(guild_id, lock=True)
            changed = {name: value for name, value in changes.items() if value != getattr(before, name)}
            if changed:
                guilds.change_settings(guild_id, changed)
                if "review_channel_id" in changed:
                    refresh_review(connection, guild_id, now)
                    waiting = AppealRepository(connection).list_waiting(guild_id)
                    OutboxRepository(connection).refresh((MessageKind.APPEAL,), waiting, now)
                if not _MODERATORS_CHANNELS.isdisjoint(changed):
                    refresh_reports(connection, guild_id, now)
                if "showcase_channel_id" in changed:
                    for kind in (MessageKind.SHOWCASE, MessageKind.PICKS):
                        OutboxRepository(connection).reopen(kind, guild_id, now)
                detail = {
                    name: _change(_plain(getattr(before, name)), _plain(value)) for name, value in changed.items()
                }
                AuditLogRepository(connection).add(
                    AuditEntry(
                        id=self._new_id(),
                        guild_id=guild_id,
                        actor_id=by,
                        action="settings.change",
                        detail=detail,
                        at=now,
                    )
                )
            return before

        return await self._database.write(write)

    async def change_sharing(self, guild_id: int, changes: Mapping[str, Any], *, by: int) -> None:
        """Change settings for sharing by name, and record them as `change` does."""
        now = self._now()

        def write(connection: Connection) -> None:
            guilds, settings = GuildRepository(connection), SharingSettingsRepository(connection)
            guilds.add(guild_id)
            guilds.settings(guild_id, lock=True)
            before = settings.get(guild_id)
            changed = {name: value for name, value in changes.items() if value != getattr(before, name)}
            if not changed:
                return
            settings.change(guild_id, changed)
            if not _ON_REVIEW_CARDS.isdisjoint(changed):
                refresh_review(connection, guild_id, now)
            if "votes" in changed:
                posts = VoteRepository(connection).list_posts(guild_id, MOST_POSTS)
                ids = [submission_id for submission_id, *_ in posts]
                OutboxRepository(connection).refresh((MessageKind.SHOWCASE,), ids, now)
            detail = {
                name: _change(_logged(name, getattr(before, name)), _logged(name, value))
                for name, value in changed.items()
            }
            entry = AuditEntry(
                id=self._new_id(), guild_id=guild_id, actor_id=by, action="settings.change", detail=detail, at=now
            )
            AuditLogRepository(connection).add(entry)

        await self._database.write(write)


def _logged(name: str, value: Any) -> Any:
    """Return a setting as the audit log has it: of reasons, their number."""
    return len(value) if name == "refusal_reasons" else _plain(value)


def _read_all(connection: Connection, guild_ids: Sequence[int]) -> list[GuildSettings]:
    guilds = GuildRepository(connection)
    found = {each: guilds.settings(each) for each in set(guild_ids)}
    return [found[each] for each in guild_ids]


def _change(before: Any, after: Any) -> dict[str, Any]:
    """Return a change as the audit log has it."""
    return {"before": before, "after": after}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

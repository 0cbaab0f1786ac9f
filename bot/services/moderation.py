"""Moderators' decisions about members: bans, and rules for roles."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.access_rules import AccessRule, RuleKind
from bot.domain.audit_log import AuditEntry
from bot.domain.bans import Ban, BanScope
from bot.domain.catalogue import Catalogue
from bot.domain.errors import BanRefusedError, NoBanError, NotOfferedError
from bot.domain.options import OPTIONS
from bot.engine.clock import Clock
from bot.engine.member_identity import MemberIdentity
from db.access_rules import AccessRuleRepository
from db.audit_log import AuditLogRepository
from db.bans import BanRepository
from db.database import Database

MAX_REASON: Final = 400
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A member that a moderator decides about.

    `is_protected`: an admin or a bot, who cannot be banned.
    """

    member_id: int
    is_protected: bool = False


class ModerationService:
    """Bans and rules of a guild, each with its entry in the audit log.

    The caller has checked that the actor moderates the guild. `identity` knows members who deleted their data: bans of
    theirs are kept under their pseudonyms.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        catalogue: Catalogue,
        new_id: Callable[[], str],
        identity: MemberIdentity | None = None,
    ) -> None:
        self._identity = identity
        self._database = database
        self._clock = clock
        self._catalogue = catalogue
        self._new_id = new_id

    async def ban(
        self,
        guild_id: int,
        target: Target,
        *,
        scope: BanScope,
        term: timedelta | None,
        reason: str,
        actor_id: int,
    ) -> Ban:
        """Ban a member for a term, or for good; a new ban replaces the old.

        Running jobs go on.

        Raises:
            BanRefusedError: the member is the actor, an admin or a bot.
        """
        return await self._database.write(
            self.plan_ban(guild_id, target, scope=scope, term=term, reason=reason, actor_id=actor_id)
        )

    def plan_ban(
        self,
        guild_id: int,
        target: Target,
        *,
        scope: BanScope,
        term: timedelta | None,
        reason: str,
        actor_id: int,
    ) -> Callable[[Connection], Ban]:
        """Return a ban to store in a caller's transaction; raises as `ban` does."""
        if target.is_protected or target.member_id == actor_id:
            raise BanRefusedError
        now = self._clock.now()
        ban = Ban(
            guild_id=guild_id,
            member_id=target.member_id,
            scope=scope,
            at=now,
            actor_id=actor_id,
            until=None if term is None else now + term,
            reason=reason[:MAX_REASON],
        )

        def write(connection: Connection) -> Ban:
            kept_as = self._kept_as(connection, target.member_id)
            BanRepository(connection).set(replace(ban, member_id=kept_as))
            until = None if ban.until is None else ban.until.isoformat()
            detail = {"scope": scope.value, "until": until}
            self._log(connection, guild_id, actor_id, "ban.add", now, kept_as, detail, ban.reason)
            return ban

        return write

    async def unban(self, guild_id: int, member_id: int, *, reason: str, actor_id: int) -> tuple[BanScope, ...]:
        """End all bans of a member in a guild; return their scopes.

        Raises:
            NoBanError: there is none.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[BanScope, ...]:
            kept_as = self._kept_as(connection, member_id)
            scopes = BanRepository(connection).end(guild_id, kept_as, now)
            if not scopes:
                raise NoBanError
            detail = {"scopes": [scope.value for scope in scopes]}
            self._log(connection, guild_id, actor_id, "ban.end", now, kept_as, detail, reason[:MAX_REASON])
            return scopes

        return await self._database.write(write)

    def _kept_as(self, connection: Connection, member_id: int) -> int:
        return member_id if self._identity is None else self._identity.kept_as(connection, member_id)

    async def list_bans(self, guild_id: int) -> tuple[Ban, ...]:
        """Return the bans in force in a guild, latest first."""
        now = self._clock.now()
        return await self._database.read(lambda connection: BanRepository(connection).list(guild_id, now))

    async def list_rules(self, guild_id: int) -> tuple[AccessRule, ...]:
        """Return the rules for models and options by role."""
        return await self._database.read(lambda connection: AccessRuleRepository(connection).list(guild_id))

    async def allow_role(
        self, guild_id: int, kind: RuleKind, name: str, role_id: int, *, actor_id: int
    ) -> tuple[AccessRule, ...]:
        """Reserve a model or an option for a role and others like it.

        Raises:
            UnknownModelError: there is no such model.
            NotOfferedError: there is no such option.
        """
        if kind is RuleKind.MODEL:
            self._catalogue.find(name)
        elif name not in OPTIONS or name == "model":
            raise NotOfferedError
        return await self._change_rules(
            guild_id, actor_id, "access.allow", kind, name, role_id, AccessRuleRepository.allow
        )

    async def remove_rule(
        self, guild_id: int, kind: RuleKind, name: str, role_id: int | None, *, actor_id: int
    ) -> tuple[AccessRule, ...]:
        """Remove a role from a rule, or the whole rule; return all rules."""
        return await self._change_rules(
            guild_id, actor_id, "access.remove", kind, name, role_id, AccessRuleRepository.remove
        )

    async def list_log(
        self,
        guild_id: int,
        *,
        limit: int,
        before: str | None = None,
        kinds: Collection[str] = (),
        about: int | None = None,
    ) -> tuple[AuditEntry, ...]:
        """Return entries of the audit log, newest first; see the repository."""
        return await self._database.read(
            lambda connection: AuditLogRepository(connection).list(
                guild_id, limit=limit, before=before, kinds=kinds, about=about
            )
        )

    async def _change_rules(
        self,
        guild_id: int,
        actor_id: int,
        action: str,
        kind: RuleKind,
        name: str,
        role_id: int | None,
        change: Callable[..., bool],
    ) -> tuple[AccessRule, ...]:
        now = self._clock.now()

        def write(connection: Connection) -> tuple[AccessRule, ...]:
            rules = AccessRuleRepository(connection)
            if change(rules, guild_id, kind, name, role_id):
                detail = {"kind": kind.value, "name": name}
                self._log(connection, guild_id, actor_id, action, now, role_id, detail, "")
            return rules.list(guild_id)

        return await self._database.write(write)

    def _log(
        self,
        connection: Connection,
        guild_id: int,
        actor_id: int,
        action: str,
        at: datetime,
        target_id: int | None,
        detail: Mapping[str, object],
        reason: str,
    ) -> None:
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=guild_id,
            actor_id=actor_id,
            action=action,
            at=at,
            target_id=target_id,
            detail=detail,
            reason=reason,
        )
        AuditLogRepository(connection).add(entry)

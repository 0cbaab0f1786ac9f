"""Checks of a request before anything is held or stored for it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from bot.domain.bans import Ban, BanScope
from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    BannedError,
    ModelClosedError,
    StudioPausedError,
    WrongChannelError,
)
from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import InteractionContext
from bot.domain.requests import GenerationRequest, offers_for, require_offer, require_prompt
from bot.engine.member_identity import MemberIdentity
from bot.services.access import AccessService
from bot.services.access_rules import AccessRules
from bot.services.guild_key_policy import GuildKeyPolicy
from bot.services.prompt_blocks import PromptBlockService
from bot.services.prompt_checks import PromptChecks
from bot.services.request_facts import RequestFacts, read_facts
from db.allowances import AllowanceRepository, JobRules
from db.bans import BanRepository
from db.batches import AloneError
from db.database import Database
from db.pauses import PauseRepository
from db.prompt_rules import PromptBlock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A possible request's rules for its member; the hold needs them, too.

    `dry_matches` are to be stored with the job: prompt rules in a dry run match its words.
    """

    rules: JobRules
    dry_matches: tuple[PromptBlock, ...] = ()


class RequestGate:
    """Decides whether a request may become a job.

    Jobs and confirmations pass here, in the transaction that stores them. `is_blocked` tells the requests that no
    provider takes at present.
    """

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        catalogue: Catalogue,
        now: Callable[[], datetime],
        is_blocked: Callable[[GenerationRequest], bool] = lambda _: False,
        keys: GuildKeyPolicy | None = None,
        identity: MemberIdentity | None = None,
        prompts: PromptChecks | None = None,
        blocks: PromptBlockService | None = None,
    ) -> None:
        self._prompts = prompts
        self._blocks = blocks
        self._database = database
        self._access = access
        self._identity = identity
        self._catalogue = catalogue
        self._now = now
        self._is_blocked = is_blocked
        self._rules = AccessRules(catalogue)
        self._keys = keys or GuildKeyPolicy(enabled=False, catalogue=catalogue)

    def facts(
        self, connection: Connection, places: Sequence[InteractionContext], *, is_alone: bool
    ) -> list[RequestFacts]:
        """Return the facts of `check` about requests from these places.

        In a transaction for one member alone, a returning member gets the kept credits and bans back first.

        Raises:
            DeletionRunningError: everything about that member is being deleted.
        """
        if not places:
            return []
        returning: frozenset[int] = frozenset()
        if self._identity is not None:
            members = {each.member_id for each in places}
            if is_alone:
                for member_id in members:
                    self._identity.welcome(connection, member_id)  # before the rules, which may come back with them
            else:
                returning = self._identity.list_known(connection, members)
        return read_facts(connection, places, self._now(), returning)

    def check(
        self,
        connection: Connection,
        place: InteractionContext,
        request: GenerationRequest,
        facts: RequestFacts | None = None,
        *,
        is_question: bool = False,
    ) -> GateResult:
        """Check that the request is possible here and now.

        `facts` are those of `facts`, if they are read already. `is_question`: the request is only asked about, and is
        checked again with the answer.

        Raises:
            NotInServerError: the request comes from outside a server and that is not allowed.
            NotAdmittedError: the server is not admitted.
            DeletionRunningError: everything about the member is being deleted.
            PromptError: the prompt of an earlier job is no longer kept.
            StudioPausedError: a pause stops the request.
            WrongChannelError: the server's studio works in other channels.
            BannedError: the member may not use the studio.
            PromptRefusedError: a prompt rule forbids words of the request.
            RoleNeededError: the model or an option needs another role.
            UnsupportedOptionError: the model does not support an option.
            StudioClosedError: no model is offered at all.
            ModelClosedError: no provider takes this request now.
            NoGuildKeyError: the server uses own keys, and none of them serves the request.
            AloneError: the member returns, and the transaction has other requests.
        """
        if facts is None:
            (facts,) = self.facts(connection, [place], is_alone=True)
        if facts.returns:
            raise AloneError
        rules = facts.rules
        self._access.check_admission(place.guild_id, by_owner=rules.is_admitted)
        check_channel(rules.settings, place)
        require_prompt(request)
        usable = self._keys.providers(connection, place.guild_id)
        offers = offers_for(request, self._catalogue)
        providers = [each.provider for each in offers if usable is None or each.provider in usable]
        pause = facts.pauses.blocking(place.guild_id, request.model, providers)
        if pause is not None:
            raise StudioPausedError(pause, model=request.model)
        _require_no_ban(facts.ban)
        dry_matches: tuple[PromptBlock, ...] = ()
        if self._prompts is not None:
            dry_matches = self._prompts.check(connection, place, request, rules.rules_version)
        self._rules.check(facts.access_rules, place.roles, request)
        if not offers:
            require_offer(request, self._catalogue)
        self._keys.check(connection, place.guild_id, request)
        if usable is None and self._is_blocked(request):
            raise ModelClosedError(request.model)
        return GateResult(rules=rules, dry_matches=() if is_question else dry_matches)

    async def write(self, place: InteractionContext, write: Callable[[Connection], T]) -> T:
        """Run a transaction with a `check`; record refusals by prompt rules."""
        return await self.record(place, self._database.write(write))

    async def record(self, place: InteractionContext, work: Awaitable[T]) -> T:
        """Wait for a transaction with a `check`; record refusals by prompt rules."""
        return await (work if self._blocks is None else self._blocks.record(place, work))

    def uses_own_keys(self, connection: Connection, guild_id: int) -> bool:
        """Return whether new jobs of a server use its own provider keys."""
        return self._keys.uses_own(connection, guild_id)

    def check_open(self, connection: Connection, place: InteractionContext) -> None:
        """Check a place before its member fills in a form or is asked.

        Raises:
            NotInServerError: it is outside a server and use outside servers is not allowed.
            NotAdmittedError: the server is not admitted.
            WrongChannelError: the server's studio works in other channels.
            StudioPausedError: the whole studio is paused there.
            BannedError: the member may not use the studio.
        """
        self._place_rules(connection, place)
        pause = PauseRepository(connection).find(place.guild_id).of_guild(place.guild_id)
        if pause is not None:
            raise StudioPausedError(pause)
        check_ban(connection, place.guild_id, place.member_id, self._now())

    def _place_rules(self, connection: Connection, place: InteractionContext) -> JobRules:
        """Return the rules of an admitted guild's studio channel."""
        rules = AllowanceRepository(connection).rules(place.guild_id, place.member_id, place.roles)
        self._access.check_admission(place.guild_id, by_owner=rules.is_admitted)
        check_channel(rules.settings, place)
        return rules

    async def require_open(self, place: InteractionContext) -> None:
        """Raise as `check_open` does, in a separate transaction."""
        await self._database.read(lambda connection: self.check_open(connection, place))


def check_ban(connection: Connection, guild_id: int, member_id: int, now: datetime, *scopes: BanScope) -> None:
    """Check that no ban of the studio, or of the other scopes, is in force.

    Raises:
        BannedError: the member is banned.
    """
    _require_no_ban(BanRepository(connection).find(guild_id, member_id, now, BanScope.STUDIO, *scopes))


def _require_no_ban(ban: Ban | None) -> None:
    if ban is not None:
        raise BannedError(sharing=ban.scope is BanScope.SHARING, until=ban.until, reason=ban.reason)


def check_channel(settings: GuildSettings, place: InteractionContext) -> None:
    """Check that the studio works in a channel.

    Raises:
        WrongChannelError: the server's admins chose other channels.
    """
    channels = {place.channel_id, place.parent_channel_id or 0}
    if place.private and settings.showcase_channel_id in channels:
        return  # nobody else sees it, and posts there have buttons
    if not settings.is_studio_channel(channels):
        raise WrongChannelError(settings.studio_channels)

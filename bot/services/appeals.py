"""Appeals of members against refusals by their server's prompt rules."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.appeals import Appeal, AppealState
from bot.domain.audit_log import AuditEntry
from bot.domain.errors import (
    AppealBegunError,
    AppealDecidedError,
    AppealGoneError,
    NotAllowedError,
    NotOfferedError,
    OwnAppealError,
    SharingOffError,
)
from bot.domain.guild_settings import GuildSettings
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.prompt_rules import PromptRule, PromptRuleKind, PromptRuleSource, PromptRuleState
from bot.engine.clock import Clock
from bot.engine.direct_messages import next_direct_message, wait_until
from bot.moderation.rule_checks import check_rule, check_rules
from bot.services.jobs import Actor
from bot.services.request_gate import check_ban
from bot.services.sharing.submissions import Waker
from db.appeals import AppealRepository
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guilds import GuildRepository
from db.locks import PLANNING_DIRECT_MESSAGES, advisory_lock
from db.outbox import OutboxRepository
from db.prompt_rules import PromptBlock, PromptBlockRepository, PromptRuleRepository, StoredRule

CARD: Final = 0
"""The number of the moderators' card in the outbox."""
ANSWER: Final = 1
"""The number of the member's direct message."""
_RECORD_DAYS: Final = timedelta(days=30)
_ACTIONS: Final = {
    AppealState.ALLOWED: "appeal.allow",
    AppealState.EXCEPTION: "appeal.exception",
    AppealState.KEPT: "appeal.keep",
}
# Direct messages of an hour that are left to pictures without a card.
_SPARED: Final = 10
_FULL_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealSnapshot:
    """An appeal with everything on its card.

    `refusals` are the member's of the last 30 days in the server, this one included. `rule_author` changed the rule
    last; None if the rule is gone, or AutoMod's.
    """

    appeal: Appeal
    block: PromptBlock
    guild: GuildSettings
    refusals: int
    rule_author: int | None


class AppealSnapshots:
    """Read access to appeals, and the turns of their answers."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, block_id: str) -> AppealSnapshot | None:
        """Return an appeal; None if its refusal is no longer kept."""
        since = self._clock.now() - _RECORD_DAYS

        def read(connection: Connection) -> AppealSnapshot | None:
            appeal, blocks = AppealRepository(connection).find(block_id), PromptBlockRepository(connection)
            block = blocks.find(block_id)
            if appeal is None or block is None:
                return None
            rules = PromptRuleRepository(connection).list(appeal.guild_id)
            author = next((each.set_by for each in rules if each.rule.id == block.rule_id), None)
            return AppealSnapshot(
                appeal=appeal,
                block=block,
                guild=GuildRepository(connection).settings(appeal.guild_id),
                refusals=blocks.count_of_member(appeal.guild_id, appeal.member_id, since),
                rule_author=author,
            )

        return await self._database.read(read)

    async def plan_answer(self, message: OutboxMessage) -> float:
        """Return the seconds until an answer's turn among direct messages."""
        now = self._clock.now()
        if message.direct_at is not None or message.message_id is not None:
            return 0.0 if message.direct_at is None else wait_until(message.direct_at, now)

        def write(connection: Connection) -> float:
            advisory_lock(connection, PLANNING_DIRECT_MESSAGES)
            at = next_direct_message(connection, now, spared=_SPARED)
            if at is None:
                return _FULL_SECONDS
            OutboxRepository(connection).set_direct(message.id, at)
            return wait_until(at, now)

        return await self._database.write(write)


class AppealService:
    """Appeals and their decisions, each in one transaction with its messages."""

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str], waker: Waker) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._waker = waker

    async def begin(self, block_id: str, member_id: int) -> Appeal:
        """Send a refused prompt to the moderators.

        Raises:
            AppealGoneError: it is no longer kept, or another member's.
            BannedError: the member is banned from the studio.
            AppealBegunError: the member appealed already.
            AppealDecidedError: a moderator decided already.
            SharingOffError: the server has no channel for the review.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Appeal, list[str]]:
            repository = AppealRepository(connection)
            appeal = repository.find(block_id, lock=True)
            if appeal is None or appeal.member_id != member_id:
                raise AppealGoneError
            check_ban(connection, appeal.guild_id, member_id, now)
            if appeal.state is AppealState.WAITING:
                raise AppealBegunError
            if appeal.state is not AppealState.OFFERED:
                raise AppealDecidedError(state=appeal.state, by=appeal.decided_by, at=appeal.decided_at)
            if GuildRepository(connection).settings(appeal.guild_id).review_channel_id is None:
                raise SharingOffError(is_review=True)
            repository.begin(appeal, now)
            self._log(connection, appeal, "appeal.begin", member_id)
            return appeal, [self._request(connection, appeal, CARD)]

        appeal, woken = await self._database.write(write)
        self._waker.wake(woken)
        return appeal

    async def decide(
        self, block_id: str, to: AppealState, actor: Actor, *, is_admin: bool, exception: str = ""
    ) -> Appeal:
        """Decide an appeal; `exception` are the words that the rules shall allow.

        Raises:
            AppealGoneError: the refused prompt is no longer kept.
            NotAllowedError: the actor does not moderate its server.
            OwnAppealError: the actor appealed, and is no admin.
            AppealDecidedError: another moderator was faster.
            NotOfferedError: the exception is to a rule of AutoMod, which Discord alone changes.
            PromptRuleTextError: the words of the exception cannot be used.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Appeal, list[str]]:
            repository = AppealRepository(connection)
            appeal = repository.find(block_id, lock=True)
            if appeal is None:
                raise AppealGoneError
            if not actor.moderator or actor.guild_id != appeal.guild_id:
                raise NotAllowedError(LazyText("a moderator"))
            if appeal.member_id == actor.member_id and not is_admin:
                raise OwnAppealError
            if to is AppealState.EXCEPTION and not _is_own(PromptBlockRepository(connection).find(block_id)):
                raise NotOfferedError
            if not repository.decide(appeal, to, actor.member_id, now):
                raise AppealDecidedError(state=appeal.state, by=appeal.decided_by, at=appeal.decided_at)
            if to is AppealState.EXCEPTION:
                self._add_exception(connection, appeal, exception, actor.member_id)
            decided = replace(appeal, state=to, decided_by=actor.member_id, decided_at=now)
            self._log(connection, decided, _ACTIONS[to], actor.member_id)
            woken = [self._request(connection, decided, CARD)]
            if appeal.member_id > 0:
                woken.append(self._request(connection, decided, ANSWER))
            return decided, woken

        appeal, woken = await self._database.write(write)
        self._waker.wake(woken)
        return appeal

    async def read_text(self, block_id: str, member_id: int) -> str:
        """Return a member's refused prompt.

        Raises:
            AppealGoneError: it is no longer kept, or another member's.
        """
        appeal = await self._database.read(lambda connection: AppealRepository(connection).find(block_id))
        if appeal is None or appeal.member_id != member_id or not appeal.text:
            raise AppealGoneError
        return appeal.text

    def _add_exception(self, connection: Connection, appeal: Appeal, words: str, by: int) -> None:
        """Add words to those in which no rule of the server matches."""
        rule = PromptRule(
            id=self._new_id(),
            kind=PromptRuleKind.ALLOW,
            text=" ".join(words.split()),
            guild_id=appeal.guild_id,
            state=PromptRuleState.ON,
        )
        check_rule(rule)
        rules = PromptRuleRepository(connection)
        rules.lock(appeal.guild_id)
        stored = [each.rule for each in rules.list(appeal.guild_id)]
        same = rule.text.casefold()
        if any(each.kind is PromptRuleKind.ALLOW and each.text.casefold() == same for each in stored):
            return
        check_rules([*stored, rule])
        rules.add([StoredRule(rule=rule, set_by=by, set_at=self._clock.now())])
        rules.set_version(appeal.guild_id, self._new_id())

    def _request(self, connection: Connection, appeal: Appeal, number: int) -> str:
        return OutboxRepository(connection).request(
            MessageKind.APPEAL,
            appeal.block_id,
            new_id=self._new_id(),
            guild_id=appeal.guild_id,
            at=self._clock.now(),
            number=number,
        )

    def _log(self, connection: Connection, appeal: Appeal, action: str, actor_id: int) -> None:
        AuditLogRepository(connection).add(
            AuditEntry(
                id=self._new_id(),
                guild_id=appeal.guild_id,
                actor_id=actor_id,
                action=action,
                at=self._clock.now(),
                target_id=appeal.member_id,
                detail={"refusal": appeal.block_id},
            )
        )


def _is_own(block: PromptBlock | None) -> bool:
    """Return whether a refusal is by a rule of the studio's admins."""
    return block is not None and block.source is PromptRuleSource.GUILD

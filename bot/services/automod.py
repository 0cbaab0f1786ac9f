"""AutoMod's rules in the studios of servers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.automod import AutoModRule, AutoModState
from bot.domain.errors import AutoModRightError, AutoModUnreadError
from bot.engine.clock import Clock
from bot.engine.repeat import repeat
from bot.moderation.automod_rules import UnusedText
from bot.services.guild_transactions import GuildTransactions
from bot.services.prompt_checks import GuildTexts, PromptChecks
from db.automod import AutoModLoss, AutoModRepository
from db.database import Database
from db.guilds import GuildRepository
from db.prompt_rules import PromptRuleRepository

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 60.0
_READ_EVERY: Final = timedelta(hours=1)
# Between two readings after events: a storm of them is no storm of requests.
_REST_SECONDS: Final = 2.0
# In a row. Discord is down, or blocks this client: more requests would prolong that.
_MOST_FAILURES: Final = 3
# After a report that did not arrive.
_RETRY: Final = timedelta(hours=1)


class AutoModReader(Protocol):
    """Reads the rules from Discord."""

    def serves(self, guild_id: int) -> bool:
        """Return whether the bot is in a server, with this process."""
        ...

    async def read(self, guild_id: int) -> tuple[AutoModRule, ...]:
        """Return a server's enabled rules against messages with words.

        Raises:
            AutoModRightError: the bot may not read them.
            AutoModUnreadError: Discord does not answer.
        """
        ...


class AutoModNotifier(Protocol):
    """Sends messages to servers' log channels."""

    async def send_automod_lost(self, channel_id: int, locale: str | None, loss: AutoModLoss) -> bool:
        """Send the loss of the rules; return False if it did not arrive."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoModView:
    """A server's setting, its rules in force, and their unusable parts."""

    state: AutoModState
    rules: tuple[AutoModRule, ...] = ()
    unused: tuple[UnusedText, ...] = ()


class AutoModService:
    """Switches AutoMod's rules on and off, and keeps them as Discord has them.

    The stored rules change by readings alone, one after the other. A change gives the server's rules a new version,
    which the next request reads.
    """

    def __init__(
        self,
        *,
        database: Database,
        transactions: GuildTransactions,
        reader: AutoModReader,
        channels: AutoModNotifier,
        checks: PromptChecks,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._transactions = transactions
        self._reader = reader
        self._channels = channels
        self._checks = checks
        self._clock = clock
        self._new_id = new_id
        self._reading = asyncio.Lock()
        # A queue without doubles. A failed reading goes to its end.
        self._requested: dict[int, None] = {}
        self._wake = asyncio.Event()
        self._rests_until = 0.0

    async def view(self, guild_id: int) -> AutoModView:
        """Return a server's setting with its rules.

        Raises:
            NotAdmittedError: the server is not admitted.
        """

        def read(connection: Connection, _: datetime) -> tuple[AutoModState, GuildTexts | None]:
            return AutoModRepository(connection).state(guild_id), self._checks.texts_of(connection, guild_id)

        state, texts = await self._transactions.read(guild_id, read)
        rules = () if texts is None else texts.automod
        compiled = () if texts is None else await asyncio.to_thread(self._checks.prepare, texts)
        return AutoModView(state=state, rules=rules, unused=tuple(text for each in compiled for text in each.unused))

    async def switch_on(self, guild_id: int, *, by: int) -> None:
        """Read the rules, and apply them to prompts from now on.

        Raises:
            AutoModRightError: the bot may not read them. Nothing is switched on then.
            AutoModUnreadError: Discord does not answer; likewise.
            NotAdmittedError: the server is not admitted.
        """
        async with self._reading:
            rules = await self._reader.read(guild_id)

            def write(connection: Connection, now: datetime) -> None:
                PromptRuleRepository(connection).lock(guild_id)
                if AutoModRepository(connection).switch_on(guild_id, now):
                    self._record(connection, guild_id, by, "rule.automod_on", now)
                self._replace(connection, guild_id, rules, now)

            await self._transactions.write(guild_id, write)
        await self._prepare(guild_id)

    async def switch_off(self, guild_id: int, *, by: int) -> None:
        """Apply the rules no longer.

        Raises:
            NotAdmittedError: the server is not admitted.
        """

        def write(connection: Connection, now: datetime) -> None:
            rules = PromptRuleRepository(connection)
            rules.lock(guild_id)
            if AutoModRepository(connection).switch_off(guild_id):
                rules.set_version(guild_id, self._new_id())
                self._record(connection, guild_id, by, "rule.automod_off", now)

        await self._transactions.write(guild_id, write)

    def request(self, *guild_ids: int) -> None:
        """Read the rules of servers soon; those without the setting are left out."""
        self._requested |= dict.fromkeys(guild_ids)
        self._wake.set()

    async def run(self) -> None:
        """Read rules and report losses until cancelled."""
        await repeat(
            self._rest_and_check,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("automod.not_checked"),
            wake=self._wake,
        )

    async def check(self) -> bool:
        """Read the due rules of servers, report lost ones; True if any was due."""
        due_before = self._clock.now() - _READ_EVERY

        def read(connection: Connection) -> tuple[frozenset[int], frozenset[int]]:
            repository = AutoModRepository(connection)
            return repository.list_on(), repository.list_due(due_before)

        async with self._reading:  # a request may be for a server that is being switched on
            are_on, due = await self._database.read(read)
            self._requested = {each: None for each in (*self._requested, *sorted(due)) if each in are_on}
        served = [each for each in self._requested if self._reader.serves(each)]
        failures = 0
        for guild_id in served:
            failures = 0 if await self._read_due(guild_id) else failures + 1
            if failures == _MOST_FAILURES:
                break
        await self._report_losses()
        return bool(served)

    async def _rest_and_check(self) -> None:
        await self._clock.wait(asyncio.Event(), max(0.0, self._rests_until - self._clock.monotonic()))
        if await self.check():
            self._rests_until = self._clock.monotonic() + _REST_SECONDS

    async def _read_due(self, guild_id: int) -> bool:
        """Read a server's rules; without success, again with a later check."""
        self._requested.pop(guild_id, None)  # an event during the reading asks for another one
        is_read = False
        try:
            is_read = await self._read(guild_id)
        except Exception:  # noqa: BLE001 - one server's fault must not keep the others waiting
            _log.exception("automod.not_read", guild=guild_id)
        if not is_read:
            self._requested[guild_id] = None
        return is_read

    async def _read(self, guild_id: int) -> bool:
        """Store a server's rules, or their loss; return False without an answer."""
        async with self._reading:
            rules: tuple[AutoModRule, ...] | None
            try:
                rules = await self._reader.read(guild_id)
            except AutoModRightError:
                rules = None
            except AutoModUnreadError:
                _log.warning("automod.not_read", guild=guild_id)
                return False
            now = self._clock.now()

            def write(connection: Connection) -> None:
                PromptRuleRepository(connection).lock(guild_id)
                repository = AutoModRepository(connection)
                if not repository.state(guild_id).is_on:
                    return  # switched off meanwhile
                if rules is not None:
                    self._replace(connection, guild_id, rules, now)
                elif repository.lose(guild_id, now):
                    _log.warning("automod.right_lost", guild=guild_id)
                    PromptRuleRepository(connection).set_version(guild_id, self._new_id())

            await self._database.write(write)
        await self._prepare(guild_id)
        return True

    def _replace(self, connection: Connection, guild_id: int, rules: tuple[AutoModRule, ...], now: datetime) -> None:
        if AutoModRepository(connection).replace(guild_id, rules, now):
            PromptRuleRepository(connection).set_version(guild_id, self._new_id())

    async def _prepare(self, guild_id: int) -> None:
        texts = await self._database.read(lambda connection: self._checks.texts_of(connection, guild_id))
        if texts is not None:
            await asyncio.to_thread(self._checks.prepare, texts)

    async def _report_losses(self) -> None:
        """Send the due reports; lost ones are due again later."""
        now = self._clock.now()
        if not await self._database.read(lambda connection: AutoModRepository(connection).has_reports(now)):
            return
        claimed = await self._database.write(
            lambda connection: AutoModRepository(connection).claim_reports(now, now + _RETRY)
        )
        done = [loss for loss in claimed if await self._report(loss)]
        await self._database.write(lambda connection: AutoModRepository(connection).mark_reported(done))

    async def _report(self, loss: AutoModLoss) -> bool:
        """Report a loss; True also if its server has no log channel."""
        settings = await self._database.read(lambda connection: GuildRepository(connection).settings(loss.guild_id))
        if settings.log_channel_id is None:
            return True
        return await self._channels.send_automod_lost(settings.log_channel_id, settings.locale, loss)

    def _record(self, connection: Connection, guild_id: int, by: int, action: str, at: datetime) -> None:
        self._transactions.record(
            connection, action, guild_id=guild_id, actor_id=by, target_id=None, detail={}, reason="", at=at
        )

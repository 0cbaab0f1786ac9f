"""AutoMod's rules for prompts: switched on, read, lost, and refusing."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.appeals import AppealState
from bot.domain.automod import AutoModRule
from bot.domain.errors import (
    AutoModRightError,
    AutoModUnreadError,
    NotAdmittedError,
    NotOfferedError,
    PromptRefusedError,
    PromptRuleError,
)
from bot.domain.prompt_rules import PromptField, PromptRuleSource
from bot.moderation import automod_rules
from bot.services.appeals import AppealService, AppealSnapshots
from bot.services.automod import AutoModService
from bot.services.guild_transactions import GuildTransactions
from bot.services.jobs import Actor
from bot.services.prompt_checks import PromptChecks
from db.audit_log import AuditLogRepository
from db.automod import AutoModLoss, AutoModRepository
from db.database import Database
from db.guilds import GuildRepository
from db.prompt_rules import PromptBlockRepository, PromptRuleRepository
from tests.services.conftest import Open, ServiceHarness
from tests.services.sharing.conftest import Woken
from tests.services.test_prompt_checks import add_rules
from tests.support.clock import let_others_run
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request
from tests.support.polling import poll

ADMIN = 90
LOG_CHANNEL = 77
RULE = AutoModRule(id=7, name="No fantasy", keywords=("dragon*",))


class Discord:
    """AutoMod of one server, and its log channel."""

    def __init__(self) -> None:
        self.rules: tuple[AutoModRule, ...] = (RULE,)
        self.fault: type[Exception] | None = None
        self.faulty = {GUILD}
        self.guilds = {GUILD}
        self.reads = 0
        self.sent: list[int] = []
        self.is_open = True

    def serves(self, guild_id: int) -> bool:
        """Return whether the bot is in a server."""
        return guild_id in self.guilds

    async def read(self, guild_id: int) -> tuple[AutoModRule, ...]:
        """Return the rules, or fail."""
        assert guild_id in self.guilds
        self.reads += 1
        if self.fault is not None and guild_id in self.faulty:
            raise self.fault
        rules = self.rules
        await self.on_read()
        return rules

    async def on_read(self) -> None:
        """Run before the answer arrives."""

    async def send_automod_lost(self, channel_id: int, locale: str | None, loss: AutoModLoss) -> bool:
        """Record a message, unless the channel is closed."""
        del locale, loss
        self.sent += [channel_id] if self.is_open else []
        return self.is_open


def automod_of(services: ServiceHarness, server: Discord, database: Database | None = None) -> AutoModService:
    """Return the service of a process."""
    store = database or services.database
    transactions = GuildTransactions(database=store, access=services.access, clock=services.clock, new_id=make_id)
    return AutoModService(
        database=store,
        transactions=transactions,
        reader=server,
        channels=server,
        checks=PromptChecks(clock=services.clock, new_id=make_id),
        clock=services.clock,
        new_id=make_id,
    )


@pytest.fixture
def server() -> Discord:
    """Return a server with one rule."""
    return Discord()


@pytest.fixture
async def automod(services: ServiceHarness, server: Discord) -> AutoModService:
    """Return the service, with the rules switched on."""
    automod = automod_of(services, server)
    await automod.switch_on(GUILD, by=ADMIN)
    return automod


async def words_of(services: ServiceHarness, prompt: str, negative: str = "", **place: Any) -> str | None:
    """Return the refused words of a request."""
    request = make_request(prompt=prompt, negative=negative)
    try:
        await services.database.write(
            lambda connection: services.gate.check(connection, make_context(**place), request, is_question=True)
        )
    except PromptRefusedError as error:
        return error.match.words
    return None


async def refuse(services: ServiceHarness, prompt: str = "two dragons") -> PromptRefusedError:
    """Send a forbidden prompt."""
    with pytest.raises(PromptRefusedError) as caught:
        await services.jobs.create(make_context(), make_request(prompt=prompt))
    return caught.value


async def log(services: ServiceHarness) -> list[str]:
    """Return the actions in the audit log, earliest first."""
    entries = await services.database.read(
        lambda connection: AuditLogRepository(connection).list(GUILD, limit=9, kinds=("rule",))
    )
    assert {each.actor_id for each in entries} <= {ADMIN}
    return [each.action for each in entries][::-1]


async def set_log_channel(services: ServiceHarness) -> None:
    """Choose the log channel."""
    change = {"log_channel_id": LOG_CHANNEL}
    await services.database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, change))


async def test_rules_apply_from_the_switch_on_to_the_switch_off(services: ServiceHarness, server: Discord) -> None:
    automod = automod_of(services, server)
    assert await words_of(services, "two dragons") is None
    await automod.switch_on(GUILD, by=ADMIN)
    await automod.switch_on(GUILD, by=ADMIN)
    refused = await refuse(services)
    assert (refused.match.words, refused.match.rule.name) == ("dragon", "No fantasy")
    assert (await services.account()).held == 0
    (block,) = await services.database.read(lambda c: PromptBlockRepository(c).list(GUILD, limit=9))
    assert (block.id, block.source, block.rule_name, block.words, block.field) == (
        refused.block_id,
        PromptRuleSource.AUTOMOD,
        "No fantasy",
        "dragon",
        PromptField.PROMPT,
    )
    await automod.switch_off(GUILD, by=ADMIN)
    await automod.switch_off(GUILD, by=ADMIN)
    assert await words_of(services, "two dragons") is None
    assert await log(services) == ["rule.automod_on", "rule.automod_off"]
    server.reads = 0
    automod.request(GUILD)
    await automod.check()
    assert server.reads == 0


@pytest.mark.parametrize("fault", [AutoModRightError, AutoModUnreadError])
async def test_unreadable_rules_are_not_switched_on(
    services: ServiceHarness, server: Discord, fault: type[PromptRuleError]
) -> None:
    server.fault = fault
    automod = automod_of(services, server)
    with pytest.raises(fault):
        await automod.switch_on(GUILD, by=ADMIN)
    assert not (await automod.view(GUILD)).state.is_on
    assert await log(services) == []


async def test_exempt_roles_and_channels_are_respected(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    server.rules = (
        replace(RULE, exempt_roles=(31,), exempt_channels=(805, 806)),
        AutoModRule(id=8, name="Others", keywords=("glacier",), exempt_roles=(GUILD,)),
    )
    automod.request(GUILD)
    await automod.check()
    both = "dragons on a glacier"
    assert await words_of(services, both, roles=(30,), channel_id=807, parent_channel_id=808) == "dragon"
    assert await words_of(services, both, roles=(30, 31)) is None
    assert await words_of(services, both, channel_id=805) is None
    assert await words_of(services, both, channel_id=900, parent_channel_id=806) is None
    assert await words_of(services, both, manages_guild=True) is None
    assert await words_of(services, "a fox", "dragons") == "dragon"


async def test_admin_is_exempt_from_automod_alone(services: ServiceHarness, automod: AutoModService) -> None:
    del automod
    await add_rules(services, "volcano")
    assert await words_of(services, "dragons at a volcano", manages_guild=True) == "volcano"


async def test_allowed_words_of_the_server_do_not_loosen_automod(
    services: ServiceHarness, automod: AutoModService
) -> None:
    del automod
    await add_rules(services, "dragons", kind="allow")
    assert await words_of(services, "two dragons") == "dragon"


async def test_changed_rules_are_read_after_an_event_and_hourly(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    server.rules = (replace(RULE, keywords=("unicorn",)),)
    server.reads = 0
    await automod.check()
    assert server.reads == 0
    for _ in range(3):
        automod.request(GUILD, GUILD + 1)
    await automod.check()
    assert server.reads == 1
    assert await words_of(services, "a unicorn") == "unicorn"
    assert await words_of(services, "two dragons") is None
    server.rules = ()
    services.clock.advance(3601)
    await automod.check()
    assert await words_of(services, "a unicorn") is None
    view = await automod.view(GUILD)
    assert (view.state.is_on, view.rules) == (True, ())


async def test_unchanged_rules_keep_their_version(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    def read(connection: Any) -> str | None:
        return PromptRuleRepository(connection).version(GUILD)

    before = await services.database.read(read)
    automod.request(GUILD)
    await automod.check()
    assert await services.database.read(read) == before
    server.rules = (replace(RULE, name="Renamed"),)
    automod.request(GUILD)
    await automod.check()
    assert await services.database.read(read) != before


async def test_outage_keeps_the_rules_and_is_tried_again(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    server.fault, server.rules = AutoModUnreadError, ()
    automod.request(GUILD)
    await automod.check()
    assert await words_of(services, "two dragons") == "dragon"
    assert (await automod.view(GUILD)).state.lost_at is None
    server.fault = None
    await automod.check()
    assert await words_of(services, "two dragons") is None


async def test_lost_right_ends_the_rules_until_it_is_back(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    await set_log_channel(services)
    assert await words_of(services, "two dragons") == "dragon"
    server.fault = AutoModRightError
    for _ in range(3):
        services.clock.advance(3601)
        await automod.check()
    view = await automod.view(GUILD)
    assert (view.state.is_on, view.rules) == (True, ())
    assert view.state.lost_at == services.clock.now() - timedelta(seconds=2 * 3601)
    assert server.sent == [LOG_CHANNEL]
    assert await words_of(services, "two dragons") is None

    server.fault = None
    services.clock.advance(3601)
    await automod.check()
    assert (await automod.view(GUILD)).state.lost_at is None
    assert await words_of(services, "two dragons") == "dragon"
    server.fault = AutoModRightError
    automod.request(GUILD)
    await automod.check()
    assert server.sent == [LOG_CHANNEL] * 2


async def test_loss_is_reported_again_until_it_arrives(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    await set_log_channel(services)
    server.fault, server.is_open = AutoModRightError, False
    automod.request(GUILD)
    await automod.check()
    server.is_open = True
    await automod.check()
    assert server.sent == []
    services.clock.advance(3601)
    await automod.check()
    services.clock.advance(3601)
    await automod.check()
    assert server.sent == [LOG_CHANNEL]


async def test_loss_without_a_log_channel_is_on_the_card_alone(server: Discord, automod: AutoModService) -> None:
    server.fault = AutoModRightError
    automod.request(GUILD)
    await automod.check()
    assert server.sent == []
    assert (await automod.view(GUILD)).state.lost_at is not None


async def test_servers_of_other_processes_are_not_read(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    server.guilds = set()
    services.clock.advance(3601)
    server.reads = 0
    await automod.check()
    assert server.reads == 0


async def test_other_process_searches_the_rules_of_the_reading_one(
    services: ServiceHarness, server: Discord, other: Database
) -> None:
    assert await words_of(services, "a unicorn and two dragons") is None
    there = automod_of(services, server, other)
    await there.switch_on(GUILD, by=ADMIN)
    assert await words_of(services, "a unicorn and two dragons") == "dragon"
    server.rules = (replace(RULE, keywords=("unicorn",)),)
    there.request(GUILD)
    await there.check()
    assert await words_of(services, "a unicorn and two dragons") == "unicorn"


async def test_unusable_texts_are_named_and_the_others_apply(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    server.rules = (replace(RULE, keywords=("*", "dragon*"), patterns=("(?=a)b", "unic[o0]rn", "(?s).+")),)
    automod.request(GUILD)
    await automod.check()
    view = await automod.view(GUILD)
    assert [(each.rule_name, each.error.text) for each in view.unused] == [
        ("No fantasy", "*"),
        ("No fantasy", "(?=a)b"),
        ("No fantasy", "(?s).+"),
    ]
    assert await words_of(services, "a fox") is None
    assert await words_of(services, "a UNIC0RN") == "UNIC0RN"
    assert await words_of(services, "dragonfly") == "dragon"


async def test_hostile_rules_share_the_comparisons_of_a_prompt(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    """Each alone would need more than half of them, and match nothing."""
    words = ["ab" * count for count in range(1, 17)]
    server.rules = tuple(AutoModRule(id=number, name=f"Rule {number}", keywords=tuple(words)) for number in range(2))
    automod.request(GUILD)
    await automod.check()
    prompt = "x" + "ab" * 1950 + "x"
    refused = await refuse(services, prompt)
    assert refused.match.rule.name == "Rule 1"
    server.rules = server.rules[:1]
    automod.request(GUILD)
    await automod.check()
    assert await words_of(services, prompt) is None


async def test_appeal_is_allowed_once_and_gets_no_exception(services: ServiceHarness, automod: AutoModService) -> None:
    del automod
    change = {"review_channel_id": 801}
    await services.database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, change))
    appeals = AppealService(database=services.database, clock=services.clock, new_id=make_id, waker=Woken())
    moderator = Actor(member_id=91, guild_id=GUILD, moderator=True)
    block_id = (await refuse(services)).block_id or ""
    await appeals.begin(block_id, MEMBER)
    with pytest.raises(NotOfferedError):
        await appeals.decide(block_id, AppealState.EXCEPTION, moderator, is_admin=True, exception="dragons")
    snapshot = await AppealSnapshots(database=services.database, clock=services.clock).find(block_id)
    assert snapshot is not None
    assert (snapshot.appeal.state, snapshot.block.rule_name) == (AppealState.WAITING, "No fantasy")
    await appeals.decide(block_id, AppealState.ALLOWED, moderator, is_admin=False)
    assert await words_of(services, "two dragons") is None
    assert await words_of(services, "three dragons") == "dragon"
    assert await words_of(services, "two dragons", member_id=MEMBER + 1) == "dragon"


async def switch_on_in(services: ServiceHarness, server: Discord, guilds: range) -> None:
    """Switch the rules on in more servers; their reading is due."""
    long_ago = services.clock.now() - timedelta(days=1)
    server.guilds |= set(guilds)

    def write(connection: Connection) -> None:
        for guild_id in guilds:
            AutoModRepository(connection).switch_on(guild_id, long_ago)

    await services.database.write(write)


async def test_change_while_the_rules_are_switched_on_is_read(services: ServiceHarness, server: Discord) -> None:
    automod = automod_of(services, server)
    checks: list[asyncio.Task[bool]] = []

    async def change() -> None:
        if checks:
            return
        server.rules = (replace(RULE, keywords=("unicorn",)),)
        automod.request(GUILD)
        checks.append(asyncio.create_task(automod.check()))
        for _ in range(5):
            await services.database.read(lambda _: None)

    server.on_read = change  # type: ignore[method-assign]
    await automod.switch_on(GUILD, by=ADMIN)
    await checks[0]
    assert await words_of(services, "a unicorn") == "unicorn"


async def test_outage_ends_a_check_and_the_next_one_begins_with_the_others(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    await switch_on_in(services, server, range(1, 6))
    server.fault, server.faulty, server.reads = AutoModUnreadError, set(range(1, 5)), 0
    await automod.check()
    assert server.reads == 3
    await automod.check()
    assert server.reads == 3 + 5  # server 5 is read, so that the failures are not in a row
    stored = await services.database.read(lambda connection: AutoModRepository(connection).list(5))
    assert stored == server.rules


async def test_fault_of_one_server_does_not_stop_the_others(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    await switch_on_in(services, server, range(1, 3))
    server.fault, server.faulty = RuntimeError, {1}
    await automod.check()
    stored = await services.database.read(lambda connection: AutoModRepository(connection).list(2))
    assert stored == server.rules


async def test_storm_of_events_is_one_reading(
    services: ServiceHarness, server: Discord, automod: AutoModService
) -> None:
    async def is_idle() -> bool:
        return services.clock.holds(running)

    server.reads = 0
    automod.request(GUILD)
    running = asyncio.create_task(automod.run())
    await poll(is_idle)
    for _ in range(1000):
        automod.request(GUILD)
        await let_others_run(1)
    await services.database.read(lambda _: None)
    assert (await is_idle(), server.reads) == (True, 1)
    services.clock.advance(2)
    await let_others_run()
    await poll(is_idle)
    assert server.reads == 2
    running.cancel()


async def test_rules_are_compiled_once_and_outside_transactions(
    services: ServiceHarness, server: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_one = automod_rules._compile

    def count(rule: AutoModRule) -> automod_rules.CompiledAutoModRule:
        compiled.append(threading.current_thread().name)
        return compile_one(rule)

    monkeypatch.setattr(automod_rules, "_compile", count)
    automod = automod_of(services, server)
    await automod.switch_on(GUILD, by=ADMIN)
    for _ in range(2):
        assert (await automod.view(GUILD)).rules == server.rules
    assert [name.split("_")[0] for name in compiled] == ["asyncio"]


async def test_server_without_admission_cannot_switch_on(open_services: Open, server: Discord) -> None:
    services = open_services(admitted=frozenset())
    automod = automod_of(services, server)
    with pytest.raises(NotAdmittedError):
        await automod.switch_on(GUILD, by=ADMIN)
    stored = await services.database.read(lambda connection: AutoModRepository(connection).list_on())
    assert stored == frozenset()

"""Prompt rules of servers and reports about bans, on both databases."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.errors import NotAdmittedError, PromptRefusedError, PromptRuleGoneError, PromptRuleTextError
from bot.domain.prompt_rules import (
    REFUSAL_LIFETIME,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleState,
    RuleProblem,
)
from bot.services.guild_settings import GuildSettingsService
from bot.services.guild_transactions import GuildTransactions
from bot.services.prompt_block_reports import PromptBlockReports
from bot.services.prompt_rules import AddedRules, PromptRuleService
from bot.ui.render.prompt_rule_words import refusal_ban
from db.audit_log import AuditLogRepository
from db.database import Database
from db.deletions import DeletionRepository
from db.member_records import MemberRecords
from db.prompt_rules import PromptBlockRepository, PromptRuleRepository, RefusalBan
from tests.services.conftest import Open, ServiceHarness
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

ADMIN, LOG_CHANNEL = 4, 810


def service_of(services: ServiceHarness, database: Database | None = None) -> PromptRuleService:
    """Return the service on the same database, or through another process."""
    transactions = GuildTransactions(
        database=database or services.database, access=services.access, clock=services.clock, new_id=make_id
    )
    return PromptRuleService(transactions=transactions, new_id=make_id)


async def add(
    rules: PromptRuleService,
    text: str,
    kind: PromptRuleKind = PromptRuleKind.WORD,
    state: PromptRuleState = PromptRuleState.ON,
) -> AddedRules:
    """Add rules."""
    return await rules.add(GUILD, text, kind=kind, scope=PromptRuleScope.ALL, state=state, name="", by=ADMIN)


async def test_two_admins_at_once_keep_both_changes(services: ServiceHarness, other: Database) -> None:
    here, there = service_of(services), service_of(services, other)
    await asyncio.gather(*(add(each, f"word{number}\nshared") for number in range(4) for each in (here, there)))
    stored = [each.rule.text for each in await here.list(GUILD)]
    assert sorted(stored) == ["shared", "word0", "word1", "word2", "word3"]
    for text in ("word2", "shared"):
        with pytest.raises(PromptRefusedError):
            await services.jobs.create(make_context(), make_request(prompt=text))


async def test_limit_of_rules_counts_those_of_another_admin(services: ServiceHarness, other: Database) -> None:
    here, there = service_of(services), service_of(services, other)
    await add(here, "\n".join(f"first{number}" for number in range(300)))
    results = await asyncio.gather(
        *(
            add(each, "\n".join(f"{name}{number}" for number in range(150)))
            for each, name in ((here, "a"), (there, "b"))
        ),
        return_exceptions=True,
    )
    (refused,) = [each for each in results if isinstance(each, BaseException)]
    assert isinstance(refused, PromptRuleTextError)
    assert refused.problem is RuleProblem.TOO_MANY
    assert len(await here.list(GUILD)) == 450


async def test_trial_counts_requests_in_every_state_and_hides_private_ones(services: ServiceHarness) -> None:
    rules = service_of(services)
    await services.jobs.create(make_context(), make_request(prompt="a volcano"))
    await services.jobs.create(make_context(private=True), make_request(prompt="a secret volcano"))
    await services.jobs.create(make_context(guild_id=GUILD + 1), make_request(prompt="a volcano"))
    await services.jobs.create(make_context(), make_request(prompt="a lake"))
    added = await add(rules, "volcano", state=PromptRuleState.OFF)
    assert (added.trial.tried, added.trial.refused) == (3, 2)
    assert [(each.member_id, each.words) for each in added.trial.examples] == [(None, None), (MEMBER, "volcano")]
    await add(rules, "secret volcano", kind=PromptRuleKind.ALLOW)
    _, trial = await rules.try_rule(GUILD, added.rules[0].id)
    assert trial.refused == 1


async def test_change_is_logged_and_counts_at_once(services: ServiceHarness) -> None:
    rules = service_of(services)
    (rule,) = (await add(rules, "volcano", state=PromptRuleState.DRY)).rules
    await services.jobs.create(make_context(), make_request(prompt="a volcano"))
    for state in (PromptRuleState.ON, PromptRuleState.ON):
        await rules.set_state(GUILD, rule.id, state, by=ADMIN)
    with pytest.raises(PromptRefusedError):
        await services.jobs.create(make_context(), make_request(prompt="a volcano"))
    await rules.remove(GUILD, rule.id, by=ADMIN)
    await services.jobs.create(make_context(), make_request(prompt="a volcano"))
    with pytest.raises(PromptRuleGoneError):
        await rules.set_state(GUILD, rule.id, PromptRuleState.ON, by=ADMIN)
    log = await services.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=9))
    assert [(each.action, each.actor_id) for each in log] == [
        ("rule.remove", ADMIN),
        ("rule.on", ADMIN),
        ("rule.add", ADMIN),
    ]


async def test_rule_of_another_server_is_out_of_reach(services: ServiceHarness) -> None:
    rules = service_of(services)
    (rule,) = (await add(rules, "volcano")).rules
    for change in (rules.try_rule(GUILD + 1, rule.id), rules.remove(GUILD + 1, rule.id, by=ADMIN)):
        with pytest.raises(PromptRuleGoneError):
            await change


async def test_server_without_admission_adds_nothing(open_services: Open) -> None:
    with pytest.raises(NotAdmittedError):
        await add(service_of(open_services(admitted=frozenset({1}))), "volcano")


async def test_wrong_line_adds_nothing(services: ServiceHarness) -> None:
    rules = service_of(services)
    with pytest.raises(PromptRuleTextError) as refused:
        await add(rules, "fine\n\n.*", kind=PromptRuleKind.PATTERN)
    assert (refused.value.number, refused.value.problem) == (3, RuleProblem.MATCHES_EMPTY)
    assert await rules.list(GUILD) == ()


class Channels:
    """A notifier that keeps its messages, or reaches nobody."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, RefusalBan]] = []
        self.is_open = True

    async def send_refusal_ban(self, channel_id: int, locale: str | None, ban: RefusalBan) -> bool:
        """Keep the ban."""
        del locale
        if self.is_open:
            self.sent.append((channel_id, ban))
        return self.is_open


async def banned(services: ServiceHarness) -> None:
    """Ban the member by refused prompts."""
    await add(service_of(services), "volcano")
    for _ in range(5):
        with pytest.raises(PromptRefusedError):
            await services.jobs.create(make_context(), make_request(prompt="a volcano"))


async def test_ban_is_reported_once(services: ServiceHarness, other: Database) -> None:
    settings = GuildSettingsService(database=services.database, now=services.clock.now, new_id=make_id)
    await settings.change(GUILD, {"log_channel_id": LOG_CHANNEL}, by=ADMIN)
    channels = Channels()
    reports = [
        PromptBlockReports(database=each, channels=channels, clock=services.clock)
        for each in (services.database, other)
    ]
    await banned(services)
    channels.is_open = False
    await reports[0].check()
    channels.is_open = True
    await reports[0].check()
    assert channels.sent == []
    services.clock.advance(3601)
    await asyncio.gather(*(each.check() for each in reports))
    ((channel, ban),) = channels.sent
    until = services.clock.now() + timedelta(hours=23) - timedelta(seconds=1)
    assert (channel, ban.member_id, ban.refusals, ban.until) == (LOG_CHANNEL, MEMBER, 5, until)
    assert refusal_ban(ban).splitlines()[0] == f"<@{MEMBER}> is banned from the studio after 5 refused prompts."


async def test_ban_without_log_channel_is_done_at_once(services: ServiceHarness) -> None:
    channels = Channels()
    await banned(services)
    await PromptBlockReports(database=services.database, channels=channels, clock=services.clock).check()
    now = services.clock.now() + timedelta(days=1)
    assert not await services.database.read(lambda connection: PromptBlockRepository(connection).has_reports(now))
    assert channels.sent == []


async def test_words_of_refusals_are_erased_and_rows_purged(services: ServiceHarness) -> None:
    await banned(services)
    now = services.clock.now()

    def erase(connection: Connection) -> list[int]:
        repository = PromptBlockRepository(connection)
        return [
            repository.erase_words_before(now),
            repository.erase_words_before(now + timedelta(seconds=1)),
            repository.purge_before(now + REFUSAL_LIFETIME),
        ]

    assert await services.database.write(erase) == [0, 5, 5]


async def test_refusals_are_exported_and_deleted_with_their_member(services: ServiceHarness) -> None:
    await banned(services)
    about = await services.database.read(lambda connection: MemberRecords(connection, MEMBER).about())
    assert [each["words"] for each in about["refused_prompts"]] == ["volcano"] * 5
    await services.database.write(lambda connection: DeletionRepository(connection).delete_private(MEMBER))
    about = await services.database.read(lambda connection: MemberRecords(connection, MEMBER).about())
    assert about["refused_prompts"] == []


async def test_version_is_never_used_again(services: ServiceHarness) -> None:
    rules = service_of(services)
    versions = set()
    for _ in range(3):
        (rule,) = (await add(rules, "volcano")).rules
        versions.add(await services.database.read(lambda connection: PromptRuleRepository(connection).version(GUILD)))
        await rules.remove(GUILD, rule.id, by=ADMIN)
        versions.add(await services.database.read(lambda connection: PromptRuleRepository(connection).version(GUILD)))
    assert len(versions) == 6

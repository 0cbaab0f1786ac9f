"""Requests checked by prompt rules, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.bans import Ban, BanScope
from bot.domain.errors import AtelierError, BannedError, PromptRefusedError, UnsupportedOptionError
from bot.domain.images import InputImage
from bot.domain.prompt_rules import (
    Match,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleSource,
    PromptRuleState,
)
from bot.services.prompt_blocks import REASON, PromptBlockService
from bot.services.prompt_checks import PromptChecks
from db.audit_log import AuditLogRepository
from db.bans import BanRepository
from db.database import Database
from db.guilds import GuildRepository
from db.prompt_rules import PromptBlock, PromptBlockRepository, PromptRuleRepository, StoredRule
from tests.services.conftest import Open, ServiceHarness
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

PICTURE = InputImage(url="https://cdn.discordapp.com/attachments/1/2/fox.png")
MODERATOR = 4


async def add_rules(services: ServiceHarness, *texts: str, guild_id: int = GUILD, **changes: Any) -> None:
    """Store rules of a guild."""
    plain = PromptRule(id="", kind=PromptRuleKind.WORD, text="", guild_id=guild_id)
    rules = [
        StoredRule(rule=replace(plain, id=make_id(), text=text, **changes), set_by=MODERATOR, set_at=START)
        for text in texts
    ]

    def write(connection: Connection) -> None:
        repository = PromptRuleRepository(connection)
        repository.lock(guild_id)
        repository.add(rules)
        repository.set_version(guild_id, make_id())

    await services.database.write(write)


async def blocks(services: ServiceHarness, guild_id: int = GUILD) -> list[PromptBlock]:
    """Return the stored matches, latest first."""
    return [
        *await services.database.read(lambda connection: PromptBlockRepository(connection).list(guild_id, limit=99))
    ]


async def test_refused_request_holds_nothing_and_is_recorded(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    for ask in (services.jobs.create, services.confirmations.add):
        with pytest.raises(PromptRefusedError) as refused:
            await ask(make_context(), make_request(prompt="a v0lc4no at dusk"))
        assert refused.value.match.words == "v0lc4no"
    assert (await services.account()).held == 0
    stored = await blocks(services)
    assert [(each.words, each.field, each.rule_name, each.is_dry) for each in stored] == [
        ("v0lc4no", PromptField.PROMPT, "volcano", False)
    ] * 2
    assert stored[0].id == refused.value.block_id


async def test_negative_prompt_is_checked_separately(services: ServiceHarness) -> None:
    await add_rules(services, "bad apple")
    with pytest.raises(UnsupportedOptionError):  # no offer of the tests takes any
        await services.jobs.create(make_context(), make_request(prompt="a bad", negative="apple"))
    with pytest.raises(PromptRefusedError) as refused:
        await services.jobs.create(make_context(), make_request(negative="bad apple"))
    assert refused.value.match.field is PromptField.NEGATIVE


async def test_rules_of_other_guilds_do_not_apply(services: ServiceHarness) -> None:
    await add_rules(services, "volcano", guild_id=GUILD + 1)
    await services.jobs.create(make_context(), make_request(prompt="a volcano"))


async def test_rule_for_edits_needs_an_input_picture(services: ServiceHarness) -> None:
    await add_rules(services, "volcano", scope=PromptRuleScope.EDITS)
    await services.jobs.create(make_context(), make_request(prompt="a volcano"))
    with pytest.raises(PromptRefusedError):
        await services.confirmations.add(make_context(), make_request(prompt="a volcano", inputs=(PICTURE,)))


async def test_changed_rules_apply_to_the_next_request(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    await services.jobs.create(make_context(), make_request(prompt="a glacier"))
    await add_rules(services, "glacier")
    with pytest.raises(PromptRefusedError):
        await services.jobs.create(make_context(), make_request(prompt="a glacier"))


async def test_rule_in_a_dry_run_is_recorded_once_and_refuses_nothing(services: ServiceHarness) -> None:
    await add_rules(services, "volcano", state=PromptRuleState.DRY)
    await add_rules(services, "glacier", state=PromptRuleState.OFF)
    request = make_request(prompt="a volcano and a glacier")
    question = await services.confirmations.add(make_context(), request)
    await services.jobs.create(make_context(), request, confirmation_id=question.id)
    assert [(each.words, each.is_dry) for each in await blocks(services)] == [("volcano", True)]


async def test_guild_cannot_loosen_the_built_in_rules(services: ServiceHarness) -> None:
    await add_rules(services, "undress the woman", kind=PromptRuleKind.ALLOW)
    with pytest.raises(PromptRefusedError) as refused:
        await services.confirmations.add(make_context(), make_request(prompt="undress the woman", inputs=(PICTURE,)))
    assert refused.value.match.rule.source is PromptRuleSource.BUILT_IN
    await services.jobs.create(make_context(), make_request(prompt="a nude statue"))
    with pytest.raises(PromptRefusedError):
        await services.jobs.create(make_context(guild_id=GUILD + 1), make_request(prompt="a nude child"))


async def test_picture_that_is_only_processed_sends_no_words(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    request = make_request(prompt="a volcano", inputs=(PICTURE,), keeps_picture=True, upscale=2)
    await services.confirmations.add(make_context(), request)


async def test_operators_rules_come_first(services: ServiceHarness) -> None:
    await add_rules(services, "volcano", name="ours")
    operators = PromptRule(
        id="operator:1", kind=PromptRuleKind.WORD, text="dusk", name="theirs", source=PromptRuleSource.OPERATOR
    )
    checks = PromptChecks(clock=services.clock, new_id=make_id, operator_rules=[operators])

    def check(connection: Connection) -> None:
        version = PromptRuleRepository(connection).version(GUILD)
        request = make_request(prompt="a volcano at dusk")
        checks.check(connection, make_context(), request, version)

    with pytest.raises(PromptRefusedError) as refused:
        await services.database.read(check)
    assert refused.value.match.rule.name == "theirs"


async def refuse(services: ServiceHarness, count: int = 1) -> list[AtelierError]:
    """Send refused prompts; return the errors."""
    errors = []
    for _ in range(count):
        with pytest.raises(AtelierError) as refused:
            await services.jobs.create(make_context(), make_request(prompt="a volcano"))
        errors.append(refused.value)
    return errors


async def test_several_refusals_ban_their_member_for_a_day(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    await refuse(services, 5)
    (banned,) = await refuse(services)
    assert isinstance(banned, BannedError)
    assert (banned.until, banned.reason) == (services.clock.now() + timedelta(hours=24), REASON)
    await services.jobs.create(make_context(member_id=MEMBER + 1), make_request())
    (entry,) = await services.database.read(
        lambda connection: AuditLogRepository(connection).list(GUILD, limit=9, kinds=("ban",))
    )
    assert (entry.target_id, entry.detail["refusals"]) == (MEMBER, 5)
    services.clock.advance(24 * 3600)
    (refused,) = await refuse(services)  # the earlier ones have counted
    assert isinstance(refused, PromptRefusedError)


async def test_old_refusals_and_dry_runs_do_not_ban(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    await add_rules(services, "dusk", state=PromptRuleState.DRY)
    await refuse(services, 4)
    services.clock.advance(24 * 3600)
    for _ in range(3):
        await services.jobs.create(make_context(), make_request(prompt="dusk"))
    await refuse(services, 4)
    assert isinstance((await refuse(services))[0], PromptRefusedError)


async def test_server_sets_when_members_are_banned(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")

    async def change(**changes: int) -> None:
        await services.database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, changes))

    await change(block_limit=0)
    assert all(isinstance(each, PromptRefusedError) for each in await refuse(services, 7))
    await change(block_limit=2, block_ban_hours=1)
    (_, banned) = await refuse(services, 2)  # with those of before
    assert isinstance(banned, BannedError)
    assert banned.until == services.clock.now() + timedelta(hours=1)


async def test_simultaneous_refusals_ban_once(services: ServiceHarness, other: Database) -> None:
    await add_rules(services, "volcano")
    await refuse(services, 3)
    here = PromptBlockService(database=services.database, clock=services.clock, new_id=make_id)
    there = PromptBlockService(database=other, clock=services.clock, new_id=make_id)

    def fail(connection: Connection) -> None:
        PromptRuleRepository(connection).version(GUILD)
        rule = PromptRule(id="1", kind=PromptRuleKind.WORD, text="volcano")
        raise PromptRefusedError(Match(rule=rule, words="volcano"))

    writes = [each.record(make_context(), services.database.write(fail)) for each in (here, there, here, there)]
    await asyncio.gather(*writes, return_exceptions=True)
    entries = await services.database.read(
        lambda connection: AuditLogRepository(connection).list(GUILD, limit=9, kinds=("ban",))
    )
    assert len(entries) == 1
    assert len(await blocks(services)) == 7


async def test_longer_ban_of_a_moderator_stays(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    await refuse(services, 4)
    place = make_context()
    refused = PromptRefusedError(
        Match(rule=PromptRule(id="1", kind=PromptRuleKind.WORD, text="volcano"), words="volcano")
    )

    def ban_meanwhile(_: Connection) -> None:
        raise refused

    ban = Ban(guild_id=GUILD, member_id=MEMBER, scope=BanScope.STUDIO, at=START, actor_id=MODERATOR)
    await services.database.write(lambda connection: BanRepository(connection).set(ban))
    service = PromptBlockService(database=services.database, clock=services.clock, new_id=make_id)
    with pytest.raises(PromptRefusedError):
        await service.record(place, services.database.write(ban_meanwhile))
    kept = await services.database.read(
        lambda connection: BanRepository(connection).find(GUILD, MEMBER, services.clock.now(), BanScope.STUDIO)
    )
    assert kept == ban


async def test_refusal_outside_servers_bans_nobody(open_services: Open) -> None:
    services = open_services(outside=True)
    for _ in range(6):
        with pytest.raises(PromptRefusedError):
            await services.jobs.create(make_context(guild_id=0), make_request(prompt="a nude child"))
    assert len(await blocks(services, guild_id=0)) == 6


async def test_message_delivered_twice_is_recorded_once(services: ServiceHarness) -> None:
    await add_rules(services, "volcano")
    place = make_context()
    for _ in range(2):
        with pytest.raises(PromptRefusedError):
            await services.confirmations.add(place, make_request(prompt="a volcano"))
    assert len(await blocks(services)) == 1


def test_refusal_is_logged_without_the_words() -> None:
    rule = PromptRule(id="7", kind=PromptRuleKind.WORD, text="volcano")
    assert str(PromptRefusedError(Match(rule=rule, words="v0lcano"))) == "prompt_refused(rule=7, field=prompt)"

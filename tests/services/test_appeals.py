"""Appeals: one for each refusal, one decision, and its effect."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.appeals import AppealState
from bot.domain.bans import Ban, BanScope
from bot.domain.errors import (
    AppealBegunError,
    AppealDecidedError,
    AppealGoneError,
    BannedError,
    NotAllowedError,
    OwnAppealError,
    PromptRefusedError,
    PromptRuleTextError,
    SharingOffError,
)
from bot.domain.outbox import MessageKind
from bot.domain.prompt_rules import PromptRuleKind, PromptRuleScope, PromptRuleState
from bot.services.appeals import ANSWER, CARD, AppealService, AppealSnapshots
from bot.services.guild_settings import GuildSettingsService
from bot.services.guild_transactions import GuildTransactions
from bot.services.jobs import Actor
from bot.services.prompt_rules import PromptRuleService
from db.appeals import AppealRepository
from db.audit_log import AuditLogRepository
from db.bans import BanRepository
from db.guilds import GuildRepository
from db.outbox import OutboxRepository
from tests.services.conftest import ServiceHarness
from tests.services.sharing.conftest import Woken
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

MODERATOR = Actor(member_id=90, guild_id=GUILD, moderator=True)
OTHER = replace(MODERATOR, member_id=91)
PROMPT = "a dragon over the harbour"


@pytest.fixture
async def appeals(services: ServiceHarness) -> AppealService:
    """Return the service, in a server with a review channel and a rule."""
    await set_review(services, 801)
    transactions = GuildTransactions(
        database=services.database, access=services.access, clock=services.clock, new_id=make_id
    )
    await PromptRuleService(transactions=transactions, new_id=make_id).add(
        GUILD,
        "dragon",
        kind=PromptRuleKind.WORD,
        scope=PromptRuleScope.ALL,
        state=PromptRuleState.ON,
        name="No fantasy",
        by=99,
    )
    return AppealService(database=services.database, clock=services.clock, new_id=make_id, waker=Woken())


async def set_review(services: ServiceHarness, channel_id: int | None) -> None:
    """Choose the review channel."""
    change = {"review_channel_id": channel_id}
    await services.database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, change))


async def refuse(services: ServiceHarness, prompt: str = PROMPT, **place: int) -> str:
    """Send a forbidden prompt; return the id of its refusal."""
    with pytest.raises(PromptRefusedError) as caught:
        await services.jobs.create(make_context(**place), make_request(prompt=prompt))
    assert caught.value.block_id is not None
    return caught.value.block_id


async def kinds_due(services: ServiceHarness, block_id: str) -> set[int]:
    """Return the numbers of an appeal's messages."""

    def read(connection: Connection) -> set[int]:
        outbox = OutboxRepository(connection)
        return {number for number in (CARD, ANSWER) if outbox.find(MessageKind.APPEAL, block_id, number) is not None}

    return await services.database.read(read)


async def test_allowed_prompt_passes_for_its_member_for_a_day(services: ServiceHarness, appeals: AppealService) -> None:
    block_id = await refuse(services)
    await appeals.begin(block_id, MEMBER)
    assert await kinds_due(services, block_id) == {CARD}
    await appeals.decide(block_id, AppealState.ALLOWED, MODERATOR, is_admin=False)
    assert await kinds_due(services, block_id) == {CARD, ANSWER}
    await services.jobs.create(make_context(), make_request(prompt=f" {PROMPT}  "))
    await refuse(services, "a dragon over the forest")
    await refuse(services, member_id=MEMBER + 1)
    services.clock.advance(86_400)
    await refuse(services)
    entries = await services.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=3))
    assert [(each.action, each.actor_id, each.target_id) for each in entries] == [
        ("appeal.allow", 90, MEMBER),
        ("appeal.begin", MEMBER, MEMBER),
        ("rule.add", 99, None),
    ]


async def test_exception_lets_everybody_use_its_words(services: ServiceHarness, appeals: AppealService) -> None:
    block_id = await refuse(services, "a dragon fruit on a table")
    await appeals.begin(block_id, MEMBER)
    await appeals.decide(block_id, AppealState.EXCEPTION, MODERATOR, is_admin=False, exception="dragon fruit")
    await services.jobs.create(make_context(member_id=MEMBER + 1), make_request(prompt="two dragon fruit"))
    await refuse(services)


async def test_exception_without_letters_is_refused_and_leaves_the_appeal(
    services: ServiceHarness, appeals: AppealService
) -> None:
    block_id = await refuse(services)
    await appeals.begin(block_id, MEMBER)
    with pytest.raises(PromptRuleTextError):
        await appeals.decide(block_id, AppealState.EXCEPTION, MODERATOR, is_admin=False, exception=" ?! ")
    await appeals.decide(block_id, AppealState.KEPT, MODERATOR, is_admin=False)
    await refuse(services)


async def test_two_moderators_at_once_make_one_decision(services: ServiceHarness, appeals: AppealService) -> None:
    block_id = await refuse(services)
    await appeals.begin(block_id, MEMBER)
    results = await asyncio.gather(
        appeals.decide(block_id, AppealState.ALLOWED, MODERATOR, is_admin=False),
        appeals.decide(block_id, AppealState.KEPT, OTHER, is_admin=False),
        return_exceptions=True,
    )
    (late,) = (each for each in results if isinstance(each, AppealDecidedError))
    assert late.by in (90, 91)


async def test_appeal_is_its_members_and_made_once(services: ServiceHarness, appeals: AppealService) -> None:
    block_id = await refuse(services)
    with pytest.raises(AppealGoneError):
        await appeals.begin(block_id, MEMBER + 1)
    with pytest.raises(AppealGoneError):
        await appeals.begin("0" * 32, MEMBER)
    await appeals.begin(block_id, MEMBER)
    with pytest.raises(AppealBegunError):
        await appeals.begin(block_id, MEMBER)
    await appeals.decide(block_id, AppealState.KEPT, MODERATOR, is_admin=False)
    with pytest.raises(AppealDecidedError):
        await appeals.begin(block_id, MEMBER)
    assert await appeals.read_text(block_id, MEMBER) == PROMPT
    with pytest.raises(AppealGoneError):
        await appeals.read_text(block_id, MEMBER + 1)


async def test_member_banned_from_the_studio_does_not_appeal(services: ServiceHarness, appeals: AppealService) -> None:
    block_id, now = await refuse(services), services.clock.now()
    until = now + timedelta(hours=1)
    ban = Ban(guild_id=GUILD, member_id=MEMBER, scope=BanScope.STUDIO, at=now, actor_id=99, until=until)
    await services.database.write(lambda connection: BanRepository(connection).set(ban))
    with pytest.raises(BannedError):
        await appeals.begin(block_id, MEMBER)
    services.clock.advance(3601)
    await appeals.begin(block_id, MEMBER)


async def test_decision_needs_another_moderator_of_the_server(services: ServiceHarness, appeals: AppealService) -> None:
    block_id = await refuse(services)
    await appeals.begin(block_id, MEMBER)
    own = Actor(member_id=MEMBER, guild_id=GUILD, moderator=True)
    for actor in (replace(MODERATOR, moderator=False), replace(MODERATOR, guild_id=GUILD + 1)):
        with pytest.raises(NotAllowedError):
            await appeals.decide(block_id, AppealState.ALLOWED, actor, is_admin=False)
    with pytest.raises(OwnAppealError):
        await appeals.decide(block_id, AppealState.ALLOWED, own, is_admin=False)
    await appeals.decide(block_id, AppealState.ALLOWED, own, is_admin=True)


async def test_appeal_without_a_review_channel_is_refused_and_can_be_made_later(
    services: ServiceHarness, appeals: AppealService
) -> None:
    block_id = await refuse(services)
    await set_review(services, None)
    with pytest.raises(SharingOffError):
        await appeals.begin(block_id, MEMBER)
    await set_review(services, 801)
    await appeals.begin(block_id, MEMBER)


async def test_refusals_without_an_appeal_are_deleted_after_a_day(
    services: ServiceHarness, appeals: AppealService
) -> None:
    kept, gone = await refuse(services), await refuse(services, f"{PROMPT} at night")
    await appeals.begin(kept, MEMBER)
    services.clock.advance(1)
    now = services.clock.now()
    await services.database.write(lambda connection: AppealRepository(connection).purge(now, now))
    snapshots = AppealSnapshots(database=services.database, clock=services.clock)
    assert await snapshots.find(gone) is None
    snapshot = await snapshots.find(kept)
    assert snapshot is not None
    assert (snapshot.appeal.text, snapshot.block.words, snapshot.refusals, snapshot.rule_author) == (
        PROMPT,
        "dragon",
        2,
        99,
    )


async def test_built_in_refusal_offers_no_appeal(services: ServiceHarness, appeals: AppealService) -> None:
    """No server can loosen the operator's rules."""
    del appeals
    block_id = await refuse(services, "a naked child")
    found = await services.database.read(lambda connection: AppealRepository(connection).find(block_id))
    assert found is None


async def test_new_review_channel_gets_the_cards_of_waiting_appeals(
    services: ServiceHarness, appeals: AppealService
) -> None:
    block_id = await refuse(services)
    await appeals.begin(block_id, MEMBER)
    settings = GuildSettingsService(database=services.database, now=services.clock.now, new_id=make_id)
    await settings.change(GUILD, {"review_channel_id": 804}, by=9)
    card = await services.database.read(lambda c: OutboxRepository(c).find(MessageKind.APPEAL, block_id))
    assert card is not None
    assert card.wanted == 2

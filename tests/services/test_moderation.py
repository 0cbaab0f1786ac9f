"""Bans and rules for roles, on both databases."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.access_rules import RuleKind
from bot.domain.bans import BanScope
from bot.domain.errors import (
    BannedError,
    BanRefusedError,
    NoBanError,
    NotOfferedError,
    OptionRangeError,
    RoleNeededError,
    UnknownModelError,
)
from bot.domain.requests import GenerationRequest
from bot.domain.terms import parse_term
from bot.services.moderation import ModerationService, Target
from db.bans import EVERYWHERE, BanRepository
from tests.services.conftest import ServiceHarness
from tests.support.catalogue import BOTH
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

MODERATOR, OTHER_GUILD = 4, GUILD + 1
PATRONS, PAINTERS = 501, 502


@pytest.fixture
def moderation(services: ServiceHarness) -> ModerationService:
    """Return the moderators' service."""
    return ModerationService(database=services.database, clock=services.clock, catalogue=BOTH, new_id=make_id)


async def ban(
    moderation: ModerationService, *, scope: BanScope = BanScope.STUDIO, term: timedelta | None = None
) -> None:
    """Ban the member for spam."""
    target = Target(member_id=MEMBER)
    await moderation.ban(GUILD, target, scope=scope, term=term, reason="spam", actor_id=MODERATOR)


async def test_banned_member_gets_no_job_and_no_question(
    services: ServiceHarness, moderation: ModerationService
) -> None:
    await ban(moderation)
    for ask in (services.jobs.create, services.confirmations.add):
        with pytest.raises(BannedError) as caught:
            await ask(make_context(), make_request())
        assert (caught.value.sharing, caught.value.until, caught.value.reason) == (False, None, "spam")
    with pytest.raises(BannedError):
        await services.gate.require_open(make_context())
    assert (await services.account()).held == 0
    await services.gate.require_open(make_context(guild_id=OTHER_GUILD))
    await services.jobs.create(make_context(guild_id=OTHER_GUILD), make_request())
    await services.jobs.create(make_context(member_id=MEMBER + 1), make_request())


async def test_ban_ends_at_its_term(services: ServiceHarness, moderation: ModerationService) -> None:
    await ban(moderation, term=timedelta(hours=1))
    services.clock.advance(3599)
    with pytest.raises(BannedError):
        await services.jobs.create(make_context(), make_request())
    services.clock.advance(1)
    await services.jobs.create(make_context(), make_request())
    assert await moderation.list_bans(GUILD) == ()


async def test_ban_from_sharing_leaves_the_studio_open(services: ServiceHarness, moderation: ModerationService) -> None:
    await ban(moderation, scope=BanScope.SHARING)
    await services.jobs.create(make_context(), make_request())
    assert [each.scope for each in await moderation.list_bans(GUILD)] == [BanScope.SHARING]


async def test_ban_everywhere_counts_in_each_guild(services: ServiceHarness, moderation: ModerationService) -> None:
    await ban(moderation)
    (here,) = await moderation.list_bans(GUILD)

    await services.database.write(
        lambda connection: BanRepository(connection).set(
            type(here)(
                guild_id=EVERYWHERE, member_id=MEMBER + 1, scope=BanScope.STUDIO, at=here.at, actor_id=0, reason=""
            )
        )
    )
    with pytest.raises(BannedError):
        await services.jobs.create(make_context(guild_id=OTHER_GUILD, member_id=MEMBER + 1), make_request())


async def test_second_ban_replaces_the_first_and_unban_ends_all(moderation: ModerationService) -> None:
    await ban(moderation, term=timedelta(days=1))
    await ban(moderation)
    await ban(moderation, scope=BanScope.SHARING)
    assert [(each.scope, each.until) for each in await moderation.list_bans(GUILD)] == [
        (BanScope.SHARING, None),
        (BanScope.STUDIO, None),
    ]
    ended = await moderation.unban(GUILD, MEMBER, reason="sorry", actor_id=MODERATOR)
    assert set(ended) == {BanScope.SHARING, BanScope.STUDIO}
    with pytest.raises(NoBanError):
        await moderation.unban(GUILD, MEMBER, reason="", actor_id=MODERATOR)
    with pytest.raises(NoBanError):
        await moderation.unban(OTHER_GUILD, MEMBER, reason="", actor_id=MODERATOR)


@pytest.mark.parametrize("target", [Target(member_id=MODERATOR), Target(member_id=MEMBER, is_protected=True)])
async def test_nobody_bans_themselves_or_an_admin(moderation: ModerationService, target: Target) -> None:
    with pytest.raises(BanRefusedError):
        await moderation.ban(GUILD, target, scope=BanScope.STUDIO, term=None, reason="", actor_id=MODERATOR)
    assert await moderation.list_bans(GUILD) == ()
    assert await moderation.list_log(GUILD, limit=9) == ()


async def test_audit_log_names_actor_target_and_reason_newest_first(moderation: ModerationService) -> None:
    await ban(moderation, term=timedelta(days=1))
    await moderation.unban(GUILD, MEMBER, reason="sorry", actor_id=MODERATOR + 1)
    await moderation.allow_role(GUILD, RuleKind.MODEL, "reve-2.0", PATRONS, actor_id=MODERATOR)
    log = await moderation.list_log(GUILD, limit=9)
    assert [(each.action, each.actor_id, each.target_id, each.reason) for each in log] == [
        ("access.allow", MODERATOR, PATRONS, ""),
        ("ban.end", MODERATOR + 1, MEMBER, "sorry"),
        ("ban.add", MODERATOR, MEMBER, "spam"),
    ]
    assert await moderation.list_log(GUILD, limit=9, before=log[1].id) == log[2:]
    assert await moderation.list_log(GUILD, limit=9, kinds=["ban"]) == log[1:]
    assert await moderation.list_log(GUILD, limit=9, about=MODERATOR) == (log[0], log[2])
    assert await moderation.list_log(OTHER_GUILD, limit=9) == ()


Rule = Callable[[], GenerationRequest]


@pytest.mark.parametrize(
    ("kind", "name", "request_"),
    [
        (RuleKind.MODEL, "reve-2.0", make_request()),
        (RuleKind.OPTION, "images", make_request(images=2)),
        (RuleKind.OPTION, "detail", make_request(detail=3)),
        (RuleKind.OPTION, "upscale", make_request(upscale=2)),
        (RuleKind.OPTION, "remove_background", make_request(remove_background=True)),
        (RuleKind.OPTION, "aspect_ratio", make_request(aspect_ratio="16:9")),
    ],
)
async def test_rule_needs_one_of_its_roles(
    services: ServiceHarness, moderation: ModerationService, kind: RuleKind, name: str, request_: GenerationRequest
) -> None:
    await moderation.allow_role(GUILD, kind, name, PATRONS, actor_id=MODERATOR)
    await moderation.allow_role(GUILD, kind, name, PAINTERS, actor_id=MODERATOR)
    for roles in ((), (1, 2)):
        with pytest.raises(RoleNeededError) as caught:
            await services.jobs.create(make_context(roles=roles), request_)
        assert caught.value.roles == (PATRONS, PAINTERS)
        assert caught.value.option == (None if kind is RuleKind.MODEL else name)
    await services.jobs.create(make_context(roles=(1, PAINTERS)), request_)
    await services.jobs.create(make_context(guild_id=OTHER_GUILD), request_)
    await moderation.remove_rule(GUILD, kind, name, PAINTERS, actor_id=MODERATOR)
    with pytest.raises(RoleNeededError):
        await services.jobs.create(make_context(roles=(PAINTERS,)), request_)
    assert await moderation.remove_rule(GUILD, kind, name, None, actor_id=MODERATOR) == ()
    await services.jobs.create(make_context(), request_)


async def test_option_at_its_default_needs_no_role(services: ServiceHarness, moderation: ModerationService) -> None:
    for name in ("images", "detail", "aspect_ratio", "format", "resolution"):
        await moderation.allow_role(GUILD, RuleKind.OPTION, name, PATRONS, actor_id=MODERATOR)
    await services.jobs.create(make_context(), make_request())


async def test_rule_for_an_unknown_name_is_refused(moderation: ModerationService) -> None:
    with pytest.raises(UnknownModelError):
        await moderation.allow_role(GUILD, RuleKind.MODEL, "dall-e", PATRONS, actor_id=MODERATOR)
    for name in ("colour", "model", ""):
        with pytest.raises(NotOfferedError):
            await moderation.allow_role(GUILD, RuleKind.OPTION, name, PATRONS, actor_id=MODERATOR)
    assert await moderation.list_rules(GUILD) == ()


@pytest.mark.parametrize(
    ("typed", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7 days", timedelta(days=7)),
        (" 2W ", timedelta(weeks=2)),
        ("1 month", timedelta(days=30)),
        ("10y", None),
        ("10 years", timedelta(days=3650)),
        ("11 years", None),
        ("0d", None),
        ("-1d", None),
        ("1,5h", None),
        ("7", None),
        ("", None),
        ("٣d", None),
        ("s", None),
        ("99999 years", None),
    ],
)
def test_term_is_read_or_refused(typed: str, length: timedelta | None) -> None:
    if length is not None:
        assert parse_term(typed) == length
        return
    with pytest.raises(OptionRangeError):
        parse_term(typed)


async def test_rule_that_is_not_there_is_removed_without_an_entry_in_the_log(moderation: ModerationService) -> None:
    assert await moderation.remove_rule(GUILD, RuleKind.MODEL, "reve-2.0", None, actor_id=MODERATOR) == ()
    await moderation.allow_role(GUILD, RuleKind.MODEL, "reve-2.0", PATRONS, actor_id=MODERATOR)
    await moderation.remove_rule(GUILD, RuleKind.MODEL, "reve-2.0", PAINTERS, actor_id=MODERATOR)
    assert [each.action for each in await moderation.list_log(GUILD, limit=9)] == ["access.allow"]

"""Settings of servers: changes, records, effects on requests."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from bot.domain.allowances import AllowanceChange, AllowanceEntry, PeriodKind
from bot.domain.audit_log import AuditEntry
from bot.domain.errors import WrongChannelError
from bot.domain.guild_settings import GuildSettings
from bot.domain.sharing.settings import ReviewMode, SharingSettings
from bot.services.guild_settings import GuildSettingsService
from bot.services.request_resolver import ResolverService
from db.allowances import AllowanceRepository
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guilds import GuildRepository
from db.preferences import PreferenceRepository
from db.sharing_settings import SharingSettingsRepository
from tests.services.conftest import ServiceHarness
from tests.support.catalogue import BOTH
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

ADMIN = 9


@pytest.fixture
def settings(database: Database, clock: ManualClock) -> GuildSettingsService:
    """Return the service."""
    return GuildSettingsService(database=database, now=clock.now, new_id=make_id)


async def audit_log(database: Database) -> tuple[AuditEntry, ...]:
    """Return the guild's audit log, newest first."""
    return await database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=9))


async def test_change_stores_settings_and_records_changed_ones(
    settings: GuildSettingsService, database: Database, clock: ManualClock
) -> None:
    await settings.change(GUILD, {"studio_channels": (5, 6), "locale": "en"}, by=ADMIN)
    before = await settings.change(GUILD, {"studio_channels": (6,), "locale": "en"}, by=ADMIN)

    assert before == GuildSettings(studio_channels=(5, 6), locale="en")
    assert await settings.get(GUILD) == GuildSettings(studio_channels=(6,), locale="en")
    latest, first = await audit_log(database)
    assert (latest.actor_id, latest.action, latest.at) == (ADMIN, "settings.change", clock.now())
    assert latest.detail == {"studio_channels": {"before": [5, 6], "after": [6]}}
    assert first.detail == {
        "studio_channels": {"before": [], "after": [5, 6]},
        "locale": {"before": None, "after": "en"},
    }


async def test_change_to_same_values_is_not_recorded(settings: GuildSettingsService, database: Database) -> None:
    await settings.change(GUILD, {"locale": None, "studio_channels": ()}, by=ADMIN)
    assert await audit_log(database) == ()


async def test_changed_rules_for_sharing_are_recorded(settings: GuildSettingsService, database: Database) -> None:
    await settings.change_sharing(GUILD, {"review": ReviewMode.NONE, "refusal_reasons": ("No",)}, by=ADMIN)
    await settings.change_sharing(GUILD, {"review": ReviewMode.NONE, "voter_roles": (5,)}, by=ADMIN)
    stored = await database.read(lambda connection: SharingSettingsRepository(connection).get(GUILD))
    assert stored == SharingSettings(review=ReviewMode.NONE, refusal_reasons=("No",), voter_roles=(5,))
    latest, first = await audit_log(database)
    assert latest.detail == {"voter_roles": {"before": [], "after": [5]}}
    assert first.detail == {
        "review": {"before": "all", "after": "none"},
        "refusal_reasons": {"before": 4, "after": 1},
    }


async def test_allowance_for_everyone_is_set_recorded_and_removed(services: ServiceHarness, database: Database) -> None:
    """By the setup and by `/credits allowance`; the same again is no change."""
    allowances, entry = services.allowances, AllowanceEntry(amount=50, period=PeriodKind.WEEK)
    await allowances.set_for_everyone(GUILD, None, actor_id=ADMIN)
    await allowances.set_for_everyone(GUILD, entry, actor_id=ADMIN)
    await allowances.set_for_everyone(GUILD, entry, actor_id=ADMIN)
    await allowances.apply(GUILD, AllowanceChange(entry=entry), actor_id=ADMIN)
    await allowances.apply(GUILD, AllowanceChange(entry=AllowanceEntry(amount=None)), actor_id=ADMIN)
    await allowances.set_for_everyone(GUILD, None, actor_id=ADMIN)

    assert await database.read(lambda connection: AllowanceRepository(connection).list(GUILD)) == ()
    assert [(entry.action, entry.detail["allowance"]) for entry in await audit_log(database)] == [
        ("allowance.remove", {"before": "unlimited", "after": None}),
        ("allowance.set", {"before": "50 a week", "after": "unlimited"}),
        ("allowance.set", {"before": None, "after": "50 a week"}),
    ]


async def test_job_outside_studio_channels_is_refused_without_hold(
    settings: GuildSettingsService, services: ServiceHarness
) -> None:
    place = make_context()
    await settings.change(GUILD, {"studio_channels": (place.channel_id + 1,)}, by=ADMIN)

    with pytest.raises(WrongChannelError) as refused:
        await services.jobs.create(place, make_request())
    with pytest.raises(WrongChannelError):
        await services.confirmations.add(make_context(), make_request())
    with pytest.raises(WrongChannelError):
        await services.gate.require_open(make_context())
    assert refused.value.channel_ids == (place.channel_id + 1,)
    assert (await services.account()).held == 0


async def test_job_in_thread_of_studio_channel_is_created(
    settings: GuildSettingsService, services: ServiceHarness
) -> None:
    await settings.change(GUILD, {"studio_channels": (77,)}, by=ADMIN)
    await services.gate.require_open(make_context(parent_channel_id=77))
    await services.jobs.create(make_context(parent_channel_id=77), make_request())


@pytest.mark.parametrize(
    ("chosen", "of_member", "of_guild", "private"),
    [
        (None, None, None, False),
        (None, None, True, True),
        (None, False, True, False),
        (None, True, False, True),
        (False, True, True, False),
        (True, False, False, True),
    ],
)
async def test_privacy_is_chosen_else_the_members_else_the_guilds(
    settings: GuildSettingsService,
    database: Database,
    clock: ManualClock,
    *,
    chosen: bool | None,
    of_member: bool | None,
    of_guild: bool | None,
    private: bool,
) -> None:
    resolver = ResolverService(database=database, catalogue=BOTH)
    await settings.change(GUILD, {"private_results": of_guild}, by=ADMIN)

    def prefer(connection: Connection) -> None:
        preferences = PreferenceRepository(connection)
        wanted = preferences.get(MEMBER)
        preferences.save(MEMBER, replace(wanted, private=of_member), clock.now())

    await database.write(prefer)
    of_command = resolver.resolver_for(guild_id=GUILD, member_id=MEMBER, prompt="a fox", options={}, private=chosen)
    of_card = resolver.resolver_for_request(GUILD, MEMBER, make_request(), private=chosen)
    assert [(await resolver.resolve(each)).private for each in (of_command, of_card)] == [private, private]


async def test_commands_waiting_together_share_a_reading(
    settings: GuildSettingsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settings.change(GUILD, {"locale": "en"}, by=ADMIN)
    read: list[int] = []
    find = GuildRepository.settings

    def counted(repository: GuildRepository, guild_id: int) -> GuildSettings:
        read.append(guild_id)
        return find(repository, guild_id)

    monkeypatch.setattr(GuildRepository, "settings", counted)
    found = await asyncio.gather(*(settings.get(guild_id) for guild_id in [GUILD] * 20 + [GUILD + 1]))
    assert found == [GuildSettings(locale="en")] * 20 + [GuildSettings()]
    assert len(read) <= 5

"""Reasons for which nobody in a server can make a picture."""

from collections.abc import Awaitable, Callable

import pytest

from bot.domain.access_rules import RuleKind
from bot.domain.allowances import AllowanceEntry
from bot.domain.pauses import Pause, PauseScope
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.health import HealthRegistry
from bot.engine.provider_status import ProviderStatus
from bot.services.guild_setup import GuildSetupService, Silence
from bot.services.model_availability import ModelAvailability
from db.access_rules import AccessRuleRepository
from db.allowances import AllowanceRepository
from db.guilds import GuildRepository
from db.pauses import PauseRepository
from tests.services.conftest import ServiceHarness
from tests.support.catalogue import BOTH, MODEL_IDS
from tests.support.factories import GUILD, MEMBER, make_context, make_request

PATRONS = 501

Silences = Callable[[], Awaitable[tuple[Silence, ...]]]


@pytest.fixture
def silences(services: ServiceHarness) -> Silences:
    """Return a reader of the guild's silences; it has no roles."""
    status = ProviderStatus(
        catalogue=BOTH,
        health=HealthRegistry(BOTH.providers),
        breakers=CircuitBreakers(BOTH.providers),
        clock=services.clock,
    )
    setup = GuildSetupService(
        database=services.database,
        access=services.access,
        ledger=services.ledger,
        availability=ModelAvailability(catalogue=BOTH, provider_status=status),
        default_allowance=200,
        now=services.clock.now,
    )

    async def read() -> tuple[Silence, ...]:
        return (await setup.get(GUILD, ())).silences

    return read


async def test_spent_budget_of_the_server_is_named_with_its_source(
    services: ServiceHarness, silences: Silences
) -> None:
    database = services.database
    assert await silences() == ()
    await services.jobs.create(make_context(), make_request())
    await database.write(lambda connection: GuildRepository(connection).change_settings(GUILD, {"monthly_budget": 20}))
    assert await silences() == (Silence.SERVER_BUDGET_SPENT,)
    await database.write(lambda connection: GuildRepository(connection).set_budget_cap(GUILD, 0))
    assert await silences() == (Silence.SERVER_CAP_SPENT,)


@pytest.mark.parametrize("scope", [PauseScope.MODEL, PauseScope.PROVIDER])
async def test_pauses_of_all_models_or_providers_are_named(
    services: ServiceHarness, silences: Silences, scope: PauseScope
) -> None:
    names = MODEL_IDS if scope is PauseScope.MODEL else BOTH.providers
    for name in names:
        assert await silences() == ()
        pause = Pause(scope=scope, name=name, reason="", actor_id=0, at=services.clock.now())
        await services.database.write(lambda connection, pause=pause: PauseRepository(connection).begin(pause))  # type: ignore[misc]
    assert await silences() == (Silence.MODELS_PAUSED,)


async def test_models_for_missing_roles_alone_are_named(services: ServiceHarness, silences: Silences) -> None:
    for name in MODEL_IDS:
        assert await silences() == ()
        await services.database.write(
            lambda connection, name=name: AccessRuleRepository(connection).allow(  # type: ignore[misc]
                GUILD, RuleKind.MODEL, name, PATRONS
            )
        )
    assert await silences() == (Silence.MODELS_RESERVED,)


async def test_allowance_below_every_price_is_named_unless_credits_are_granted(
    services: ServiceHarness, silences: Silences
) -> None:
    await services.database.write(
        lambda connection: AllowanceRepository(connection).set(GUILD, AllowanceEntry(amount=11))
    )
    assert await silences() == (Silence.LOW_ALLOWANCE,)
    await services.database.write(
        lambda connection: services.ledger.grant(
            connection, guild_id=GUILD, member_id=MEMBER, amount=12, actor=1, reason="", now=services.clock.now()
        )
    )
    assert await silences() == ()

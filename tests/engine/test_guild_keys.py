"""Jobs with a server's own keys, beside those with the operator's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from discord import ui
from sqlalchemy import Connection, select, update

from bot.domain.credits import month_of
from bot.domain.errors import (
    FaultKind,
    KeyNotSavedError,
    KeysOffError,
    NoGuildKeyError,
    NotAdmittedError,
    NotInServerError,
)
from bot.domain.jobs import Job, State
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.key_vault import KeyVault
from bot.engine.provider_status import ProviderStatus
from bot.secret_key import SecretKey
from bot.services.access import AccessService
from bot.services.guild_key_policy import GuildKeyPolicy
from bot.services.guild_keys import GuildKeyService
from bot.services.guild_presence import GuildPresenceService
from bot.services.member_limits import MemberLimits
from bot.services.model_availability import ModelAvailability
from bot.services.request_resolver import ResolverService
from bot.ui.render.guild_key_card import guild_key_card
from db.budgets import BudgetRepository
from db.daily_figures import read_captured_by_day, read_day
from db.database import Database
from db.guild_keys import GuildKeyRepository
from db.money import read_money
from db.tables import attempts, guild_keys
from sandbox.providers import MANUAL, Endpoint, ImageApiServer, Reve2ImgServer, SkillBossServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.catalogue import MODEL_IDS, catalogue_of
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

OWN = "server-key-0123456789"
OTHER_GUILD = GUILD + 1
SECRET = "s" * 32
VAULT = KeyVault(SecretKey(SECRET.encode()).for_encryption)
SETTINGS: dict[str, Any] = {"community_keys": True, "secret_key": SECRET}


@dataclass(slots=True, kw_only=True)
class Studio:
    """An engine between two providers, and a server's keys."""

    harness: EngineHarness
    keys: GuildKeyService
    first: SkillBossServer
    second: Reve2ImgServer

    async def make(self, *, guild: int = GUILD) -> Job:
        """Let a member of a server request a picture."""
        return await self.harness.create_job(place=make_context(guild_id=guild))

    async def enter(self, provider: str = "skillboss", key: str = OWN) -> None:
        """Enter a key of the server."""
        await self.keys.set(GUILD, provider, key, by=MEMBER)

    async def finish(self, job: Job) -> Job:
        """Finish a job's call at SkillBoss."""
        await self.harness.wait_for_state(job.id, State.QUEUED)
        handle = (await self.harness.read_attempt(job.id)).handle
        assert handle is not None
        self.first.finish(self.first.store.jobs[handle])
        return await self.harness.wait_for_state(job.id, State.DONE, step=3.0)

    async def fault_of(self, job: Job) -> FaultKind | None:
        """Return the fault of a failed, free job."""
        failed = await self.harness.wait_for_state(job.id, State.FAILED, step=1.0)
        assert failed.charged == 0
        return failed.fault

    async def budgets(self) -> tuple[int, int]:
        """Return the credits used of the server's budget and of the operator's."""

        def read(connection: Connection) -> tuple[int, int]:
            month = month_of(self.harness.clock.now())
            return BudgetRepository(connection, GUILD).used(month), BudgetRepository(connection).used(month)

        return await self.harness.database.read(read)


def keys_of(server: ImageApiServer) -> list[str]:
    """Return the keys of the paid calls, in order."""
    return server.used_keys(Endpoint.SUBMIT)


def used_keys(server: ImageApiServer) -> set[str]:
    """Return the keys of all calls."""
    return set(server.used_keys())


@asynccontextmanager
async def studio(
    database: Database, folder: Path, *, skillboss: SkillBossServer | None = None, **options: Any
) -> AsyncIterator[Studio]:
    """Build a studio of two providers with two accounts each."""
    first = skillboss or SkillBossServer(key="key", other_keys=(OWN,), latency=MANUAL)
    second = Reve2ImgServer(key="key", other_keys=(OWN,), latency=MANUAL)
    await second.start()
    if skillboss is None:
        await first.start()
    try:
        async with engine_harness(
            database, folder, server=first, second=second, keys=SETTINGS | options.pop("settings", {}), **options
        ) as harness:
            yield Studio(harness=harness, keys=service_of(harness, first, second), first=first, second=second)
    finally:
        await second.close()
        if skillboss is None:
            await first.close()


def service_of(
    harness: EngineHarness,
    *servers: ImageApiServer,
    admitted: frozenset[int] = frozenset({GUILD, OTHER_GUILD}),
    providers: tuple[str, ...] = ("skillboss", "reve2img"),
    on_check: Callable[[], Awaitable[None]] | None = None,
) -> GuildKeyService:
    """Return the service of servers' keys; a provider accepts its own ones."""

    async def check(provider: str, key: str) -> FaultKind | None:
        if on_check is not None:
            await on_check()
        server = dict(zip(("skillboss", "reve2img"), servers, strict=True))[provider]
        return None if key in server._keys else FaultKind.KEY_REJECTED

    return GuildKeyService(
        database=harness.database,
        vault=lambda: VAULT,
        check=check,
        providers=providers,
        now=harness.clock.now,
        new_id=make_id,
        on_change=harness.engine.wake,
        limits=MemberLimits(clock=harness.clock),
        access=AccessService(database=harness.database, admitted=admitted, now=harness.clock.now),
    )


async def test_own_key_pays_for_its_server_alone(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        job = await own.finish(await own.make())
        assert job.own_key
        assert used_keys(own.first) == {OWN}
        assert await own.budgets() == (job.price, 0)
        other = await own.finish(await own.make(guild=OTHER_GUILD))
        assert not other.own_key
        await own.finish(await own.make())
        assert keys_of(own.first) == [OWN, "key", OWN]
        assert await own.budgets() == (2 * job.price, other.price)
        assert await own.harness.run_audit() == []
        assert OWN not in str(await database.read(lambda each: each.execute(select(guild_keys)).all()))


async def test_operators_figures_leave_own_keys_out(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        await own.finish(await own.make())
        begin = START - timedelta(days=1)

        def read(connection: Connection) -> tuple[Any, ...]:
            day = read_day(connection, begin, begin + timedelta(days=3))
            month = month_of(START)
            return day, read_captured_by_day(connection, begin, 3), read_money(connection, month)

        day, captured, money = await database.read(read)
        assert (day.captured, day.costs, day.unpriced, day.pictures) == (0, {}, 0, 1)
        assert (captured, money) == ({}, ())


async def test_lost_reply_with_an_own_key_is_no_risk_of_the_operator(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        own.first.faults.add("submit", "reset_after")
        job = await own.make()
        assert await own.fault_of(job) is FaultKind.REPLY_LOST
        assert await own.budgets() == (job.price, 0)
        assert await own.harness.run_audit() == []


async def test_rejected_key_stops_its_server_alone(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        own.first._keys = frozenset({"key"})
        assert await own.fault_of(await own.make()) is FaultKind.GUILD_KEY_REJECTED
        with pytest.raises(NoGuildKeyError) as refused:
            await own.make()
        assert (refused.value.provider, refused.value.fault) == ("skillboss", FaultKind.GUILD_KEY_REJECTED)
        await own.finish(await own.make(guild=OTHER_GUILD))
        assert own.harness.health.list()[0].fault is None
        assert used_keys(own.second) == set()
        assert await own.keys.test(GUILD, "skillboss") is FaultKind.GUILD_KEY_REJECTED
        own.first._keys = frozenset({"key", OWN})
        assert await own.keys.test(GUILD, "skillboss") is None
        await own.finish(await own.make())
        assert keys_of(own.first) == [OWN, "key", OWN]


async def test_key_that_its_provider_refuses_is_not_saved(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        with pytest.raises(KeyNotSavedError) as refused:
            await own.enter(key="another-key-0123456789")
        assert refused.value.fault is FaultKind.GUILD_KEY_REJECTED
        await own.finish(await own.make())
        assert keys_of(own.first) == [OWN]


async def test_rate_limits_of_both_keys_are_kept_apart(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        own.first.faults.add("submit", "status", status=429, retry_after="500")
        limited = await own.make()
        await own.harness.wait_for(lambda: len(keys_of(own.first)) == 1)
        await own.finish(await own.make(guild=OTHER_GUILD))
        assert (await own.harness.read_job(limited.id)).state is State.HELD
        assert keys_of(own.first) == [OWN, "key"]


async def test_provider_without_an_own_key_never_takes_over(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        own.first.faults.add("submit", "status", status=400)
        await own.fault_of(await own.make())
        assert keys_of(own.second) == []
        await own.enter("reve2img")
        own.first.faults.add("submit", "status", status=400)
        job = await own.make()
        await own.harness.wait_for(lambda: keys_of(own.second))
        assert keys_of(own.second) == [OWN]
        assert (await own.harness.read_job(job.id)).own_key


async def test_removed_key_finishes_its_running_job(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        job = await own.make()
        await own.harness.wait_for_state(job.id, State.QUEUED)
        await own.keys.remove(GUILD, "skillboss", by=MEMBER)
        await own.finish(job)
        assert used_keys(own.first) == {OWN}
        await database.write(lambda connection: GuildKeyRepository(connection).delete_unused())
        assert await database.read(lambda connection: GuildKeyRepository(connection).ids()) == frozenset()
        assert not (await own.finish(await own.make())).own_key
        assert await own.harness.run_audit() == []


async def test_waiting_job_of_a_removed_key_fails_without_a_charge(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path, start=False) as own:
        await own.enter()
        job = await own.make()
        await own.keys.remove(GUILD, "skillboss", by=MEMBER)
        await own.harness.engine.start()
        assert await own.fault_of(job) is FaultKind.GUILD_KEY_GONE
        assert keys_of(own.first) == []
        assert await own.budgets() == (0, 0)


async def test_key_of_another_secret_key_is_never_replaced_by_the_operators(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path, settings={"secret_key": "t" * 32}) as own:
        await own.enter()
        assert await own.fault_of(await own.make()) is FaultKind.GUILD_KEY_GONE
        with pytest.raises(NoGuildKeyError) as refused:
            await own.make()
        assert refused.value.fault is FaultKind.GUILD_KEY_UNREADABLE
        assert keys_of(own.first) == []


async def test_copied_key_serves_no_other_server(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        await database.write(lambda connection: connection.execute(update(guild_keys).values(guild_id=OTHER_GUILD)))
        assert await own.fault_of(await own.make(guild=OTHER_GUILD)) is FaultKind.GUILD_KEY_GONE
        assert keys_of(own.first) == []


async def test_next_process_polls_with_the_same_key(database: Database, tmp_path: Path) -> None:
    server = SkillBossServer(key="key", other_keys=(OWN,), latency=MANUAL)
    await server.start()
    try:
        async with studio(database, tmp_path, skillboss=server) as own:
            await own.enter()
            job = await own.make()
            await own.harness.wait_for_state(job.id, State.QUEUED)
        async with studio(database, tmp_path, skillboss=server) as own:
            await own.finish(job)
        assert used_keys(server) == {OWN}
    finally:
        await server.close()


async def test_left_server_finishes_its_job_and_keeps_no_key(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        job = await own.make()
        await own.harness.wait_for_state(job.id, State.QUEUED)
        await GuildPresenceService(database=database, now=own.harness.clock.now).leave(GUILD)
        await own.finish(job)
        await database.write(lambda connection: GuildKeyRepository(connection).delete_unused())
        assert await database.read(lambda connection: GuildKeyRepository(connection).ids()) == frozenset()
        calls = await database.read(lambda connection: connection.execute(select(attempts.c.key_id)).scalars().all())
        assert all(calls)


async def test_keys_switched_off_are_ignored_by_new_jobs(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
    async with studio(database, tmp_path, settings={"community_keys": False}) as own:
        job = await own.finish(await own.make())
        assert not job.own_key
        assert used_keys(own.first) == {"key"}


async def test_waiting_job_keeps_the_servers_key_when_keys_are_switched_off(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path, start=False) as own:
        await own.enter()
        job = await own.make()
    async with studio(database, tmp_path, settings={"community_keys": False}) as own:
        assert (await own.finish(job)).own_key
        assert used_keys(own.first) == {OWN}
        assert await own.budgets() == (job.price, 0)
        off = service_of(own.harness, own.first, own.second, providers=())
        assert (await off.get(GUILD)).open == frozenset()
        for refused in (off.set(GUILD, "skillboss", OWN, by=MEMBER), off.test(GUILD, "skillboss")):
            with pytest.raises(KeysOffError):
                await refused
        await off.remove(GUILD, "skillboss", by=MEMBER)
        with pytest.raises(KeysOffError):
            await off.get(GUILD)


async def test_key_of_a_provider_switched_off_can_only_be_removed(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path, start=False) as own:
        await own.enter()
        left = service_of(own.harness, own.first, own.second, providers=("reve2img",))
        with pytest.raises(KeysOffError):
            await left.test(GUILD, "skillboss")
        buttons = _labels(guild_key_card(await left.get(GUILD), "skillboss"))
        assert buttons == ["Remove"]
        assert _labels(guild_key_card(await left.get(GUILD), "reve2img")) == ["Enter key"]


async def test_stranger_tries_no_key(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path, start=False) as own:
        tried: list[None] = []

        async def note() -> None:
            tried.append(None)

        keys = service_of(own.harness, own.first, own.second, admitted=frozenset({OTHER_GUILD}), on_check=note)
        with pytest.raises(NotAdmittedError):
            await keys.set(GUILD, "skillboss", OWN, by=MEMBER)
        assert tried == []


async def test_key_is_not_stored_for_a_server_left_during_its_check(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path, start=False) as own:
        presence = GuildPresenceService(database=database, now=own.harness.clock.now)
        keys = service_of(own.harness, own.first, own.second, on_check=lambda: presence.leave(GUILD))
        with pytest.raises(NotInServerError):
            await keys.set(GUILD, "skillboss", OWN, by=MEMBER)
        assert await database.read(lambda connection: GuildKeyRepository(connection).ids()) == frozenset()
        await presence.arrive(GUILD)
        await own.enter()


def _labels(card: ui.LayoutView) -> list[str | None]:
    return [each.label for each in card.walk_children() if isinstance(each, ui.Button)]


async def test_model_of_a_provider_without_key_names_those_with_one(database: Database, tmp_path: Path) -> None:
    async with studio(database, tmp_path) as own:
        await own.enter()
        with pytest.raises(NoGuildKeyError) as refused:
            await own.harness.create_job(request=make_request(model="nano-banana-pro"))
        assert (refused.value.fault, refused.value.models) == (None, ("reve-2.0",))
        policy = GuildKeyPolicy(enabled=True, catalogue=catalogue_of("skillboss", "reve2img"))
        closed = await database.read(lambda connection: policy.closed_models(connection, GUILD))
        assert closed == frozenset(MODEL_IDS) - {"reve-2.0"}
        assert await database.read(lambda connection: policy.closed_models(connection, OTHER_GUILD)) == frozenset()


async def test_request_without_a_model_gets_one_with_a_key(database: Database, tmp_path: Path) -> None:
    catalogue = replace(catalogue_of("skillboss", "reve2img"), default_model="nano-banana-pro")
    async with studio(database, tmp_path) as own:
        status = ProviderStatus(
            catalogue=catalogue,
            health=own.harness.health,
            breakers=CircuitBreakers(catalogue.providers),
            clock=own.harness.clock,
        )
        resolver = ResolverService(
            database=database,
            catalogue=catalogue,
            default_models=ModelAvailability(catalogue=catalogue, provider_status=status).default_models,
            keys=GuildKeyPolicy(enabled=True, catalogue=catalogue),
        )
        before = await resolver.default_request(guild_id=GUILD, member_id=MEMBER, inputs=())
        await own.enter()
        after = await resolver.default_request(guild_id=GUILD, member_id=MEMBER, inputs=())
        assert (before.model, after.model) == ("nano-banana-pro", "reve-2.0")
        quoted = await resolver.quotes({}, guild_id=GUILD, member_id=MEMBER)
        assert [each.model.id for each in quoted] == ["reve-2.0"]

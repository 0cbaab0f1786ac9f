"""Hooks of the metrics: ended jobs, exchanges and transactions."""

import contextlib
from pathlib import Path

import httpx
import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Job, State
from bot.providers.http import Call, Exchange, ProviderHttp
from bot.providers.transport import provider_client
from db.database import Database
from tests.engine.engine_harness import engine_harness
from tests.providers.provider_harness import KEY, RawServer, json_reply


async def test_each_end_of_a_job_is_recorded_once(sqlite_database: Database, tmp_path: Path) -> None:
    ended: list[Job] = []
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.engine.subscribe(ended.append)
        done = await harness.create_job()
        await harness.wait_for_state(done.id, State.QUEUED)
        cancelled = await harness.create_job()
        await harness.wait_for_state(cancelled.id, State.QUEUED)
        await harness.cancel(cancelled.id)
        await harness.wait_for_state(cancelled.id, State.CANCELLED, step=1)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(done.id, State.DONE, step=1)
        harness.engine._executor.schedule(done.id)  # as a late webhook does
        await harness.run_rounds(step=60, rounds=3)
    assert [(job.id, job.state, job.provider) for job in ended] == [
        (cancelled.id, State.CANCELLED, "skillboss"),
        (done.id, State.DONE, "skillboss"),
    ]


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (json_reply("{}"), None),
        (json_reply("{}", "503 Service Unavailable"), FaultKind.UNAVAILABLE),
        (json_reply("no json"), FaultKind.MALFORMED),
        (b"", FaultKind.REPLY_LOST),
    ],
)
async def test_exchange_is_recorded_with_its_fault(reply: bytes, fault: FaultKind | None) -> None:
    recorded: list[Exchange] = []
    async with RawServer(reply) as server, provider_client() as client:
        http = ProviderHttp(name="x", base_url="http://unused.example", key=KEY, client=client, record=recorded.append)
        with contextlib.suppress(ProviderError):
            await http.at(server.url).submit("/v1/run", {})
    (exchange,) = recorded
    assert (exchange.provider, exchange.call, exchange.fault) == ("x", Call.SUBMIT, fault)
    assert 0 < exchange.seconds < 60


async def test_exchange_cut_off_here_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[Exchange] = []
    async with provider_client() as client:
        http = ProviderHttp(name="x", base_url="http://unused.example", key=KEY, client=client, record=recorded.append)

        async def interrupted(*_: object, **__: object) -> httpx.Response:
            raise KeyboardInterrupt

        monkeypatch.setattr(client, "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            await http.read("/v1/status")
    assert recorded == []


async def test_transactions_are_recorded_by_kind_also_failed_ones(database: Database) -> None:
    recorded: list[tuple[str, float]] = []
    database.time_transactions(lambda kind, seconds: recorded.append((kind, seconds)))
    await database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
    await database.search(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
    with pytest.raises(ZeroDivisionError):
        await database.write(lambda _: 1 // 0)
    assert [kind for kind, _ in recorded] == ["read", "search", "write"]
    assert all(seconds > 0 for _, seconds in recorded)

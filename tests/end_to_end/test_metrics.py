"""The metrics of a running bot, scraped over a socket."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from sandbox.discord import text
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, has_images, wait_for_provider_job
from tests.monitoring.monitoring_files import alert_queries, dashboard_queries

pytestmark = pytest.mark.asyncio(loop_scope="module")

METRIC: Final = re.compile(r"\b(?:atelier|process)_[a-z0-9_]+\b")

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a bot with metrics at a health address."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(METRICS="on", HEALTH_PORT="0", MONTHLY_BUDGET="1000", MARK_PICTURES="off")
        yield system
    finally:
        await system.close()


def health_port(system: SystemHarness) -> int:
    """Return the port of the health listener, as the log names it."""
    entries = [json.loads(line) for line in system.log().splitlines()]
    ports = [int(entry["port"]) for entry in entries if entry["event"] == "web.health_listening"]
    return ports[-1]


async def scrape(system: SystemHarness) -> Samples:
    """Return all samples by name and labels."""
    status, body = await system.status(f"http://127.0.0.1:{health_port(system)}/metrics")
    assert status == 200
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def scrape_until(system: SystemHarness, condition: Callable[[Samples], bool]) -> Samples:
    """Scrape until a condition holds; the database is read every few seconds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            samples = await scrape(system)
            if condition(samples):
                return samples


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """Return one sample's value."""
    return samples.get((f"atelier_{name}", frozenset(labels.items())))


async def test_metrics_follow_a_job_from_the_queue_to_its_end(system: SystemHarness) -> None:
    before = await scrape_until(system, lambda each: value(each, "discord_gateway_up") == 1)
    assert value(before, "jobs", state="queued") == 0
    assert value(before, "database_up") == 1
    assert value(before, "workers") == 1
    assert value(before, "budget_left_credits") == 1000

    invocation = await system.discord.actor("member").slash("imagine", prompt="a heron")
    running = await scrape_until(system, lambda each: value(each, "jobs", state="queued") == 1)
    assert value(running, "budget_held_credits") == 12
    assert value(running, "budget_left_credits") == 988
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a heron"))
    message = await invocation.wait_until(has_images)
    assert "12 credits" in text(message)

    labels = {"provider": "skillboss", "model": "reve-2.0"}
    after = await scrape_until(
        system,
        lambda each: (
            value(each, "budget_captured_credits") == 12 and value(each, "card_updates_total", outcome="delivered") == 1
        ),
    )
    assert value(after, "jobs_ended_total", outcome="done", fault="none", **labels) == 1
    assert value(after, "job_waiting_seconds_count") == 1
    assert value(after, "job_generating_seconds_count", **labels) == 1
    assert value(after, "provider_request_duration_seconds_count", provider="skillboss", call="submit") == 1
    assert (value(after, "provider_request_duration_seconds_count", provider="skillboss", call="read") or 0) >= 1
    assert value(after, "downloaded_bytes_total", kind="result") == len((await system.pictures(message))[0])
    assert (value(after, "database_transaction_duration_seconds_count", kind="write") or 0) > 3
    assert (value(after, "storage_free_bytes") or 0) > 0
    assert value(after, "provider_breaker_open", provider="skillboss") == 0
    assert value(after, "budget_held_credits") == 0


async def test_metrics_count_faults_rate_limits_and_open_breakers(system: SystemHarness) -> None:
    before = await scrape(system)
    system.discord.faults.add("PATCH", "@original", status=429, retry_after=0.01, times=2)
    system.skillboss.faults.add("submit", "status", status=401, times=1)
    invocation = await system.discord.actor("member").slash("imagine", prompt="a crane")
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, "a crane"))
    await invocation.wait_until(has_images)

    after = await scrape_until(system, lambda each: value(each, "card_updates_total", outcome="delivered") == 2)
    assert value(after, "provider_errors_total", provider="skillboss", call="submit", kind="key_rejected") == 1
    assert value(after, "provider_breaker_open", provider="skillboss") == 1
    assert value(after, "provider_breaker_open", provider="reve2img") == 0
    limits = {scope: value(after, "discord_rate_limits_total", scope=scope) for scope in ("user", "shared", "global")}
    assert sum(each or 0 for each in limits.values()) == 2
    assert value(before, "discord_rate_limits_total", scope="user") == 0


async def test_metrics_have_no_ids_and_no_prompt(system: SystemHarness) -> None:
    _, body = await system.status(f"http://127.0.0.1:{health_port(system)}/metrics")
    world = system.discord.world
    for secret in ("heron", "crane", str(world.user("member").id), str(world.application.owner_id)):
        assert secret not in body.decode()


async def test_public_address_has_no_metrics_beside_a_health_address(system: SystemHarness) -> None:
    assert (await system.status(f"http://127.0.0.1:{system.http_port}/metrics"))[0] == 404


def exported_names(page: str) -> set[str]:
    """Return the names of all series, also of those without a sample."""
    names = set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names


@pytest.mark.parametrize("queries", [dashboard_queries, alert_queries])
async def test_queries_name_exported_metrics_only(system: SystemHarness, queries: Callable[[], list[str]]) -> None:
    _, body = await system.status(f"http://127.0.0.1:{health_port(system)}/metrics")
    exported = exported_names(body.decode())
    named = {name for query in queries() for name in METRIC.findall(query)}
    assert len(named) > 15
    assert named - exported == set()


async def test_every_metric_is_in_the_dashboard_or_an_alert(system: SystemHarness) -> None:
    _, body = await system.status(f"http://127.0.0.1:{health_port(system)}/metrics")
    exported = {name for name in exported_names(body.decode()) if name.startswith("atelier_")}
    named = {name for query in (*dashboard_queries(), *alert_queries()) for name in METRIC.findall(query)}
    unused = {re.sub("_(bucket|count|sum)$", "", name) for name in exported} - {
        re.sub("_(bucket|count|sum)$", "", name) for name in named
    }
    assert unused == set()

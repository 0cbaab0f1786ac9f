"""Findings about the machine: ports, processes, disk, memory, names."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.doctor import machine
from bot.doctor.machine import MIB, _disk
from bot.doctor.picture_hosts import check_picture_hosts
from bot.settings import Settings
from bot.web.server import WebServer
from db.database import Database
from db.migrate import migrate
from db.other_process import OtherProcessRepository
from db.process_lock import hold_process_lock
from db.workers import WorkerRepository
from tests.doctor.fake_services import KEY, FakeServices, nothing_missing
from tests.support.databases import Databases


@pytest.mark.parametrize(("hours", "good"), [(1, False), (30, True)])
async def test_other_process_with_the_token_is_reported(
    services: FakeServices, tmp_path: Path, *, hours: int, good: bool
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'atelier.db'}"
    at = datetime.now(UTC) - timedelta(hours=hours)
    database = await Database.open(url)
    await migrate(database)
    await database.write(lambda connection: OtherProcessRepository(connection).record("f" * 32, at))
    await database.close()
    findings = await services.examine(database_url=url)
    (finding,) = [each for each in findings if "another process" in each.what]
    assert f"{at:%Y-%m-%d at %H:%M}" in finding.what
    assert finding.good is good


async def test_taken_port_is_fault_unless_atelier_has_it(services: FakeServices) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        foreign.close()
        server = WebServer(host="127.0.0.1", port=port, ready=nothing_missing)
        await server.start()
        findings = [finding.what for finding in await services.examine(http_port=port)]
        await server.stop()
    assert f"HTTP_HOST:HTTP_PORT 127.0.0.1:{port} is used by a running Atelier" in findings
    taken = int(services.skillboss.url.rpartition(":")[2])
    fault = await services.fault(http_port=taken)
    assert fault.what == f"HTTP_HOST:HTTP_PORT 127.0.0.1:{taken} cannot be used: Address already in use"
    assert (await services.fault(health_port=taken)).what.startswith(
        f"HEALTH_HOST:HEALTH_PORT 127.0.0.1:{taken} cannot"
    )


@pytest.mark.parametrize(("settings", "warned"), [({}, True), ({"health_port": 0}, False), ({"metrics": False}, False)])
async def test_public_metrics_are_warned_about(
    services: FakeServices, settings: dict[str, Any], *, warned: bool
) -> None:
    chosen = {"metrics": True, "webhook_public_url": "https://studio.example", **settings}
    findings = [each for each in await services.examine(**chosen) if "METRICS" in each.what]
    assert [(each.good, each.is_warning) for each in findings] == ([(True, True)] if warned else [])


async def test_address_of_other_machine_is_fault(services: FakeServices) -> None:
    fault = await services.fault(http_host="192.0.2.1")
    assert fault.what == "HTTP_HOST:HTTP_PORT 192.0.2.1:0 cannot be used: Cannot assign requested address"


async def test_running_process_is_noted(
    services: FakeServices, tmp_path: Path, postgresql_databases: Databases
) -> None:
    """By its lock on SQLite, by its lease on PostgreSQL."""
    with hold_process_lock(tmp_path / "data" / "atelier.db"):
        findings = {finding.what: finding for finding in await services.examine()}
    note = findings["a running Atelier serves this database"]
    assert (note.good, note.is_warning) == (True, False)
    url = await postgresql_databases.create(migrated=True)
    database = await Database.open(url)
    now = datetime.now(UTC)
    for number, end in enumerate((now + timedelta(minutes=1), now - timedelta(minutes=1))):
        await database.write(lambda c, i=number, end=end: WorkerRepository(c).renew(f"{i:032x}", now, end))  # type: ignore[misc]
    await database.close()
    findings = {finding.what: finding for finding in await services.examine(database_url=url)}
    assert findings["running processes that serve this database: 1"].good
    await postgresql_databases.drop(url)


@pytest.mark.parametrize(
    ("free", "good", "is_warning"), [(1024, True, False), (1023, True, True), (64, True, True), (63, False, True)]
)
def test_little_disk_is_warning_then_fault(free: int, good: bool, is_warning: bool) -> None:
    finding = _disk(Path("/data"), free * MIB, inodes=1)
    assert (finding.good, finding.is_warning, bool(finding.remedy)) == (good, is_warning, is_warning)
    assert f"{free:,} MiB free" in finding.what
    assert not _disk(Path("/data"), free * MIB, inodes=0).good


@pytest.mark.parametrize(("limit", "is_warning"), [("1073741824\n", False), ("268435456\n", True), ("max\n", False)])
async def test_container_limit_decides_about_memory(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    services: FakeServices,
    limit: str,
    is_warning: bool,
) -> None:
    (tmp_path / "limit").write_text(limit)
    (tmp_path / "meminfo").write_text("MemTotal:        8000000 kB\nMemFree: 1 kB\n")
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (tmp_path / "missing", tmp_path / "limit"))
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    (finding,) = [finding for finding in await services.examine() if "of memory" in finding.what]
    assert (finding.good, finding.is_warning) == (True, is_warning)


@pytest.mark.parametrize(
    ("addresses", "networks", "said"),
    [
        (["93.184.216.34"], "", None),
        (["198.18.0.7"], "198.18.0.0/15", None),
        (["93.184.216.34", "198.18.0.7"], "", "resolves to 198.18.0.7"),
        (["127.0.0.1"], "0.0.0.0/0", "resolves to 127.0.0.1"),
        ([], "", "cannot be resolved"),
    ],
)
async def test_picture_hosts_are_resolved(addresses: list[str], networks: str, said: str | None) -> None:
    """Some proxies answer with private addresses."""
    asked: list[str] = []

    async def lookup(host: str, _port: int) -> list[str]:
        asked.append(host)
        if not addresses:
            raise OSError("no such host")
        return addresses

    variables: dict[str, Any] = {"skillboss_wholesale_key": KEY, "reve2img_api_key": KEY}
    if networks:
        variables["trusted_download_networks"] = networks
    findings = await check_picture_hosts(Settings(**variables), lookup)
    assert asked == ["cdn.discordapp.com", "assets.skillboss.co", "reve2img.com"]
    if said is None:
        assert [finding.good for finding in findings] == [True]
    else:
        assert [(finding.good, said in finding.what) for finding in findings] == [(False, True)] * 3
        assert all(finding.remedy for finding in findings)

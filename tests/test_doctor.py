"""Findings of `atelier doctor`, with fakes of Discord and the image APIs."""

import asyncio
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import inspect, select, text
from typer.testing import CliRunner

from bot.__main__ import app
from bot.container import command_payload, open_database
from bot.doctor import Finding, examine, machine, proxy
from bot.doctor.machine import MIB, _disk
from bot.doctor.picture_hosts import check_picture_hosts
from bot.doctor.picture_space import check_picture_space
from bot.doctor.web import check_webhook
from bot.domain.images import ImageFile, ResultImage
from bot.settings import ExplicitSettings, Settings, load_settings
from bot.web.server import WebServer
from db.database import Database
from db.migrate import migrate
from db.other_process import OtherProcessRepository
from db.pictures import ResultImageRepository
from db.process_lock import hold_process_lock
from db.tables import facts
from db.workers import WorkerRepository
from sandbox.discord import DiscordServer, default_world
from sandbox.providers import Reve2ImgServer, SkillBossServer
from tests.support.clock import START
from tests.support.databases import Databases
from tests.support.factories import make_job
from tests.support.fidelity import Fidelity, find_description
from tests.support.ledger import adding
from tests.support.proxy import connect_proxy

ROOT = Path(__file__).parent.parent
# Depend on the machine that runs the tests.
MACHINE = re.compile("MiB free|of memory")
TOKEN, KEY, WRONG = "the-bots-token", "the-accounts-key", "s3cret-but-wrong"


@dataclass
class FakeServices:
    """The fakes of a healthy machine, and its settings."""

    discord: DiscordServer
    skillboss: SkillBossServer
    reve2img: Reve2ImgServer
    variables: dict[str, Any]

    async def examine(self, **changes: Any) -> list[Finding]:
        """Return the findings with some settings changed."""
        return await examine(load_settings(**(self.variables | changes)))

    async def webhook(self, url: str) -> Finding:
        """Return the finding about a public address."""
        return (await self.examine(webhook_public_url=url))[-1]

    async def fault(self, **changes: Any) -> Finding:
        """Return the only bad finding."""
        (finding,) = [finding for finding in await self.examine(**changes) if not finding.good]
        assert finding.remedy
        assert WRONG not in repr(finding)
        assert TOKEN not in repr(finding)
        assert KEY not in repr(finding)
        return finding


@pytest.fixture
async def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[FakeServices]:
    """Yield the running fakes."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    discord = DiscordServer(default_world(token=TOKEN))
    discord.world.application.installable = (0,)
    skillboss, reve2img = SkillBossServer(key=KEY), Reve2ImgServer(key=KEY)
    for server in (discord, skillboss, reve2img):
        await server.start()
    yield FakeServices(
        discord=discord,
        skillboss=skillboss,
        reve2img=reve2img,
        variables={
            "discord_token": TOKEN,
            "discord_api_url": discord.api_url,
            "skillboss_wholesale_key": KEY,
            "skillboss_api_url": skillboss.url,
            "reve2img_api_key": KEY,
            "reve2img_api_url": reve2img.url,
            "data_dir": tmp_path / "data",
            "http_port": 0,
        },
    )
    for server in (discord, skillboss, reve2img):
        await server.close()


async def test_healthy_machine_has_good_findings_only(services: FakeServices, tmp_path: Path) -> None:
    """No remedy, and no job submitted for the check."""
    findings = [each for each in await services.examine() if not MACHINE.search(each.what)]
    assert [re.sub(r"HTTP_HOST:HTTP_PORT \S+", "the port", finding.what) for finding in findings] == [
        f"DATA_DIR {tmp_path / 'data'} and its pictures can be written",
        "the sqlite database can be written (its tables will be brought up to date at the start)",
        "other users of this machine can read neither .env nor the data",
        "no other process serves this database",
        "the port is free",
        "Discord accepts DISCORD_TOKEN",
        "USER_INSTALL is off, and Discord lets nobody add the application to an account",
        "Discord allows 1000 more logins of the bot today",
        "skillboss accepts SKILLBOSS_WHOLESALE_KEY",
        "reve2img accepts REVE2IMG_API_KEY",
        "WEBHOOK_PUBLIC_URL is not set: the providers are polled",
    ]
    assert all(finding.good and not finding.remedy and not finding.is_warning for finding in findings)
    assert services.skillboss.jobs == services.reve2img.jobs == []


async def test_command_prints_one_line_per_finding(services: FakeServices) -> None:
    """Exit code 0, or 1 with a fault."""
    environment = {name.upper(): str(value) for name, value in services.variables.items()}
    good = await asyncio.to_thread(CliRunner().invoke, app, ["doctor"], env=environment)
    assert good.exit_code == 0
    assert all(line.startswith(("ok", "warn", " ")) for line in good.stdout.splitlines())
    bad = await asyncio.to_thread(CliRunner().invoke, app, ["doctor"], env=environment | {"DISCORD_TOKEN": WRONG})
    assert bad.exit_code == 1
    assert "fault Discord does not accept DISCORD_TOKEN\n      Copy the token anew" in bad.stdout
    assert WRONG not in bad.output


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


async def test_wrong_token_is_reported(services: FakeServices) -> None:
    """Distinct from an unreachable Discord."""
    assert (await services.fault(discord_token=WRONG)).what == "Discord does not accept DISCORD_TOKEN"


async def test_user_install_closed_in_portal_is_fault(services: FakeServices) -> None:
    """The developer portal must allow them too."""
    fault = await services.fault(user_install="on")
    assert fault.what == "USER_INSTALL is on, but Discord lets nobody add the application to an account"
    assert fault.remedy == (
        "Tick User Install on the Installation page of the developer portal, or set USER_INSTALL=off."
    )
    services.discord.world.application.installable = (0, 1)
    findings = await services.examine(user_install="on")
    assert all(finding.good and not finding.remedy for finding in findings)
    assert "USER_INSTALL is on, and Discord lets people add the application to their accounts" in [
        finding.what for finding in findings
    ]


async def test_user_install_open_in_portal_only_is_note(services: FakeServices) -> None:
    """A note: nothing breaks, but members find no commands."""
    services.discord.world.application.installable = (0, 1)
    findings = await services.examine()
    (note,) = [finding for finding in findings if finding.remedy]
    assert note == Finding(
        good=True,
        what="USER_INSTALL is off, but Discord lets people add the application to their accounts",
        remedy="They find no commands there: untick User Install on the Installation page of the developer portal.",
    )


async def test_read_fields_match_api_description(services: FakeServices) -> None:
    """The fields exist in Discord's API description."""
    path = find_description()
    if path is None:
        pytest.skip("ATELIER_TEST_DATA has no discord-openapi.json")
    await services.examine()
    assert [asked.path for asked in services.discord.requests] == ["/applications/@me", "/gateway/bot"]
    for asked in services.discord.requests:
        assert Fidelity(path).problems(asked) == Fidelity(path).answer_problems(asked) == []


async def test_used_up_logins_are_fault(services: FakeServices) -> None:
    """A start would wait for Discord's reset."""
    services.discord.application_routes.daily_identifies = 9
    fault = await services.fault()
    assert fault.what == "Discord allows 9 more logins of the bot for 24 hours: a start waits for the reset"


async def test_registered_commands_are_compared(services: FakeServices) -> None:
    """None yet, the bot's own, and another program's."""
    settings = load_settings(**services.variables)
    payload = await command_payload(settings)

    async def commands() -> Finding:
        return (await examine(settings, commands=command_payload))[-1]

    assert await commands() == Finding(
        good=True, what="no command is registered with Discord yet: the first start does it"
    )
    services.discord.commands.replace(payload)
    assert await commands() == Finding(good=True, what="the commands are registered with Discord")
    kept = [command for command in payload if command["name"] != "imagine"]
    kept[0] = kept[0] | {"description": "another"}
    services.discord.commands.replace([*kept, {"name": "ping", "description": "of another program"}])
    fault = await commands()
    assert not fault.good
    assert fault.what == (
        f"Discord has other commands than this bot (missing: /imagine; different: /{kept[0]['name']}; foreign: /ping)"
    )
    assert "atelier sync" in fault.remedy


async def test_services_are_asked_through_proxy(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is named without the password; a name must be known here."""
    monkeypatch.setattr(proxy, "PICTURE_HOST", "localhost")
    async with connect_proxy(1) as connects:
        findings = await services.examine(https_proxy=connects.url, skillboss_api_url="https://api.example")
        reached = f"Discord, providers and pictures are reached by the proxy 127.0.0.1:{connects.port}"
        assert reached in [finding.what for finding in findings]
        assert connects.asked == ["CONNECT api.example:443 HTTP/1.1"]
        assert "s3cret" not in repr(findings)
        monkeypatch.setattr(proxy, "PICTURE_HOST", "no-such-host.invalid")
        fault = await services.fault(https_proxy=connects.url)
        assert fault.what.startswith("this machine cannot look up no-such-host.invalid")


async def test_unreachable_proxy_is_fault(services: FakeServices) -> None:
    fault = await services.fault(https_proxy="http://user:s3cret@127.0.0.1:1")
    assert fault.what == "the proxy 127.0.0.1:1 of HTTPS_PROXY cannot be reached"
    assert "s3cret" not in repr(fault)


async def test_ignored_proxy_variable_is_warning(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
    (warning,) = [each for each in await services.examine() if "PROXY" in each.what]
    assert warning.is_warning
    assert warning.what.startswith("ALL_PROXY without effect")


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("skillboss_wholesale_key", "skillboss does not accept SKILLBOSS_WHOLESALE_KEY"),
        ("reve2img_api_key", "reve2img does not accept REVE2IMG_API_KEY"),
    ],
)
async def test_wrong_key_is_reported(services: FakeServices, setting: str, what: str) -> None:
    """Each provider separately."""
    assert (await services.fault(**{setting: WRONG})).what == what


@pytest.mark.parametrize(
    ("setting", "what", "variable"),
    [
        ("discord_api_url", "Discord cannot be reached (no connection)", "DISCORD_API_URL"),
        ("skillboss_api_url", "skillboss cannot be reached (no connection)", "SKILLBOSS_API_URL"),
        ("reve2img_api_url", "reve2img cannot be reached (no connection)", "REVE2IMG_API_URL"),
    ],
)
async def test_unreachable_server_is_reported_with_variable(
    services: FakeServices, setting: str, what: str, variable: str
) -> None:
    """With the variable of its address."""
    fault = await services.fault(**{setting: "http://127.0.0.1:1"})
    assert fault.what == what
    assert variable in fault.remedy


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (401, "reve2img does not accept REVE2IMG_API_KEY"),
        (402, "the account at reve2img is empty"),
        (503, "reve2img cannot be reached (HTTP 503)"),
    ],
)
@pytest.mark.parametrize("in_envelope", [False, True])
async def test_error_is_read_from_status_and_envelope(
    services: FakeServices, status: int, what: str, *, in_envelope: bool
) -> None:
    services.reve2img.faults.add("status", "status", status=status, in_envelope=in_envelope)
    assert (await services.fault()).what == what


async def test_closed_api_is_reported(services: FakeServices) -> None:
    services.reve2img.faults.add("status", "status", status=400, message="This API was closed")
    assert (await services.fault()).what == "reve2img says that this API is closed or unknown"


async def _show_page(_: web.Request) -> web.Response:
    return web.Response(text="<html>Sign in</html>", content_type="text/html")


async def test_page_instead_of_api_is_reported(services: FakeServices) -> None:
    routes = (web.get("/v1/run/status/{job}", _show_page),)
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=routes)
    port = await server.start()
    fault = await services.fault(skillboss_api_url=f"http://127.0.0.1:{port}")
    await server.stop()
    assert fault.what == "skillboss does not answer as an image API"
    assert "SKILLBOSS_API_URL" in fault.remedy


async def test_server_error_is_no_wrong_key(services: FakeServices) -> None:
    services.skillboss.faults.add("status", "status", status=503)
    assert (await services.fault()).what == "skillboss cannot be reached (HTTP 503)"


async def test_one_provider_key_is_enough(services: FakeServices) -> None:
    """Without any key there is no image API."""
    findings = await services.examine(reve2img_api_key=None)
    assert all(finding.good for finding in findings)
    assert not any("reve2img" in finding.what for finding in findings)
    fault = await services.fault(reve2img_api_key=None, skillboss_wholesale_key=None)
    assert fault.what == "no provider has a key"


async def test_uncreatable_folder_is_reported_with_reason(services: FakeServices, tmp_path: Path) -> None:
    """The database is elsewhere here."""
    (tmp_path / "file").write_text("")
    url = f"sqlite+aiosqlite:///{tmp_path / 'atelier.db'}"
    fault = await services.fault(data_dir=tmp_path / "file" / "data", database_url=url)
    assert fault.what == f"DATA_DIR {tmp_path / 'file' / 'data'} cannot be written: Not a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_unwritable_folder_is_reported_with_reason(services: FakeServices, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    fault = await services.fault(data_dir=locked, database_url=f"sqlite+aiosqlite:///{tmp_path / 'atelier.db'}")
    assert fault.what == f"DATA_DIR {locked} cannot be written: Permission denied"


async def test_unreachable_database_is_reported(services: FakeServices) -> None:
    """Without its password."""
    fault = await services.fault(database_url=f"postgresql+asyncpg://atelier:{WRONG}@127.0.0.1:1/atelier")
    assert fault.what.startswith("the database cannot be used: ")
    assert "DATABASE_URL" in fault.remedy


async def test_missing_database_is_reported(services: FakeServices, postgresql_databases: Databases) -> None:
    """The driver has different words for it."""
    url = await postgresql_databases.create(migrated=False)
    base, _, query = url.partition("?")
    missing = f"{base.rpartition('/')[0]}/nowhere" + (f"?{query}" if query else "")
    fault = await services.fault(database_url=missing)
    assert fault.what == "the database cannot be used: InvalidCatalogNameError"
    assert all(finding.good for finding in await services.examine(database_url=url))
    await postgresql_databases.drop(url)


async def test_webhook_address_is_checked(services: FakeServices) -> None:
    """Without an answer it is a note."""
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing)
    port = await server.start()
    assert (await services.webhook(f"http://127.0.0.1:{port}")) == Finding(
        good=True, what="WEBHOOK_PUBLIC_URL is set and reaches a running bot"
    )
    elsewhere = await services.webhook(f"http://127.0.0.1:{port}/elsewhere")
    assert elsewhere.what == "WEBHOOK_PUBLIC_URL is set, but no bot answers there yet (HTTP 404)"
    await server.stop()
    away = await services.webhook(f"http://127.0.0.1:{port}")
    assert away.what == "WEBHOOK_PUBLIC_URL is set, but no bot answers there yet (no connection)"
    assert away.good
    assert "reverse proxy" in away.remedy


async def _refuse(_: web.Request) -> web.Response:
    raise web.HTTPForbidden


async def test_closed_inputs_of_public_address_are_fault(services: FakeServices) -> None:
    routes = (web.get("/inputs/{token}", _refuse),)
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=routes)
    port = await server.start()
    finding = await services.webhook(f"http://127.0.0.1:{port}")
    await server.stop()
    assert (finding.good, finding.what) == (
        False,
        "WEBHOOK_PUBLIC_URL reaches a running bot, but not its /inputs (HTTP 403)",
    )


async def test_public_address_without_dns_entry_is_fault(services: FakeServices) -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        raise OSError

    settings = load_settings(**(services.variables | {"webhook_public_url": "https://studio.example"}))
    (finding,) = await check_webhook(settings, lookup)
    assert (finding.good, finding.what) == (False, "WEBHOOK_PUBLIC_URL: studio.example cannot be resolved")


async def test_public_address_with_private_dns_entry_is_warning(services: FakeServices) -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        return ["10.0.0.7"]

    changes = {"webhook_public_url": "https://studio.example", "skillboss_api_url": "https://a.example"}
    (finding,) = await check_webhook(load_settings(**(services.variables | changes)), lookup)
    assert finding.is_warning
    assert "studio.example resolves to 10.0.0.7" in finding.what


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "https://127.0.0.1", "https://10.0.0.7", "https://[::1]:8443"]
)
async def test_private_webhook_address_is_fault(services: FakeServices, url: str) -> None:
    """SkillBoss would refuse every job; a local fake accepts it."""
    settings = load_settings(
        **(services.variables | {"webhook_public_url": url, "skillboss_api_url": "https://a.example"})
    )
    (finding,) = await check_webhook(settings)
    assert not finding.good
    assert "SkillBoss refuses every job" in finding.what


async def _nothing_missing() -> list[str]:
    return []


def limit_file_size() -> None:
    """Let no file grow: a full disk for one process, root's too."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


async def test_full_disk_is_reported_for_folder_and_database(services: FakeServices) -> None:
    """A migrated database, so that only the probe writes."""
    environment = {name.upper(): str(value) for name, value in services.variables.items()}
    migrated = await asyncio.to_thread(CliRunner().invoke, app, ["migrate"], env=environment)
    assert migrated.exit_code == 0
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bot", "doctor"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=limit_file_size,
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    faults = [line for line in ran.stdout.splitlines() if line.startswith("fault")]
    assert faults == [
        f"fault DATA_DIR {services.variables['data_dir']} cannot be written: File too large",
        "fault the database cannot be used: OperationalError",
    ]


async def test_read_only_database_is_reported(services: FakeServices, postgresql_databases: Databases) -> None:
    """It can be read, and a start would die at its first write."""
    url = await postgresql_databases.create(migrated=True)
    database = await Database.open(url)
    name = await database.read(lambda connection: connection.execute(text("SELECT current_database()")).scalar())
    await database.write(
        lambda connection: connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    )
    await database.close()
    fault = await services.fault(database_url=url)
    assert fault.what == "the database cannot be used: ReadOnlySQLTransactionError"
    await postgresql_databases.drop(url)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
@pytest.mark.parametrize("place", ["atelier.db", "pictures", "pictures/ab"])
async def test_read_only_data_is_reported(services: FakeServices, tmp_path: Path, place: str) -> None:
    await services.examine()
    (tmp_path / "data" / "pictures" / "ab").mkdir()
    locked = tmp_path / "data" / place
    locked.chmod(0o400 if locked.is_file() else 0o500)
    fault = await services.fault()
    locked.chmod(0o700)
    assert "cannot be" in fault.what


async def test_probe_leaves_nothing_in_database(services: FakeServices, tmp_path: Path) -> None:
    """Before and after the migration."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'atelier.db'}"
    for migrated in (False, True):
        await services.examine()
        database = await Database.open(url)
        tables = await database.read(lambda connection: inspect(connection).get_table_names())
        assert "atelier_doctor" not in tables
        assert ("facts" in tables) is migrated
        if migrated:
            assert await database.read(lambda connection: connection.execute(select(facts.c.name)).all()) == []
        await migrate(database)
        await database.close()


async def test_open_files_are_warnings_with_command(services: FakeServices, tmp_path: Path) -> None:
    """Exit code 0, and 1 with --strict; a closed folder is enough."""
    await services.examine()
    data = tmp_path / "data"
    (tmp_path / ".env").touch(mode=0o644)
    (data / "atelier.db").chmod(0o640)
    assert [each.what for each in await services.examine() if each.is_warning] == [
        f"{tmp_path / '.env'} is open to other users of this machine (mode 0644)"
    ]
    data.chmod(0o755)
    warnings = [each for each in await services.examine() if each.is_warning and not MACHINE.search(each.what)]
    assert [warning.remedy for warning in warnings] == [
        f"Run: chmod 600 {tmp_path / '.env'}",
        f"Run: chmod -R go= {data}",
        f"Run: chmod 600 {data / 'atelier.db'}",
    ]
    assert all(warning.good for warning in warnings)
    environment = {name.upper(): str(value) for name, value in services.variables.items()}
    lenient = await asyncio.to_thread(CliRunner().invoke, app, ["doctor"], env=environment)
    strict = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", "--strict"], env=environment)
    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert f"warn  {tmp_path / '.env'} is open" in lenient.stdout


async def test_taken_port_is_fault_unless_atelier_has_it(services: FakeServices) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        foreign.close()
        server = WebServer(host="127.0.0.1", port=port, ready=_nothing_missing)
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
def test_little_disk_is_warning_then_fault(free: int, good: bool, is_warning: bool) -> None:  # noqa: FBT001
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
    is_warning: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "limit").write_text(limit)
    (tmp_path / "meminfo").write_text("MemTotal:        8000000 kB\nMemFree: 1 kB\n")
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (tmp_path / "missing", tmp_path / "limit"))
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    (finding,) = [finding for finding in await services.examine() if "of memory" in finding.what]
    assert (finding.good, finding.is_warning) == (True, is_warning)


async def test_broken_check_is_finding(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others still run."""

    async def check_nothing(_: Settings) -> list[Finding]:
        raise KeyError(WRONG)

    monkeypatch.setattr("bot.doctor._CHECKS", (check_nothing, check_webhook))
    broken, webhook = await services.examine()
    assert broken.what == "the check check_nothing broke (KeyError)"
    assert webhook.good


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
    findings = await check_picture_hosts(ExplicitSettings(**variables), lookup)
    assert asked == ["cdn.discordapp.com", "assets.skillboss.co", "reve2img.com"]
    if said is None:
        assert [finding.good for finding in findings] == [True]
    else:
        assert [(finding.good, said in finding.what) for finding in findings] == [(False, True)] * 3
        assert all(finding.remedy for finding in findings)


@pytest.mark.parametrize(
    ("free", "limits", "good", "said"),
    [
        (10**12, {}, True, "pictures take 0 of 50,000 MB"),
        (499_000_000, {}, False, "MIN_FREE_DISK_MB"),
        (499_000_000, {"min_free_disk_mb": 0}, True, "pictures take 0"),
        (10**12, {"max_stored_mb": 1}, False, "pictures take 2 of 1 MB"),
    ],
)
async def test_space_for_pictures_is_compared_with_limits(
    tmp_path: Path, free: int, limits: dict[str, Any], *, good: bool, said: str
) -> None:
    settings = ExplicitSettings(data_dir=tmp_path, **limits)
    async with open_database(settings) as database:
        await migrate(database)
        if "max_stored_mb" in limits:
            job = make_job()
            file = ImageFile(sha256="a" * 64, media_type="image/png", width=64, height=64, size=2_000_000)
            image = ResultImage(job_id=job.id, position=0, file=file)
            await database.write(adding(job))
            await database.write(lambda connection: ResultImageRepository(connection).add_all([image], START))
    (finding,) = await check_picture_space(settings, lambda _: free)
    assert finding.good is good
    assert said in finding.what
    assert bool(finding.remedy) is not good

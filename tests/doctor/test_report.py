"""The report of `atelier doctor`."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.command_line import app
from bot.doctor import Finding
from bot.doctor.web import check_webhook
from bot.settings import Settings
from tests.doctor.fake_services import MACHINE, WRONG, FakeServices


async def test_healthy_machine_has_good_findings_only(services: FakeServices, tmp_path: Path) -> None:
    """No remedy, and no job submitted for the check."""
    findings = [each for each in await services.examine() if not MACHINE.search(each.what)]
    assert [re.sub(r"HTTP_HOST:HTTP_PORT \S+", "the port", finding.what) for finding in findings] == [
        f"DATA_DIR {tmp_path / 'data'} and its pictures can be written",
        "the sqlite database can be written (its tables will be brought up to date at the start)",
        "other users of this machine can read neither .env nor the data",
        "the bot's own key will be made at the start",
        "no other process serves this database",
        "the port is free",
        "Discord accepts DISCORD_TOKEN",
        "USER_INSTALL is off, and Discord lets nobody add the application to an account",
        "Discord allows 1000 more logins of the bot today",
        "skillboss accepts SKILLBOSS_WHOLESALE_KEY",
        "reve2img accepts REVE2IMG_API_KEY",
        "models: reve-2.0, nano-banana, nano-banana-pro, seedream-5; the default is nano-banana-pro",
        "reve-2.0 is on, although its maker ended its own service on 2026-08-14: its resellers may still serve it",
        "nano-banana is on, although its maker ended its own service on 2026-10-02: its reseller may still serve it",
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
    assert "fault Discord does not accept DISCORD_TOKEN\n      Copy the token again" in bad.stdout
    assert WRONG not in bad.output


async def test_broken_check_is_finding(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others still run."""

    async def check_nothing(_: Settings) -> list[Finding]:
        raise KeyError(WRONG)

    monkeypatch.setattr("bot.doctor._CHECKS", (check_nothing, check_webhook))
    broken, webhook = await services.examine()
    assert broken.what == "the check check_nothing broke (KeyError)"
    assert webhook.good

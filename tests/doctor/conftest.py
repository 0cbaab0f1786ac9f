"""Running fakes of Discord and the image APIs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import Settings
from sandbox.discord import DiscordServer, default_world
from sandbox.providers import Reve2ImgServer, SkillBossServer
from tests.doctor.fake_services import KEY, TOKEN, FakeServices


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

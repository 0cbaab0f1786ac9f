"""Fakes of a healthy machine, and its settings."""

import re
from dataclasses import dataclass
from typing import Any

from bot.doctor import Finding, examine
from bot.settings import load_settings
from sandbox.discord import DiscordServer
from sandbox.providers import Reve2ImgServer, SkillBossServer

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


async def nothing_missing() -> list[str]:
    """Return no reasons: a ready bot."""
    return []

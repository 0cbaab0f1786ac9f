"""The fakes of all image APIs, and the bot's settings for them."""

import asyncio
import secrets
from pathlib import Path
from typing import Any, Final

from sandbox.clock import StudioClock
from sandbox.providers import (
    BflServer,
    ComfyServer,
    FalServer,
    GeminiServer,
    ImageApiServer,
    Latency,
    OpenAiImagesServer,
    OpenRouterServer,
    Reve2ImgServer,
    SkillBossServer,
)

_WORKFLOWS: Final = Path(__file__).parent.parent / "docs" / "workflows"
SERVER_KEY: Final = "sandbox-server-key"
"""The key of another account at each fake, for a Discord server to enter."""

# The same after a restart, or servers' stored keys could not be read.
_SECRET_KEY: Final = "the-secret-key-of-every-sandbox-known-to-all"  # noqa: S105 - no secret
_USUAL: Final = Latency(queue=1, work=3)


class ImageApis:
    """One fake of each image API, with a random key.

    `servers` has them by the provider's name, in the bot's order of preference. `clock` is the studio's time.
    """

    def __init__(self, clock: StudioClock | None = None) -> None:
        times = clock or StudioClock()
        self._keys: dict[str, str] = {}
        self.skillboss = SkillBossServer(**self._options("skillboss", times))
        self.reve2img = Reve2ImgServer(**self._options("reve2img", times))
        # The bot downloads pictures from this machine only at the addresses in its settings.
        self.fal = FalServer(**self._options("fal", times), media_at_api=True)
        self.bfl = BflServer(**self._options("bfl", times), media_at_api=True)
        self.openai = OpenAiImagesServer(**self._options("openai", times))
        self.openrouter = OpenRouterServer(**self._options("openrouter", times))
        self.gemini = GeminiServer(**self._options("gemini", times))
        self.comfyui = ComfyServer(latency=_USUAL, clock=times.monotonic, wall_clock=times)
        self.servers: dict[str, ImageApiServer] = {
            "skillboss": self.skillboss,
            "reve2img": self.reve2img,
            "fal": self.fal,
            "bfl": self.bfl,
            "openai": self.openai,
            "openrouter": self.openrouter,
            "gemini": self.gemini,
            "comfyui": self.comfyui,
        }
        for server in self.servers.values():
            server.store.varies_repeats = True  # some APIs make one picture a call

    async def start(self) -> None:
        """Start all fakes at the same time."""
        await asyncio.gather(*(server.start() for server in self.servers.values()))

    async def close(self) -> None:
        """Stop all fakes. Calling it twice is allowed."""
        await asyncio.gather(*(server.close() for server in self.servers.values()))

    def environment(self) -> dict[str, str]:
        """Return the bot's keys and addresses.

        The order has the fakes alone: a real key in the environment or in `.env` is never used.
        """
        return {
            "SKILLBOSS_WHOLESALE_KEY": self._keys["skillboss"],
            "SKILLBOSS_API_URL": self.skillboss.url,
            "REVE2IMG_API_KEY": self._keys["reve2img"],
            "REVE2IMG_API_URL": self.reve2img.url,
            "FAL_KEY": self._keys["fal"],
            "FAL_API_URL": self.fal.url,
            "FAL_PLATFORM_URL": self.fal.platform_url,
            "FAL_JWKS_URL": f"{self.fal.platform_url}/.well-known/jwks.json",
            "BFL_API_KEY": self._keys["bfl"],
            "BFL_API_URL": self.bfl.url,
            "OPENAI_API_KEY": self._keys["openai"],
            "OPENAI_API_URL": f"{self.openai.url}/v1",
            "OPENROUTER_API_KEY": self._keys["openrouter"],
            "OPENROUTER_API_URL": f"{self.openrouter.url}/api/v1",
            "GEMINI_API_KEY": self._keys["gemini"],
            "GEMINI_API_URL": f"{self.gemini.url}/v1beta",
            "COMFYUI_URL": self.comfyui.url,
            "COMFYUI_WORKFLOWS": str(_WORKFLOWS),
            "PROVIDER_ORDER": ",".join(self.servers),
            "DEFAULT_MODEL": "reve-2.0",
            "COMMUNITY_KEYS": "on",
            "SECRET_KEY": _SECRET_KEY,
        }

    def _options(self, provider: str, times: StudioClock) -> dict[str, Any]:
        self._keys[provider] = f"sandbox-{secrets.token_urlsafe(16)}"
        return {
            "key": self._keys[provider],
            "other_keys": (SERVER_KEY,),
            "latency": _USUAL,
            "clock": times.monotonic,
            "wall_clock": times,
        }

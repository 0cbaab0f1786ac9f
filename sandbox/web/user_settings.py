"""A user's settings (account app, language), and example posts."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Final

from sandbox.discord import Actor, ClientRefusal, DiscordServer, Post, Upload
from sandbox.discord.encoding import Json
from sandbox.providers.scenes import scene
from sandbox.web.message_parsing import read_text

LANGUAGES: Final = {
    "en-US": "English",
    "de": "Deutsch",
    "es-ES": "Español",
    "fr": "Français",
    "ja": "日本語",
    "pt-BR": "Português do Brasil",
}
_REMOTE_URL: Final = "https://pictures.example/valley.png"
_SIZE: Final = (960, 640)


class UserSettings:
    """Changes the settings of a tab's user."""

    def __init__(self, discord: DiscordServer) -> None:
        self._discord = discord
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {
            "install": self.install,
            "language": self.language,
            "direct_messages": self.direct_messages,
            "example": self.example,
        }

    async def install(self, actor: Actor, body: Json) -> Json:
        """Install the app on the user's account, or remove it."""
        actor.user.has_app = body.get("on") is True
        return {}

    async def direct_messages(self, actor: Actor, body: Json) -> Json:
        """Allow direct messages of the bot, or refuse them."""
        actor.user.takes_direct_messages = body.get("on") is True
        return {}

    async def language(self, actor: Actor, body: Json) -> Json:
        """Set the language of the user's client."""
        language = read_text(body, "language")
        if language not in LANGUAGES:
            raise ClientRefusal("There is no such language here.")
        actor.user.locale = language
        return {}

    async def example(self, actor: Actor, body: Json) -> Json:
        """Post an image here as another app, in an embed or a gallery."""
        channel = self._discord.world.channels[read_text(body, "channel")]
        actor.sees(channel)
        picture = Upload("valley.png", await asyncio.to_thread(_picture))
        match body.get("way"):
            case "embed":
                embed = {"title": "A picture from elsewhere", "image": {"url": _REMOTE_URL}, "color": 0x2D8A4E}
                post = Post(embeds=[embed], copies={_REMOTE_URL: picture}, webhook=True)
            case "gallery":
                gallery = {"type": 12, "items": [{"media": {"url": "attachment://valley.png"}}]}
                text = {"type": 10, "content": "A picture in a gallery"}
                post = Post(components=[{"type": 17, "components": [text, gallery]}], uploads=[picture])
            case _:
                raise ClientRefusal("Another app posts an embed or a gallery.")
        self._discord.post_as("gallery-bot", post, channel=channel)
        return {}


def _picture() -> bytes:
    file = io.BytesIO()
    scene(11, *_SIZE).save(file, "PNG", compress_level=1)
    return file.getvalue()

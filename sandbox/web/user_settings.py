"""What a person is set to beside their doings: the application on their account, their language; and example posts."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Final

from sandbox.discord import Actor, ClientRefusal, DiscordServer, Post, Upload
from sandbox.discord.encoding import Json
from sandbox.providers.scenes import scene
from sandbox.web.message_parsing import text_of

LANGUAGES: Final = {
    "en-US": "English",
    "de": "Deutsch",
    "es-ES": "Español",
    "fr": "Français",
    "ja": "日本語",
    "pt-BR": "Português do Brasil",
}
_ELSEWHERE: Final = "https://pictures.example/valley.png"
_SIZE: Final = (960, 640)


class PersonActions:
    """Carries out what is set in the panel for whoever sits there."""

    def __init__(self, discord: DiscordServer) -> None:
        self._discord = discord
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {
            "install": self.install,
            "language": self.language,
            "example": self.example,
        }

    async def install(self, actor: Actor, body: Json) -> Json:
        """Put the application on the person's account, or take it off."""
        actor.user.has_app = body.get("on") is True
        return {}

    async def language(self, actor: Actor, body: Json) -> Json:
        """Set the language that the person's client is in."""
        language = text_of(body, "language")
        if language not in LANGUAGES:
            raise ClientRefusal("There is no such language here.")
        actor.user.locale = language
        return {}

    async def example(self, actor: Actor, body: Json) -> Json:
        """Have another app post pictures here, in one of the ways in which messages show them."""
        channel = self._discord.world.channels[text_of(body, "channel")]
        actor.sees(channel)
        picture = Upload("valley.png", await asyncio.to_thread(_picture))
        match body.get("way"):
            case "embed":
                embed = {"title": "A picture from elsewhere", "image": {"url": _ELSEWHERE}, "color": 0x2D8A4E}
                post = Post(embeds=[embed], copies={_ELSEWHERE: picture}, webhook=True)
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

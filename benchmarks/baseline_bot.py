"""The baseline bot: answer with a card, submit, poll, edit with the file.

Its cards have as many fields and buttons as the product's. It has no database, ledger, decoding or retries: the least
work of any such bot. It runs as a separate process.
"""

import asyncio
import io
import os
import signal
from typing import Any, Final

import aiohttp
import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket

_HTTP_ERRORS: Final = 400
_ACTIONS: Final = ("Again", "Vary", "Edit", "Upscale", "Share", "More")


class BaselineBot(discord.Client):
    """A bot with one command and no state but the interaction."""

    def __init__(self, api_url: str, key: str, poll_seconds: float) -> None:
        super().__init__(intents=discord.Intents(guilds=True), max_messages=None)
        self._api_url = api_url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._poll_seconds = poll_seconds
        self._tree = app_commands.CommandTree(self)
        self._session: aiohttp.ClientSession | None = None

    async def setup_hook(self) -> None:
        """Register the command."""
        self._session = aiohttp.ClientSession(headers=self._headers, cookie_jar=aiohttp.DummyCookieJar())

        @self._tree.command(name="imagine", description="Make pictures from a prompt")
        async def imagine(interaction: discord.Interaction[Any], prompt: str) -> None:
            await interaction.response.send_message(embed=_card("Waiting", prompt), view=_buttons("Cancel"))
            picture = await self._draw(prompt)
            file = discord.File(io.BytesIO(picture), filename="picture.png")
            card = _card("Done", prompt)
            await interaction.edit_original_response(embed=card, view=_buttons(*_ACTIONS), attachments=[file])

        await self._tree.sync()

    async def close(self) -> None:
        """Close both clients."""
        if self._session is not None:
            await self._session.close()
        await super().close()

    async def _draw(self, prompt: str) -> bytes:
        inputs = {"prompt": prompt, "size": "1024x1024", "n": 1, "output_format": "png"}
        job = await self._json("POST", "/v1/run", {"model": "reve/text-to-image", "async": True, "inputs": inputs})
        while job["status"] != "COMPLETED":
            await asyncio.sleep(self._poll_seconds)
            job = await self._json("GET", f"/v1/run/status/{job['request_id']}")
        assert self._session is not None
        async with self._session.get(job["result"]["generated_images"][0]) as response:
            return await response.read()

    async def _json(self, method: str, path: str, payload: object = None) -> dict[str, Any]:
        assert self._session is not None
        async with self._session.request(method, self._api_url + path, json=payload) as response:
            document: dict[str, Any] = await response.json()
            if response.status >= _HTTP_ERRORS:
                raise RuntimeError(f"{method} {path}: {response.status}")
            return document


def _card(state: str, prompt: str) -> discord.Embed:
    card = discord.Embed(title=state, description=f"> {prompt}", color=0x5865F2)
    for name in ("Model", "Price", "Balance"):
        card.add_field(name=name, value="reve-2.0")
    return card.set_footer(text="usually 20 s")


def _buttons(*labels: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for label in labels:
        view.add_item(discord.ui.Button(label=label, custom_id=f"baseline:{label}"))
    view.stop()  # nobody presses them, and the client must not keep them
    return view


async def main() -> None:
    """Serve until SIGTERM."""
    discord.http.Route.BASE = os.environ["DISCORD_API_URL"]
    client = BaselineBot(
        os.environ["SKILLBOSS_API_URL"],
        os.environ["SKILLBOSS_WHOLESALE_KEY"],
        float(os.environ["POLL_INTERVAL_SECONDS"]),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with client:
        await client.login(os.environ["DISCORD_TOKEN"])
        _, gateway, *_ = await client.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
        serving = asyncio.create_task(client.connect())
        await stop.wait()
        await client.close()
        await asyncio.gather(serving, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())

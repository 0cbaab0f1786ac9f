"""A client of the page's socket, without a browser."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import aiohttp

from sandbox.discord.encoding import Json
from tests.sandbox.discord.fixture_bot import PATIENCE


class RefusedError(Exception):
    """A refusal of the sandbox; `field` is the field concerned."""

    def __init__(self, refused: Json) -> None:
        super().__init__(refused["text"])
        self.field = refused["field"]


class WsClient:
    """One socket. `events` are all events received so far."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, browser: aiohttp.ClientSession, base_url: str) -> None:
        self.events: list[Json] = []
        self.world: Json = {}
        self.channel = ""
        self._socket = socket
        self._browser = browser
        self._base_url = base_url
        self._asked = 0
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._event_received = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def ask(self, what: str, **body: Any) -> Json:
        """Send a request and return its result.

        Raises:
            RefusedError: The sandbox refused it.
        """
        self._asked += 1
        answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"n": self._asked, "do": what, **body})
        async with asyncio.timeout(PATIENCE):
            received = await answer
        if "refused" in received:
            raise RefusedError(received["refused"])
        ok: Json = received["ok"]
        return ok

    async def send_text(self, text: str) -> None:
        """Send a text as it is."""
        await self._socket.send_str(text)

    async def open(self, name: str) -> Json:
        """Open a channel by its name; "direct" is the direct message."""
        channels = [each for guild in self.world["guilds"] for each in guild["channels"]]
        direct = self.world["direct"]
        self.channel = (
            direct["id"] if name == "direct" else next(each["id"] for each in channels if each["name"] == name)
        )
        return await self.ask("open", channel=self.channel)

    async def slash(self, command: str, **options: Any) -> Json:
        """Use a command here and return its settled event."""
        started = await self.ask("slash", channel=self.channel, command=command, options=options)
        return await self.settled(started)

    async def settled(self, started: Json) -> Json:
        """Return the settled event of a started interaction."""
        return await self.wait_for_event(lambda event: event.get("interaction") == started["interaction"])

    async def message(self, matches: Callable[[Json], bool] = lambda _: True) -> Json:
        """Return the view of the first matching message."""
        event = await self.wait_for_event(lambda each: each["event"] == "message" and matches(each["message"]))
        message: Json = event["message"]
        return message

    async def wait_for_event(self, matches: Callable[[Json], bool]) -> Json:
        """Return the first matching event, and wait for it if necessary."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in self.events:
                    if matches(event):
                        return event
                self._event_received.clear()
                await self._event_received.wait()

    async def upload(self, data: bytes, name: str = "a.png") -> str:
        """Upload a file and return its id."""
        async with self._browser.post(
            f"{self._base_url}/sandbox/page/uploads",
            params={"name": name},
            data=io.BytesIO(data),
            headers={"Origin": self._base_url, "Content-Type": "application/octet-stream"},
        ) as answer:
            body = await answer.json()
        if "refused" in body:
            raise RefusedError({"field": None, **body["refused"]})
        upload: str = body["ok"]["upload"]
        return upload

    async def close(self) -> None:
        """Stop listening."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for frame in self._socket:
            received = frame.json()
            if "event" in received:
                self.events.append(received)
                self._event_received.set()
            elif received.get("n") in self._answers:
                self._answers.pop(received["n"]).set_result(received)


class FakeBotProcess:
    """A fake of the bot's process and ledger; it records calls."""

    def __init__(self) -> None:
        self.alive = True
        self.asked: list[object] = []
        self.fails: Exception | None = None

    async def start_bot(self) -> None:
        """Start, or raise `fails`."""
        self.asked.append("start")
        if self.fails is not None:
            raise self.fails
        self.alive = True

    async def stop_bot(self) -> None:
        """Stop."""
        self.asked.append("stop")
        self.alive = False

    async def kill_bot(self) -> None:
        """Die."""
        self.asked.append("kill")
        self.alive = False

    async def ledger(self, guild: int, member: int) -> Json:
        """Return a ledger and record its guild and member."""
        self.asked.append((guild, member))
        return {"account": {"allowance": 188, "granted": 0, "held": 12}, "movements": [], "jobs": []}


def plain_text(nodes: list[Any]) -> str:
    """Return the plain text of a tree."""
    parts = [node if isinstance(node, str) else node.get("v", "") + plain_text(node.get("c", [])) for node in nodes]
    return "".join(parts)

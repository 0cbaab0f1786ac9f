"""The page's routes, its sockets, and what they are told when something changes."""

import asyncio
import contextlib
import json
import mimetypes
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import WSMsgType, web

from sandbox.discord import ClientRefusal, DiscordServer, Message, Upload
from sandbox.discord.encoding import Json
from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT
from sandbox.discord.messages import MessageEvent
from sandbox.discord.permissions import Permission
from sandbox.providers import ImageApiServer
from sandbox.web.bot_process import BotProcess, Ledger
from sandbox.web.fault_injection import Sabotage
from sandbox.web.guard import Guard, refused
from sandbox.web.message_parsing import parsed
from sandbox.web.panel import Panel
from sandbox.web.session import Seat
from sandbox.web.uploads import Uploads
from sandbox.web.user_actions import Doings, done
from sandbox.web.user_settings import LANGUAGES, PersonActions
from sandbox.web.views import MEDIA, Views

_STATIC: Final = Path(__file__).parent / "static"
_LARGEST_FRAME: Final = 1024 * 1024
_LOOK_SECONDS: Final = 0.4
_HEARTBEAT_SECONDS: Final = 20.0
_FIRST_PERSON: Final = "member"


class Page:
    """Mounts on a stand-in for Discord before it starts. `bot` None: nobody here can start or kill it."""

    def __init__(
        self,
        discord: DiscordServer,
        *,
        providers: Mapping[str, ImageApiServer] | None = None,
        bot: BotProcess | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._discord = discord
        self._guard = Guard()
        self._views = Views(discord.world)
        self._uploads = Uploads()
        self._doings = Doings(discord, self._views, self._uploads)
        self._panel = Panel(discord, Sabotage(discord, providers or {}), bot, ledger)
        self._person = PersonActions(discord)
        self._seats: set[Seat] = set()
        self._told: Json = {}

    @property
    def url(self) -> str:
        """The address to open, with the token that lets a browser in."""
        return f"{self._discord.base_url}/?token={self._guard.token}"

    def mount(self) -> None:
        """Add the routes to the stand-in."""
        app, guarded = self._discord.app, self._guard.guarded
        files = {each.name: each for each in _STATIC.iterdir() if each.suffix in (".js", ".css", ".svg", ".html")}

        async def static(request: web.Request) -> web.StreamResponse:
            file = files.get(request.match_info["name"])
            if file is None:
                raise web.HTTPNotFound
            return _sent(await asyncio.to_thread(file.read_bytes), file.name)

        async def index(request: web.Request) -> web.StreamResponse:
            response = _sent(await asyncio.to_thread(files["index.html"].read_bytes), "index.html")
            self._guard.greet(request, response)
            return response

        app.router.add_get("/", guarded(index))
        app.router.add_get("/sandbox/page/static/{name}", guarded(static))
        app.router.add_get("/sandbox/page/socket", guarded(self._serve, acts=True))
        app.router.add_post("/sandbox/page/uploads", guarded(self._upload, acts=True))
        app.router.add_get(MEDIA + "/{id:\\d+}/{name}", guarded(self._media))
        app.cleanup_ctx.append(self._running)

    async def _running(self, _: web.Application) -> AsyncIterator[None]:
        unsubscribe = self._discord.subscribe(self._heard)
        looking = [asyncio.create_task(self._look()), asyncio.create_task(self._watch_commands())]
        yield
        unsubscribe()
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await self._panel.close()
        await self._doings.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one browser tab's socket."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_LARGEST_FRAME)
        await socket.prepare(request)
        seat = Seat(socket, self._discord.actor(_FIRST_PERSON))
        self._seats.add(seat)
        working: set[asyncio.Task[None]] = set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    # Each request is its own task: completing an option waits for the bot, and nothing else should.
                    task = asyncio.create_task(self._answer(seat, message.data))
                    working.add(task)
                    task.add_done_callback(working.discard)
        finally:
            self._seats.discard(seat)
            for task in working:
                task.cancel()
            await seat.close()
        return socket

    async def _answer(self, seat: Seat, text: str) -> None:
        try:
            body = parsed(text)
        except ClientRefusal as refusal:
            seat.tell({"refused": {"text": str(refusal), "field": None}})
            return
        answer = await done(self._work(seat, body))
        seat.tell({"n": body.get("n"), **answer})

    async def _work(self, seat: Seat, body: Json) -> Json:
        name = body.get("do")
        if name == "be":
            return self._become(seat, body)
        try:
            if isinstance(name, str) and name in self._doings.actions:
                answer = await self._doings.actions[name](seat.actor, body, seat.tell)
            elif isinstance(name, str) and name in self._panel.actions:
                answer = await self._panel.actions[name](seat.actor, body)
                self._tell_panel()
            elif isinstance(name, str) and name in self._person.actions:
                answer = await self._person.actions[name](seat.actor, body)
            else:
                raise ClientRefusal("There is no such action.")
        except (KeyError, ValueError):
            raise ClientRefusal("There is no such thing.") from None
        if name == "dismiss":
            self._gone(str(body["message"]))
        return answer

    def _become(self, seat: Seat, body: Json) -> Json:
        """Let the tab be another person, and show what that person has."""
        people = [each for each in self._discord.world.users.values() if not each.bot]
        wanted = body.get("who")
        user = next((each for each in people if wanted in (each.id, each.name)), None)
        if user is None:
            raise ClientRefusal("There is no such person.")
        seat.actor = self._discord.actor(user.id)
        return {
            **self._views.world(user),
            "could_be": [self._views.person(each) for each in people],
            "languages": LANGUAGES,
            "panel": self._panel.state(),
            "table": self._panel.sabotage.table(),
            "has_process": self._panel.has_process,
            "has_ledger": self._panel.has_ledger,
        }

    def _heard(self, event: MessageEvent, message: Message) -> None:
        if event == "delete":
            self._gone(message.id)
            return
        self._doings.label(message)
        channel = self._discord.world.channels[message.channel_id]
        encoded: str | None = None
        for seat in self._seats:
            person = seat.actor.user.id
            seen = self._discord.world.may(person, channel, Permission.VIEW_CHANNEL)
            if seen and self._doings.shows(message, person):
                encoded = encoded or json.dumps({"event": "message", "message": self._views.message(message)})
                seat.tell_text(encoded)

    def _gone(self, message_id: str) -> None:
        message = self._discord.world.message(message_id)
        for seat in self._seats:
            if not self._doings.shows(message, seat.actor.user.id):
                seat.tell({"event": "gone", "message": message.id, "channel": message.channel_id})

    async def _look(self) -> None:
        """Tell the tabs when the bot's state or what is broken has changed; faults spend themselves without a word."""
        while True:
            self._tell_panel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._discord.gateway.changed.wait()

    def _tell_panel(self) -> None:
        state = self._panel.state()
        if state != self._told:
            self._told = state
            for seat in self._seats:
                seat.tell({"event": "panel", "panel": state})

    async def _watch_commands(self) -> None:
        while True:
            await self._discord.commands.changed.wait()
            for seat in self._seats:
                seat.tell({"event": "commands"})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """Take one file, as the body of the request."""
        largest = max([DEFAULT_UPLOAD_LIMIT, *(guild.upload_limit for guild in self._discord.world.guilds.values())])
        too_large = (request.content_length or 0) > largest
        data = b"" if too_large else await request.read()
        if too_large or len(data) > largest:
            words = f"Your file is too large: the limit is {largest // (1024 * 1024)} MB."
            return refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        name = request.query.get("name", "")[:260] or "unknown"
        known = request.headers.get("Content-Type")
        upload = Upload(name, data, known if known != "application/octet-stream" else None)
        return web.json_response({"ok": {"upload": self._uploads.keep(upload), "name": name, "size": len(data)}})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        """Show a file of a message: as it is if it is a picture or a film, else only to be downloaded."""
        attachment = self._discord.cdn.find(request.match_info["id"])
        if attachment is None:
            raise web.HTTPNotFound
        return self._discord.cdn.sent(attachment)


def _sent(content: bytes, name: str) -> web.Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return web.Response(body=content, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})

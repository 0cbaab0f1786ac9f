"""The page's routes, its sockets, and the events to them."""

import asyncio
import contextlib
import json
import mimetypes
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import WSMsgType, web

from sandbox.clock import StudioClock
from sandbox.discord import ClientRefusal, DiscordServer, Message, Upload
from sandbox.discord.encoding import Json
from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT
from sandbox.discord.messages import MessageEvent
from sandbox.discord.permissions import Permission
from sandbox.providers import ImageApiServer
from sandbox.web.bot_process import BotProcess, Ledger
from sandbox.web.fault_injection import FaultInjector
from sandbox.web.guard import Guard, refusal_response
from sandbox.web.message_parsing import parse_request
from sandbox.web.panel import Panel
from sandbox.web.session import Session
from sandbox.web.uploads import Uploads
from sandbox.web.user_actions import UserActions, respond
from sandbox.web.user_settings import LANGUAGES, UserSettings
from sandbox.web.views import MEDIA, Views

_STATIC: Final = Path(__file__).parent / "static"
_MAX_FRAME_BYTES: Final = 1024 * 1024
_WATCH_SECONDS: Final = 0.4
_HEARTBEAT_SECONDS: Final = 20.0
_DEFAULT_USER: Final = "member"


class Page:
    """The page on a fake Discord; mount it before the server starts.

    If `bot` is None, the page cannot start or kill the bot; without `clock`, it cannot move the time. A `token` of an
    earlier page lets its tabs go on.
    """

    def __init__(
        self,
        discord: DiscordServer,
        *,
        providers: Mapping[str, ImageApiServer] | None = None,
        bot: BotProcess | None = None,
        ledger: Ledger | None = None,
        clock: StudioClock | None = None,
        token: str | None = None,
    ) -> None:
        self._discord = discord
        self._guard = Guard(token)
        self._views = Views(discord.world)
        self._uploads = Uploads()
        self._user_actions = UserActions(discord, self._views, self._uploads)
        self._panel = Panel(discord, FaultInjector(discord, providers or {}), bot, ledger, clock)
        self._user_settings = UserSettings(discord)
        self._sessions: set[Session] = set()
        self._last_panel: Json = {}

    @property
    def token(self) -> str:
        """The secret in the address."""
        return self._guard.token

    @property
    def url(self) -> str:
        """The address to open, with the token."""
        return f"{self._discord.base_url}/?token={self._guard.token}"

    def mount(self) -> None:
        """Add the routes to the fake Discord."""
        app, protect = self._discord.app, self._guard.protect
        files = {each.name: each for each in _STATIC.iterdir() if each.suffix in (".js", ".css", ".svg", ".html")}

        async def static(request: web.Request) -> web.StreamResponse:
            file = files.get(request.match_info["name"])
            if file is None:
                raise web.HTTPNotFound
            return _file_response(await asyncio.to_thread(file.read_bytes), file.name)

        async def index(request: web.Request) -> web.StreamResponse:
            response = _file_response(await asyncio.to_thread(files["index.html"].read_bytes), "index.html")
            self._guard.set_cookie(request, response)
            return response

        app.router.add_get("/", protect(index))
        app.router.add_get("/sandbox/page/static/{name}", protect(static))
        app.router.add_get("/sandbox/page/socket", protect(self._serve, acts=True))
        app.router.add_post("/sandbox/page/uploads", protect(self._upload, acts=True))
        app.router.add_get(MEDIA + "/{id:\\d+}/{name}", protect(self._media))
        app.cleanup_ctx.append(self._running)

    async def _running(self, _: web.Application) -> AsyncIterator[None]:
        unsubscribe = self._discord.subscribe(self._on_message)
        watching = (self._watch_panel, self._watch_commands, self._watch_guilds)
        looking = [asyncio.create_task(watch()) for watch in watching]
        yield
        unsubscribe()
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await self._panel.close()
        await self._user_actions.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one browser tab's socket."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MAX_FRAME_BYTES)
        await socket.prepare(request)
        session = Session(socket, self._discord.actor(_DEFAULT_USER))
        self._sessions.add(session)
        working: set[asyncio.Task[None]] = set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    # One task per request: completing an option waits for the bot, and other requests must not.
                    task = asyncio.create_task(self._answer(session, message.data))
                    working.add(task)
                    task.add_done_callback(working.discard)
        finally:
            self._sessions.discard(session)
            for task in working:
                task.cancel()
            await session.close()
        return socket

    async def _answer(self, session: Session, text: str) -> None:
        try:
            body = parse_request(text)
        except ClientRefusal as refusal:
            session.send({"refused": {"text": str(refusal), "field": None}})
            return
        answer = await respond(self._work(session, body))
        session.send({"n": body.get("n"), **answer})

    async def _work(self, session: Session, body: Json) -> Json:
        name = body.get("do")
        if name == "be":
            return self._become(session, body)
        try:
            if isinstance(name, str) and name in self._user_actions.actions:
                answer = await self._user_actions.actions[name](session.actor, body, session.send)
            elif isinstance(name, str) and name in self._panel.actions:
                answer = await self._panel.actions[name](session.actor, body)
                self._send_panel()
            elif isinstance(name, str) and name in self._user_settings.actions:
                answer = await self._user_settings.actions[name](session.actor, body)
            else:
                raise ClientRefusal("There is no such action.")
        except (KeyError, ValueError):
            raise ClientRefusal("There is no such thing.") from None
        if name == "dismiss":
            self._send_gone(str(body["message"]))
        return answer

    def _become(self, session: Session, body: Json) -> Json:
        """Switch the tab to another user, and return this user's view."""
        people = [each for each in self._discord.world.users.values() if not each.bot]
        wanted = body.get("who")
        user = next((each for each in people if wanted in (each.id, each.name)), None)
        if user is None:
            raise ClientRefusal("There is no such person.")
        session.actor = self._discord.actor(user.id)
        return {
            **self._views.world(user),
            "could_be": [self._views.person(each) for each in people],
            "languages": LANGUAGES,
            "panel": self._panel.state(),
            "table": self._panel.faults.table(),
            "services": self._panel.faults.services(),
            "has_process": self._panel.has_process,
            "has_ledger": self._panel.has_ledger,
            "zones": self._panel.zones,
        }

    def _on_message(self, event: MessageEvent, message: Message) -> None:
        if event == "delete":
            self._send_gone(message.id)
            return
        self._user_actions.label(message)
        channel = self._discord.world.channels[message.channel_id]
        encoded: str | None = None
        for session in self._sessions:
            person = session.actor.user.id
            seen = self._discord.world.may(person, channel, Permission.VIEW_CHANNEL)
            if seen and self._user_actions.shows(message, person):
                encoded = encoded or json.dumps({"event": "message", "message": self._views.message(message)})
                session.send_text(encoded)

    def _send_gone(self, message_id: str) -> None:
        message = self._discord.world.message(message_id)
        for session in self._sessions:
            if not self._user_actions.shows(message, session.actor.user.id):
                session.send({"event": "gone", "message": message.id, "channel": message.channel_id})

    async def _watch_panel(self) -> None:
        """Send the panel's state to all tabs whenever it changes.

        It polls because faults run out without an event.
        """
        while True:
            self._send_panel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_SECONDS):
                    await self._discord.gateway.changed.wait()

    def _send_panel(self) -> None:
        state = self._panel.state()
        if state != self._last_panel:
            self._last_panel = state
            for session in self._sessions:
                session.send({"event": "panel", "panel": state})

    async def _watch_commands(self) -> None:
        while True:
            await self._discord.commands.changed.wait()
            for session in self._sessions:
                session.send({"event": "commands"})

    async def _watch_guilds(self) -> None:
        while True:
            await self._discord.guilds_changed.wait()
            for session in self._sessions:
                session.send({"event": "world", "world": self._views.world(session.actor.user)})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """Store one file, sent as the request's body."""
        largest = max([DEFAULT_UPLOAD_LIMIT, *(guild.upload_limit for guild in self._discord.world.guilds.values())])
        too_large = (request.content_length or 0) > largest
        data = b"" if too_large else await request.read()
        if too_large or len(data) > largest:
            words = f"Your file is too large: the limit is {largest // (1024 * 1024)} MB."
            return refusal_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        name = request.query.get("name", "")[:260] or "unknown"
        known = request.headers.get("Content-Type")
        upload = Upload(name, data, known if known != "application/octet-stream" else None)
        return web.json_response({"ok": {"upload": self._uploads.keep(upload), "name": name, "size": len(data)}})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        """Send a message's file: images and videos inline, others as a download."""
        attachment = self._discord.cdn.find(request.match_info["id"])
        if attachment is None:
            raise web.HTTPNotFound
        return self._discord.cdn.sent(attachment)


def _file_response(content: bytes, name: str) -> web.Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return web.Response(body=content, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})

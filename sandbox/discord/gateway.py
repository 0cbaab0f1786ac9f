"""The gateway: the bot's websocket sessions, their events, and resuming."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.discord.encoding import Json
from sandbox.discord.mentions import CONTENT_INTENT
from sandbox.discord.notifier import Notifier
from sandbox.discord.payloads import application_payload, guild_create_payload, member_payload, own_user_payload
from sandbox.discord.state import World

HEARTBEAT_INTERVAL = 41.25
"""Seconds between heartbeats, as the real gateway asks for."""

ACKNOWLEDGE_SECONDS = 0.02
"""Seconds until a heartbeat is acknowledged: about as long as the way to the real gateway and back."""

CLOSE_TIMEOUT = 2.0
"""Seconds to wait for a client that does not listen when it is hung up on."""

REMEMBERED_EVENTS = 5000

GUILDS_INTENT = 1 << 0
MEMBERS_INTENT = 1 << 1
PRESENCES_INTENT = 1 << 8
GUILD_MESSAGES_INTENT = 1 << 9
GUILD_REACTIONS_INTENT = 1 << 10
DIRECT_MESSAGES_INTENT = 1 << 12
DIRECT_REACTIONS_INTENT = 1 << 13
AUTOMOD_RULES_INTENT = 1 << 20
PRIVILEGED_INTENTS = MEMBERS_INTENT | PRESENCES_INTENT | CONTENT_INTENT


class Op(IntEnum):
    """Gateway opcodes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE = 3
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class CloseCode(IntEnum):
    """Why the gateway hangs up."""

    GOING_AWAY = 1001
    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQUENCE = 4007
    INVALID_SHARD = 4010
    DISALLOWED_INTENTS = 4014


_CLEAN = (1000, 1001)
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class Hangup(Exception):  # noqa: N818 - not an error of this program
    """Ends a connection with a close code."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code)
        self.code = code


class Connection:
    """One websocket; messages are sent in order, without waiting for them."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def send(self, op: Op, data: Any = None) -> None:
        """Send a message other than an event."""
        self.send_text(json.dumps({"op": int(op), "d": data, "s": None, "t": None}))

    def send_text(self, text: str) -> None:
        """Send an already encoded message."""
        self._queue.put_nowait(text)

    async def _write(self) -> None:
        while (text := await self._queue.get()) is not None:
            try:
                await self.socket.send_str(text)
            except ConnectionError:
                return

    def stop(self) -> None:
        """Send the waiting messages and none after them."""
        self._queue.put_nowait(None)

    async def close(self, code: int) -> None:
        """Send the waiting messages, then close."""
        self.stop()
        await asyncio.wait({self._writer}, timeout=CLOSE_TIMEOUT)
        await self.socket.close(code=code)


@dataclass(slots=True, kw_only=True)
class Session:
    """The gateway's memory of one shard, connected or not."""

    id: str
    shard: tuple[int, int]
    intents: int
    sequence: int = 0
    events: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED_EVENTS))
    connection: Connection | None = None

    def dispatch(self, event: str, data: Any) -> None:
        """Send an event if somebody listens, and keep it, numbered, for a resume."""
        self.sequence += 1
        text = json.dumps({"op": 0, "d": data, "s": self.sequence, "t": event}, separators=(",", ":"))
        self.events.append((self.sequence, text))
        if self.connection is not None:
            self.connection.send_text(text)

    def covers(self, guild_id: str | None) -> bool:
        """Return True if this shard serves a guild.

        Shard 0 serves direct messages.
        """
        number, count = self.shard
        return number == (0 if guild_id is None else (int(guild_id) >> 22) % count)


@dataclass(frozen=True, slots=True)
class Handshake:
    """An IDENTIFY or a RESUME: its time (Unix seconds), kind, shard and count."""

    at: float
    kind: str
    shard: tuple[int, int]


class Gateway:
    """All sessions of the bot."""

    def __init__(self, world: World, *, url: Callable[[], str], heartbeat_interval: float = HEARTBEAT_INTERVAL) -> None:
        self._world = world
        self._url = url
        self._heartbeat_interval = heartbeat_interval
        self._connections: set[Connection] = set()
        self.sessions: dict[str, Session] = {}
        self.handshakes: list[Handshake] = []
        self.changed = Notifier()

    @property
    def connected(self) -> list[Session]:
        """The connected sessions."""
        return [session for session in self.sessions.values() if session.connection is not None]

    @property
    def identifies(self) -> int:
        """The number of sessions begun so far."""
        return sum(each.kind == "identify" for each in self.handshakes)

    def dispatch(self, event: str, data: Any, *, guild_id: str | None = None, intent: int = 0) -> bool:
        """Send an event to its shard, if the intent was requested.

        Return True if a session receives it.
        """
        listeners = [
            each for each in self.sessions.values() if each.covers(guild_id) and each.intents & intent == intent
        ]
        for session in listeners:
            session.dispatch(event, data)
        return bool(listeners)

    async def drop(self, code: int = CloseCode.UNKNOWN_ERROR) -> None:
        """Hang up on everybody; the sessions can be resumed."""
        for connection in list(self._connections):
            await connection.close(code)

    def send_raw(self, text: str) -> None:
        """Send any text to everybody, even without JSON."""
        for connection in self._connections:
            connection.send_text(text)

    def ask_reconnect(self) -> None:
        """Ask everybody to come back (opcode 7)."""
        for connection in self._connections:
            connection.send(Op.RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Declare every session invalid (opcode 9)."""
        for session in list(self.sessions.values()):
            if session.connection is not None:
                session.connection.send(Op.INVALID_SESSION, resumable)
            if not resumable:
                del self.sessions[session.id]

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Hold one connection for as long as it lasts."""
        socket = web.WebSocketResponse(compress=False, timeout=CLOSE_TIMEOUT)
        await socket.prepare(request)
        connection = Connection(socket)
        self._connections.add(connection)
        session: Session | None = None
        connection.send(Op.HELLO, {"heartbeat_interval": int(self._heartbeat_interval * 1000), "_trace": []})
        code: int | None = None
        try:
            while (message := await socket.receive()).type not in _ENDS:
                if message.type is WSMsgType.TEXT:
                    session = self._received(connection, session, message.data)
            if message.type is WSMsgType.CLOSE:
                code = message.data
        except Hangup as hangup:
            await connection.close(hangup.code)
        finally:
            self._connections.discard(connection)
            connection.stop()
            self._left(connection, session, code)
        return socket

    def _left(self, connection: Connection, session: Session | None, code: int | None) -> None:
        """Release an ended connection.

        A bot that closes with a goodbye (`code`) ends its session.
        """
        if session is not None and session.connection is connection:
            session.connection = None
            if code in _CLEAN:
                self.sessions.pop(session.id, None)
        self.changed.notify()

    def _received(self, connection: Connection, session: Session | None, text: str) -> Session | None:
        try:
            message = json.loads(text)
            op, data = Op(message["op"]), message.get("d")
        except (KeyError, TypeError, json.JSONDecodeError):
            raise Hangup(CloseCode.DECODE_ERROR) from None
        except ValueError:
            raise Hangup(CloseCode.UNKNOWN_OPCODE) from None
        if op is Op.HEARTBEAT:
            # An answer at once would overtake discord.py's note of having asked, and be logged as a minute's delay.
            asyncio.get_running_loop().call_later(ACKNOWLEDGE_SECONDS, connection.send, Op.HEARTBEAT_ACK)
        elif op in (Op.IDENTIFY, Op.RESUME):
            if session is not None and session.connection is connection:
                raise Hangup(CloseCode.ALREADY_AUTHENTICATED)
            return self._identify(connection, data) if op is Op.IDENTIFY else self._resume(connection, data)
        elif session is None:
            raise Hangup(CloseCode.NOT_AUTHENTICATED)
        elif op is Op.REQUEST_MEMBERS:
            self._send_members(session, data)
        return session

    def _identify(self, connection: Connection, data: Json) -> Session:
        if data.get("token") != self._world.application.token:
            raise Hangup(CloseCode.AUTHENTICATION_FAILED)
        number, count = data.get("shard") or (0, 1)
        if not 0 <= number < count:
            raise Hangup(CloseCode.INVALID_SHARD)
        intents = data["intents"]
        if intents & PRIVILEGED_INTENTS & ~self._world.application.privileged_intents:
            raise Hangup(CloseCode.DISALLOWED_INTENTS)
        # A new start of a shard means that its old session will not come back.
        for old in list(self.sessions.values()):
            if old.connection is None and old.shard == (number, count):
                del self.sessions[old.id]
        session = Session(id=secrets.token_hex(16), shard=(number, count), intents=intents, connection=connection)
        self.sessions[session.id] = session
        self._greet(session)
        self._shook_hands("identify", session)
        return session

    def _greet(self, session: Session) -> None:
        joined = [guild for guild in self._world.guilds.values() if self._world.bot.id in guild.members]
        guilds = [guild for guild in joined if session.covers(guild.id)]
        application = application_payload(self._world.application, self._world)
        ready: Json = {
            "v": 10,
            "user": own_user_payload(self._world.bot),
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self._url(),
            "shard": list(session.shard),
            "application": {"id": application["id"], "flags": application["flags"]},
            "private_channels": [],
            "session_type": "normal",
        }
        session.dispatch("READY", ready)
        if session.intents & GUILDS_INTENT:
            everyone = bool(session.intents & MEMBERS_INTENT)
            for guild in guilds:
                session.dispatch("GUILD_CREATE", guild_create_payload(guild, self._world, all_members=everyone))

    def _resume(self, connection: Connection, data: Json) -> Session | None:
        if data.get("token") != self._world.application.token:
            raise Hangup(CloseCode.AUTHENTICATION_FAILED)
        session = self.sessions.get(data.get("session_id", ""))
        last = data.get("seq") or 0
        if session is None or (session.events and session.events[0][0] > last + 1):
            connection.send(Op.INVALID_SESSION, data=False)
            return None
        if last > session.sequence:
            raise Hangup(CloseCode.INVALID_SEQUENCE)
        session.connection = connection
        for number, text in session.events:
            if number > last:
                connection.send_text(text)
        session.dispatch("RESUMED", {"_trace": []})
        self._shook_hands("resume", session)
        return session

    def _shook_hands(self, kind: str, session: Session) -> None:
        self.handshakes.append(Handshake(self._world.now(), kind, session.shard))
        self.changed.notify()

    def _send_members(self, session: Session, data: Json) -> None:
        guild = self._world.guilds.get(str(data.get("guild_id")))
        if guild is None:
            return
        wanted = data.get("user_ids")
        wanted = [str(wanted)] if isinstance(wanted, (int, str)) else wanted and [str(each) for each in wanted]
        start = data.get("query") or ""
        found = [
            member_payload(member, self._world)
            for member in guild.members.values()
            if (member.user_id in wanted if wanted else self._world.users[member.user_id].name.startswith(start))
        ]
        chunk: Json = {"guild_id": guild.id, "members": found, "chunk_index": 0, "chunk_count": 1, "not_found": []}
        if data.get("nonce") is not None:
            chunk["nonce"] = data["nonce"]
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)

"""Progress of running prompts, from ComfyUI's websocket.

The status of a job never depends on it: without the connection there is only no percentage.
"""

import asyncio
import contextlib
import json
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

import aiohttp
import httpx
import structlog

_log = structlog.get_logger(__name__)

PAUSES: Final = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before each new try to connect; the last one repeats."""

_MAX_WATCHED: Final = 1000
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_MAX_TEXT: Final = 256 * 1024
_CONNECT_SECONDS: Final = 10.0
_HEARTBEAT_SECONDS: Final = 30.0
_ALMOST: Final = 99
_MOST_STEPS: Final = 1_000_000_000


@dataclass(slots=True, eq=False)
class _Watched:
    """Progress of one prompt; `nodes` are all of its graph."""

    nodes: frozenset[str]
    done: set[str] = field(default_factory=set)
    shares: dict[str, float] = field(default_factory=dict)
    current: str | None = None
    percent: int | None = None

    def finish(self, nodes: Iterable[Any]) -> None:
        """Note finished nodes."""
        self.done.update(node for node in nodes if isinstance(node, str) and node in self.nodes)
        self._update()

    def begin(self, node: object) -> None:
        """Note the node at work: the one before it is finished."""
        if self.current is not None and self.current != node:
            self.done.add(self.current)
        self.current = node if isinstance(node, str) and node in self.nodes else None
        self._update()

    def advance(self, node: object, value: object, most: object) -> None:
        """Note the steps of a node."""
        if not isinstance(node, str) or node not in self.nodes:
            return
        if _is_number(value) and _is_number(most) and most > 0 and 0 <= value <= most:
            self.shares[node] = value / most
            self._update()

    def _update(self) -> None:
        """Count the nodes; the percentage never falls."""
        begun = sum(share for node, share in self.shares.items() if node not in self.done)
        percent = int(100 * (len(self.done) + begun) / len(self.nodes)) if self.nodes else 0
        self.percent = min(_ALMOST, max(self.percent or 0, percent))


class Progress:
    """Listens to the events of this client's prompts.

    It connects with the first prompt and again after a loss. `headers` have the key, if any; they go to `url` alone.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, pauses: Sequence[float] = PAUSES) -> None:
        self.client_id = uuid.uuid4().hex
        self._url = f"{url}/ws"
        self._headers = headers
        self._pauses = pauses
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, prompt_id: str, nodes: Iterable[str]) -> None:
        """Follow a prompt from now on."""
        self._watched[prompt_id] = _Watched(frozenset(nodes))
        if len(self._watched) > _MAX_WATCHED:
            self._watched.popitem(last=False)
        self._wanted.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen(), context=Context())  # it serves all jobs

    def percent(self, prompt_id: str) -> int | None:
        """Return the percentage of a prompt, or None if unknown."""
        watched = self._watched.get(prompt_id)
        return None if watched is None else watched.percent

    def forget(self, prompt_id: str) -> None:
        """Forget an ended prompt."""
        self._watched.pop(prompt_id, None)
        if not self._watched:
            self._wanted.clear()

    async def close(self) -> None:
        """Close the connection. Calling it twice is allowed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def record(self, text: str) -> None:
        """Record one event; other texts are ignored."""
        if len(text) > _MAX_TEXT:
            return
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            return
        data = event.get("data") if isinstance(event, dict) else None
        prompt_id = data.get("prompt_id") if isinstance(data, dict) else None
        watched = self._watched.get(prompt_id) if isinstance(prompt_id, str) else None
        if watched is not None and isinstance(data, dict):
            _apply(watched, event.get("type"), data)

    async def _listen(self) -> None:
        failures = 0
        verify = httpx.create_ssl_context(trust_env=False) if self._url.startswith("https:") else True
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse_redirect)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=verify), headers=self._headers, trust_env=False, trace_configs=[trace]
        ) as session:
            while True:
                await self._wanted.wait()
                try:
                    async with asyncio.timeout(_CONNECT_SECONDS):
                        socket = await session.ws_connect(
                            self._url,
                            params={"clientId": self.client_id},
                            heartbeat=_HEARTBEAT_SECONDS,
                            max_msg_size=_MAX_MESSAGE_BYTES,
                            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                        )
                    async with socket:
                        async for message in socket:
                            failures = 0
                            if message.type is aiohttp.WSMsgType.TEXT:  # binary ones are previews
                                self.record(message.data)
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    _log.debug("comfyui.no_websocket", error=type(error).__name__)
                pause = self._pauses[min(failures, len(self._pauses) - 1)]
                failures += 1
                await asyncio.sleep(pause)


def _is_number(value: object) -> TypeGuard[float]:
    """Return True for a number of steps: neither infinite nor huge."""
    return isinstance(value, int | float) and abs(value) <= _MOST_STEPS


async def _refuse_redirect(*_: object) -> None:
    """Raise: the key and our requests go to the configured host alone."""
    raise aiohttp.ClientConnectionError("redirect")


def _apply(watched: _Watched, kind: object, data: Mapping[str, Any]) -> None:
    match kind:
        case "execution_cached":
            nodes = data.get("nodes")
            watched.finish(nodes if isinstance(nodes, list) else ())
        case "executing":
            watched.begin(data.get("node"))
        case "progress":
            watched.advance(data.get("node"), data.get("value"), data.get("max"))
        case "progress_state":
            states = data.get("nodes")
            for node, state in states.items() if isinstance(states, dict) else ():
                if isinstance(state, dict) and state.get("state") == "running":
                    watched.advance(node, state.get("value"), state.get("max"))
                elif isinstance(state, dict) and state.get("state") == "finished":
                    watched.finish((node,))
        case "executed":
            watched.finish((data.get("node"),))

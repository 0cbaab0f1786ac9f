"""The stand-in's CDN: serves a job's pictures, drawn when they are first asked for, and the ways in which it fails."""

import asyncio
import contextlib
from functools import lru_cache
from typing import Final

from aiohttp import web

from sandbox.providers.faults import Fault, Kind
from sandbox.providers.job_store import Job, Order, State
from sandbox.providers.pictures import draw_picture

_BLOCK: Final = b"\0" * 65_536
_EXTENSIONS: Final = {"png": "png", "jpeg": "jpg", "webp": "webp"}


def picture_paths(job: Job) -> list[str]:
    """Return the paths of a completed job's pictures."""
    if job.empty or job.state is not State.COMPLETED:
        return []
    return [f"/assets/{job.id}/{index}.{_EXTENSIONS[job.order.format]}" for index in range(job.order.images)]


async def serve_picture(request: web.Request, job: Job, index: int, fault: Fault | None) -> web.StreamResponse:
    """Answer with the picture, or as the fault says."""
    if fault is not None and fault.kind is Kind.REDIRECT:
        return web.Response(status=302, headers={"Location": fault.to})
    if fault is not None and fault.kind is Kind.HTML:
        return web.Response(text="<!doctype html><title>Not a picture</title>", content_type="text/html")
    data = await asyncio.to_thread(_drawn, job.order, index, tuple(each.picture for each in job.inputs))
    content_type = f"image/{job.order.format}"
    if fault is not None and fault.kind is Kind.ENDLESS:
        return await _endless(request, data, content_type)
    if fault is not None and fault.kind is Kind.TRUNCATED:
        return await _half(request, data, content_type)
    return web.Response(body=data, content_type=content_type, headers={"Cache-Control": "public, immutable"})


async def _endless(request: web.Request, data: bytes, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(data)
        while True:
            await response.write(_BLOCK)
            await asyncio.sleep(0)
    return response


async def _half(request: web.Request, data: bytes, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(len(data))})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        if request.transport is not None:
            request.transport.close()  # after what was written is sent
    return response


@lru_cache(maxsize=16)
def _drawn(order: Order, index: int, inputs: tuple[bytes, ...]) -> bytes:
    return draw_picture(
        order.prompt,
        index,
        width=order.width,
        height=order.height,
        format=order.format,
        cut_out=order.cut_out,
        effect=order.effect,
        inputs=inputs,
    )

"""The fake's CDN: job images, drawn at the first request, and its faults."""

import asyncio
import contextlib
from functools import lru_cache
from typing import Final

from aiohttp import web

from sandbox.providers.faults import Fault, Kind
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.pictures import draw_picture
from sandbox.providers.provenance import add_manifest, manifest

_BLOCK: Final = b"\0" * 65_536
_EXTENSIONS: Final = {"png": "png", "jpeg": "jpg", "webp": "webp"}


def picture_paths(job: Job) -> list[str]:
    """Return the paths of a completed job's images."""
    if job.empty or job.state is not State.COMPLETED:
        return []
    return [f"/assets/{job.id}/{index}.{_EXTENSIONS[job.request.format]}" for index in range(job.request.images)]


async def draw_job_picture(job: Job, index: int, *, signed: bool) -> bytes:
    """Return an encoded image of a job.

    A `signed` image has a provenance manifest.
    """
    inputs = tuple(each.picture for each in job.inputs)
    data = await asyncio.to_thread(_draw_cached, job.request, job.first_number + index, inputs)
    return add_manifest(data, manifest(f"{job.id}/{index}")) if signed else data


async def serve_picture(
    request: web.Request, job: Job, index: int, fault: Fault | None, *, signed: bool = False
) -> web.StreamResponse:
    """Respond with the image, or with the given fault."""
    data = await draw_job_picture(job, index, signed=signed)
    return await serve_file(request, data, f"image/{job.request.format}", fault)


async def serve_file(request: web.Request, data: bytes, content_type: str, fault: Fault | None) -> web.StreamResponse:
    """Respond with an image's bytes, or with the given fault."""
    if fault is not None and fault.kind is Kind.REDIRECT:
        return web.Response(status=302, headers={"Location": fault.to})
    if fault is not None and fault.kind is Kind.HTML:
        return web.Response(text="<!doctype html><title>Not a picture</title>", content_type="text/html")
    if fault is not None and fault.kind is Kind.ENDLESS:
        return await _send_endless(request, data, content_type)
    if fault is not None and fault.kind is Kind.TRUNCATED:
        return await _send_half(request, data, content_type)
    return web.Response(body=data, content_type=content_type, headers={"Cache-Control": "public, immutable"})


async def _send_endless(request: web.Request, data: bytes, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(data)
        while True:
            await response.write(_BLOCK)
            await asyncio.sleep(0)
    return response


async def _send_half(request: web.Request, data: bytes, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(len(data))})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        if request.transport is not None:
            request.transport.close()  # closes once the written half is sent
    return response


@lru_cache(maxsize=16)
def _draw_cached(job_request: JobRequest, index: int, inputs: tuple[bytes, ...]) -> bytes:
    return draw_picture(
        job_request.prompt,
        index,
        width=job_request.width,
        height=job_request.height,
        format=job_request.format,
        cut_out=job_request.cut_out,
        effect=job_request.effect,
        inputs=inputs,
        mask=job_request.mask,
    )

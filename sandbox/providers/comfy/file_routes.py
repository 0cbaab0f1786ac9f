"""Routes of the ComfyUI fake about files, nodes and the system."""

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox.providers.assets import serve_file
from sandbox.providers.comfy.files import TYPES, PathError, check_name, check_path
from sandbox.providers.comfy.nodes import NODE_TYPES
from sandbox.providers.faults import Endpoint, Fault
from sandbox.providers.multipart import MultipartError, Part, is_multipart, parse_multipart
from sandbox.providers.recording import RecordedRequest

if TYPE_CHECKING:
    from sandbox.providers.comfy.server import ComfyServer

_TRUE: Final = ("true", "1")
_GIBIBYTE: Final = 1024**3


class FileRoutes:
    """Serves files and descriptions of a ComfyUI fake."""

    def __init__(self, server: "ComfyServer") -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return the routes with and without `/api`."""
        both = self._server.both
        return [
            *both("POST", "/upload/image", Endpoint.UPLOAD, self._upload),
            *both("GET", "/view", Endpoint.PICTURE, self._view),
            *both("GET", "/object_info", Endpoint.MODELS, self._nodes),
            *both("GET", "/object_info/{name}", Endpoint.MODELS, self._node),
            *both("GET", "/system_stats", Endpoint.MODELS, self._system),
        ]

    async def _upload(self, request: web.Request, *_: object) -> web.StreamResponse:
        content_type = request.headers.get("Content-Type", "")
        try:
            parts = parse_multipart(content_type, await request.read()) if is_multipart(content_type) else []
        except MultipartError:
            parts = []
        fields: dict[str, Part] = {part.name: part for part in parts}
        image = fields.get("image")
        type_ = fields["type"].text if "type" in fields else "input"
        if image is None or not image.filename or type_ not in TYPES:
            return web.Response(status=400)
        try:
            name, subfolder = self._server.files.upload(
                image.content,
                type_=type_,
                subfolder=fields["subfolder"].text if "subfolder" in fields else "",
                name=image.filename,
                overwrite="overwrite" in fields and fields["overwrite"].text in _TRUE,
            )
        except PathError:
            return web.Response(status=400)
        return web.json_response({"name": name, "subfolder": subfolder, "type": type_})

    async def _view(
        self, request: web.Request, record: RecordedRequest, _: str, fault: Fault | None
    ) -> web.StreamResponse:
        query = record.query
        try:
            name = check_name(query.get("filename", ""))
        except PathError:
            return web.Response(status=400)
        try:
            subfolder = check_path(query.get("subfolder", ""))
        except PathError:
            return web.Response(status=403)
        found = self._server.files.find(type_=query.get("type", "output"), subfolder=subfolder, name=name)
        if found is None:
            return web.Response(status=404)
        data = found if isinstance(found, bytes) else await asyncio.to_thread(found)
        content_type = "image/png" if name.lower().endswith(".png") else "application/octet-stream"
        return await serve_file(request, data, content_type, fault)

    async def _nodes(self, *_: object) -> web.StreamResponse:
        files = self._server.files.input_names()
        return web.json_response({name: each.as_json(name, files) for name, each in NODE_TYPES.items()})

    async def _node(self, request: web.Request, *_: object) -> web.StreamResponse:
        name = request.match_info["name"]
        node = NODE_TYPES.get(name)
        files = self._server.files.input_names()
        return web.json_response({} if node is None else {name: node.as_json(name, files)})

    async def _system(self, *_: object) -> web.StreamResponse:
        system = {
            "os": "posix",
            "ram_total": 32 * _GIBIBYTE,
            "ram_free": 16 * _GIBIBYTE,
            "comfyui_version": "0.5.15",
            "python_version": "3.12.0",
            "pytorch_version": "2.9.0",
            "embedded_python": False,
            "argv": ["main.py"],
        }
        device = {
            "name": "sandbox",
            "type": "cuda",
            "index": 0,
            "vram_total": 24 * _GIBIBYTE,
            "vram_free": 20 * _GIBIBYTE,
            "torch_vram_total": 0,
            "torch_vram_free": 0,
        }
        return web.json_response({"system": system, "devices": [device]})

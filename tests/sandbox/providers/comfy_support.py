"""Helpers of the ComfyUI fake's tests."""

import struct
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from sandbox.providers import Job, State
from sandbox.providers.comfy import ComfyServer

PROMPT = "a lighthouse at noon"
Graph = dict[str, dict[str, Any]]


def text_graph(*, prompt: str = PROMPT, seed: int = 7, width: int = 256, height: int = 192, batch: int = 1) -> Graph:
    """Return a text-to-image workflow in API form."""
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["4", 0],
                "seed": seed,
                "steps": 20,
                "cfg": 7,
                "sampler_name": "euler",
                "scheduler": "normal",
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
                "denoise": 1,
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": width, "height": height, "batch_size": batch}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "fog", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "atelier/a"}},
    }


def edit_graph(image: str) -> Graph:
    """Return a workflow to edit an uploaded image."""
    graph = text_graph()
    graph["10"] = {"class_type": "LoadImage", "inputs": {"image": image}}
    graph["5"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["10", 0], "vae": ["4", 2]}}
    return graph


def new_id() -> str:
    """Return a prompt's id."""
    return str(uuid.uuid4())


async def queue(client: httpx.AsyncClient, graph: Graph | None = None, **fields: Any) -> str:
    """Queue a workflow under an own id, and return the id."""
    prompt_id = fields.pop("prompt_id", None) or new_id()
    body = {"prompt": graph or text_graph(), "client_id": "a", "prompt_id": prompt_id, **fields}
    reply = await client.post("/prompt", json=body)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["prompt_id"])


async def run(comfy: ComfyServer, client: httpx.AsyncClient, graph: Graph | None = None, **fields: Any) -> Any:
    """Queue a workflow, execute it, and return its entry in the history."""
    prompt_id = await queue(client, graph, **fields)
    await comfy.finish_and_wait()
    return (await client.get(f"/history/{prompt_id}")).json()[prompt_id]


async def start(comfy: ComfyServer, job: Job | None = None) -> Job:
    """Start a job (default: the latest), and return it once it works."""
    job = comfy.advance(job)
    await comfy.wait_for(lambda: job.state is State.IN_PROGRESS and not job.needs_inputs)
    return job


async def first_image(client: httpx.AsyncClient, entry: Any) -> bytes:
    """Return the first image of an entry in the history."""
    (output,) = entry["outputs"].values()
    reply = await client.get("/view", params=output["images"][0])
    assert reply.status_code == 200
    return reply.content


def png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of a PNG's chunks."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12

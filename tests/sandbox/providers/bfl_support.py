"""Helpers of the Black Forest Labs fake's tests."""

import base64
from typing import Any

import httpx

FLUX_3 = "/v1/flux-3-image"
FLUX_2 = "/v1/flux-2-pro"
PROMPT = "a lighthouse at noon"


async def submit(client: httpx.AsyncClient, path: str = FLUX_3, **fields: Any) -> dict[str, Any]:
    """Submit a task and return its reply."""
    reply = await client.post(path, json={"prompt": PROMPT, **fields})
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def encoded(image: bytes) -> str:
    """Return an image as base64."""
    return base64.b64encode(image).decode()

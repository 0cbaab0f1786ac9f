"""Helpers of the fal fake's tests."""

from typing import Any

import httpx

FLUX = "blackforestlabs/flux-3/text-to-image"
EDIT = "blackforestlabs/flux-3/edit-image"
PROMPT = "a lighthouse at noon"
KEY = {"Authorization": "Key key-a"}


async def submit(
    client: httpx.AsyncClient,
    endpoint: str = FLUX,
    *,
    headers: dict[str, str] | None = None,
    webhook: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Submit a request and return its reply."""
    params = {} if webhook is None else {"fal_webhook": webhook}
    reply = await client.post(f"/{endpoint}", json={"prompt": PROMPT, **fields}, headers=headers, params=params)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body

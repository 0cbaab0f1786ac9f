"""Named cases and the billing of the fake of Gemini."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sandbox.providers import MANUAL, GeminiServer, Latency

PATH = "/models/gemini-nano-banana-2.1:generateContent"
SECRET = "a secret fox under the third bridge"


@pytest.fixture
async def server() -> AsyncIterator[GeminiServer]:
    """Yield the fake with fast jobs."""
    server = GeminiServer(key="key-a", latency=Latency(queue=0.0, work=0.0))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: GeminiServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with its key."""
    headers = {"x-goog-api-key": "key-a"}
    async with httpx.AsyncClient(base_url=f"{server.url}/v1beta", headers=headers, timeout=30) as client:
        yield client


def body(prompt: str = "a fox") -> dict[str, Any]:
    """Return a call's body."""
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}


def parts(reply: httpx.Response) -> list[dict[str, Any]]:
    """Return the parts of the only candidate."""
    (candidate,) = reply.json()["candidates"]
    found: list[dict[str, Any]] = candidate["content"]["parts"]
    return found


@pytest.mark.parametrize(
    ("case", "status", "word"),
    [
        ("account_empty", 402, "FAILED_PRECONDITION"),
        ("account_empty_quota", 429, "RESOURCE_EXHAUSTED"),
        ("account_empty_billing", 400, "FAILED_PRECONDITION"),
        ("region_refused", 400, "FAILED_PRECONDITION"),
        ("key_refused", 400, "INVALID_ARGUMENT"),
        ("key_forbidden", 403, "PERMISSION_DENIED"),
        ("key_unauthenticated", 401, "UNAUTHENTICATED"),
        ("rate_limited", 429, "RESOURCE_EXHAUSTED"),
        ("overloaded", 503, "UNAVAILABLE"),
        ("server_error", 500, "INTERNAL"),
        ("deadline", 504, "DEADLINE_EXCEEDED"),
        ("bad_input", 400, "INVALID_ARGUMENT"),
        ("model_retired", 404, "NOT_FOUND"),
    ],
)
async def test_case_has_documented_error_and_no_bill(
    server: GeminiServer, client: httpx.AsyncClient, case: str, status: int, word: str
) -> None:
    server.faults.play(case)

    reply = await client.post(PATH, json=body())
    again = await client.post(PATH, json=body())

    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["status"]) == (status, status, word)
    assert (again.status_code, len(server.billed)) == (200, 1)


async def test_only_rate_limit_has_a_retry_delay(server: GeminiServer, client: httpx.AsyncClient) -> None:
    server.faults.play("rate_limited")
    server.faults.play("account_empty_quota")

    limited, empty = [(await client.post(PATH, json=body())).json()["error"]["details"] for _ in range(2)]

    assert (limited[0]["retryDelay"], empty) == ("37s", [])


async def test_bad_input_quotes_the_prompt(server: GeminiServer, client: httpx.AsyncClient) -> None:
    server.faults.play("bad_input")

    assert SECRET in (await client.post(PATH, json=body(SECRET))).text


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"])
async def test_refused_prompt_is_a_200_without_candidates(
    server: GeminiServer, client: httpx.AsyncClient, reason: str
) -> None:
    server.faults.play(f"refused_input_{reason.lower()}")

    reply = await client.post(PATH, json=body())

    assert (reply.status_code, reply.json()["promptFeedback"]) == (200, {"blockReason": reason})
    assert "candidates" not in reply.json()
    assert not server.billed


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("refused_output", "IMAGE_SAFETY"),
        ("refused_output_recitation", "RECITATION"),
        ("refused_output_spii", "SPII"),
        ("failed_no_image", "NO_IMAGE"),
        ("failed_image_other", "IMAGE_OTHER"),
    ],
)
async def test_refused_picture_is_a_200_without_parts(
    server: GeminiServer, client: httpx.AsyncClient, case: str, reason: str
) -> None:
    server.faults.play(case)

    reply = await client.post(PATH, json=body())

    (candidate,) = reply.json()["candidates"]
    assert (reply.status_code, candidate["finishReason"], "parts" in candidate["content"]) == (200, reason, False)
    assert (len(server.jobs), len(server.billed)) == (1, 0)


@pytest.mark.parametrize(("case", "thoughts"), [("nothing", 0), ("only_thoughts", 2)])
async def test_text_only_stop_has_no_picture(
    server: GeminiServer, client: httpx.AsyncClient, case: str, thoughts: int
) -> None:
    server.faults.play(case)

    reply = await client.post(PATH, json=body())

    assert [each.get("thought", False) for each in parts(reply)] == [True] * thoughts + [False]
    assert reply.json()["candidates"][0]["finishReason"] == "STOP"
    assert server.billed[0].cost == Decimal("0.000003")


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_is_billed(server: GeminiServer, client: httpx.AsyncClient, case: str) -> None:
    server.faults.play(case)

    with pytest.raises(httpx.TransportError):
        await client.post(PATH, json=body())

    assert len(server.billed) == 1


async def test_client_that_hangs_up_on_an_open_call_is_billed(server: GeminiServer, client: httpx.AsyncClient) -> None:
    server.latency = MANUAL
    pending = asyncio.create_task(client.post(PATH, json=body()))
    await server.wait_for(lambda: server.jobs)
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    server.finish()
    await server.wait_for(lambda: server.billed)

    assert len(server.billed) == 1


async def test_empty_balance_is_402(server: GeminiServer, client: httpx.AsyncClient) -> None:
    server.store.balance = Decimal("0.03")

    assert (await client.post(PATH, json=body())).status_code == 402
    assert not server.jobs

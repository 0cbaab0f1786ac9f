"""Named cases and the billing of the fake of Gemini."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sandbox.providers import MANUAL, GeminiServer

PATH = "/models/gemini-nano-banana-2.1:generateContent"
SECRET = "a secret fox under the third bridge"


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
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, case: str, status: int, word: str
) -> None:
    gemini.faults.play(case)

    reply = await gemini_client.post(PATH, json=body())
    again = await gemini_client.post(PATH, json=body())

    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["status"]) == (status, status, word)
    assert (again.status_code, len(gemini.billed)) == (200, 1)


async def test_only_rate_limit_has_a_retry_delay(gemini: GeminiServer, gemini_client: httpx.AsyncClient) -> None:
    gemini.faults.play("rate_limited")
    gemini.faults.play("account_empty_quota")

    limited, empty = [(await gemini_client.post(PATH, json=body())).json()["error"]["details"] for _ in range(2)]

    assert (limited[0]["retryDelay"], empty) == ("37s", [])


async def test_bad_input_quotes_the_prompt(gemini: GeminiServer, gemini_client: httpx.AsyncClient) -> None:
    gemini.faults.play("bad_input")

    assert SECRET in (await gemini_client.post(PATH, json=body(SECRET))).text


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"])
async def test_refused_prompt_is_a_200_without_candidates(
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, reason: str
) -> None:
    gemini.faults.play(f"refused_input_{reason.lower()}")

    reply = await gemini_client.post(PATH, json=body())

    assert (reply.status_code, reply.json()["promptFeedback"]) == (200, {"blockReason": reason})
    assert "candidates" not in reply.json()
    assert not gemini.billed


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
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, case: str, reason: str
) -> None:
    gemini.faults.play(case)

    reply = await gemini_client.post(PATH, json=body())

    (candidate,) = reply.json()["candidates"]
    assert (reply.status_code, candidate["finishReason"], "parts" in candidate["content"]) == (200, reason, False)
    assert (len(gemini.jobs), len(gemini.billed)) == (1, 0)


@pytest.mark.parametrize(("case", "thoughts"), [("nothing", 0), ("only_thoughts", 2)])
async def test_text_only_stop_has_no_picture(
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, case: str, thoughts: int
) -> None:
    gemini.faults.play(case)

    reply = await gemini_client.post(PATH, json=body())

    assert [each.get("thought", False) for each in parts(reply)] == [True] * thoughts + [False]
    assert reply.json()["candidates"][0]["finishReason"] == "STOP"
    assert gemini.billed[0].cost == Decimal("0.000003")


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_is_billed(gemini: GeminiServer, gemini_client: httpx.AsyncClient, case: str) -> None:
    gemini.faults.play(case)

    with pytest.raises(httpx.TransportError):
        await gemini_client.post(PATH, json=body())

    assert len(gemini.billed) == 1


async def test_client_that_hangs_up_on_an_open_call_is_billed(
    gemini: GeminiServer, gemini_client: httpx.AsyncClient
) -> None:
    gemini.latency = MANUAL
    pending = asyncio.create_task(gemini_client.post(PATH, json=body()))
    await gemini.wait_for(lambda: gemini.jobs)
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    gemini.finish()
    await gemini.wait_for(lambda: gemini.billed)

    assert len(gemini.billed) == 1


async def test_empty_balance_is_402(gemini: GeminiServer, gemini_client: httpx.AsyncClient) -> None:
    gemini.store.balance = Decimal("0.03")

    assert (await gemini_client.post(PATH, json=body())).status_code == 402
    assert not gemini.jobs

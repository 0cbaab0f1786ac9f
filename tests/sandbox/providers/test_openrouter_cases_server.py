"""Named cases of the fake of OpenRouter's Image API."""

from decimal import Decimal

import httpx
import pytest

from sandbox.providers import OpenRouterServer

BODY = {"model": "google/gemini-nano-banana-2.1", "prompt": "a fox"}
GPT = {"model": "openai/gpt-image-2.5-flare", "prompt": "a fox"}


@pytest.mark.parametrize(
    ("case", "status", "error_type"),
    [
        ("refused_input", 400, "content_policy_violation"),
        ("refused_output", 400, "refusal"),
        ("account_empty", 402, "payment_required"),
        ("key_refused", 401, "authentication"),
        ("key_forbidden", 403, "permission_denied"),
        ("rate_limited", 429, "rate_limit_exceeded"),
        ("overloaded", 502, "provider_unavailable"),
        ("overloaded_all", 529, "provider_overloaded"),
        ("no_provider", 503, "provider_overloaded"),
        ("server_error", 500, "server"),
        ("edge_timeout", 524, "timeout"),
        ("timeout", 408, "timeout"),
        ("too_large", 413, "payload_too_large"),
        ("bad_input", 400, "image_download_failed"),
        ("bad_input_format", 400, "unsupported_image_format"),
        ("bad_input_large", 400, "image_too_large"),
        ("bad_input_small", 400, "image_too_small"),
        ("model_retired", 404, "not_found"),
    ],
)
async def test_case_has_documented_error_and_no_bill(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient, case: str, status: int, error_type: str
) -> None:
    openrouter.faults.play(case)

    reply = await openrouter_client.post("/images", json=BODY)
    again = await openrouter_client.post("/images", json=BODY)

    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["metadata"]["error_type"]) == (status, status, error_type)
    assert (again.status_code, len(openrouter.billed)) == (200, 1)


async def test_rate_limit_names_the_wait(openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient) -> None:
    openrouter.faults.play("rate_limited")

    assert (await openrouter_client.post("/images", json=BODY)).headers["retry-after"] == "15"


@pytest.mark.parametrize("case", ["refused_input", "refused_input_flagged", "refused_input_guardrail"])
async def test_refusal_quotes_the_prompt(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient, case: str
) -> None:
    openrouter.faults.play(case)

    reply = await openrouter_client.post("/images", json={**BODY, "prompt": "a secret fox"})

    assert reply.status_code == (400 if case == "refused_input" else 403)
    assert "a secret fox" in reply.text


async def test_flagged_input_is_cut_in_its_middle(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.faults.play("refused_input_flagged")

    metadata = (await openrouter_client.post("/images", json={**BODY, "prompt": "a" * 80 + "b" * 80})).json()["error"][
        "metadata"
    ]

    assert metadata["flagged_input"] == "a" * 50 + "..." + "b" * 50
    assert metadata["reasons"] == ["violence"]


async def test_empty_result_is_not_billed(openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient) -> None:
    openrouter.faults.play("nothing")

    reply = await openrouter_client.post("/images", json=BODY)

    assert (reply.status_code, reply.json()["data"], reply.json()["usage"]["cost"]) == (200, [], 0.0)
    assert not openrouter.billed


async def test_fewer_pictures_bill_the_sent_ones(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.faults.play("fewer")

    reply = await openrouter_client.post("/images", json={**GPT, "n": 3})

    assert len(reply.json()["data"]) == 2
    assert openrouter.billed[0].cost == Decimal("0.026")


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_is_not_billed(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient, case: str
) -> None:
    openrouter.store.balance = Decimal(1)
    openrouter.faults.play(case)

    with pytest.raises(httpx.TransportError):
        await openrouter_client.post("/images", json=BODY)

    assert (len(openrouter.jobs), len(openrouter.billed), openrouter.store.balance) == (1, 0, Decimal(1))


async def test_fallback_costs_more_unless_forbidden(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.faults.play("first_provider_down", times=3)

    moved = await openrouter_client.post("/images", json=BODY)
    fixed = await openrouter_client.post("/images", json={**BODY, "provider": {"allow_fallbacks": False}})
    alone = await openrouter_client.post("/images", json=GPT)

    assert [reply.status_code for reply in (moved, fixed, alone)] == [200, 502, 502]
    assert [charge.cost for charge in openrouter.billed] == [Decimal("0.04")]


async def test_broken_stream_is_not_billed(openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient) -> None:
    openrouter.faults.play("reply_lost")
    received: list[str] = []

    async def receive() -> None:
        async with openrouter_client.stream("POST", "/images", json={**GPT, "stream": True}) as reply:
            async for line in reply.aiter_lines():
                received.append(line[:60])  # noqa: PERF401 - the stream breaks

    with pytest.raises(httpx.TransportError):
        await receive()
    assert any("partial_image" in line for line in received)
    assert not any("completed" in line for line in received)
    assert not openrouter.billed

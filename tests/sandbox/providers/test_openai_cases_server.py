"""Named cases, billing and limits of the fake of OpenAI's Images API."""

import asyncio
from decimal import Decimal

import httpx
import pytest

from sandbox.providers import MANUAL, GeminiServer, Latency, OpenAiImagesServer, OpenRouterServer

PATH = "/v1/images/generations"
BODY = {"model": "gpt-image-2.5-flare", "prompt": "a fox"}
SECRET = "a secret fox under the third bridge"


CASES: list[tuple[str, int, str | None, str]] = [
    ("refused_input", 400, "moderation_blocked", "image_generation_user_error"),
    ("refused_output", 400, "moderation_blocked", "image_generation_user_error"),
    ("refused_unknown_stage", 400, "moderation_blocked", "image_generation_user_error"),
    ("refused_policy", 400, "content_policy_violation", "image_generation_user_error"),
    ("account_empty", 429, "insufficient_quota", "insufficient_quota"),
    ("account_empty_hard_limit", 400, "billing_hard_limit_reached", "image_generation_user_error"),
    ("key_refused", 401, "invalid_api_key", "invalid_request_error"),
    ("key_unverified", 403, None, "invalid_request_error"),
    ("rate_limited", 429, "rate_limit_exceeded", "requests"),
    ("rate_limited_reset", 429, "rate_limit_exceeded", "requests"),
    ("overloaded", 503, None, "service_unavailable"),
    ("server_error", 500, None, "server_error"),
    ("server_error_late", 500, None, "server_error"),
    ("bad_input", 400, "invalid_value", "invalid_request_error"),
    ("model_retired", 404, "model_not_found", "invalid_request_error"),
]


@pytest.mark.parametrize(("case", "status", "code", "kind"), CASES)
async def test_case_has_documented_error_and_no_bill(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, case: str, status: int, code: str | None, kind: str
) -> None:
    openai.faults.play(case)

    reply = await openai_client.post(PATH, json=BODY)
    again = await openai_client.post(PATH, json=BODY)

    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["type"]) == (status, code, kind)
    assert reply.headers["x-request-id"]
    assert (again.status_code, len(openai.billed)) == (200, 1)


@pytest.mark.parametrize(("case", "stage"), [("refused_input", "input"), ("refused_output", "output")])
async def test_refusal_has_moderation_details(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, case: str, stage: str
) -> None:
    openai.faults.play(case)

    details = (await openai_client.post(PATH, json=BODY)).json()["error"]["moderation_details"]

    assert details == {"categories": ["violence"], "moderation_stage": stage}


async def test_rate_limit_cases_name_the_wait_in_headers(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    openai.faults.play("rate_limited")
    openai.faults.play("rate_limited_reset")

    first, second = [(await openai_client.post(PATH, json=BODY)).headers for _ in range(2)]

    assert first["retry-after"] == "12"
    assert "retry-after" not in second
    assert second["x-ratelimit-reset-requests"] == "1m30s"


@pytest.mark.parametrize("case", ["refused_policy", "bad_input", "refused_azure_inner_error"])
async def test_error_quotes_the_prompt(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, case: str) -> None:
    openai.faults.play(case)

    assert SECRET in (await openai_client.post(PATH, json={**BODY, "prompt": SECRET})).text


async def test_empty_result_bills_the_prompt_only(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient) -> None:
    openai.faults.play("nothing")

    body = (await openai_client.post(PATH, json=BODY)).json()

    assert (body["data"], body["usage"]["output_tokens"]) == ([], 0)
    assert [charge.cost for charge in openai.billed] == [Decimal("0.00001")]


async def test_reply_without_usage_is_billed_all_the_same(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    openai.faults.play("no_usage")

    assert "usage" not in (await openai_client.post(PATH, json=BODY)).json()
    assert openai.billed[0].cost == Decimal("0.01318")


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_is_billed(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, case: str) -> None:
    openai.faults.play(case)

    with pytest.raises(httpx.TransportError):
        await openai_client.post(PATH, json=BODY)

    assert [charge.prompt for charge in openai.billed] == ["a fox"]


async def test_broken_connection_before_processing_is_not_billed(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    openai.faults.add("submit", "reset_before")

    with pytest.raises(httpx.TransportError):
        await openai_client.post(PATH, json=BODY)

    assert not openai.billed


async def test_call_stays_open_until_released(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient) -> None:
    openai.latency = MANUAL
    pending = asyncio.create_task(openai_client.post(PATH, json=BODY))
    await openai.wait_for(lambda: openai.jobs)
    before = (pending.done(), len(openai.billed))
    openai.finish()

    assert (await pending).status_code == 200
    assert (before, len(openai.billed)) == ((False, 0), 1)


async def test_client_that_hangs_up_is_billed(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient) -> None:
    openai.latency = MANUAL
    pending = asyncio.create_task(openai_client.post(PATH, json=BODY))
    await openai.wait_for(lambda: openai.jobs)
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    openai.finish()
    await openai.wait_for(lambda: openai.billed)

    assert len(openai.billed) == 1


async def test_balance_too_low_is_insufficient_quota(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    openai.store.balance = Decimal("0.02")

    replies = [await openai_client.post(PATH, json=BODY) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [200, 429]
    assert replies[1].json()["error"]["code"] == "insufficient_quota"
    assert openai.store.balance == Decimal("0.00682")


async def test_images_per_minute_are_limited() -> None:
    now = 0.0
    server = OpenAiImagesServer(images_per_minute=5, latency=Latency(queue=0.0, work=0.0), clock=lambda: now)
    await server.start()
    headers = {"Authorization": "Bearer sandbox-key"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
        taken = await client.post(PATH, json={**BODY, "n": 4})
        now = 20.0
        refused = await client.post(PATH, json={**BODY, "n": 2})
        now = 60.0
        later = await client.post(PATH, json={**BODY, "n": 2})
    await server.close()

    assert [reply.status_code for reply in (taken, refused, later)] == [200, 429, 200]
    assert taken.headers["x-ratelimit-remaining-requests"] == "1"
    assert (refused.headers["retry-after"], refused.headers["x-ratelimit-reset-requests"]) == ("40", "40s")


async def test_control_routes_play_cases_and_list_the_bill(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    fault = {"endpoint": "submit", "kind": "case", "case": "overloaded", "times": 2}
    await openai_client.put("/sandbox/faults", json=[fault])

    statuses = [(await openai_client.post(PATH, json=BODY)).status_code for _ in range(3)]
    listed = (await openai_client.get("/sandbox/jobs")).json()

    assert statuses == [503, 503, 200]
    assert listed["billed"] == [{"job_id": openai.jobs[0].id, "prompt": "a fox", "cost": "0.01318"}]
    assert "refused_input" in (await openai_client.get("/sandbox/cases")).json()


def test_all_fakes_have_the_common_cases() -> None:
    names = ("refused_input", "refused_output", "nothing", "account_empty", "key_refused", "rate_limited", "overloaded")
    more = ("server_error", "reply_lost", "reply_half", "bad_input", "model_retired")

    for cases in (OpenAiImagesServer.cases, GeminiServer.cases, OpenRouterServer.cases):
        assert {*names, *more} <= cases.keys()

"""Refusals and failures of the Black Forest Labs fake."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sandbox.providers.bfl import BflServer
from tests.sandbox.providers.bfl_support import FLUX_2, FLUX_3, PROMPT, encoded, submit
from tests.sandbox.providers.support import photo


@pytest.mark.parametrize(
    ("path", "fields", "location", "type_"),
    [
        (FLUX_3, {"prompt": None}, ["body", "prompt"], "missing"),
        (FLUX_3, {"prompt": "x" * 15_001}, ["body", "prompt"], "string_too_long"),
        (FLUX_3, {"seed": 7}, ["body", "seed"], "extra_forbidden"),
        (FLUX_3, {"output_format": "png"}, ["body", "output_format"], "extra_forbidden"),
        (FLUX_3, {"webhook_url": "https://a.example"}, ["body", "webhook_url"], "extra_forbidden"),
        (FLUX_3, {"resolution": "1K"}, ["body", "resolution"], "literal_error"),
        (FLUX_3, {"safety_tolerance": 5}, ["body", "safety_tolerance"], "less_than_equal"),
        (FLUX_3, {"grounding": 1}, ["body", "grounding"], "bool_type"),
        (FLUX_3, {"images": []}, ["body", "images"], "too_short"),
        (FLUX_3, {"images": ["x"] * 11}, ["body", "images"], "too_long"),
        (FLUX_3, {"images": "not base64!"}, ["body", "images", 0], "value_error"),
        (FLUX_3, {"images": encoded(b"no picture")}, ["body", "images", 0], "value_error"),
        (FLUX_3, {"images": ["data:text/html,x"]}, ["body", "images", 0], "value_error"),
        (FLUX_3, {"images": encoded(photo(size=(255, 400)))}, ["body", "images", 0], "value_error"),
        (FLUX_2, {"width": 100}, ["body", "width"], "multiple_of"),
        (FLUX_2, {"width": 48}, ["body", "width"], "greater_than_equal"),
        (FLUX_2, {"width": 4096, "height": 4096}, ["body"], "value_error"),
        (FLUX_2, {"steps": 20}, ["body", "steps"], "extra_forbidden"),
        (FLUX_2, {"webhook_url": "http://a.example/x"}, ["body", "webhook_url"], "url_parsing"),
        ("/v1/flux-2-klein-4b", {"input_image_5": "x"}, ["body", "input_image_5"], "extra_forbidden"),
    ],
)
async def test_invalid_body_is_422_with_its_place(
    bfl: BflServer, bfl_client: httpx.AsyncClient, path: str, fields: dict[str, Any], location: list[Any], type_: str
) -> None:
    reply = await bfl_client.post(path, json={"prompt": PROMPT, **fields})

    assert reply.status_code == 422
    assert [(each["loc"], each["type"]) for each in reply.json()["detail"]] == [(location, type_)]
    assert bfl.jobs == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000])
async def test_body_without_an_object_is_422(bfl_client: httpx.AsyncClient, body: bytes) -> None:
    assert (await bfl_client.post(FLUX_3, content=body)).status_code == 422


@pytest.mark.parametrize(
    ("case", "word", "status", "cost", "is_billed"),
    [
        ("refused_input", "Request Moderated", 200, 0.0, False),
        ("refused_output", "Content Moderated", 200, 4.8, True),
        ("refused_output_free", "Content Moderated", 200, 0.0, False),
        ("failed", "Error", 200, 0.0, False),
        ("failed_503", "Error", 503, 0.0, False),
        ("moderated_503", "Content Moderated", 503, 0.0, False),
        ("nothing", "Ready", 200, 4.8, True),
    ],
)
async def test_task_without_picture_has_its_word_and_cost(
    bfl: BflServer,
    bfl_client: httpx.AsyncClient,
    case: str,
    word: str,
    status: int,
    cost: float,
    is_billed: bool,
) -> None:
    bfl.faults.play(case)
    made = await submit(bfl_client)
    bfl.finish()
    reply = await bfl_client.get(made["polling_url"])

    body = reply.json()
    assert (reply.status_code, body["status"], body["result"], body["cost"]) == (status, word, None, cost)
    assert ("Moderation Reasons" in body.get("details", {})) is ("Moderated" in word)
    assert bool(bfl.billed) is is_billed


async def test_poll_cases_are_503_with_normal_body_and_not_found(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    made = await submit(bfl_client)
    bfl.faults.play("overloaded_task", times=2)
    bfl.faults.play("task_not_found")
    replies = [await bfl_client.get(made["polling_url"]) for _ in range(4)]

    assert [(each.status_code, each.json()["status"]) for each in replies] == [
        (503, "Pending"),
        (503, "Pending"),
        (200, "Task not found"),
        (200, "Pending"),
    ]


@pytest.mark.parametrize(
    ("case", "status", "detail"),
    [
        ("account_empty", 402, "Insufficient credits"),
        ("key_refused", 401, "Not authenticated"),
        ("key_forbidden", 403, "Not authenticated"),
        ("rate_limited", 429, "exceeded the number of active tasks (24)"),
        ("overloaded", 503, "Service unavailable"),
        ("server_error", 500, "Internal Server Error"),
        ("bad_request", 400, "Bad request"),
        ("bad_input", 422, PROMPT),
        ("bad_input_text", 422, PROMPT),
        ("unknown_field", 422, "extra_forbidden"),
        ("model_retired", 404, "Not Found"),
    ],
)
async def test_refused_submit_makes_no_task_for_n_calls(
    bfl: BflServer, bfl_client: httpx.AsyncClient, case: str, status: int, detail: str
) -> None:
    put = {"endpoint": "submit", "kind": "case", "case": case, "times": 2}
    assert (await bfl_client.put("/sandbox/faults", json=put)).status_code == 200
    replies = [await bfl_client.post(FLUX_3, json={"prompt": PROMPT}) for _ in range(3)]

    assert [each.status_code for each in replies] == [status, status, 200]
    assert detail in json.dumps(replies[0].json()["detail"])
    assert len(bfl.jobs) == 1


async def test_keys_models_credits_and_active_tasks_are_checked(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    body = {"prompt": PROMPT}
    wrong = await bfl_client.post(FLUX_3, json=body, headers={"x-key": "wrong"})
    missing = await bfl_client.post(FLUX_3, json=body, headers={"x-key": ""})
    retired = await bfl_client.post("/v1/flux-1-pro", json=body)
    bfl.store.balance = Decimal("0.05")
    before = (await bfl_client.get("/v1/credits")).json()
    await submit(bfl_client)
    bfl.finish()
    poor = await bfl_client.post(FLUX_3, json=body)
    bfl.store.balance = None
    for _ in range(24):
        await submit(bfl_client)
    busy = await bfl_client.post(FLUX_3, json=body)

    statuses = [each.status_code for each in (wrong, missing, retired, poor, busy)]
    assert statuses == [401, 403, 404, 402, 429]
    assert (before, poor.json()) == ({"credits": 5.0}, {"detail": "Insufficient credits"})
    assert "(24)" in busy.json()["detail"]
    assert busy.headers["retry-after"] == "5"

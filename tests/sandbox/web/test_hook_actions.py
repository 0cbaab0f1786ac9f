"""Webhooks in the panel: addresses, arrivals and the chosen answer."""

import aiohttp
import pytest

from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import RefusedError


async def test_arrived_post_is_in_panel_of_all_tabs(open_client: OpenClient, browser: aiohttp.ClientSession) -> None:
    client, other = await open_client(), await open_client("owner")
    await client.ask("hook_answer", status=500)
    async with browser.post(client.world["panel"]["hooks"]["url"], json={"spent": 80}) as answer:
        assert answer.status == 500
    event = await other.wait_for_event(lambda each: each["event"] == "panel" and each["panel"]["hooks"]["received"])
    (shown,) = event["panel"]["hooks"]["received"]
    assert (shown["text"], shown["is_json"]) == ('{\n  "spent": 80\n}', True)


async def test_webhook_of_channel_posts_message(open_client: OpenClient, browser: aiohttp.ClientSession) -> None:
    client = await open_client()
    url = (await client.ask("hook", channel=client.channel))["url"]
    async with browser.post(url, json={"content": "alert"}) as answer:
        assert answer.status == 204
    assert (await client.message())["raw"] == "alert"


async def test_impossible_webhook_or_answer_is_refused(open_client: OpenClient) -> None:
    client = await open_client()
    for what, body in (
        ("hook", {"channel": client.world["direct"]["id"]}),
        ("hook", {"channel": "1"}),
        ("hook_answer", {"status": 418}),
        ("hook_answer", {"status": "204"}),
    ):
        with pytest.raises(RefusedError):
            await client.ask(what, **body)

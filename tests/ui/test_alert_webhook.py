"""Alerts to the operator's webhook, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.domain.credits import Budget
from bot.providers.transport import provider_client
from bot.services.budget_alerts import BudgetAlert
from bot.ui.delivery import alert_webhook
from bot.ui.delivery.alert_webhook import AlertWebhook

ALERT = BudgetAlert(budget=Budget(month="2026-11", limit=100, captured=80), percentage=80)
SECRET = "the-hooks-secret"


class Receiver:
    """A receiver of webhooks with one answer to all."""

    def __init__(self, answer: web.StreamResponse | None) -> None:
        self.answer = answer
        self.ended = asyncio.Event()
        self.bodies: list[Any] = []
        self.paths: list[str] = []

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Keep the body; without an answer, never end."""
        self.paths.append(request.path)
        self.bodies.append(await request.json())
        if self.answer is None:
            await self.ended.wait()
            return web.Response()
        return self.answer


@asynccontextmanager
async def receiving(answer: web.StreamResponse | None) -> AsyncIterator[tuple[Receiver, AlertWebhook]]:
    receiver = Receiver(answer)
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with provider_client() as http:
        yield receiver, AlertWebhook(url=SecretStr(f"http://{host}:{port}/{SECRET}"), http=http)
    receiver.ended.set()
    await runner.cleanup()


async def test_alert_is_one_post_with_its_words() -> None:
    async with receiving(web.Response(status=204)) as (receiver, webhook):
        assert await webhook.send_budget_alert(ALERT)
    (body,) = receiver.bodies
    assert body["content"].startswith("**The budget of 2026-11 has reached 80 %.**")
    assert body["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (web.Response(status=404, text=f"no {SECRET}"), "alert_webhook.refused"),
        (web.Response(status=500), "alert_webhook.refused"),
        (web.Response(status=302, headers={"Location": f"/elsewhere/{SECRET}"}), "alert_webhook.refused"),
    ],
    ids=["gone", "broken", "redirect"],
)
async def test_refused_alert_is_not_sent_on_and_logs_no_secret(answer: web.Response, event: str) -> None:
    with capture_logs() as log:
        async with receiving(answer) as (receiver, webhook):
            assert not await webhook.send_budget_alert(ALERT)
    assert receiver.paths == [f"/{SECRET}"]
    assert [each["event"] for each in log] == [event]
    assert SECRET not in str(log)


async def test_silent_receiver_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_webhook, "_SECONDS", 0.2)
    with capture_logs() as log:
        async with receiving(None) as (_, webhook):
            assert not await webhook.send_budget_alert(ALERT)
    assert [each["event"] for each in log] == ["alert_webhook.not_reached"]
    assert SECRET not in str(log)


async def test_absent_receiver_is_not_reached() -> None:
    async with provider_client() as http:
        webhook = AlertWebhook(url=SecretStr(f"http://127.0.0.1:9/{SECRET}"), http=http)
        with capture_logs() as log:
            assert not await webhook.send_budget_alert(ALERT)
    assert SECRET not in str(log)

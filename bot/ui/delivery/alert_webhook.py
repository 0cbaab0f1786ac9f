"""Alerts to the operator's webhook."""

import asyncio
from typing import Final

import discord
import httpx
import structlog
from pydantic import SecretStr

from bot.services.budget_alerts import BudgetAlert
from bot.ui.i18n import use_locale
from bot.ui.render.budget_alerts import budget_alert

_log = structlog.get_logger(__name__)

_SECONDS: Final = 10.0


class AlertWebhook:
    """A notifier by an HTTP POST, for Discord's webhooks and others.

    `http` follows no redirect: the address is a secret, and so is what it leads to.
    """

    def __init__(self, *, url: SecretStr, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def send_budget_alert(self, alert: BudgetAlert) -> bool:
        """Post an alert; return False unless the answer is a success.

        Neither the address nor the answer is logged.
        """
        with use_locale(discord.Locale.american_english.value):
            body = {"content": budget_alert(alert), "allowed_mentions": {"parse": []}}
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._http.stream("POST", self._url.get_secret_value(), json=body, follow_redirects=False) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            _log.warning("alert_webhook.not_reached", error=type(error).__name__)
            return False
        if not httpx.codes.is_success(status):
            _log.warning("alert_webhook.refused", status=status)
            return False
        return True

"""Requests of the checks."""

import discord
import httpx
from pydantic import SecretStr

from bot.doctor.finding import Finding
from bot.proxies import DIRECT, Proxies


def discord_headers(token: SecretStr) -> dict[str, str]:
    """Return the headers of a request to Discord.

    Its gatekeeper may refuse clients without the name of a library for bots.
    """
    agent = f"DiscordBot (https://github.com/Rapptz/discord.py, {discord.__version__})"
    return {"Authorization": f"Bot {token.get_secret_value()}", "User-Agent": agent}


async def ask(url: str, headers: dict[str, str], proxies: Proxies = DIRECT) -> httpx.Response | None:
    """Return the answer to a GET, or None without one."""
    answer = await ask_or_reason(url, headers, proxies)
    return None if isinstance(answer, str) else answer


async def ask_or_reason(url: str, headers: dict[str, str], proxies: Proxies = DIRECT) -> httpx.Response | str:
    """Return the answer to a GET, or a few words about its absence."""
    return await _request("GET", url, headers, proxies)


async def post_or_reason(url: str, proxies: Proxies = DIRECT) -> httpx.Response | str:
    """Return the answer to an empty POST, or a few words about its absence."""
    return await _request("POST", url, {}, proxies)


async def _request(method: str, url: str, headers: dict[str, str], proxies: Proxies) -> httpx.Response | str:
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False, proxy=proxies.find(url)) as client:
            return await client.request(method, url, headers=headers)
    except httpx.TimeoutException:
        return "no answer in time"
    except httpx.HTTPError as error:
        return "its certificate is not valid" if "CERTIFICATE" in str(error) else "no connection"


def unreachable(whom: str, status: int | None, variable: str) -> Finding:
    """Return the fault of a service without a usable answer."""
    why = "no connection" if status is None else f"HTTP {status}"
    remedy = f"Look at the network of this machine, at {variable} and HTTPS_PROXY. The service itself may be down."
    return Finding(good=False, what=f"{whom} cannot be reached ({why})", remedy=remedy)

"""Requests of the checks."""

import httpx

from bot.doctor.finding import Finding


async def ask(url: str, headers: dict[str, str]) -> httpx.Response | None:
    """Return the answer to a GET, or None without one."""
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            return await client.get(url, headers=headers)
    except httpx.HTTPError:
        return None


async def get_status(url: str, headers: dict[str, str]) -> int | None:
    """Return the status of a GET, or None without an answer."""
    answer = await ask(url, headers)
    return None if answer is None else answer.status_code


def unreachable(whom: str, status: int | None, variable: str) -> Finding:
    """Return the fault of a service that gave no usable answer."""
    why = "no connection" if status is None else f"HTTP {status}"
    remedy = f"Look at the network of this machine, and at {variable}. The service itself may be down."
    return Finding(good=False, what=f"{whom} cannot be reached ({why})", remedy=remedy)

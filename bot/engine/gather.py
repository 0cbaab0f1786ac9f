"""Several steps at once, none of which outlives the caller."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_Result = TypeVar("_Result")


async def gather_all(steps: Iterable[Awaitable[_Result]]) -> list[_Result]:
    """Return all results, or raise the first error once all steps ended."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]

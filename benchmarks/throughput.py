"""Transactions per second.

Holds and whole jobs, by one process and by two.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks.databases import Maker, open_database
from benchmarks.harness import PROVIDER, Harness
from benchmarks.measurements import Figure
from bot.domain.jobs import Job

_CALLERS: Final = (8, 256)
_PROCESSES: Final = 2
_MEMBERS: Final = 2_000
_CLAIMS: Final = 64
_CLAIM_PAUSE: Final = 0.02
_IDLE_SECONDS: Final = 0.3


async def measure_rate(maker: Maker, jobs: int) -> list[Figure]:
    """Measure on databases of one kind.

    Several processes only if the kind allows them.
    """
    url = await maker.make("rate")
    alone = (await _processes(url, jobs, 1))[0]
    figures = _figures(alone, "one process")
    if maker.kind == "PostgreSQL":
        several = await _processes(url, jobs, _PROCESSES)
        together = {name: sum(each[name] for each in several) for name in alone}
        figures += _figures(together, f"{_PROCESSES} processes")
    return figures


def _figures(rates: dict[str, float], who: str) -> list[Figure]:
    return [Figure(name=f"{name}, a second, {who}", taken=rate, unit="") for name, rate in rates.items()]


async def _processes(url: str, jobs: int, count: int) -> list[dict[str, float]]:
    async def process() -> dict[str, float]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.throughput", url, str(jobs), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await child.communicate()
        if child.returncode:
            raise RuntimeError("the rate could not be measured")
        rates: dict[str, float] = json.loads(output.splitlines()[-1])
        return rates

    return await asyncio.gather(*(process() for _ in range(count)))


async def _rates(url: str, jobs: int) -> dict[str, float]:
    async with open_database(url) as database:
        harness = Harness(database, alone=False)
        await harness.worker_store.renew_lease()
        await _finish_one(harness)
        await asyncio.gather(*(harness.hold(members=_MEMBERS) for _ in range(_MEMBERS)))  # each has an account now
        try:
            rates: dict[str, float] = {}
            for callers in _CALLERS:
                lives = await _lives(harness, jobs, callers)
                holds = await _rate(lambda: harness.hold(members=_MEMBERS), jobs, callers)
                rates |= {f"holds, {callers} at once": holds, f"whole lives, {callers} at once": lives}
        finally:
            await harness.close()
    return rates


async def _finish_one(harness: Harness) -> None:
    await harness.finish(await harness.hold())


async def _lives(harness: Harness, jobs: int, callers: int) -> float:
    """Return the finished jobs per second.

    One task claims for all, as the engine's dispatcher does, also jobs of other processes. So a caller ends
    once no job was waiting for a while.
    """
    claimed: asyncio.Queue[Job | None] = asyncio.Queue()
    ends: list[float] = []

    async def claim() -> None:
        idle_since = time.perf_counter()
        while True:
            claims = (await harness.job_store.claim_batch(_CLAIMS, {PROVIDER: jobs}, with_queue=False)).claims
            for each in claims:
                claimed.put_nowait(each.job)
            now = time.perf_counter()
            idle_since = now if claims else idle_since
            if now - idle_since > _IDLE_SECONDS:
                claimed.put_nowait(None)
            if len(claims) < _CLAIMS:
                await asyncio.sleep(_CLAIM_PAUSE)

    async def life() -> None:
        held = await harness.hold(members=_MEMBERS)
        await harness.generation.mark_acknowledged(held.id, held.place.interaction_id)
        job = await claimed.get()
        if job is not None:
            await harness.finish_claimed(job)
            ends.append(time.perf_counter())

    claiming = asyncio.create_task(claim())
    start = time.perf_counter()
    try:
        await _rate(life, jobs, callers)
    finally:
        claiming.cancel()
    return len(ends) / (max(ends) - start) if ends else 0.0


async def _rate(do: Callable[[], Awaitable[object]], times: int, callers: int) -> float:
    """Return the completions per second with several callers."""
    left = iter(range(times))

    async def one_after_another() -> None:
        for _ in left:
            await do()

    start = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(callers)))
    return times / (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_rates(sys.argv[1], int(sys.argv[2])))))

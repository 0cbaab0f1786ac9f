"""Transactions per second.

Holds and whole jobs, by one process and by two.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.databases import Maker, open_database
from benchmarks.harness import Harness
from benchmarks.measurements import Figure

TRANSACTIONS_A_LIFE = 7
_STREAMS = 8
_PROCESSES = 2


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
    return [Figure(name=f"{name} a second, {who}", taken=rate, unit="") for name, rate in rates.items()]


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
        await harness.finish(await harness.hold())

        async def life() -> None:
            await harness.finish(await harness.hold())

        try:
            lives = await _rate(life, jobs)
            holds = await _rate(harness.hold, jobs)
        finally:
            await harness.close()
    return {"holds": holds, "whole lives": lives, "transactions of whole lives": lives * TRANSACTIONS_A_LIFE}


async def _rate(do: Callable[[], Awaitable[object]], times: int) -> float:
    """Return the completions per second with several callers."""
    left = iter(range(times))

    async def one_after_another() -> None:
        for _ in left:
            await do()

    start = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(_STREAMS)))
    return times / (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_rates(sys.argv[1], int(sys.argv[2])))))

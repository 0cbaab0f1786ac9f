"""`python -m benchmarks`: the table; `--profile`: where the bot's processor time goes."""

import argparse
import asyncio

from rich.console import Console

from benchmarks.load import Amounts, race
from benchmarks.parts import medians
from benchmarks.profiling import profile
from benchmarks.table import show

_QUICK = Amounts(rounds=1, single=10, steady=24, burst=50)


def main() -> int:
    """Measure and print; return 1 where an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, for a first look")
    parser.add_argument("--profile", action="store_true", help="profile the bot under the steady workload instead")
    parser.add_argument("--rounds", type=int, default=Amounts().rounds, help="how often each workload is measured")
    arguments = parser.parse_args()
    amounts = _QUICK if arguments.quick else Amounts(rounds=arguments.rounds)
    console = Console(highlight=False)
    if arguments.profile:
        asyncio.run(profile(console, amounts))
        return 0
    results, parts = asyncio.run(race(amounts))
    return 0 if show(console, results["bare"], results["bot"], medians(parts)) else 1


if __name__ == "__main__":
    raise SystemExit(main())

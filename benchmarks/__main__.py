"""`python -m benchmarks [GROUP]... [--profile]`: run benchmarks."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from benchmarks.completion_latency import measure_flow
from benchmarks.databases import Maker, makers, sqlite_maker
from benchmarks.decoders import measure_decoders
from benchmarks.guild_memory import measure_guilds
from benchmarks.history_search import measure_search
from benchmarks.hostile_pictures import measure_attack
from benchmarks.load import Amounts, compare
from benchmarks.many_jobs import WEIGHTS, measure_crowd, measure_polls, measure_weight
from benchmarks.measurements import Figure, show
from benchmarks.micro import medians
from benchmarks.profiling import profile
from benchmarks.prompt_rules import measure_rules
from benchmarks.real_pictures import measure_pictures
from benchmarks.report import show as show_race
from benchmarks.scale import Sizes, measure_scale
from benchmarks.start import measure_start
from benchmarks.throughput import measure_rate
from bot.domain.jobs import State

_QUICK: Final = Amounts(rounds=1, single=10, steady=24, burst=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes of all groups."""

    sizes: Sizes
    crowd: int
    polls: tuple[int, ...]
    rate: int
    flow: int
    pictures: int
    attack_pixels: int
    searched: int
    weights: tuple[tuple[State, str], ...] = WEIGHTS


WHOLE: Final = Plan(
    sizes=Sizes(),
    crowd=10_000,
    polls=(1_000, 10_000),
    rate=1_000,
    flow=20,
    pictures=300,
    attack_pixels=33_547_264,
    searched=20_000,
)
LITTLE: Final = Plan(
    sizes=Sizes(jobs=20_000, accounts=2_000, rounds=10),
    crowd=500,
    polls=(200,),
    rate=100,
    flow=3,
    pictures=20,
    attack_pixels=1_000_000,
    searched=2_000,
)


async def scale(console: Console, plan: Plan) -> bool:
    """Measure each query in a new database and in one with a million jobs."""
    return await _for_each_kind(console, "Years behind it", "new", lambda maker: measure_scale(maker, plan.sizes))


async def searches(console: Console, plan: Plan) -> bool:
    """Measure searches of a member with many jobs, by scan and by index."""
    return await _for_each_kind(console, "Searches", "scan", lambda maker: measure_search(maker, plan.searched))


async def crowd(console: Console, plan: Plan) -> bool:
    """Measure start and queue with ten thousand jobs."""
    return await _for_each_kind(console, "Many jobs at once", "one job", lambda maker: measure_crowd(maker, plan.crowd))


async def polls(console: Console, plan: Plan) -> bool:
    """Measure the rate and the cost of polls."""
    with sqlite_maker() as maker:
        figures = [figure for jobs in plan.polls for figure in await measure_polls(maker, jobs)]
    return show(console, "Polls", "steady", figures)


async def weight(console: Console, plan: Plan) -> bool:
    """Measure the memory per waiting job."""
    return show(console, "Memory for each job in the engine", "", await measure_weight(plan.crowd, plan.weights))


async def rate(console: Console, plan: Plan) -> bool:
    """Measure transactions per second."""
    return await _for_each_kind(console, "Transactions", "", lambda maker: measure_rate(maker, plan.rate))


async def flow(console: Console, plan: Plan) -> bool:
    """Measure the time from the provider's completion to the image on Discord."""
    return show(console, "From completion to picture", "bare", await measure_flow(plan.flow))


async def pictures(console: Console, plan: Plan) -> bool:
    """Measure jobs with small and with real pictures, many at once."""
    return show(console, "Real pictures", "bare + parts", await measure_pictures(plan.pictures))


async def attack(console: Console, plan: Plan) -> bool:
    """Measure a stranger's picture while a member sends hostile ones."""
    return show(console, "Hostile pictures", "unloaded", await measure_attack(plan.attack_pixels))


async def decoders(console: Console, plan: Plan) -> bool:
    """Measure the installed decoders."""
    return show(console, "Decoders", "Pillow", await measure_decoders(plan.attack_pixels))


async def guilds(console: Console, plan: Plan) -> bool:
    """Measure the memory per server of a process with a gateway."""
    return show(console, "Memory for each server", "discord.py", await measure_guilds(plan.flow * 10))


async def start(console: Console, plan: Plan) -> bool:
    """Measure processor time and memory of a start."""
    return show(console, "Start", "bare", await measure_start(max(1, plan.flow // 4)))


async def rules(console: Console, plan: Plan) -> bool:
    """Measure searches for prompt rules."""
    return show(console, "Prompt rules", "plain words", measure_rules(500, plan.flow * 10))


GROUPS: Final[Mapping[str, Callable[[Console, Plan], Coroutine[None, None, bool]]]] = {
    group.__name__: group
    for group in (scale, searches, crowd, polls, weight, rate, flow, pictures, attack, decoders, guilds, rules, start)
}


async def _for_each_kind(
    console: Console, title: str, base: str, measure: Callable[[Maker], Awaitable[list[Figure]]]
) -> bool:
    met = True
    with makers() as available:
        for maker in available:
            met &= show(console, f"{title} ({maker.kind})", base, await measure(maker))
    return met


def main() -> int:
    """Measure and print; return 1 if an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="group", help=f"race (what is run without any), {', '.join(GROUPS)}"
    )
    parser.add_argument("--quick", action="store_true", help="a part of the work, for a first look")
    parser.add_argument("--profile", action="store_true", help="profile the bot under the steady workload instead")
    parser.add_argument("--rounds", type=int, default=Amounts().rounds, help="how often each workload is measured")
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - {"race", *GROUPS}
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    amounts = _QUICK if arguments.quick else Amounts(rounds=arguments.rounds)
    console = Console(highlight=False)
    if arguments.profile:
        asyncio.run(profile(console, amounts))
        return 0
    met = True
    for group in arguments.groups or ["race"]:
        if group == "race":
            results, parts = asyncio.run(compare(amounts))
            met &= show_race(console, results["bare"], results["bot"], medians(parts))
        else:
            met &= asyncio.run(GROUPS[group](console, LITTLE if arguments.quick else WHOLE))
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.chaos`: run chaos rounds from the command line."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from signal import SIGKILL, SIGTERM

from tests.chaos.scenario import Scenario, random_scenario
from tests.chaos.studios import STUDIOS, main_strikes, struck_scenario, studio_scenario
from tests.chaos.suite import Failure, SuiteResult, run
from tests.chaos.transitions import TRANSITIONS, WEBHOOK_TRANSITIONS, transition_scenario

_DATABASES = ("sqlite", "postgresql")


def main() -> int:
    """Run the rounds; return 1 if a promise was broken."""
    arguments = _arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="atelier-chaos-"))
    broken = False
    for database in _DATABASES if arguments.database == "both" else (arguments.database,):
        _print(f"{database}: seed {arguments.seed}, in {folder}")
        try:
            suite_result = asyncio.run(_run_suite(arguments, folder / database, database))
        except (KeyboardInterrupt, asyncio.CancelledError):
            _print("interrupted")
            return 1
        _print_summary(suite_result, arguments, database)
        broken = broken or bool(suite_result.failures)
    return int(broken)


async def _run_suite(arguments: argparse.Namespace, folder: Path, database: str) -> SuiteResult:
    suite_result = asyncio.ensure_future(
        run(
            _scenarios(arguments),
            folder=folder,
            database=database,
            parallel=arguments.parallel,
            webhooks=arguments.webhooks,
            studio=None if arguments.studio is None else STUDIOS[arguments.studio],
            say=_print,
        )
    )
    # SIGTERM stops the bots as Ctrl+C does.
    asyncio.get_running_loop().add_signal_handler(SIGTERM, suite_result.cancel)
    return await suite_result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides everything in a round (1)")
    parser.add_argument("--rounds", type=int, default=100, help="how many random rounds (100)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first round (0)")
    parser.add_argument("--database", choices=(*_DATABASES, "both"), default="sqlite")
    parser.add_argument("--jobs", type=int, default=4, help="the most jobs in a round (4)")
    parser.add_argument("--parallel", type=int, default=4, help="how many systems at a time (4)")
    parser.add_argument("--webhooks", action="store_true", help="give the bot a public address")
    parser.add_argument("--studio", choices=tuple(STUDIOS), help="rounds of a studio with these providers")
    parser.add_argument("--transitions", action="store_true", help="strike at every transition first")
    parser.add_argument("--only", help="strike at transitions whose names contain this")
    parser.add_argument("--folder", type=Path, help="where failed systems are kept; default: a new temporary folder")
    return parser.parse_args()


def _scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    numbers = range(arguments.first, arguments.first + arguments.rounds)
    scenarios: list[Scenario] = []
    if arguments.studio is not None:
        studio = STUDIOS[arguments.studio]
        if arguments.transitions:
            scenarios += [struck_scenario(studio, each, arguments.seed) for each in main_strikes(studio)]
        return scenarios + [studio_scenario(studio, arguments.seed, each, jobs=arguments.jobs) for each in numbers]
    if arguments.transitions or arguments.only:
        known = TRANSITIONS + (WEBHOOK_TRANSITIONS if arguments.webhooks else ())
        scenarios += [
            transition_scenario(each, arguments.seed, number)
            for number in (SIGKILL, SIGTERM)
            for each in known
            if (arguments.only or "") in str(each)
        ]
    return scenarios + [random_scenario(arguments.seed, number, jobs=arguments.jobs) for number in numbers]


def _print_summary(suite_result: SuiteResult, arguments: argparse.Namespace, database: str) -> None:
    for line in suite_result.stats.lines():
        _print(line)
    minutes = suite_result.seconds / 60
    _print(f"{database}: {suite_result.seconds:.0f} s, {suite_result.stats.rounds / minutes:.1f} rounds a minute")
    for failure in suite_result.failures:
        _print(f"broken: {failure.scenario.name}: {'; '.join(failure.broken)}\n  kept in {failure.folder}")
        _print(f"  again: {_rerun_command(failure, arguments)}")
    if not suite_result.failures:
        _print("every promise was kept")


def _rerun_command(failure: Failure, arguments: argparse.Namespace) -> str:
    command = f"python -m tests.chaos --seed {arguments.seed} --database {failure.database} --jobs {arguments.jobs}"
    if arguments.webhooks:
        command += " --webhooks"
    if arguments.studio is not None:
        command += f" --studio {arguments.studio}"
    kind, _, name = failure.scenario.name.partition(" ")
    if kind == arguments.studio:
        return f"{command} --first {name} --rounds 1" if name.isdecimal() else f"{command} --transitions --rounds 0"
    return f"{command} --first {name} --rounds 1" if kind == "round" else f"{command} --only {kind} --rounds 0"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.chaos`: torture the bot from the command line."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from signal import SIGKILL, SIGTERM

from tests.chaos.scenario import Plan, random_plan
from tests.chaos.suite import Campaign, Failure, run
from tests.chaos.transitions import TRANSITIONS, WEBHOOK_TRANSITIONS, transition_plan

_DATABASES = ("sqlite", "postgresql")


def main() -> int:
    """Run what the arguments say, and return 1 if a promise was broken."""
    arguments = _arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="atelier-torture-"))
    broken = False
    for database in _DATABASES if arguments.database == "both" else (arguments.database,):
        _say(f"{database}: seed {arguments.seed}, in {folder}")
        try:
            campaign = asyncio.run(_campaign(arguments, folder / database, database))
        except (KeyboardInterrupt, asyncio.CancelledError):
            _say("ended before its time")
            return 1
        _sum_up(campaign, arguments, database)
        broken = broken or bool(campaign.failures)
    return int(broken)


async def _campaign(arguments: argparse.Namespace, folder: Path, database: str) -> Campaign:
    campaign = asyncio.ensure_future(
        run(
            _plans(arguments),
            folder=folder,
            database=database,
            parallel=arguments.parallel,
            webhooks=arguments.webhooks,
            say=_say,
        )
    )
    # So that it ends what it started, as it does by Ctrl+C.
    asyncio.get_running_loop().add_signal_handler(SIGTERM, campaign.cancel)
    return await campaign


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides everything that a round does (1)")
    parser.add_argument("--rounds", type=int, default=100, help="how many random rounds (100)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first round (0)")
    parser.add_argument("--database", choices=(*_DATABASES, "both"), default="sqlite")
    parser.add_argument("--jobs", type=int, default=4, help="the most jobs in a round (4)")
    parser.add_argument("--parallel", type=int, default=4, help="how many houses at a time (4)")
    parser.add_argument("--webhooks", action="store_true", help="give the bot a public address")
    parser.add_argument("--transitions", action="store_true", help="strike at every transition first")
    parser.add_argument("--only", help="strike at transitions whose names contain this")
    parser.add_argument("--folder", type=Path, help="where broken houses are kept; a new temporary folder")
    return parser.parse_args()


def _plans(arguments: argparse.Namespace) -> list[Plan]:
    plans: list[Plan] = []
    if arguments.transitions or arguments.only:
        known = TRANSITIONS + (WEBHOOK_TRANSITIONS if arguments.webhooks else ())
        plans += [
            transition_plan(each, arguments.seed, number)
            for number in (SIGKILL, SIGTERM)
            for each in known
            if (arguments.only or "") in str(each)
        ]
    numbers = range(arguments.first, arguments.first + arguments.rounds)
    return plans + [random_plan(arguments.seed, number, jobs=arguments.jobs) for number in numbers]


def _sum_up(campaign: Campaign, arguments: argparse.Namespace, database: str) -> None:
    for line in campaign.tally.lines():
        _say(line)
    minutes = campaign.seconds / 60
    _say(f"{database}: {campaign.seconds:.0f} s, {campaign.tally.rounds / minutes:.1f} rounds a minute")
    for failure in campaign.failures:
        _say(f"broken: {failure.plan.name}: {'; '.join(failure.broken)}\n  kept in {failure.folder}")
        _say(f"  again: {_again(failure, arguments)}")
    if not campaign.failures:
        _say("every promise was kept")


def _again(failure: Failure, arguments: argparse.Namespace) -> str:
    command = f"python -m tests.chaos --seed {arguments.seed} --database {failure.database} --jobs {arguments.jobs}"
    if arguments.webhooks:
        command += " --webhooks"
    kind, _, name = failure.plan.name.partition(" ")
    return f"{command} --first {name} --rounds 1" if kind == "round" else f"{command} --only {kind} --rounds 0"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

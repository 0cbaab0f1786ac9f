"""The bot with a CPU profile of every thread, written to a file.

The file is the only argument.
"""

import cProfile
import importlib
import pstats
import sys
import threading
import time
from typing import Any

from bot.command_line import app

_profiles: list[cProfile.Profile] = []


def _begin(*_: Any) -> None:
    """Profile this thread from now on."""
    profiler = cProfile.Profile(time.thread_time)
    _profiles.append(profiler)
    profiler.enable()


def main() -> None:
    """Run the bot until SIGTERM, then write the merged statistics."""
    importlib.import_module("bot.command_line.serving")  # else the command's imports are most of the profile
    threading.setprofile(_begin)  # replaced by the profiler itself at a new thread's first call
    _begin()
    try:
        app(["run"], standalone_mode=False)
    finally:
        _profiles[0].disable()
        statistics = pstats.Stats(_profiles[0])
        for each in _profiles[1:]:
            statistics.add(each)
        statistics.dump_stats(sys.argv[1])


if __name__ == "__main__":
    main()

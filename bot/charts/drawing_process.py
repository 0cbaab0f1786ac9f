"""Main function of the child process for one drawing.

It reads pickled charts from standard input until its end, and writes each picture with its length.
"""

import contextlib
import logging
import os
import pickle
import resource
import signal
import struct
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bot.charts.specs import Chart

LENGTH: Final = struct.Struct(">I")

_NICENESS: Final = 5
_CPU_SECONDS: Final = 60


def main() -> None:
    """Draw the charts from standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, hard))
    with contextlib.suppress(OSError):
        # If the machine runs out of memory, this process is to go and not the bot.
        Path("/proc/self/oom_score_adj").write_text("1000")
    pictures = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not end up between the pictures.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    logging.disable()
    warnings.simplefilter("ignore")
    from bot.charts.draw import draw  # noqa: PLC0415 - it imports matplotlib, which prints and warns

    charts: Sequence[Chart] = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from the bot
    for chart in charts:
        picture = draw(chart)
        pictures.write(LENGTH.pack(len(picture)) + picture)
    pictures.flush()

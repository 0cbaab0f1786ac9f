"""A process with the bot imported: it forks a bot for each start.

The import takes most of a start's two seconds. The fork has built nothing yet: no loop, no thread, no
connection. It runs the bot's command line in a separate process, and a signal ends it like any other.

`python -m tests.chaos.fork_server` reads a line of JSON for each start. It answers with the process id and,
after the exit, with the exit code; then it reads the next line.
"""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from signal import SIGKILL
from typing import NoReturn

_PRELOADED = ("aiosqlite", "asyncpg", "sqlalchemy.dialects.sqlite.aiosqlite")


class Bot:
    """A forked bot."""

    def __init__(self, pid: int, ended: "asyncio.Future[int]") -> None:
        self._pid = pid
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while running."""
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: int, /) -> None:
        """Send a signal to the process."""
        if not self._ended.done():
            os.kill(self._pid, number)

    async def wait(self) -> int:
        """Wait for the exit and return the exit code."""
        return await asyncio.shield(self._ended)


class ForkServer:
    """Launches bots one after the other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def launch(self, environment: dict[str, str], log: Path) -> Bot:
        """Fork a bot with this environment; its output is appended to `log`."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.fork_server",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                process_group=0,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        planned = json.dumps({"environment": environment, "log": str(log)})
        self._process.stdin.write(f"{planned}\n".encode())
        pid = int(await self._process.stdout.readline())
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._end(self._process.stdout, ended))
        return Bot(pid, ended)

    async def close(self) -> None:
        """Kill the fork server and any bot of a cancelled launch."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, SIGKILL)
            await self._process.wait()

    @staticmethod
    async def _end(lines: asyncio.StreamReader, ended: "asyncio.Future[int]") -> None:
        line = await lines.readline()
        ended.set_result(int(line) if line else -SIGKILL)


def _serve() -> None:
    """Fork a bot for each line of the standard input."""
    for line in sys.stdin:
        planned = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run_bot(planned["environment"], planned["log"])
        _print(pid)
        _, status = os.waitpid(pid, 0)
        _print(os.waitstatus_to_exitcode(status))


def _run_bot(environment: dict[str, str], log: str) -> NoReturn:
    os.environ.clear()
    os.environ.update(environment)
    nothing, file = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["atelier", "run"]
    main()
    sys.exit(0)


def _print(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import importlib

    import PIL.Image

    from bot.__main__ import main

    for name in _PRELOADED:
        importlib.import_module(name)
    PIL.Image.init()
    _serve()

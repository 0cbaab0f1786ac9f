"""Where bots come from quickly: a process that has imported the bot once, and forks one for each start.

The import is most of a start's two seconds. What is forked has built nothing yet: no loop, no thread, no connection;
it is the bot's own command line, in a process of its own that a signal ends like any other.

`python -m tests.chaos.fork_server` reads a line of JSON for each start, and answers with the process id and, when it
has ended, with its exit code. It takes the next line after that.
"""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from signal import SIGKILL
from typing import NoReturn

_AT_THE_START = ("aiosqlite", "asyncpg", "sqlalchemy.dialects.sqlite.aiosqlite")


class Bot:
    """A forked bot, as the harness sees it."""

    def __init__(self, pid: int, ended: "asyncio.Future[int]") -> None:
        self._pid = pid
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""
        if not self._ended.done():
            os.kill(self._pid, number)

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        return await asyncio.shield(self._ended)


class Cradle:
    """Launches bots, one after the other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def launch(self, environment: dict[str, str], log: Path) -> Bot:
        """Fork a bot with this environment; what it says is appended to the file."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.fork_server",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = json.dumps({"environment": environment, "log": str(log)})
        self._process.stdin.write(f"{order}\n".encode())
        pid = int(await self._process.stdout.readline())
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._end(self._process.stdout, ended))
        return Bot(pid, ended)

    async def close(self) -> None:
        """End the process that forks, and a bot of its whose launch was cancelled, so that nobody else knows it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, SIGKILL)
            await self._process.wait()

    @staticmethod
    async def _end(lines: asyncio.StreamReader, ended: "asyncio.Future[int]") -> None:
        line = await lines.readline()
        ended.set_result(int(line) if line else -SIGKILL)


def _rock() -> None:
    """Fork a bot for each line of the standard input."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_the_bot(order["environment"], order["log"])
        _say(pid)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


def _become_the_bot(environment: dict[str, str], log: str) -> NoReturn:
    os.environ.clear()
    os.environ.update(environment)
    nothing, file = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["atelier", "run"]
    main()
    sys.exit(0)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import importlib

    import PIL.Image

    from bot.__main__ import main

    for name in _AT_THE_START:
        importlib.import_module(name)
    PIL.Image.init()
    _rock()

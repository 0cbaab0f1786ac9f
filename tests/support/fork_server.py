"""A process with the bot imported: it forks a bot for each start.

The import takes most of a start. The fork has built nothing yet: no loop, no thread, no connection. It runs the bot's
command line in a separate process, and a signal ends it like any other. Only the interpreter's memory is not taken
down at the exit, which takes twice as long as a start.

`python -m tests.support.fork_server FD` accepts connections at a socket. Each brings a line of JSON for one start. The
answer is the process id and, after the exit, the exit code. The end of standard input ends the server and all bots.
"""

import asyncio
import atexit
import contextlib
import gc
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGKILL, signal
from typing import NoReturn, Self

_PRELOADED = ("aiosqlite", "asyncpg", "bot.container", "bot.web.server", "sqlalchemy.dialects.sqlite.aiosqlite")


class Bot:
    """A forked bot."""

    def __init__(self, pid: int, ended: asyncio.Task[int]) -> None:
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
    """Launches bots from any event loop, any number at a time."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="atelier-fork-"))
        self._address = self._folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._address))
            listener.listen(64)
            number = listener.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-m", "tests.support.fork_server", str(number)],
                stdin=subprocess.PIPE,
                pass_fds=[number],
                process_group=0,
            )

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the server and any bot left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._folder)

    async def launch(
        self,
        environment: dict[str, str],
        log: Path,
        *words: str,
        errors: Path | None = None,
        folder: Path | None = None,
    ) -> Bot:
        """Fork `atelier run`, or the command of `words`, in a folder.

        The output is appended to `log`, the standard error to `errors` if given.
        """
        reader, writer = await asyncio.open_unix_connection(self._address)
        planned = {
            "environment": environment,
            "log": str(log),
            "words": words or ("run",),
            "errors": str(errors or log),
            "folder": str(folder or Path.cwd()),
        }
        writer.write(json.dumps(planned).encode() + b"\n")
        pid = int(await reader.readline())
        return Bot(pid, asyncio.create_task(_exit_code(reader, writer)))


async def _exit_code(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    try:
        line = await reader.readline()
    finally:
        writer.close()
    return int(line) if line else -SIGKILL


def _serve(listener: socket.socket) -> NoReturn:
    """Fork an attendant for each connection until standard input ends."""
    signal(SIGCHLD, SIG_IGN)  # attendants leave no zombies
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            os.killpg(0, SIGKILL)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> NoReturn:
    """Fork a bot and report its process id and exit code."""
    signal(SIGCHLD, SIG_DFL)
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(65_536)
    planned = json.loads(line)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run_bot(**planned)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ConnectionError):  # the test may not wait for the exit
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run_bot(*, environment: dict[str, str], log: str, words: list[str], errors: str, folder: str) -> NoReturn:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, log), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    sys.argv = ["atelier", *words]
    code: object = None
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - the interpreter would print any
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    import importlib

    import PIL.Image

    from bot.command_line import main

    for name in _PRELOADED:
        importlib.import_module(name)
    PIL.Image.init()
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))

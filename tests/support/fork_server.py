"""Processes with everything imported, to fork bots and decoders.

The import takes most of a start. The fork has built nothing yet: no loop, no thread, no connection. It runs the bot's
command line, or the decoder's loop, in a separate process, and a signal ends it like any other. Only the interpreter's
memory is not taken down at a bot's exit, which takes twice as long as a start.

`python -m tests.support.fork_server FD KIND` accepts connections at a socket. Each brings a line of JSON for one start,
and a decoder's pipes. The answer is the process id and, after the exit, the exit code. The end of standard input ends
the server and all forks.
"""

import asyncio
import atexit
import contextlib
import functools
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
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGKILL, signal
from typing import Any, Literal, NoReturn, Self

_PRELOADED = (
    "aiosqlite",
    "asyncpg",
    "bot.command_line.serving",
    "bot.web.server",
    "sqlalchemy.dialects.sqlite.aiosqlite",
)


class Fork:
    """A forked process."""

    def __init__(self, pid: int, ended: asyncio.Task[int]) -> None:
        self.pid = pid
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while running."""
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: int, /) -> None:
        """Send a signal to the process."""
        if not self._ended.done():
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Wait for the exit and return the exit code."""
        return await asyncio.shield(self._ended)


class ForkServer:
    """Launches bots or decoders from any event loop, any number at a time."""

    def __init__(
        self,
        kind: Literal["bot", "decoder"] = "bot",
        *,
        environment: Mapping[str, str] | None = None,
        decoders: "ForkServer | None" = None,
    ) -> None:
        """Start the server; its bots have their decoders from `decoders`."""
        self._decoders = decoders
        self._folder = Path(tempfile.mkdtemp(prefix="atelier-fork-"))
        self.address = self._folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.address))
            listener.listen(64)
            number = listener.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-m", "tests.support.fork_server", str(number), kind],
                stdin=subprocess.PIPE,
                pass_fds=[number],
                process_group=0,
                env=environment,
            )

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the server and any fork left."""
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
    ) -> Fork:
        """Fork `atelier run`, or the command of `words`, in a folder.

        The output is appended to `log`, the standard error to `errors` if given.
        """
        planned = {
            "environment": environment,
            "log": str(log),
            "words": words or ("run",),
            "errors": str(errors or log),
            "folder": str(folder or Path.cwd()),
            "decoders": None if self._decoders is None else str(self._decoders.address),
        }
        return await _fork(self.address, planned)


class ForkedDecoder:
    """A forked decoder, with the interface of asyncio's processes."""

    def __init__(self, fork: Fork, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self._fork = fork
        self.stdin = stdin
        self.stdout = stdout

    @classmethod
    async def launch(cls, server: Path) -> Self:
        """Fork a decoder at a server's address."""
        (asked, to_child), (from_child, answered) = os.pipe(), os.pipe()
        try:
            fork = await _fork(server, {}, asked, answered)
        finally:
            os.close(asked)
            os.close(answered)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await loop.connect_read_pipe(lambda: protocol, os.fdopen(from_child, "rb", 0))
        transport, flow = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
            os.fdopen(to_child, "wb", 0),
        )
        return cls(fork, asyncio.StreamWriter(transport, flow, None, loop), reader)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._fork.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while running."""
        return self._fork.returncode

    def kill(self) -> None:
        """Send SIGKILL."""
        self._fork.send_signal(SIGKILL)

    async def wait(self) -> int:
        """Wait for the exit and return the exit code."""
        return await self._fork.wait()


async def _fork(server: Path, planned: dict[str, Any], *pipes: int) -> Fork:
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)  # noqa: FBT003 - the socket's own interface
    await asyncio.get_running_loop().sock_connect(connection, str(server))
    socket.send_fds(connection, [json.dumps(planned).encode() + b"\n"], pipes)
    reader, writer = await asyncio.open_connection(sock=connection)
    pid = int(await reader.readline())
    return Fork(pid, asyncio.create_task(_exit_code(reader, writer)))


async def _exit_code(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    try:
        line = await reader.readline()
    finally:
        writer.close()
    return int(line) if line else -SIGKILL


def _serve(listener: socket.socket, run: Callable[..., NoReturn]) -> NoReturn:
    """Fork an attendant for each connection until standard input ends."""
    signal(SIGCHLD, SIG_IGN)  # attendants leave no zombies
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            os.killpg(0, SIGKILL)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _attend(connection, run)
        connection.close()


def _attend(connection: socket.socket, run: Callable[..., NoReturn]) -> NoReturn:
    """Fork a process and report its process id and exit code."""
    signal(SIGCHLD, SIG_DFL)
    line, pipes, _, _ = socket.recv_fds(connection, 65_536, 2)
    while not line.endswith(b"\n"):
        line += connection.recv(65_536)
    planned = json.loads(line)
    pid = os.fork()
    if pid == 0:
        connection.close()
        run(*pipes, **planned)
    for pipe in pipes:
        os.close(pipe)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ConnectionError):  # the test may not wait for the exit
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run_bot(
    *, environment: dict[str, str], log: str, words: list[str], errors: str, folder: str, decoders: str | None
) -> NoReturn:
    if decoders is not None:
        _fork_decoders(Path(decoders))
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


def _fork_decoders(server: Path) -> None:
    from bot.images.decoder_process import DecoderProcess  # noqa: PLC0415 - the server of decoders does without it

    async def start(_: DecoderProcess) -> ForkedDecoder:
        return await ForkedDecoder.launch(server)

    DecoderProcess._start = start  # type: ignore[assignment,method-assign]


def _run_decoder(asked: int, answered: int) -> NoReturn:
    from bot.images.decoder_main import main  # noqa: PLC0415 - the server of bots does without it

    os.setpgid(0, 0)
    os.chdir("/")
    os.dup2(asked, 0)
    os.dup2(answered, 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.close(asked)
    os.close(answered)
    main()
    os._exit(0)


def _import_bot() -> None:
    import importlib  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    for name in _PRELOADED:
        importlib.import_module(name)
    # Each start reads the texts, the rules of prompts and the certificate authorities.
    importlib.import_module("bot.ui.i18n").read_catalogues()
    importlib.import_module("bot.moderation.builtin_rules").built_in_rules()
    httpx.create_ssl_context = functools.cache(httpx.create_ssl_context)
    httpx.create_ssl_context(trust_env=False)


if __name__ == "__main__":
    if sys.argv[2] == "decoder":
        import bot.images.decoder_main  # noqa: F401 - for the forks

        runner: Callable[..., NoReturn] = _run_decoder
    else:
        from bot.command_line import main

        _import_bot()
        runner = _run_bot
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])), runner)

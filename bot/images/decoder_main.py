"""Main loop of a decoder process.

It answers one call at a time and knows nothing but the file of the call. It ends when the bot does, because its
standard input ends then. Few imports: each process has its own copy.
"""

import contextlib
import errno
import json
import os
import pickle
import queue
import resource
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from bot.domain.errors import ImageError, ImageProblem
from bot.images import decode, decoder_calls, reencode, results, sanitize  # noqa: F401 - loaded before the memory is measured
from bot.images.decoder_protocol import LENGTH, LENGTHS, Call

_NICENESS: Final = 5
_MAX_FILE_BYTES: Final = 256 * 1024 * 1024
_MAX_OPEN_FILES: Final = 32
_PAGE_BYTES: Final = resource.getpagesize()


def main() -> None:
    """Answer calls from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not end up between the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _limit_process()
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, calls), daemon=True).start()
    size_at_start = _pages()[0]
    while True:
        call: Call = pickle.loads(calls.get())  # noqa: S301 - from the bot
        _limit_call(call, size_at_start)
        answer, content = run(call)
        answer["resident"] = _pages()[1]
        head = json.dumps(answer).encode()
        answers.write(LENGTHS.pack(len(head), len(content)) + head)
        answers.write(content)
        answers.flush()


def run(call: Call) -> tuple[dict[str, Any], bytes]:
    """Run the call; return its answer and the answer's bytes."""
    try:
        values = asdict(call.function(call.path, *call.arguments))
    except ImageError as error:
        return {"problem": error.problem, "detail": error.detail}, b""
    except MemoryError:
        return {"problem": ImageProblem.TOO_LARGE, "detail": "memory"}, b""
    except OSError as error:
        return {"errno": error.errno or errno.EIO, "strerror": error.strerror or type(error).__name__}, b""
    except Exception as error:  # noqa: BLE001 - the bot reports it and this process goes on
        return {"fault": type(error).__name__}, b""
    contents = {name: value for name, value in values.items() if isinstance(value, bytes)}
    plain = {name: _plain(value) for name, value in values.items()}
    return {"value": plain | dict.fromkeys(contents), "content": next(iter(contents), None)}, b"".join(
        contents.values()
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    match value:
        case Path():
            return str(value)
        case set() | frozenset():
            return sorted(value)
        case _:
            return value


def _read(file: BinaryIO, calls: queue.SimpleQueue[bytes]) -> NoReturn:
    """Pass calls on; end the process, also amid a call, when the bot ends."""
    while head := file.read(LENGTH.size):
        calls.put(file.read(*LENGTH.unpack(head)))
    os._exit(0)


def _limit_process() -> None:
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    with contextlib.suppress(OSError):
        # If the machine runs out of memory, this process is to go and not the bot.
        Path("/proc/self/oom_score_adj").write_text("1000")


def _limit_call(call: Call, size_at_start: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _set_soft(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + 1 + call.cpu_seconds)
    if size_at_start:
        _set_soft(resource.RLIMIT_AS, size_at_start + call.memory_bytes)


def _set_soft(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _pages() -> tuple[int, int]:
    """Return the bytes of address space and of resident memory, 0 if unknown."""
    try:
        size, resident, *_ = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0, 0
    return int(size) * _PAGE_BYTES, int(resident) * _PAGE_BYTES

"""Functions for decoder processes: hostile and reporting ones."""

import os
import resource
import signal
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The limits and the environment of a process."""

    pid: int
    leads_group: bool
    session: int
    environment: list[str]
    core_bytes: int
    open_files: int
    niceness: int


def report(path: Path) -> Surroundings:
    """Return the surroundings of this process."""
    del path
    return Surroundings(
        pid=os.getpid(),
        leads_group=os.getpgrp() == os.getpid(),
        session=os.getsid(0),
        environment=sorted(os.environ),
        core_bytes=resource.getrlimit(resource.RLIMIT_CORE)[0],
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        niceness=os.nice(0),
    )


def crash(path: Path) -> Surroundings:
    """End this process as a fault in a decoder would."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return report(path)


def spin(path: Path) -> Surroundings:
    """Use the processor for ever."""
    while path.parts:
        pass
    return report(path)


def hang(path: Path) -> Surroundings:
    """Wait for ever."""
    threading.Event().wait()
    return report(path)


def grow(path: Path, size: int) -> Surroundings:
    """Take so many bytes of memory."""
    taken = bytearray(size)
    del taken
    return report(path)


def fail(path: Path) -> Surroundings:
    """Raise an error of the operating system, or a fault of ours."""
    if path.suffix == ".os":
        (path / "missing").read_bytes()
    raise LookupError


def wait_for_go(path: Path, gate: str) -> Surroundings:
    """Wait until something is written to the named pipe `gate`."""
    Path(gate).read_bytes()
    return report(path)


def announce_and_hang(path: Path, gate: str) -> Surroundings:
    """Write this process's id to the named pipe `gate`, and wait for ever."""
    Path(gate).write_text(str(os.getpid()))
    return hang(path)

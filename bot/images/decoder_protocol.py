"""Messages between the bot and a decoder process.

A request is a pickled call: the bot is trusted. An answer is JSON, followed by bytes if the result has some: the
process that read a stranger's file is not trusted.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LENGTH: Final = struct.Struct(">I")
"""Length of a request."""
LENGTHS: Final = struct.Struct(">II")
"""Lengths of an answer's JSON and of its bytes."""
MAX_JSON_BYTES: Final = 64 * 1024
MAX_CONTENT_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a function on a file, with the limits of this call.

    `memory_bytes` come on top of what the process took at its start.
    """

    function: Any
    path: Path
    arguments: tuple[Any, ...]
    cpu_seconds: int
    memory_bytes: int

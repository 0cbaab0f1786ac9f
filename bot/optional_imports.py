"""Imports of libraries without their optional parts.

structlog imports rich for tracebacks, and httpx its own command line with click and pygments, whenever they are
installed. The bot uses neither: they take 40 ms and 6 MB of a start.
"""

import importlib
import sys
from types import ModuleType
from typing import Final, cast

_EXTRAS: Final = {"structlog": "rich", "httpx": "httpx._main"}


def import_without_extras() -> None:
    """Import the libraries as if their extras were not installed."""
    for library, extra in _EXTRAS.items():
        if extra in sys.modules:
            continue
        cast("dict[str, ModuleType | None]", sys.modules)[extra] = None  # the documented mark of a missing module
        try:
            importlib.import_module(library)
        finally:
            del sys.modules[extra]

"""Start of the command line: `python -m bot`."""

import gc
import sys
from typing import Final

from bot.optional_imports import import_without_extras

# A thread of the database gives the interpreter away at each statement, and a busy event loop keeps it for so long.
_SWITCH_SECONDS: Final = 0.001


def main() -> None:
    """Import the command's module, and run the command line.

    Imports make many objects and hardly any garbage: they are not searched then, nor later.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.disable()
    import_without_extras()
    from bot.command_line import import_command  # noqa: PLC0415 - after the lines above
    from bot.command_line import main as run_command_line  # noqa: PLC0415 - as above

    import_command("".join(sys.argv[1:2]))
    gc.freeze()
    gc.enable()
    run_command_line()


if __name__ == "__main__":
    main()

"""Lines and tables on the terminal.

rich is imported with the first of them: a running bot prints none, and does without its memory.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class Output:
    """The standard output or the error output."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> "Console":
        """The console of rich."""
        from rich.console import Console  # noqa: PLC0415 - see the module's docstring

        return Console(stderr=self._stderr, soft_wrap=True, highlight=False)

    def print(self, part: "RenderableType", *, style: str | None = None, end: str = "\n") -> None:
        """Print a text as it is, or a table."""
        self.console.print(part, style=style, end=end, markup=False, emoji=False)


OUT: Final = Output()
ERR: Final = Output(stderr=True)

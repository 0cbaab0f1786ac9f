"""What the page needs of those who start it: the bot's process, and the member's ledger."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

Ledger: TypeAlias = Callable[[int, int], Awaitable[dict[str, Any]]]
"""Reads the books: `ledger(community, member)` returns what the database says, as `account`, `movements` and `jobs`.

`account` is None or has `allowance`, `granted`, `held`; a movement has `at` (Unix seconds), `kind`, `reason` and
`postings` (each `book`, `amount`); a job has `id`, `prompt`, `state`, `price`, `charged`.
"""


class BotProcess(Protocol):
    """The bot as a process that can be killed and started again."""

    @property
    def alive(self) -> bool:
        """Whether the process runs, connected or not."""
        ...

    async def start_bot(self) -> None:
        """Start it and return once it serves."""
        ...

    async def stop_bot(self) -> None:
        """Ask it to end, and return once it has."""
        ...

    async def kill_bot(self) -> None:
        """Kill it as a power cut would."""
        ...

"""Interfaces of the page to the bot's process and the member's ledger."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

Ledger: TypeAlias = Callable[[int, int], Awaitable[dict[str, Any]]]
"""Reads the ledger: `ledger(guild_id, member)` returns `account`, `movements` and `jobs` from the database.

`account` is None or has `allowance`, `granted`, `held`; a movement has `at` (Unix seconds), `kind`, `reason` and
`postings` (each `book`, `amount`); a job has `id`, `prompt`, `state`, `price`, `charged`.
"""


class BotProcess(Protocol):
    """The bot's process; it can be killed and started again."""

    @property
    def alive(self) -> bool:
        """Return whether the process runs, connected or not."""
        ...

    async def start_bot(self) -> None:
        """Start the bot and return once it is ready."""
        ...

    async def stop_bot(self) -> None:
        """Ask the bot to shut down, and return once it has."""
        ...

    async def kill_bot(self) -> None:
        """Kill the bot, as a power cut would."""
        ...

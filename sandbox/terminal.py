"""The sandbox in a terminal: its transcript, its address, its end."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from sandbox.demo import demonstrate
from sandbox.runner import BotEndedError, Sandbox
from sandbox.web import Ledger

Show: TypeAlias = Callable[[str, str], None]
"""Print a line: `show(line, style)`; the style is "" or "bold"."""


async def run_in_terminal(
    *,
    command: Sequence[str],
    folder: Path,
    ledger: Ledger,
    prompt: str,
    stay: bool,
    stop: asyncio.Event,
    show: Show,
    over_http: bool = False,
) -> int:
    """Start the sandbox, run one `/imagine`, and return the exit code.

    `over_http`: interactions go to the bot's web server. `stay` keeps the sandbox running until `stop` is set. Without
    it, the exit code is 1 if no image arrived.
    """
    sandbox = Sandbox(command=command, folder=folder, ledger=ledger, over_http=over_http)
    demonstration = asyncio.create_task(_demonstrate(sandbox, prompt, show, stay=stay))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({demonstration, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not demonstration.done():
            demonstration.cancel()
            await asyncio.gather(demonstration, return_exceptions=True)
            return 0
        stopped.cancel()
        return demonstration.result()
    except BotEndedError as error:
        show(f"The bot ended by itself, with exit code {error.code}.", "bold")
        return 1
    finally:
        await sandbox.close()


async def _demonstrate(sandbox: Sandbox, prompt: str, show: Show, *, stay: bool) -> int:
    await sandbox.start()
    show(f"The fake Discord is at {sandbox.discord.api_url}", "")
    arrived = await demonstrate(sandbox.discord, prompt, lambda line: show(line, ""), folder=sandbox.folder / "posted")
    if not stay:
        return 0 if arrived else 1
    show(f"Open {sandbox.page.url}", "bold")
    show("The sandbox starts empty each time. End it with Ctrl+C.", "")
    # The page may kill and restart the bot, so the sandbox does not end with it.
    await asyncio.Event().wait()
    return 0

"""The bot's response as a person sees it, and waiting for its changes."""

# ruff: noqa: ASYNC109 - a deadline as an argument reads best where tests wait for something

import asyncio
from collections.abc import Callable

from sandbox.discord.encoding import Json
from sandbox.discord.entities import Message
from sandbox.discord.interactions import CallbackKind, Interaction
from sandbox.discord.message_reader import text
from sandbox.discord.notifier import PATIENCE


class NoAnswerError(Exception):
    """The bot did not answer in time: "The application did not respond"."""


class Invocation:
    """One action of a person, seen from their side."""

    def __init__(self, interaction: Interaction) -> None:
        self.interaction = interaction

    @property
    def message(self) -> Message | None:
        """The current response.

        For a press that updates its message, it is that message.
        """
        return self.interaction.original

    @property
    def followups(self) -> list[Message]:
        """The messages after the first response."""
        return self.interaction.followups

    @property
    def acknowledged_after(self) -> float | None:
        """Seconds from the action to the first response; None before it.

        Measured by the world's clock.
        """
        at = self.interaction.acknowledged_at
        return None if at is None else at - self.interaction.created_at

    async def acknowledged(self, *, timeout: float | None = None) -> CallbackKind:
        """Return the kind of the bot's first response.

        Raises:
            NoAnswerError: None arrived within `timeout` seconds (default: Discord's limit).
        """
        if timeout is None:
            timeout = self.interaction.acknowledge_within
        try:
            async with asyncio.timeout(timeout):
                while self.interaction.callback is None:
                    await self.interaction.changed.wait()
        except TimeoutError:
            raise NoAnswerError(f"no answer within {timeout} s to {self.interaction.data}") from None
        return self.interaction.callback

    async def response(self, *, timeout: float | None = None) -> Message:
        """Return the first response; it may still be "thinking".

        Raises:
            NoAnswerError: No message arrived in time.
        """
        callback = await self.acknowledged(timeout=timeout)
        if self.interaction.original is None:
            raise NoAnswerError(f"the answer was not a message but {callback.name}")
        return self.interaction.original

    async def modal(self, *, timeout: float | None = None) -> Json:
        """Return the modal opened by the bot.

        Raises:
            NoAnswerError: No modal arrived in time.
        """
        callback = await self.acknowledged(timeout=timeout)
        if self.interaction.modal is None:
            raise NoAnswerError(f"the answer was not a modal but {callback.name}")
        return self.interaction.modal

    async def wait_until(self, holds: Callable[[Message], bool], *, timeout: float = PATIENCE) -> Message:
        """Return the response once `holds(message)`.

        Raises:
            TimeoutError: The condition was not met in time; the message has the last text.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._until(holds)
        except TimeoutError:
            last = "nothing" if self.message is None else text(self.message)
            raise TimeoutError(f"not within {timeout} s; the answer is: {last}") from None

    async def wait_followup(self, number: int = 1, *, timeout: float = PATIENCE) -> Message:
        """Return the follow-up of this number, counted from one."""
        async with asyncio.timeout(timeout):
            while len(self.followups) < number:
                await self.interaction.changed.wait()
        return self.followups[number - 1]

    async def _until(self, holds: Callable[[Message], bool]) -> Message:
        while True:
            message = self.message
            if message is None:
                await self.interaction.changed.wait()
            elif holds(message):
                return message
            else:
                await message.changed.wait()

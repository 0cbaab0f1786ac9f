"""One demonstration `/imagine`, told line by line as its card changes."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp

from sandbox.discord import Message, buttons, media, text, texts
from sandbox.discord.messages import MessageEvent
from sandbox.runner import Sandbox

_LONGEST_SECONDS: Final = 120.0


async def demonstrate(sandbox: Sandbox, prompt: str, say: Callable[[str], None]) -> bool:
    """Let a member use `/imagine`, tell each state of the card, keep the pictures; return whether any came."""
    told: list[str] = []

    def tell(event: MessageEvent, message: Message) -> None:
        card = _described(message)
        if event != "delete" and card != (told[-1] if told else None):
            told.append(card)
            say(card)

    unsubscribe = sandbox.discord.subscribe(tell)
    try:
        say(f"member uses /imagine prompt: {prompt}")
        invocation = await sandbox.discord.actor("member").slash("imagine", prompt=prompt)
        await invocation.response()
        message = await invocation.wait_until(_ended, timeout=_LONGEST_SECONDS)
    finally:
        unsubscribe()
    return await _keep_pictures(sandbox, message, say)


def _ended(message: Message) -> bool:
    """Tell whether the card has its pictures, or says that there will be none."""
    return bool(media(message)) or "Nothing was charged" in text(message)


def _described(message: Message) -> str:
    lines = [line for each in texts(message) for line in each.splitlines()]
    lines += [f"[picture: {picture.get('filename') or 'attached'}]" for picture in media(message)]
    pressable = " ".join(f"[{button.get('label')}]" for button in buttons(message))
    return "\n".join(f"  | {line}" for line in [*lines, *([pressable] if pressable else [])]) + "\n"


async def _keep_pictures(sandbox: Sandbox, message: Message, say: Callable[[str], None]) -> bool:
    folder = sandbox.folder / "posted"
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    pictures = media(message)
    async with aiohttp.ClientSession() as session:
        for picture in pictures:
            async with session.get(picture["url"]) as answer:
                content = await answer.read()
            file = folder / f"{message.id}-{picture['url'].split('?')[0].rsplit('/', 1)[-1]}"
            await asyncio.to_thread(file.write_bytes, content)
            say(f"picture: {file}")
    return bool(pictures)

"""One demonstration `/imagine`, printed line by line as its card changes."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp

from sandbox.discord import DiscordServer, Message, World, buttons, media, text, texts
from sandbox.discord.messages import MessageEvent

_END_SECONDS: Final = 120.0
_MENTION: Final = re.compile(r"<@!?(\d+)>")
_TIME: Final = re.compile(r"<t:(\d+)(?::\w)?>")
_LINE_STYLE: Final = re.compile(r"^(?:-#|#{1,3}) ", re.MULTILINE)
_ISOLATES: Final = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))
"""They keep a right-to-left name from reordering its line, and show as boxes in many terminals."""
_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


async def demonstrate(discord: DiscordServer, prompt: str, show: Callable[[str], None], *, folder: Path) -> bool:
    """Use `/imagine` as a member and show each state of the card.

    Save the posted images in `folder`. Return True if there were any.
    """
    shown: list[str] = []

    def on_message(event: MessageEvent, message: Message) -> None:
        card = _card_lines(message, discord.world)
        if event != "delete" and card != (shown[-1] if shown else None):
            shown.append(card)
            show(card)

    unsubscribe = discord.subscribe(on_message)
    try:
        show(f"member uses /imagine prompt: {prompt}")
        invocation = await discord.actor("member").slash("imagine", prompt=prompt)
        await invocation.response()
        message = await invocation.wait_until(_is_final, timeout=_END_SECONDS)
    finally:
        unsubscribe()
    return await _save_images(message, folder, show)


def plain_text(written: str, world: World) -> str:
    """Return a message's text as displayed: with names and relative times."""

    def name(match: re.Match[str]) -> str:
        user = world.users.get(match[1])
        return match[0] if user is None else f"@{user.display_name}"

    def time(match: re.Match[str]) -> str:
        return _relative_time(int(match[1]) - world.now())

    return _LINE_STYLE.sub("", _TIME.sub(time, _MENTION.sub(name, written))).translate(_ISOLATES)


def _relative_time(seconds: float) -> str:
    distance = round(abs(seconds))
    unit, length = next(((unit, length) for unit, length in _UNITS if distance >= length), _UNITS[-1])
    count = distance // length
    counted = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"in {counted}" if seconds > 0 else f"{counted} ago"


def _is_final(message: Message) -> bool:
    """Return True if the card has its images or ended without them."""
    return bool(media(message)) or "Nothing was charged" in text(message)


def _card_lines(message: Message, world: World) -> str:
    lines = [line for each in texts(message) for line in plain_text(each, world).splitlines()]
    lines += [f"[picture: {image.get('filename') or 'attached'}]" for image in media(message)]
    pressable = " ".join(f"[{button.get('label')}]" for button in buttons(message))
    return "\n".join(f"  | {line}" for line in [*lines, *([pressable] if pressable else [])]) + "\n"


async def _save_images(message: Message, folder: Path, show: Callable[[str], None]) -> bool:
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    images = media(message)
    async with aiohttp.ClientSession() as session:
        for image in images:
            async with session.get(image["url"]) as answer:
                content = await answer.read()
            file = folder / f"{message.id}-{image['url'].split('?')[0].rsplit('/', 1)[-1]}"
            await asyncio.to_thread(file.write_bytes, content)
            show(f"picture: {file}")
    return bool(images)

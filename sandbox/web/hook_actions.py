"""Webhooks in the panel: addresses to send to, and arrivals."""

import json
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from sandbox.discord import Actor, ClientRefusal, DiscordServer
from sandbox.discord.encoding import Json
from sandbox.discord.receiver import ReceivedPost
from sandbox.web.message_parsing import read_text

STATUSES: Final = (204, 400, 404, 500)
"""Answers of the receiver to choose from."""

_SHOWN: Final = 10
_LONGEST_TEXT: Final = 4000


class HookActions:
    """Runs the panel's actions with webhooks."""

    def __init__(self, discord: DiscordServer) -> None:
        self._discord = discord
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {
            "hook": self.hook,
            "hook_answer": self.hook_answer,
        }

    def state(self) -> Json:
        """Return the receiver's address, its answer and the latest posts."""
        receiver = self._discord.receiver
        latest = islice(reversed(receiver.received), _SHOWN)
        return {
            "url": self._discord.receiver_url,
            "status": receiver.status,
            "received": [_shown(each) for each in latest],
        }

    async def hook(self, _: Actor, body: Json) -> Json:
        """Return the address of a channel's webhook."""
        channel = self._discord.world.channels[read_text(body, "channel")]
        if channel.guild_id is None or channel.parent_id is not None:
            raise ClientRefusal("Only channels of a server have webhooks.")
        return {"url": self._discord.webhook_url(channel)}

    async def hook_answer(self, _: Actor, body: Json) -> Json:
        """Set the answer of the receiver."""
        status = body.get("status")
        if status not in STATUSES:
            raise ClientRefusal(f"The receiver answers {', '.join(map(str, STATUSES))}.")
        self._discord.receiver.status = int(status)
        return {}


def _shown(post: ReceivedPost) -> Json:
    text = post.text if post.json is None else json.dumps(post.json, indent=2, ensure_ascii=False)
    return {"at": post.at, "text": text[:_LONGEST_TEXT], "is_json": post.json is not None}

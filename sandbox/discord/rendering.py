"""JSON of messages; their files have freshly signed addresses."""

import re

from sandbox.discord.cdn import Cdn
from sandbox.discord.components import Kind, mapped_media, walk
from sandbox.discord.emoji import emoji_payload
from sandbox.discord.encoding import Json, stamp
from sandbox.discord.entities import REPLY, Attachment, Message, Reaction
from sandbox.discord.mentions import original_of
from sandbox.discord.payloads import channel_payload, user_payload
from sandbox.discord.state import World

_HERE = "attachment://"
_CDN_ADDRESS = re.compile(r"/cdn/[\w-]+/\d+/(\d+)/")
_EMBED_PICTURES = ("image", "thumbnail")


def file_id(url: str) -> str | None:
    """Return the file id in an address of the CDN."""
    found = _CDN_ADDRESS.search(url)
    return None if found is None else found[1]


class Renderer:
    """Makes the JSON of messages."""

    def __init__(self, world: World, cdn: Cdn) -> None:
        self._world = world
        self._cdn = cdn

    def render(self, message: Message, *, within: bool = False) -> Json:
        """Return the message as the API shows it now.

        `within` is for the original inside a reply, which has none itself.
        """
        payload: Json = {
            "id": message.id,
            "channel_id": message.channel_id,
            "author": user_payload(self._world.users[message.author_id]),
            **self._body(message),
            "mentions": [user_payload(self._world.users[each]) for each in message.mentions],
            "mention_everyone": False,
            "pinned": message.pinned_at is not None,
            "tts": False,
        }
        if message.reactions:
            payload["reactions"] = [self._reaction(each) for each in message.reactions.values()]
        thread = self._world.channels.get(message.id)
        if thread is not None and thread.parent_id == message.channel_id:
            payload["thread"] = channel_payload(thread, self._world)
        if message.interaction_metadata is not None:
            payload["interaction_metadata"] = message.interaction_metadata
            payload["application_id"] = self._world.application.id
        if message.webhook_id is not None:
            payload["webhook_id"] = message.webhook_id
        if message.nonce is not None:
            payload["nonce"] = message.nonce
        if message.reference is not None:
            payload["message_reference"] = message.reference
        if message.kind == REPLY and not within:
            original = original_of(self._world, message)
            payload["referenced_message"] = None if original is None else self.render(original, within=True)
        if message.snapshot is not None:
            payload["message_snapshots"] = [{"message": self._body(message.snapshot)}]
        return payload

    def _reaction(self, reaction: Reaction) -> Json:
        count = len(reaction.user_ids)
        return {
            "emoji": emoji_payload(reaction.emoji),
            "count": count,
            "count_details": {"burst": 0, "normal": count},
            "burst_colors": [],
            "me_burst": False,
            "burst_me": False,
            "burst_count": 0,
            "me": self._world.bot.id in reaction.user_ids,
        }

    def _body(self, message: Message) -> Json:
        """Return the content carried along by a forwarded message."""
        named = {f"{_HERE}{each.filename}": each for each in message.attachments.values()}
        in_embeds = {str((each.get(key) or {}).get("url")) for each in message.embeds for key in _EMBED_PICTURES}
        # Files of a V2 message appear only where its components show them, those of embeds only in the embeds.
        listed = [] if message.v2 else [each for url, each in named.items() if url not in in_embeds]
        components = mapped_media(message.components, lambda media: self._media(message, media))
        for _, component in walk(components):
            if component["type"] == Kind.FILE:
                file = message.attachments.get(component["file"].get("attachment_id", ""))
                if file is not None:
                    component |= {"name": file.filename, "size": len(file.data)}
        return {
            "type": message.kind,
            "content": message.content,
            "embeds": [self._embed(each, named) for each in message.embeds],
            "components": components,
            "attachments": [self._cdn.attachment_payload(each) for each in listed],
            "flags": message.flags,
            "timestamp": stamp(message.created_at),
            "edited_timestamp": None if message.edited_at is None else stamp(message.edited_at),
            "mentions": [],
            "mention_roles": [],
        }

    def _media(self, message: Message, media: Json) -> Json:
        attachment = message.attachments.get(media.get("attachment_id", ""))
        if attachment is not None:
            return self._cdn.media_payload(attachment)
        return {"id": "0", "content_type": None, **self._elsewhere(media["url"])}

    def _embed(self, embed: Json, named: dict[str, Attachment]) -> Json:
        shown = dict(embed)
        for key in _EMBED_PICTURES:
            if isinstance(embed.get(key), dict):
                url = str(embed[key].get("url", ""))
                shown[key] = self._picture(named[url]) if url in named else {**embed[key], **self._elsewhere(url)}
        return shown

    def _picture(self, attachment: Attachment) -> Json:
        url = self._cdn.url(attachment)
        return {
            "url": url,
            "proxy_url": url,
            "width": attachment.width,
            "height": attachment.height,
            "content_type": attachment.content_type,
        }

    def _elsewhere(self, url: str) -> Json:
        """Return another site's image: its address and the proxy's, if any."""
        copy = self._cdn.copy_of(url)
        if copy is None:
            return {"url": url, "proxy_url": url, "width": None, "height": None}
        return {**self._picture(copy), "url": url}

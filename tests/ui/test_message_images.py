"""Images of a message as Discord describes them."""

from typing import Any

import discord
import pytest
from discord.state import ConnectionState

from bot.ui.handlers.message_images import card_job, gather, names_of

ME = 900
JOB = "0" * 31 + "a"
CDN = "https://cdn.discordapp.com/attachments/1/2"
PROXY = "https://images-ext-1.discordapp.net/external/sig/https/example.org"


def a_message(**parts: Any) -> discord.Message:
    """Return a message parsed by discord.py from Discord's payload."""
    state: Any = object.__new__(ConnectionState)
    state.http = None
    state._messages = None
    state._users = {}
    state._guilds = {}
    state.member_cache_flags = discord.MemberCacheFlags.none()
    channel: Any = discord.Object(3)
    channel._type = 0
    channel.guild = None
    data: Any = {
        "id": "1",
        "channel_id": "3",
        "type": 0,
        "author": {"id": "77", "username": "member", "discriminator": "0", "avatar": None},
        "content": "",
        "timestamp": "2026-03-14T09:26:53+00:00",
        "edited_timestamp": None,
        "attachments": [],
        "embeds": [],
        "components": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": False,
        "tts": False,
        **parts,
    }
    return discord.Message(state=state, channel=channel, data=data)


def a_file(name: str, **changes: Any) -> dict[str, Any]:
    """Return an attachment."""
    address = f"{CDN}/{name}?ex=1"
    described = {"id": "5", "filename": name, "size": 99, "url": address, "proxy_url": address}
    return {**described, "content_type": "image/png", "width": 64, "height": 48, **changes}


def a_media(name: str, **changes: Any) -> dict[str, Any]:
    """Return the media of an uploaded file in a component."""
    shown = {"id": "6", "url": f"{CDN}/{name}?ex=1", "proxy_url": f"{CDN}/{name}?ex=2", "attachment_id": "6"}
    return {**shown, "content_type": "image/png", "width": 100, "height": 50, **changes}


def an_embed(path: str, **changes: Any) -> dict[str, Any]:
    """Return the embed of a link."""
    image = {"url": f"https://example.org/{path}", "proxy_url": f"{PROXY}/{path}", "width": 800, "height": 600}
    return {"type": "rich", "image": {**image, **changes}}


def found(message: discord.Message) -> list[str]:
    """Return the last path parts of the image addresses, in order."""
    return [picture.url.rpartition("/")[2].partition("?")[0] for picture in gather(message)]


def test_attachments_are_found_with_metadata() -> None:
    """Non-images included: their problem is reported, not hidden."""
    message = a_message(attachments=[a_file("a.png"), a_file("b.pdf", content_type="application/pdf", width=None)])
    first, second = gather(message)
    assert (first.filename, first.media_type, first.size, first.width, first.height) == (
        "a.png",
        "image/png",
        99,
        64,
        48,
    )
    assert (second.media_type, second.width) == ("application/pdf", None)


def test_component_images_are_found() -> None:
    """In galleries, thumbnails and files, at any depth."""
    message = a_message(
        components=[
            {
                "type": 17,
                "id": 1,
                "components": [
                    {"type": 10, "id": 2, "content": "## a fox"},
                    {"type": 12, "id": 3, "items": [{"media": a_media("a.png")}, {"media": a_media("b.png")}]},
                    {
                        "type": 9,
                        "id": 4,
                        "components": [{"type": 10, "id": 5, "content": "beside"}],
                        "accessory": {"type": 11, "id": 6, "media": a_media("c.png")},
                    },
                    {"type": 13, "id": 7, "file": a_media("d.png"), "name": "d.png", "size": 7},
                ],
            },
            {"type": 12, "id": 8, "items": [{"media": a_media("e.png")}]},
        ]
    )
    assert found(message) == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert gather(message)[3].size == 7


def test_external_component_image_uses_discord_proxy() -> None:
    """The foreign address is never requested."""
    elsewhere = a_media("a.png", url="https://example.org/a.png", attachment_id=None, proxy_url=f"{PROXY}/a.png")
    message = a_message(components=[{"type": 12, "id": 3, "items": [{"media": elsewhere}]}])
    assert [picture.url for picture in gather(message)] == [f"{PROXY}/a.png"]


def test_embed_image_uses_discord_proxy() -> None:
    """A page image has any name; Discord knows its type."""
    message = a_message(embeds=[an_embed("photo.php"), an_embed("b.jpg"), an_embed("c.png", proxy_url=None)])
    first, second = gather(message)
    assert (first.url, first.filename, first.width) == (f"{PROXY}/photo.php", "", 800)
    assert (second.url, second.filename) == (f"{PROXY}/b.jpg", "b.jpg")


def test_forwarded_images_are_found() -> None:
    """They are in its snapshot."""
    snapshot = {
        "type": 0,
        "content": "",
        "timestamp": "2026-03-14T09:26:53+00:00",
        "edited_timestamp": None,
        "flags": 0,
        "attachments": [a_file("a.png")],
        "embeds": [an_embed("b.png")],
        "components": [{"type": 12, "id": 3, "items": [{"media": a_media("c.png")}]}],
    }
    message = a_message(
        message_snapshots=[{"message": snapshot}],
        message_reference={"type": 1, "channel_id": "3", "message_id": "9"},
        flags=1 << 14,
    )
    assert found(message) == ["a.png", "c.png", "b.png"]


def test_duplicate_image_is_listed_once() -> None:
    """An embed signs the address of an attachment again."""
    shown_again = an_embed("", proxy_url=f"{CDN}/a.png?ex=9")
    assert found(a_message(attachments=[a_file("a.png")], embeds=[shown_again])) == ["a.png"]


def test_text_message_has_no_image() -> None:
    """Stickers, avatars and emoji do not count."""
    assert gather(a_message(content="a fox")) == ()


def test_images_have_distinguishing_names() -> None:
    """A name and a size, if known."""
    message = a_message(attachments=[a_file("a.png"), a_file("b.pdf", width=None)], embeds=[an_embed("photo.php")])
    assert names_of(gather(message)) == ["a.png · 64x48", "b.pdf", "800x600"]


@pytest.mark.parametrize(
    ("author", "custom_id", "job"),
    [
        (ME, f"a1:more:{JOB}:0", JOB),
        (77, f"a1:more:{JOB}:0", None),  # another application's copy
        (ME, f"a1:older:{JOB}:0", None),  # a page of /history
        (ME, f"a1:cancel:{JOB}:0", None),  # not ended
        (ME, "a1:more:x:0", None),
    ],
)
def test_job_card_is_recognised_by_its_menu(author: int, custom_id: str, job: str | None) -> None:
    """Only the bot's own, finished cards."""
    menu = {"type": 3, "id": 4, "custom_id": custom_id, "options": [{"label": "Details", "value": "details"}]}
    components = [{"type": 17, "id": 1, "components": [{"type": 1, "id": 2, "components": [menu]}]}]
    user = {"id": str(author), "username": "x", "discriminator": "0", "avatar": None}
    assert card_job(a_message(author=user, components=components), ME) == job

"""Where a message has its pictures, as Discord describes them."""

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
    """Return a message as discord.py makes it from what Discord sends."""
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
        "author": {"id": "77", "username": "ann", "discriminator": "0", "avatar": None},
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
    """Return what a component shows of an uploaded file."""
    shown = {"id": "6", "url": f"{CDN}/{name}?ex=1", "proxy_url": f"{CDN}/{name}?ex=2", "attachment_id": "6"}
    return {**shown, "content_type": "image/png", "width": 100, "height": 50, **changes}


def an_embed(path: str, **changes: Any) -> dict[str, Any]:
    """Return what Discord shows of a link."""
    image = {"url": f"https://example.org/{path}", "proxy_url": f"{PROXY}/{path}", "width": 800, "height": 600}
    return {"type": "rich", "image": {**image, **changes}}


def found(message: discord.Message) -> list[str]:
    """Return the last parts of the pictures' addresses, in their order."""
    return [picture.url.rpartition("/")[2].partition("?")[0] for picture in gather(message)]


def test_files_with_what_is_known_of_them() -> None:
    """Also those that are no pictures: what is wrong with them is told, not hidden."""
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


def test_components_of_every_kind() -> None:
    """A card of the studio's has no attachments: its pictures are in galleries, thumbnails and files, however deep."""
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


def test_what_a_component_shows_of_elsewhere_is_taken_from_discord() -> None:
    """The stranger's own address is never asked."""
    elsewhere = a_media("a.png", url="https://example.org/a.png", attachment_id=None, proxy_url=f"{PROXY}/a.png")
    message = a_message(components=[{"type": 12, "id": 3, "items": [{"media": elsewhere}]}])
    assert [picture.url for picture in gather(message)] == [f"{PROXY}/a.png"]


def test_embeds_by_discords_copy_alone() -> None:
    """The picture of a page has any name, but Discord has seen that it is one."""
    message = a_message(embeds=[an_embed("photo.php"), an_embed("b.jpg"), an_embed("c.png", proxy_url=None)])
    first, second = gather(message)
    assert (first.url, first.filename, first.width) == (f"{PROXY}/photo.php", "", 800)
    assert (second.url, second.filename) == (f"{PROXY}/b.jpg", "b.jpg")


def test_a_forwarded_message_brings_its_pictures() -> None:
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


def test_each_picture_once() -> None:
    """A file that an embed shows as well is signed anew there."""
    shown_again = an_embed("", proxy_url=f"{CDN}/a.png?ex=9")
    assert found(a_message(attachments=[a_file("a.png")], embeds=[shown_again])) == ["a.png"]


def test_words_alone_have_none() -> None:
    """Nor have stickers, avatars and emoji."""
    assert gather(a_message(content="a fox")) == ()


def test_what_tells_pictures_apart() -> None:
    """A name and a size, as far as they are known."""
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
def test_a_card_is_known_by_its_menu(author: int, custom_id: str, job: str | None) -> None:
    """Only the bot's own, and only one that has ended."""
    menu = {"type": 3, "id": 4, "custom_id": custom_id, "options": [{"label": "Details", "value": "details"}]}
    components = [{"type": 17, "id": 1, "components": [{"type": 1, "id": 2, "components": [menu]}]}]
    user = {"id": str(author), "username": "x", "discriminator": "0", "avatar": None}
    assert card_job(a_message(author=user, components=components), ME) == job

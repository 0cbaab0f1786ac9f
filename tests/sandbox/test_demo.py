"""The transcript of the demonstration, as a terminal shows it."""

import pytest

from sandbox.demo import plain_text
from sandbox.discord import World, default_world

NOW = 1_790_000_000


@pytest.fixture
def world() -> World:
    """Return a world with a fixed time."""
    return default_world(token="t", now=lambda: float(NOW))


def test_plain_text_mention_shows_display_name(world: World) -> None:
    member = world.user("member")
    assert plain_text(f"for <@{member.id}> and <@!{member.id}>", world) == "for @Member and @Member"
    assert plain_text("for <@5>", world) == "for <@5>"


@pytest.mark.parametrize(
    ("offset", "shown"),
    [
        (0, "0 seconds ago"),
        (-1, "1 second ago"),
        (-59, "59 seconds ago"),
        (-60, "1 minute ago"),
        (7200, "in 2 hours"),
        (86_400, "in 1 day"),
    ],
)
def test_plain_text_timestamp_shows_relative_time(world: World, offset: int, shown: str) -> None:
    assert plain_text(f"since <t:{NOW + offset}:R>", world) == f"since {shown}"


def test_plain_text_markup_for_layout_is_dropped(world: World) -> None:
    assert plain_text("## a fox", world) == "a fox"
    assert plain_text("-# 12 credits\n-# \u2068fox\u2069 - # x", world) == "12 credits\nfox - # x"

"""Settings of a server: channels and moderators."""

import pytest

from bot.domain.guild_settings import GuildSettings


@pytest.mark.parametrize(
    ("chosen", "place", "works"),
    [((), {5}, True), ((5, 6), {5}, True), ((5,), {7}, False), ((5,), {7, 5}, True)],
    ids=["none chosen", "chosen", "another", "thread of a chosen one"],
)
def test_studio_channel_is_a_chosen_one_or_its_thread(chosen: tuple[int, ...], place: set[int], *, works: bool) -> None:
    assert GuildSettings(studio_channels=chosen).is_studio_channel(place) is works


@pytest.mark.parametrize(
    ("named", "roles", "manages_messages", "is_admin", "moderates"),
    [
        ((), (), True, False, True),
        ((), (9,), False, False, False),
        ((9,), (9,), False, False, True),
        ((9,), (8,), True, False, False),
        ((9,), (), False, True, True),
    ],
    ids=["Manage Messages", "no right", "named role", "Manage Messages beside named roles", "admin"],
)
def test_moderator_is_of_a_named_role_else_manages_messages(
    named: tuple[int, ...], roles: tuple[int, ...], *, manages_messages: bool, is_admin: bool, moderates: bool
) -> None:
    settings = GuildSettings(moderator_roles=named)
    assert settings.is_moderator(roles, manages_messages=manages_messages, is_admin=is_admin) is moderates

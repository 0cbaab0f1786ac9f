"""Submissions of setup forms that other admins overtake."""

from types import SimpleNamespace
from typing import Any

import pytest

from bot.domain.allowances import AllowanceEntry
from bot.domain.errors import ModeratorRoleError, NotOfferedError, RefusalReasonsError
from bot.domain.guild_settings import GuildSettings
from bot.domain.sharing.settings import ReviewMode
from bot.services.guild_setup import GuildState
from bot.ui.buttons import SetupSection
from bot.ui.handlers.setup_forms import (
    changed_settings,
    is_allowance_shown,
    read_allowance,
    read_settings,
    shown_values,
)
from tests.support.factories import GUILD


def state_of(entry: AllowanceEntry | None = None, settings: GuildSettings | None = None) -> GuildState:
    """Return a server's state with an allowance for everyone."""
    entries = () if entry is None else (entry,)
    return GuildState(
        guild_id=GUILD, settings=settings or GuildSettings(), entries=entries, default_allowance=200, silences=()
    )


def test_submission_changes_only_what_its_admin_changed() -> None:
    shown = shown_values(SetupSection.SHARING, state_of())
    submitted = {"review_channel_id": None, "showcase_channel_id": None, "log_channel_id": 5}
    assert changed_settings(SetupSection.SHARING, submitted, shown) == {"log_channel_id": 5}
    assert changed_settings(SetupSection.SHARING, submitted, None) == submitted
    shown = shown_values(SetupSection.LOCALE, state_of())
    assert changed_settings(SetupSection.LOCALE, {"time_zone": "UTC", "locale": "en"}, shown) == {"locale": "en"}


def test_submission_without_a_deleted_channel_removes_it() -> None:
    settings = GuildSettings(studio_channels=(7, 6), log_channel_id=8)
    shown = shown_values(SetupSection.CHANNELS, state_of(settings=settings))
    same = {"studio_channels": (6, 7), "private_results": None}
    assert changed_settings(SetupSection.CHANNELS, same, shown) == {}
    assert changed_settings(SetupSection.CHANNELS, same | {"studio_channels": (6,)}, shown) == {"studio_channels": (6,)}


class _Guild:
    """A server with one role of members and one of a bot."""

    def get_role(self, role_id: int) -> Any:
        """Return a role."""
        roles = {7: (False, "Regulars"), 8: (True, "Bot")}
        if role_id not in roles:
            return None
        is_bots, name = roles[role_id]
        return SimpleNamespace(id=role_id, name=name, is_default=lambda: False, is_bot_managed=lambda: is_bots)


SERVER: Any = _Guild()
REVIEW_FORM = {
    "review": ["untrusted"],
    "trusted": ["7"],
    "reminder": ["0"],
    "reasons": ["Off topic\n\n  Too *loud* \nOff topic"],
}


def test_rules_of_the_review_are_read_with_each_reason_once() -> None:
    assert read_settings(SetupSection.REVIEW, REVIEW_FORM, SERVER) == {
        "review": ReviewMode.UNTRUSTED,
        "trusted_roles": (7,),
        "reminder_hours": 0,
        "refusal_reasons": ("Off topic", "Too *loud*"),
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"review": ["some"]}, NotOfferedError),
        ({"trusted": ["9"]}, NotOfferedError),
        ({"trusted": ["8"]}, ModeratorRoleError),
        ({"reminder": ["-1"]}, NotOfferedError),
        ({"reminder": []}, NotOfferedError),
        ({"reasons": ["x" * 81]}, RefusalReasonsError),
        ({"reasons": ["\n".join(map(str, range(21)))]}, RefusalReasonsError),
    ],
)
def test_forged_or_too_many_rules_are_refused(changes: dict[str, list[str]], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_settings(SetupSection.REVIEW, REVIEW_FORM | changes, SERVER)


def test_rules_of_the_showcase_change_only_what_was_changed() -> None:
    state = state_of()
    form = {"names": ["hidden"], "votes": ["buttons"], "voters": [], "reports": ["3"]}
    submitted = read_settings(SetupSection.SHOWCASE, form, SERVER)
    shown = shown_values(SetupSection.SHOWCASE, state)
    assert changed_settings(SetupSection.SHOWCASE, submitted, shown) == {"allows_anonymous": True}


def test_untouched_allowance_leaves_that_of_another_admin() -> None:
    shown = shown_values(SetupSection.ALLOWANCE, state_of())
    now = state_of(AllowanceEntry(amount=500))
    untouched = read_allowance({"amount": ["200"], "period": ["day"]}, now, shown)
    assert is_allowance_shown(untouched, shown)
    shown = shown_values(SetupSection.ALLOWANCE, now)
    operators = read_allowance({"amount": ["500"], "period": ["operator"]}, now, shown)
    assert operators is None
    assert not is_allowance_shown(operators, shown)

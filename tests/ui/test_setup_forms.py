"""Submissions of setup forms that other admins overtake."""

from bot.domain.allowances import AllowanceEntry
from bot.domain.guild_settings import GuildSettings
from bot.services.guild_setup import GuildState
from bot.ui.buttons import SetupSection
from bot.ui.handlers.setup_forms import changed_settings, is_allowance_shown, read_allowance, shown_values
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


def test_untouched_allowance_leaves_that_of_another_admin() -> None:
    shown = shown_values(SetupSection.ALLOWANCE, state_of())
    now = state_of(AllowanceEntry(amount=500))
    untouched = read_allowance({"amount": ["200"], "period": ["day"]}, now, shown)
    assert is_allowance_shown(untouched, shown)
    shown = shown_values(SetupSection.ALLOWANCE, now)
    operators = read_allowance({"amount": ["500"], "period": ["operator"]}, now, shown)
    assert operators is None
    assert not is_allowance_shown(operators, shown)

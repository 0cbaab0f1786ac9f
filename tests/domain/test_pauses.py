"""Pauses: their extent and their precedence."""

import pytest

from bot.domain.pauses import Pause, Pauses, PauseScope
from tests.support.clock import START

GUILD = 5


def pause(scope: PauseScope, name: str = "") -> Pause:
    return Pause(scope=scope, name=name, reason="", actor_id=0, at=START)


@pytest.mark.parametrize(
    ("entry", "is_blocked"),
    [
        (pause(PauseScope.ALL), True),
        (pause(PauseScope.GUILD, "5"), True),
        (pause(PauseScope.GUILD, "6"), False),
        (pause(PauseScope.STUDIO, "5"), True),
        (pause(PauseScope.STUDIO, "6"), False),
        (pause(PauseScope.MODEL, "reve-2.0"), True),
        (pause(PauseScope.MODEL, "nano-banana"), False),
        (pause(PauseScope.PROVIDER, "skillboss"), False),
    ],
    ids=lambda value: f"{value.scope}-{value.name}" if isinstance(value, Pause) else str(value),
)
def test_pause_blocks_only_jobs_in_its_scope(entry: Pause, is_blocked: bool) -> None:
    blocking = Pauses([entry]).blocking(GUILD, "reve-2.0", ["skillboss", "reve2img"])
    assert (blocking == entry) is is_blocked


def test_paused_provider_blocks_jobs_without_another() -> None:
    entry = pause(PauseScope.PROVIDER, "skillboss")
    assert Pauses([entry]).blocking(GUILD, "reve-2.0", ["skillboss"]) == entry
    assert Pauses([entry]).blocking(GUILD, "reve-2.0", []) is None


def test_operators_pause_comes_before_the_admins() -> None:
    admins, operators = pause(PauseScope.STUDIO, "5"), pause(PauseScope.GUILD, "5")
    everything = pause(PauseScope.ALL)
    assert Pauses([admins, operators]).of_guild(GUILD) == operators
    assert Pauses([admins, operators, everything]).of_guild(GUILD) == everything
    assert list(Pauses([admins, operators, everything])) == [everything, operators, admins]

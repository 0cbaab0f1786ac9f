"""Answers to the end of a pause."""

from bot.domain.pauses import Pause, Pauses, PauseScope
from bot.ui.render.pause_panels import all_resumed_panel, guild_resumed
from tests.support.clock import START
from tests.ui.view_reader import texts


def paused(scope: PauseScope, name: str = "") -> Pause:
    """Return a pause without a reason."""
    return Pause(scope=scope, name=name, reason="", actor_id=0, at=START)


def test_resumed_server_reads_every_pause_of_the_operator() -> None:
    pauses = Pauses(
        [
            paused(PauseScope.MODEL, "reve-2.0"),
            paused(PauseScope.ALL),
            paused(PauseScope.GUILD, "7"),
            paused(PauseScope.GUILD, "8"),
            paused(PauseScope.STUDIO, "7"),
        ]
    )
    assert guild_resumed(pauses.of_operator(7), ended=True).splitlines() == [
        "Your pause is over.",
        "The studio is paused by its operator.",
        "The studio is paused in this server by its operator.",
        "The model reve-2.0 is paused by the studio's operator.",
        "Only the operator can end those.",
    ]
    assert guild_resumed(Pauses([paused(PauseScope.STUDIO, "8")]).of_operator(7), ended=True) == (
        "The studio is open again in this server."
    )


def test_resumed_server_reads_the_first_of_many_pauses() -> None:
    many = [paused(PauseScope.MODEL, f"model-{each}") for each in range(9)]
    lines = guild_resumed(many, ended=True).splitlines()
    assert (len(lines), lines[-2]) == (8, "4 more")


def test_resumed_studio_names_what_is_still_paused() -> None:
    left = Pauses([paused(PauseScope.PROVIDER, "fal"), paused(PauseScope.STUDIO, "7"), paused(PauseScope.GUILD, "7")])
    assert texts(all_resumed_panel(left, changed=True)) == [
        (
            "The pause of everything is over.\n"
            "The image service fal is paused by the studio's operator.\n"
            "1 server is still paused.\n"
            "`atelier resume` ends those of the operator."
        )
    ]
    assert texts(all_resumed_panel(Pauses(), changed=True)) == ["The studio is open again."]

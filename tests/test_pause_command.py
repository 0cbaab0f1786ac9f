"""Lines of `atelier pause`."""

from bot.command_line.studio_control import begin_pause
from bot.domain.pauses import PauseScope
from bot.settings import Settings
from db.database import Database


async def test_second_pause_says_that_it_replaces_the_reason(sqlite_database: Database) -> None:
    settings, target = Settings(), (PauseScope.ALL, "")
    first = await begin_pause(sqlite_database, settings, target, "a bll")
    assert first[0] == "Everything is paused: no new jobs. Those at providers finish; queued ones wait."
    said, hint = await begin_pause(sqlite_database, settings, target, "a bill")
    assert said.startswith("Everything was paused since ")
    assert said.endswith(" UTC; this replaces the reason “a bll”.")
    assert hint == first[1] == "End it with: atelier resume --all"

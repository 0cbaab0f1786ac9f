"""`/studio stats` on simcord: without pictures."""

import pytest

from bot.charts import drawer
from tests.cogs.bot_harness import BotHarness


async def test_statistics_without_pictures_say_their_numbers(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing ends with an error, the answer does not."""
    monkeypatch.setattr(drawer, "_START", "raise SystemExit(3)")
    admin = bot.member("admin", manage_guild=True)
    await bot.imagine(admin, prompt="a fox")
    said = bot.card(await admin.slash(bot.channel, "studio stats", period=7))
    assert said[0].startswith("## Statistics of the last 7 days\n**1 job** · 0 credits\n")
    assert said[1:] == [
        "The charts could not be drawn. These are their numbers:",
        (
            "-# \u2068Jobs a day by model, 26 Feb to 4 Mar. 1 job in all\\: reve\\-2.0 1."
            " Most on 4 Mar\\: 1. Today\\: 1.\u2069"
        ),
    ]

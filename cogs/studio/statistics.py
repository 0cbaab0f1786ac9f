"""`/studio stats`: charts of a server's jobs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.statistics_chart import StatisticsChart

if TYPE_CHECKING:
    from bot.ui.handlers.statistics import StatisticsHandlers

_DEFAULT_DAYS: Final = 30
_PERIODS: Final = [
    app_commands.Choice(name=locale_str("7 days"), value=7),
    app_commands.Choice(name=locale_str("30 days"), value=30),
    app_commands.Choice(name=locale_str("90 days"), value=90),
]
_CHARTS: Final = [
    app_commands.Choice(name=locale_str("Overview"), value=StatisticsChart.OVERVIEW.value),
    app_commands.Choice(name=locale_str("Jobs a day by model"), value=StatisticsChart.MODELS.value),
    app_commands.Choice(name=locale_str("Credits by member"), value=StatisticsChart.MEMBERS.value),
    app_commands.Choice(name=locale_str("Credits by role"), value=StatisticsChart.ROLES.value),
    app_commands.Choice(name=locale_str("Successful jobs a day"), value=StatisticsChart.SUCCESS.value),
    app_commands.Choice(name=locale_str("Waiting time a day"), value=StatisticsChart.WAITING.value),
    app_commands.Choice(name=locale_str("Credits and cost (the bot's owner only)"), value=StatisticsChart.COST.value),
]


class StatisticsCommands(commands.Cog):
    """The statistics of a server, for its admins.

    `handlers` builds the handlers at the first command.
    """

    def __init__(self, *, handlers: "Callable[[], StatisticsHandlers]") -> None:
        self._handlers = handlers

    @app_commands.command(name="stats", description=locale_str("See charts of jobs, credits and waiting times"))
    @app_commands.describe(
        period=locale_str("Up to today; 30 days if not given"), chart=locale_str("One chart; else the most useful ones")
    )
    @app_commands.choices(period=_PERIODS)
    @app_commands.choices(chart=_CHARTS)
    async def stats(
        self,
        interaction: discord.Interaction[Any],
        period: int = _DEFAULT_DAYS,
        chart: str = StatisticsChart.OVERVIEW.value,
    ) -> None:
        """Answer with the statistics of this server."""
        await self._handlers().show(interaction, period, StatisticsChart(chart))

"""Handler of `/studio stats`."""

import io
from collections.abc import Callable, Sequence
from typing import Any, Final

import discord

from bot.charts.drawer import ChartDrawer, DrawingError
from bot.domain.statistics import Statistics
from bot.domain.statistics_chart import StatisticsChart
from bot.services.statistics import StatisticsService
from bot.ui.delivery.member_names import find_names
from bot.ui.handlers.interactions import require_owner
from bot.ui.handlers.moderation import require_moderator
from bot.ui.render.statistics_charts import DescribedChart, charts_of
from bot.ui.render.statistics_csv import CSV_FILE, csv_text
from bot.ui.render.statistics_numbers import Names
from bot.ui.render.statistics_panel import no_statistics_panel, statistics_panel

_QUIET: Final = discord.AllowedMentions.none()
# Spreadsheets take a file for UTF-8 by this mark alone.
_ENCODING: Final = "utf-8-sig"


class StatisticsHandlers:
    """Shows a server's statistics to one person alone."""

    def __init__(
        self, *, statistics: StatisticsService, drawer: ChartDrawer, provider_name: Callable[[str], str]
    ) -> None:
        self._statistics = statistics
        self._drawer = drawer
        self._provider_name = provider_name

    async def show(self, interaction: discord.Interaction[Any], days: int, which: StatisticsChart) -> None:
        """Answer with drawn charts and a file of their numbers.

        Raises the errors of `StatisticsService.get`.

        Raises:
            NotAllowedError: the member is no moderator, or asks for costs and is not the application's owner.
        """
        guild_id = require_moderator(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        with_money = which is StatisticsChart.COST
        if with_money:
            await require_owner(interaction)
        elif which is StatisticsChart.OVERVIEW:
            with_money = await interaction.client.is_owner(interaction.user)
        statistics = await self._statistics.get(guild_id, days, with_money=with_money)
        if not statistics.total.jobs:
            await interaction.edit_original_response(view=no_statistics_panel(statistics), allowed_mentions=_QUIET)
            return
        names = await self._names(interaction, statistics)
        charts = charts_of(statistics, which, names)
        pictures = await self._draw(charts)
        filenames = None if pictures is None else [f"chart-{number}.png" for number in range(1, len(charts) + 1)]
        view = statistics_panel(statistics, [chart.description for chart in charts], filenames)
        contents = list(zip(filenames or (), pictures or (), strict=True))
        contents.append((CSV_FILE, csv_text(statistics, names).encode(_ENCODING)))
        await interaction.edit_original_response(
            view=view,
            attachments=[discord.File(io.BytesIO(content), filename=name) for name, content in contents],
            allowed_mentions=_QUIET,
        )

    async def _names(self, interaction: discord.Interaction[Any], statistics: Statistics) -> Names:
        guild = interaction.guild
        return Names(
            members=await find_names(guild, [each.member_id for each in statistics.members]),
            roles={} if guild is None else {role.id: role.name for role in guild.roles},
            provider=self._provider_name,
        )

    async def _draw(self, charts: Sequence[DescribedChart]) -> tuple[bytes, ...] | None:
        """Return the pictures, or None: the numbers are worth showing alone."""
        try:
            return await self._drawer.draw([each.chart for each in charts]) if charts else ()
        except DrawingError:
            return None

"""`atelier pause`, `resume`, `budget` and `credits`."""

from typing import Annotated, Final

import typer

from bot.command_line.credits import Work, build_credit_commands
from bot.command_line.studio_control import (
    ControlError,
    begin_pause,
    check_guild,
    end_pause,
    list_budgets,
    list_pauses,
    pause_target,
    show_budget,
)
from bot.command_line.terminal import print_work, read_settings
from db.database import Database

_AllOption = Annotated[bool, typer.Option("--all", help="Everything, in every server.")]
_ProviderOption = Annotated[str | None, typer.Option(help="One provider; its jobs go to others.", show_default=False)]
_ModelOption = Annotated[str | None, typer.Option(help="One model.", show_default=False)]
_GuildOption = Annotated[int | None, typer.Option(help="One server, by its id.", show_default=False)]


def pause(
    everything: _AllOption = False,  # noqa: FBT002 - typer's form of a flag
    provider: _ProviderOption = None,
    model: _ModelOption = None,
    guild: _GuildOption = None,
    reason: Annotated[str, typer.Option(help="Members see it.", show_default=False)] = "",
) -> None:
    """Stop new jobs, also while the bot runs; without options, list pauses."""
    settings = read_settings()

    async def work(database: Database) -> list[str]:
        target = pause_target(everything=everything, provider=provider, model=model, guild=guild)
        if target is None:
            return await list_pauses(database, settings)
        return await begin_pause(database, settings, target, reason)

    print_work(settings, work)


def resume(
    everything: _AllOption = False,  # noqa: FBT002 - typer's form of a flag
    provider: _ProviderOption = None,
    model: _ModelOption = None,
    guild: _GuildOption = None,
) -> None:
    """End a pause."""
    settings = read_settings()

    async def work(database: Database) -> list[str]:
        target = pause_target(everything=everything, provider=provider, model=model, guild=guild)
        if target is None:
            raise ControlError("Choose --all, --provider, --model or --guild. `atelier pause` lists what is paused.")
        return await end_pause(database, settings, target)

    print_work(settings, work)


def budget(
    guild: _GuildOption = None,
    cap: Annotated[
        str | None, typer.Option(help="Credits a month that you give the server, or none.", show_default=False)
    ] = None,
) -> None:
    """Print this month's budgets, or limit a server's."""
    settings = read_settings()

    async def work(database: Database) -> list[str]:
        if guild is None and cap is not None:
            raise ControlError("--cap needs --guild. MONTHLY_BUDGET limits all servers together.")
        if guild is None:
            return await list_budgets(database, settings)
        return await show_budget(database, settings, check_guild(guild), cap)

    print_work(settings, work)


def _run_credits(work: Work) -> None:
    """Run a command of `atelier credits`."""
    settings = read_settings()
    print_work(settings, lambda database: work(database, settings))


credit_commands: Final = build_credit_commands(_run_credits)

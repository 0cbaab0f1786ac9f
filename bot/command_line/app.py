"""The commands of `atelier`, in the order of its help."""

import os
from typing import Annotated

import typer

from bot import __version__
from bot.command_line.checks import doctor, try_
from bot.command_line.control import budget, credit_commands, pause, resume
from bot.command_line.database import audit, backup, migrate, move, restore
from bot.command_line.output import OUT
from bot.command_line.pictures import picture_commands
from bot.command_line.reports import money, stats
from bot.command_line.serving import run, sandbox, sync
from bot.command_line.takedown import takedown

app = typer.Typer(
    help="Atelier: an image studio for Discord communities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (run, sync, sandbox, migrate, audit, backup, restore, move, money, stats, pause, resume, budget):
    app.command()(_command)
app.add_typer(credit_commands, name="credits")
app.add_typer(picture_commands, name="pictures")
app.command()(takedown)
app.command()(doctor)
app.command("try")(try_)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Atelier: an image studio for Discord communities."""
    if show:
        OUT.print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line.

    What it creates holds prompts, tokens and pictures, so only its user may read it.
    """
    os.umask(0o077)
    app()

"""The commands of `atelier`, in the order of its help."""

import os
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from bot import __version__
from bot.command_line.output import OUT

_COMMANDS: Final = {
    "run": "serving:run",
    "sync": "serving:sync",
    "sandbox": "serving:sandbox",
    "migrate": "database:migrate",
    "audit": "database:audit",
    "backup": "database:backup",
    "restore": "database:restore",
    "move": "database:move",
    "money": "reports:money",
    "stats": "reports:stats",
    "pause": "control:pause",
    "resume": "control:resume",
    "budget": "control:budget",
    "credits": "control:credit_commands",
    "pictures": "pictures:picture_commands",
    "takedown": "takedown:takedown",
    "doctor": "checks:doctor",
    "try": "checks:try_",
}
"""Modules and functions of the commands."""


class LazyCommands(TyperGroup):
    """Commands with modules imported when they are run or listed.

    A bot that runs then holds no code of the other ones.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in their order."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; None if there is no such one."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command; an error about a typo names similar ones."""
        if args[0] not in _COMMANDS:
            self.commands.update({name: _load(name) for name in _COMMANDS})
        return super().resolve_command(ctx, args)


def import_command(name: str) -> None:
    """Import the module of a command, if there is such a one."""
    if name in _COMMANDS:
        _function_of(name)


def _function_of(name: str) -> Any:
    module, _, attribute = _COMMANDS[name].partition(":")
    return getattr(import_module(f"{__package__}.{module}"), attribute)


def _load(name: str) -> Any:
    """Return a command as typer builds it."""
    command = _function_of(name)
    parent = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    if isinstance(command, typer.Typer):
        parent.add_typer(command, name=name)
    else:
        parent.command(name)(command)
        parent.callback()(lambda: None)  # so that typer makes a group of a single command, too
    return typer.main.get_group(parent).commands[name]


app = typer.Typer(
    cls=LazyCommands,
    help="Atelier: an image studio for Discord communities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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

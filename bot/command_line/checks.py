"""`atelier doctor` and `try`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from bot.command_line.output import ERR, OUT
from bot.command_line.terminal import fail, read_settings, stop_on_signals
from bot.container import command_payload
from bot.doctor import Finding, examine
from bot.gateway import describe_fault
from bot.log_config import configure_logging
from bot.settings import Settings
from bot.trial import (
    ExitCode,
    Picture,
    Plan,
    TrialError,
    Wanted,
    check_out,
    make_picture,
    picture_lines,
    plan_lines,
    prepare,
)

_log = structlog.get_logger(__name__)


def doctor(
    strict: Annotated[bool, typer.Option(help="Exit with 1 for warnings too.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Check all needs of the bot; exit 1 for a fault."""
    settings = read_settings()
    findings = asyncio.run(examine(settings, commands=command_payload))
    for finding in findings:
        sign, style = _sign_of(finding)
        OUT.print(sign, style=style, end="")
        OUT.print(f" {finding.what}")
        if finding.remedy:
            OUT.print(f"      {finding.remedy}")
    if not all(finding.good and not (strict and finding.is_warning) for finding in findings):
        raise typer.Exit(1)


def try_(
    prompt: Annotated[str, typer.Argument(help="The prompt, in quotation marks.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="Model; else the default one.", show_default=False)] = None,
    provider: Annotated[str | None, typer.Option(help="Provider; else PROVIDER_ORDER.", show_default=False)] = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="Such as 16:9.", show_default=False)] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to edit.", dir_okay=False, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help="New file, or a folder.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Make one picture with a real key: no Discord and no database."""
    settings = read_settings()
    configure_logging("DEBUG" if settings.log_level == "DEBUG" else "ERROR", settings.log_format)
    wanted = Wanted(prompt=prompt, model=model, provider=provider, aspect_ratio=aspect_ratio, image=image)
    try:
        check_out(out)
        plan = asyncio.run(prepare(settings, wanted))
        for line in plan_lines(plan):
            OUT.print(line)
        if not yes:
            _ask_to_send()
        picture = asyncio.run(_try_plan(settings, plan, out))
    except TrialError as error:
        fail(error.line, code=error.code)
    except (KeyboardInterrupt, typer.Abort):
        fail("Stopped. Nothing was sent.")
    except OSError as error:
        fail(f"The picture cannot be saved: {error.strerror or type(error).__name__}.")
    except Exception as error:  # noqa: BLE001 - one line instead of a traceback, which is at DEBUG
        _log.debug("try.broke", exc_info=True)
        fail(
            f"This ended by a fault of Atelier: {describe_fault(error)}. Please report it; LOG_LEVEL=DEBUG shows more."
        )
    for line in picture_lines(picture):
        OUT.print(line)


def _ask_to_send() -> None:
    if not sys.stdin.isatty():
        line = "Nothing was sent: there is no terminal to answer at. Add --yes to send it."
        raise TrialError(line, code=ExitCode.USAGE)
    if not typer.confirm("Send?"):
        raise TrialError("Nothing was sent.")


async def _try_plan(settings: Settings, plan: Plan, out: Path | None) -> Picture:
    interrupted = stop_on_signals()[0]
    if not ERR.console.is_terminal:
        shown: list[str] = []

        def show_change(line: str) -> None:
            if line not in shown[-1:]:
                ERR.print(line)
            shown.append(line)

        return await make_picture(settings, plan, out=out, show=show_change, interrupted=interrupted)
    # Not at the top: `output` says why.
    from rich.text import Text  # noqa: PLC0415 - see above

    with ERR.console.status("") as status:
        return await make_picture(
            settings, plan, out=out, show=lambda line: status.update(Text(line)), interrupted=interrupted
        )


def _sign_of(finding: Finding) -> tuple[str, str]:
    """Return a finding's sign and the sign's style."""
    if not finding.good:
        return "fault", "red"
    return ("warn ", "yellow") if finding.is_warning else ("ok   ", "green")

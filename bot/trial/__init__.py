"""One picture from the shell: no Discord, no engine, no database.

It serves to try a provider's key. `prepare` spends nothing; `make_picture` sends the one paid call.
"""

from bot.trial.plan import Plan, Wanted, prepare
from bot.trial.problems import ExitCode, TrialError
from bot.trial.report import picture_lines, plan_lines
from bot.trial.session import Picture, check_out, make_picture

__all__ = [
    "ExitCode",
    "Picture",
    "Plan",
    "TrialError",
    "Wanted",
    "check_out",
    "make_picture",
    "picture_lines",
    "plan_lines",
    "prepare",
]

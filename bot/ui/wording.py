"""The one table that words every error for people: what happened, whether it cost anything, the next step."""

from typing import Final

from bot.domain.errors import (
    AtelierError,
    BudgetSpentError,
    ExclusiveOptionsError,
    FaultKind,
    InsufficientCreditsError,
    JobNotFoundError,
    JobStateError,
    NotAdmittedError,
    NotAllowedError,
    NotInServerError,
    OptionRangeError,
    PromptError,
    PromptProblem,
    QueueFullError,
    RequestError,
    StaleJobError,
    StudioClosedError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.ui.text import ago, cut, escaped, in_credits, listed

OPTION_NAMES: Final = {"aspect_ratio": "aspect ratio", "images": "number of pictures", "resolution": "resolution"}
# What a model cannot do, where "do" and the value would say it badly.
_ACTS: Final = {
    "upscale": "upscale a picture",
    "remove_background": "remove the background",
    "fit": "fit a picture to a size",
    "effect": "apply an effect",
    "version": "paint in another version",
}
_QUOTED: Final = 60

_NOTHING_CHARGED: Final = "Nothing was charged."


def worded(error: AtelierError) -> str | None:  # noqa: PLR0911, PLR0912 - one case for each error is what a table is
    """Return what to tell the member, at most three short lines; None for what no member can bring about."""
    match error:
        case PromptError(problem=PromptProblem.EMPTY):
            return f"The prompt is empty. {_NOTHING_CHARGED}\nDescribe the picture in a few words and send it again."
        case PromptError(problem=PromptProblem.TOO_LONG):
            return (
                f"The prompt has {error.length:,} characters; this model takes {error.limit:,}. {_NOTHING_CHARGED}\n"
                f"Shorten it by {error.length - error.limit:,} and send it again."
            )
        case PromptError():
            return (
                f"The prompt has a character that cannot be sent on. {_NOTHING_CHARGED}\n"
                "Type the prompt anew instead of pasting it."
            )
        case UnknownModelError():
            name = escaped(cut(error.model, _QUOTED))
            return f"This studio has no model “{name}”. {_NOTHING_CHARGED}\nChoose {listed(error.models)}."
        case OptionRangeError():
            return (
                f"The {_option(error.option)} cannot be {escaped(cut(str(error.value), _QUOTED))}. {_NOTHING_CHARGED}\n"
                f"It takes {error.allowed}."
            )
        case UnsupportedOptionError():
            return _unsupported(error)
        case ExclusiveOptionsError():
            choose = f"Choose {_option(error.other)} {listed(error.allowed)}, or leave one of the two out."
            return f"{_excluded(error)}. {_NOTHING_CHARGED}\n{choose}"
        case InsufficientCreditsError():
            return (
                f"This takes {in_credits(error.needed)} and you have {error.available:,}. {_NOTHING_CHARGED}\n"
                f"Your next allowance is there {ago(error.renews_at)}."
            )
        case BudgetSpentError():
            opens = ago(error.renews_at)
            return f"The studio's budget for this month is used up. {_NOTHING_CHARGED}\nIt opens again {opens}."
        case NotInServerError():
            return (
                f"The studio works in servers, not in direct messages. {_NOTHING_CHARGED}\nUse the command in a server."
            )
        case NotAdmittedError():
            return (
                f"The studio is not open to this server yet. {_NOTHING_CHARGED}\n"
                "Ask whoever runs the bot to admit it; they can do it here with `/studio admit`."
            )
        case NotAllowedError():
            return f"Only {error.needs} can do that."
        case QueueFullError():
            return (
                f"You have {error.limit} jobs waiting already. {_NOTHING_CHARGED}\n"
                "Send the next one when one of them is finished, or cancel one."
            )
        case JobNotFoundError():
            return "This picture's records are gone, so the button does nothing any more."
        case JobStateError() | StaleJobError():
            return "That is no longer possible: this one has gone on already."
        case StudioClosedError():
            closed = f"The studio is closed for this model at the moment. {_NOTHING_CHARGED}"
            return f"{closed}\nTry another model, or look at `/status`."
        case _:
            return None


def unexpected(reference: str) -> str:
    """Return what to tell when something of ours broke; the reference finds the log line."""
    return f"Something went wrong on our side, and the operator's log has it.\nReference: `{reference}`"


def obstacle(error: RequestError) -> str:
    """Return in a few words what a model cannot do, to stand after its name."""
    match error:
        case UnsupportedOptionError(option="mode"):
            return "from text only"
        case UnsupportedOptionError():
            return f"cannot {_deed(error)}"
        case ExclusiveOptionsError():
            return _excluded(error)
        case _:
            return "cannot do that"


def _unsupported(error: UnsupportedOptionError) -> str:
    cannot = f"cannot {_deed(error)}" if error.option != "mode" else "makes pictures from text only"
    what = f"{error.model} {cannot}. {_NOTHING_CHARGED}"
    if not error.models:
        return f"{what}\nNo model of this studio can. Leave the option out, or choose another value."
    return f"{what}\n{'To edit a picture' if error.option == 'mode' else 'For that'}, use {listed(error.models)}."


def _deed(error: UnsupportedOptionError) -> str:
    if error.option == "inputs":
        return f"start from {error.value} pictures"
    return _ACTS.get(error.option) or f"do {_option(error.option)} {error.value}"


def _excluded(error: ExclusiveOptionsError) -> str:
    return f"{error.option} does not go with {_option(error.other)} {error.value}"


def _option(option: str) -> str:
    return OPTION_NAMES.get(option, option)


_CLOSED: Final = ("The studio is closed for a moment: its image service does not let it in.", "Try again later.")
_FAILURES: Final[dict[FaultKind, tuple[str, str]]] = {
    FaultKind.INVALID: ("The image service did not accept this request.", "Change the prompt or the options."),
    FaultKind.KEY_REJECTED: _CLOSED,
    FaultKind.ACCOUNT_EMPTY: _CLOSED,
    FaultKind.RATE_LIMITED: ("The image service is too busy.", "Try again in a few minutes."),
    FaultKind.UNAVAILABLE: ("The image service cannot be reached.", "Try again in a few minutes."),
    FaultKind.SERVER_ERROR: ("The image service has a fault.", "Try again in a few minutes."),
    FaultKind.CONTENT: ("The image service refused this prompt.", "Word it differently."),
    FaultKind.GENERATION: ("The image service could not make this picture.", "Try again, or word it differently."),
    FaultKind.NO_PICTURES: ("The image service sent no usable picture.", "Try again."),
    FaultKind.REPLY_LOST: ("The connection broke while this was sent, so its outcome is unknown.", "Try again."),
    FaultKind.MALFORMED: ("The image service gave an answer that makes no sense.", "Try again later."),
    FaultKind.NOT_FOUND: ("The image service lost this request.", "Try again."),
    FaultKind.DEADLINE: ("The image service did not finish in time.", "Try again."),
    FaultKind.UNACKNOWLEDGED: ("This request was interrupted before it began.", "Try again."),
    FaultKind.INTERNAL: ("Something went wrong on our side.", "Try again."),
}


def failure(fault: FaultKind | None) -> tuple[str, str]:
    """Return why a job failed and the next step."""
    return _FAILURES[fault or FaultKind.INTERNAL]

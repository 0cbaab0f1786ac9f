"""Words for the operator about a picture that did not come."""

import re
from enum import IntEnum
from typing import Final

from bot.domain.errors import AtelierError, FaultKind, ImageError, ImageProblem, UnsupportedOptionError
from bot.domain.models import Offer
from bot.images.url_policy import RESOLVED
from bot.providers.spec import ProviderSpec
from bot.ui.render.error_messages import error_message, failure

_MARKS: Final = re.compile("[\u2066-\u2069\u200b`]")
_ESCAPE: Final = re.compile(r"\\([^\w\s])")


class ExitCode(IntEnum):
    """Exit code of `atelier try`."""

    NO_PICTURE = 1
    USAGE = 2


class TrialError(Exception):
    """There is no picture; the message is one line for the operator."""

    def __init__(self, line: str, *, code: ExitCode = ExitCode.NO_PICTURE) -> None:
        super().__init__(line)
        self.line = line
        self.code = code


def usage_error(line: str) -> TrialError:
    """Return the error of a command that cannot be sent."""
    return TrialError(line, code=ExitCode.USAGE)


def request_problem(error: AtelierError) -> TrialError:
    """Return the error of an impossible request, in the words of cards."""
    if isinstance(error, UnsupportedOptionError) and error.option == "mode":
        able = f" These edit: {', '.join(error.models)}." if error.models else ""
        return usage_error(f"{error.model} makes pictures from text only.{able} Choose another --model, or no --image.")
    words = error_message(error) or error.code
    return usage_error(_MARKS.sub("", _ESCAPE.sub(r"\1", " ".join(words.split()))))


def fault_words(fault: FaultKind, spec: ProviderSpec, offer: Offer, detail: str = "") -> str:
    """Return the reason and the next step, with the provider's own words."""
    name = spec.display_name
    match fault:
        case FaultKind.KEY_REJECTED:
            why = f"{name} does not accept {spec.key_variable}, or the account may not use {offer.remote_model}."
            step = "Copy the key again, and look at the account's rights in the provider's dashboard."
        case FaultKind.ACCOUNT_EMPTY:
            why, step = f"The account at {name} is empty.", "Top it up there."
        case FaultKind.RATE_LIMITED:
            why, step = f"{name} is too busy, or the account's limit is reached.", "Try again in a minute."
        case FaultKind.UNAVAILABLE:
            why, step = f"{name} cannot be reached.", f"Check {spec.url_variable} and the network: atelier doctor"
        case FaultKind.MODEL_UNAVAILABLE:
            why = f"{name} does not offer {offer.remote_model} to this key."
            step = "Try another model with --model."
        case _:
            why, step = failure(fault)
            why = why.replace("The image service", name)
    said = f" ({name}: {detail})" if detail else ""
    return f"{why}{said} {step}"


def image_problem(name: str, error: ImageError) -> TrialError:
    """Return the error of an unusable file to edit."""
    match error.problem:
        case ImageProblem.TOO_LARGE:
            line = f"{name} is too large. Up to 20 MiB are taken: scale it down."
        case ImageProblem.TOO_SMALL:
            line = f"{name} is too small: each side takes 16 pixels or more."
        case ImageProblem.TRUNCATED:
            line = f"{name} is damaged or incomplete. Take another copy of it."
        case ImageProblem.DECODER_DIED:
            line = f"{name} takes too much time or memory to open. Scale it down."
        case _:
            line = f"{name} is no picture that can be edited. Save it as PNG or JPEG."
    return usage_error(line)


def download_problem(spec: ProviderSpec, url: str, error: ImageError) -> TrialError:
    """Return the error of a finished picture that did not arrive.

    It has the picture's address: nothing else finds the paid picture again.
    """
    if error.problem is ImageProblem.FORBIDDEN_ADDRESS:
        why = "its address is not a public https one"
        if error.detail == RESOLVED:
            why = "its host has an address in a private network (of your proxy? see TRUSTED_DOWNLOAD_NETWORKS)"
    else:
        why = f"its download failed ({error.problem.value.replace('_', ' ')})"
    return TrialError(f"{spec.display_name} made the picture, but {why}. While its address lives, it is at {url}")

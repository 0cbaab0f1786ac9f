"""Words for unusable input images, before and after a job exists."""

from collections.abc import Sequence
from typing import Final

from bot.domain.attachments import MAX_BYTES, MAX_INPUTS, MAX_PIXELS, MIN_SIDE
from bot.domain.errors import FaultKind, InputError, InputProblem
from bot.domain.images import InputChange, InputImage
from bot.domain.jobs import Job
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import escaped, number, together
from bot.ui.truncation import cut

_NAME_SHOWN: Final = 40
_MEBIBYTE: Final = 1024 * 1024

_ATTACH_AGAIN: Final = N_("Attach it to `/edit` again.")
_AS_A_PICTURE: Final = N_("Save it as PNG or JPEG and attach that to `/edit`.")
_LARGER: Final = N_("Attach a larger one to `/edit`.")
_WRONG_KIND: Final = N_("{picture} is not a kind of picture that can be edited.")
_TOO_LARGE: Final = N_("{picture} is too large.")
_SMALLER: Final = N_("Scale it down to {pixels} million pixels and {size} MiB or less, and attach that to `/edit`.")
_TOO_SMALL: Final = N_("{picture} is too small: each side takes {least} pixels or more.")

_REFUSALS: Final[dict[InputProblem, tuple[str, str]]] = {
    InputProblem.NONE: (
        N_("There is no picture in this message."),
        N_("Choose one with a picture, or attach yours to `/edit`."),
    ),
    InputProblem.TOO_MANY: (
        N_("That is more pictures than one edit takes."),
        N_("Choose up to {most}."),
    ),
    InputProblem.WRONG_TYPE: (
        _WRONG_KIND,
        N_("Attach a PNG, JPEG, WebP, GIF, HEIC or AVIF to `/edit`."),
    ),
    InputProblem.TOO_HEAVY: (_TOO_LARGE, _SMALLER),
    InputProblem.TOO_LARGE: (_TOO_LARGE, _SMALLER),
    InputProblem.TOO_SMALL: (_TOO_SMALL, _LARGER),
    InputProblem.EXPIRED: (N_("Discord's link to {picture} has run out."), _ATTACH_AGAIN),
    InputProblem.FOREIGN: (N_("{picture} is not kept by Discord."), N_("Save it, and attach it to `/edit`.")),
    InputProblem.GONE: (N_("{picture} is no longer available."), _ATTACH_AGAIN),
}

_FAILURES: Final[dict[FaultKind, tuple[str, str]]] = {
    FaultKind.INPUT_GONE: (
        N_("{picture} is not there any more: its message was deleted, or its link ran out."),
        _ATTACH_AGAIN,
    ),
    FaultKind.INPUT_UNUSABLE: (_WRONG_KIND, _AS_A_PICTURE),
    FaultKind.INPUT_BROKEN: (
        N_("{picture} is damaged or incomplete."),
        N_("Attach another copy of it to `/edit`, or a screenshot."),
    ),
    FaultKind.INPUT_TOO_LARGE: (_TOO_LARGE, _SMALLER),
    FaultKind.INPUT_TOO_SMALL: (_TOO_SMALL, _LARGER),
    FaultKind.INPUT_UNDECODABLE: (
        N_("{picture} takes too much time or memory to open."),
        _SMALLER,
    ),
    FaultKind.INPUT_UNPUBLISHED: (
        N_("Discord did not take the copy of {picture} that the image service fetches from this card."),
        N_("Try again in a few minutes."),
    ),
    FaultKind.INPUT_UNREACHABLE: (N_("Discord did not hand over {picture}."), N_("Try again in a few minutes.")),
}
_CHANGES: Final = {
    InputChange.FIRST_FRAME: N_("reduced to its first frame"),
    InputChange.SCALED: N_("scaled down to {width}x{height}"),
    InputChange.CONVERTED: N_("converted to {format}"),
}
# Where it stands in the midst of a sentence.
_WITHIN: Final = frozenset({InputProblem.EXPIRED, FaultKind.INPUT_UNPUBLISHED, FaultKind.INPUT_UNREACHABLE})


def input_refusal(error: InputError) -> tuple[str, str]:
    """Return the image's problem and the next step."""
    what, next_step = _REFUSALS[error.problem]
    picture = _named(error.position, error.name, within=error.problem in _WITHIN)
    return _filled(what, picture), _filled(next_step, picture)


def input_failure(job: Job) -> tuple[str, str] | None:
    """Return the reason and the next step, or None for other failures."""
    if job.fault not in _FAILURES:
        return None
    what, next_step = _FAILURES[job.fault]
    inputs = job.request.inputs
    # Downloaded inputs have a file in the store.
    missing = next((at for at, each in enumerate(inputs, 1) if each.file is None), None)
    picture = _named(missing if len(inputs) > 1 else None, "", within=job.fault in _WITHIN)
    return _filled(what, picture), _filled(next_step, picture)


def input_notes(inputs: Sequence[InputImage]) -> list[str]:
    """Return a note on each input that was changed for the model."""
    notes = []
    for position, image in enumerate(inputs, 1):
        if image.file is None or not image.changes:
            continue
        kind = image.file.media_type.removeprefix("image/").upper()
        words = [
            _(said).format(width=image.file.width, height=image.file.height, format=kind)
            for change, said in _CHANGES.items()
            if change in image.changes
        ]
        picture = _named(position if len(inputs) > 1 else None, "", within=False)
        # Translators: {changes} is such as "scaled down to 4032x3024 and converted to JPEG".
        notes.append(f"-# {_('{picture} was {changes}.').format(picture=picture, changes=together(words))}")
    return notes


def _filled(text: str, picture: str) -> str:
    return _(text).format(
        picture=picture,
        most=number(MAX_INPUTS),
        pixels=number(MAX_PIXELS // 1_000_000),
        size=number(MAX_BYTES // _MEBIBYTE),
        least=number(MIN_SIDE),
    )


def _named(position: int | None, name: str, *, within: bool) -> str:
    if position is not None:
        said = _("picture {number}") if within else _("Picture {number}")
        return said.format(number=number(position))
    if name:
        return _("“{name}”").format(name=escaped(cut(name, _NAME_SHOWN)))
    return _("the picture") if within else _("The picture")

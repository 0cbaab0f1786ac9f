"""Words of pauses."""

from typing import Final

from bot.domain.errors import StudioPausedError, UnknownPauseTargetError
from bot.domain.pauses import Pause, PauseScope
from bot.providers.registry import display_name
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import escaped, listed
from bot.ui.truncation import cut

_WHAT: Final = {
    PauseScope.ALL: N_("The studio is paused by its operator"),
    PauseScope.GUILD: N_("The studio is paused in this server by its operator"),
    PauseScope.STUDIO: N_("The studio is paused in this server by its admins"),
    PauseScope.MODEL: N_("The model {name} is paused by the studio's operator"),
    PauseScope.PROVIDER: N_("The image service {name} is paused by the studio's operator"),
}


_NAME_SHOWN: Final = 60


def paused(pause: Pause) -> str:
    """Return the sentence about a pause: its extent, author and reason."""
    name = display_name(pause.name) if pause.scope is PauseScope.PROVIDER else pause.name
    what = _(_WHAT[pause.scope]).format(name=name)
    if not pause.reason:
        return f"{what}."
    # Translators: what is paused, and the reason as typed, such as "The studio is paused by its operator: new prices".
    return _("{what}: {reason}").format(what=what, reason=escaped(pause.reason))


def paused_note(pause: Pause) -> str:
    """Return the note on a waiting job's card."""
    return f"{paused(pause)}\n-# {_('This waits, and continues by itself later.')}"


def pause_refusal(error: StudioPausedError) -> tuple[str, str]:
    """Return the cause of a refusal, and the next step."""
    match error.pause.scope:
        case PauseScope.STUDIO:
            next_step = _("Try again later: an admin ends the pause with `/studio resume`.")
        case PauseScope.MODEL | PauseScope.PROVIDER:
            next_step = _("Choose another model, or try again later.")
        case _:
            next_step = _("Try again later; `/status` shows when it is over.")
    return paused(error.pause), next_step


def unknown_pause_target(error: UnknownPauseTargetError) -> tuple[str, str]:
    """Return the cause of a refusal, and the known names."""
    said = (
        _("There is no provider “{name}”.") if error.scope is PauseScope.PROVIDER else _("There is no model “{name}”.")
    )
    names = _("Choose {names}.").format(names=listed(error.known)) if error.known else _("None is configured.")
    return said.format(name=escaped(cut(error.name, _NAME_SHOWN))), names

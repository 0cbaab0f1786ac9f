"""Errors of pauses."""

from collections.abc import Sequence

from bot.domain.errors.base import AtelierError
from bot.domain.pauses import Pause, PauseScope


class StudioPausedError(AtelierError):
    """A pause refuses new jobs.

    `model` is that of the refused request, "" if none was chosen yet.
    """

    code = "studio_paused"

    def __init__(self, pause: Pause, *, model: str = "") -> None:
        super().__init__()
        self.pause = pause
        self.model = model


class UnknownPauseTargetError(AtelierError):
    """The name of a model or provider is unknown; `known` are the others."""

    code = "unknown_pause_target"

    def __init__(self, scope: PauseScope, name: str, known: Sequence[str]) -> None:
        super().__init__()
        self.scope = scope
        self.name = name
        self.known = tuple(known)

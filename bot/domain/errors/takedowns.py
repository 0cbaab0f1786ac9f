"""Errors of takedowns."""

from bot.domain.errors.base import AtelierError
from bot.domain.errors.requests import RequestError


class TakedownGoneError(AtelierError):
    """No takedown in force has this receipt's code."""

    code = "takedown_gone"


class PictureTakenDownError(RequestError):
    """An input image was taken down."""

    code = "picture_taken_down"

"""Image values: stored file, input image, result image."""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A decoded image file. The store finds it by `sha256` and `media_type`.

    `width` and `height` are in pixels as encoded (before any EXIF rotation), `size` is in bytes. `fingerprint` finds
    copies of a result image; it is None if not computed, or if the image is too plain.
    """

    sha256: str
    media_type: str
    width: int
    height: int
    size: int
    fingerprint: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """Names one image of a job by its position, counted from 0."""

    job_id: str
    position: int


class InputChange(StrEnum):
    """A noticeable change of an input image."""

    FIRST_FRAME = "first_frame"  # the rest of the animation was dropped
    CONVERTED = "converted"  # to another format
    SCALED = "scaled"  # down to fewer pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """An image used as input of a request.

    `url` is the address of the original while that address lives: only we fetch it. `provider_url` is the address of
    the sanitized file, for providers. Both may hold a secret. `file` is None until the image is in the store; `changes`
    are what sanitizing changed in it. `parent` is set if the bot itself made the image.
    """

    url: str | None = field(default=None, repr=False)
    provider_url: str | None = field(default=None, repr=False)
    file: ImageFile | None = None
    parent: ImageRef | None = None
    changes: frozenset[InputChange] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultImage:
    """An image made by a job. `position` counts from 0."""

    job_id: str
    position: int
    file: ImageFile

"""Inputs of fal's endpoints, by family.

An offer names its shape, so that a file of models can add an endpoint of a known family.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from bot.domain.requests import format_for
from bot.providers.base import Submission
from bot.providers.pixel_sizes import pixels

_EDGES: Final = {None: 1024, "1K": 1024, "2K": 2048}
# fal's own default is the dearest one.
_QUALITY: Final = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShape:
    """The parameters of a family of endpoints besides prompt and images.

    With `resolutions`, the size is an aspect ratio and one of their names; without, it is in pixels, no fewer than
    `least_pixels`. The flags tell which of the other parameters exist.
    """

    resolutions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    least_pixels: int = 0
    has_count: bool = True
    has_seed: bool = False
    has_negative: bool = False
    has_quality: bool = False
    has_format: bool = True

    def body(self, submission: Submission, image_urls: list[str]) -> dict[str, object]:
        """Return the input of a call."""
        request = submission.request
        body: dict[str, object] = {"prompt": request.instruction, **self._size(submission)}
        if self.has_count:
            body["num_images"] = request.images
        if self.has_format and (file_format := format_for(request, submission.offer)) is not None:
            body["output_format"] = file_format
        if self.has_seed:
            body["seed"] = submission.seed if request.seed is None else request.seed
        if self.has_negative and request.negative:
            body["negative_prompt"] = request.negative
        if self.has_quality:
            body["quality"] = request.quality or _QUALITY
        if image_urls:
            body["image_urls"] = image_urls
        return body

    def can_make(self, submission: Submission) -> bool:
        """Return whether a call's size can be asked for.

        A file of models may give an offer more than its endpoint has.
        """
        request = submission.request
        if self.resolutions:
            return request.resolution is None or request.resolution in self.resolutions
        return request.resolution in _EDGES and ":" in request.aspect_ratio

    def is_unique(self, submission: Submission) -> bool:
        """Return whether no other call has the same input."""
        return self.has_seed and submission.request.seed is None

    def _size(self, submission: Submission) -> dict[str, object]:
        request = submission.request
        if not self.resolutions:
            width, height = pixels(request.aspect_ratio, _EDGES[request.resolution], least=self.least_pixels)
            return {"image_size": {"width": width, "height": height}}
        size: dict[str, object] = {"aspect_ratio": request.aspect_ratio}
        if request.resolution is not None:
            size["resolution"] = self.resolutions[request.resolution]
        return size


SHAPES: Final[Mapping[str, InputShape]] = MappingProxyType(
    {
        "flux-3": InputShape(resolutions=MappingProxyType({"1K": "1k", "2K": "2k", "4K": "4k"}), has_count=False),
        "flux-2": InputShape(has_count=False, has_seed=True),
        "nano-banana": InputShape(resolutions=MappingProxyType({"1K": "1K", "2K": "2K", "4K": "4K"}), has_seed=True),
        "seedream": InputShape(least_pixels=1024 * 1024),
        "qwen-image": InputShape(has_seed=True, has_negative=True),
        "gpt-image": InputShape(has_quality=True),
        "ideogram": InputShape(has_seed=True, has_format=False),
    }
)

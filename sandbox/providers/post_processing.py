"""Post-processing by reve2img's page: validated flat fields or a list."""

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.server import RequestError

FLAT: Final = ("upscale", "upscale_factor", "remove_background")
_FACTORS: Final = (2, 3, 4)
_MAX_SIDE_PIXELS: Final = 4096
# The page calls some operations paid but gives no prices, so these are the fake's own.
_UPSCALE_COST: Final = {2: 6, 3: 9, 4: 12}
_CUT_OUT_COST: Final = 6
_EFFECT_COST: Final = 4


@dataclass(slots=True)
class PostProcessing:
    """The image's size in pixels, the added credits, and the visible changes."""

    size: tuple[int, int]
    cost: int = 0
    cut_out: bool = False
    effect: str | None = None
    applied: list[str] = field(default_factory=list)

    def apply(self, step: Any) -> None:
        """Apply one step of `postprocessing`.

        Raises:
            RequestError: The step is invalid.
        """
        if not isinstance(step, dict):
            raise RequestError(400, "postprocessing must be a list of objects")
        match step:
            case {"process": "upscale", "upscale_factor": factor, **rest} if not rest:
                self.upscale(factor)
            case {"process": "remove_background", **rest} if not rest:
                self.remove_background()
            case {"process": "fit_image", **limits} if limits:
                self.fit(limits)
            case {"process": "effect", "effect_name": str() as name, **rest} if name.strip() and not rest:
                self.effect = name
                self.cost += _EFFECT_COST
            case _:
                raise RequestError(400, f"postprocessing cannot do {step.get('process')}")
        self.applied.append(step["process"])

    def upscale(self, factor: Any) -> None:
        """Multiply the size by a factor of 2, 3 or 4."""
        if type(factor) is not int or factor not in _FACTORS:
            raise RequestError(400, "upscale_factor must be 2, 3 or 4")
        self.size = self.size[0] * factor, self.size[1] * factor
        self.cost += _UPSCALE_COST[factor]

    def remove_background(self) -> None:
        """Remove the background."""
        self.cut_out = True
        self.cost += _CUT_OUT_COST

    def fit(self, limits: dict[str, Any]) -> None:
        """Scale the size down to the limits."""
        if not set(limits) <= {"max_dim", "max_width", "max_height"}:
            raise RequestError(400, "fit_image takes max_dim, max_width and max_height")
        if not all(type(limit) is int and 1 <= limit <= _MAX_SIDE_PIXELS for limit in limits.values()):
            raise RequestError(400, f"fit_image takes 1 to {_MAX_SIDE_PIXELS}")
        longest = limits.get("max_dim", max(self.size))
        self.size = fit_size(
            self.size,
            max_width=min(longest, limits.get("max_width", longest)),
            max_height=min(longest, limits.get("max_height", longest)),
        )


def parse_post_processing(body: dict[str, Any], size: tuple[int, int]) -> PostProcessing:
    """Return the post-processing of a request for an image of this size.

    Raises:
        RequestError: The request has something else than the page allows.
    """
    if "postprocessing" in body and any(name in body for name in FLAT):
        raise RequestError(400, "Give either postprocessing or the flat fields")
    post_processing = PostProcessing(size)
    steps = body.get("postprocessing", [])
    if not isinstance(steps, list):
        raise RequestError(400, "postprocessing must be a list of objects")
    for step in steps:
        post_processing.apply(step)
    if len(set(post_processing.applied)) < len(post_processing.applied):
        raise RequestError(400, "postprocessing does each thing once")
    _apply_flat_fields(body, post_processing)
    return post_processing


def fit_size(size: tuple[int, int], *, max_width: int, max_height: int) -> tuple[int, int]:
    """Return the size scaled down into a box.

    A size inside the box is unchanged. Each side keeps at least one pixel.
    """
    scale = min(1.0, max_width / size[0], max_height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _apply_flat_fields(body: dict[str, Any], post_processing: PostProcessing) -> None:
    upscale = body.get("upscale", "disabled")
    if upscale not in ("enabled", "disabled"):
        raise RequestError(400, "upscale must be enabled or disabled")
    if upscale == "enabled":
        post_processing.upscale(body.get("upscale_factor", 2))
    elif "upscale_factor" in body:
        raise RequestError(400, "upscale_factor is for an enabled upscale")
    cut_out = body.get("remove_background", False)
    if not isinstance(cut_out, bool):
        raise RequestError(400, "remove_background must be a boolean")
    if cut_out:
        post_processing.remove_background()

"""Post-processing as reve2img's page has it: the flat fields or the list, checked, and what they make of a picture."""

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.finish import fitted
from sandbox.providers.server import Refused

FLAT: Final = ("upscale", "upscale_factor", "remove_background")
_FACTORS: Final = (2, 3, 4)
_MOST_SIDE: Final = 4096
# The page says that some operations are paid, and no price: these are the stand-in's own.
_UPSCALE_COST: Final = {2: 6, 3: 9, 4: 12}
_CUT_OUT_COST: Final = 6
_EFFECT_COST: Final = 4


@dataclass(slots=True)
class Finish:
    """What becomes of a picture: its size in pixels, the credits that it adds, and what is to be seen of it."""

    size: tuple[int, int]
    cost: int = 0
    cut_out: bool = False
    effect: str | None = None
    done: list[str] = field(default_factory=list)

    def run(self, step: Any) -> None:
        """Do one step of `postprocessing`, or refuse it."""
        if not isinstance(step, dict):
            raise Refused(400, "postprocessing must be a list of objects")
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
                raise Refused(400, f"postprocessing cannot do {step.get('process')}")
        self.done.append(step["process"])

    def upscale(self, factor: Any) -> None:
        """Make it larger."""
        if type(factor) is not int or factor not in _FACTORS:
            raise Refused(400, "upscale_factor must be 2, 3 or 4")
        self.size = self.size[0] * factor, self.size[1] * factor
        self.cost += _UPSCALE_COST[factor]

    def remove_background(self) -> None:
        """Cut it out."""
        self.cut_out = True
        self.cost += _CUT_OUT_COST

    def fit(self, limits: dict[str, Any]) -> None:
        """Make it smaller where it is larger than the limits."""
        if not set(limits) <= {"max_dim", "max_width", "max_height"}:
            raise Refused(400, "fit_image takes max_dim, max_width and max_height")
        if not all(type(limit) is int and 1 <= limit <= _MOST_SIDE for limit in limits.values()):
            raise Refused(400, f"fit_image takes 1 to {_MOST_SIDE}")
        longest = limits.get("max_dim", max(self.size))
        self.size = fitted(
            self.size,
            max_width=min(longest, limits.get("max_width", longest)),
            max_height=min(longest, limits.get("max_height", longest)),
        )


def finish_of(body: dict[str, Any], size: tuple[int, int]) -> Finish:
    """Return what a request does to a finished picture of this size, or refuse what is not on the page."""
    if "postprocessing" in body and any(name in body for name in FLAT):
        raise Refused(400, "Give either postprocessing or the flat fields")
    finish = Finish(size)
    steps = body.get("postprocessing", [])
    if not isinstance(steps, list):
        raise Refused(400, "postprocessing must be a list of objects")
    for step in steps:
        finish.run(step)
    if len(set(finish.done)) < len(finish.done):
        raise Refused(400, "postprocessing does each thing once")
    _flat(body, finish)
    return finish


def _flat(body: dict[str, Any], finish: Finish) -> None:
    upscale = body.get("upscale", "disabled")
    if upscale not in ("enabled", "disabled"):
        raise Refused(400, "upscale must be enabled or disabled")
    if upscale == "enabled":
        finish.upscale(body.get("upscale_factor", 2))
    elif "upscale_factor" in body:
        raise Refused(400, "upscale_factor is for an enabled upscale")
    cut_out = body.get("remove_background", False)
    if not isinstance(cut_out, bool):
        raise Refused(400, "remove_background must be a boolean")
    if cut_out:
        finish.remove_background()

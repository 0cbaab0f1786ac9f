"""Reading of a valid workflow graph: the images of its outputs."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.providers.comfy.validation import Graph, is_link, upstream

_DEFAULT_STEPS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The images of one output node.

    `size` is in pixels, None for the one of the first loaded image. `files` are the names of loaded images.
    """

    node: str
    prompt: str
    negative: str
    model: str
    count: int
    steps: int
    size: tuple[int, int] | None
    files: tuple[str, ...]
    prefix: str
    is_preview: bool
    sampler: str | None


def read_output(graph: Graph, output: str) -> Picture:
    """Return the images of an output node."""
    before = upstream(graph, output)
    sampler = next((id_ for id_ in reversed(before) if graph[id_]["class_type"] == "KSampler"), None)
    inputs = graph[sampler]["inputs"] if sampler is not None else {}
    sizes = [
        (each["width"], each["height"])
        for id_ in reversed(before)
        for each in [graph[id_]["inputs"]]
        if "width" in each and type(each["width"]) is int and type(each.get("height")) is int
    ]
    loaded = sorted((id_ for id_ in before if graph[id_]["class_type"] == "LoadImage"), key=_node_order)
    return Picture(
        node=output,
        prompt=_text(graph, inputs.get("positive")),
        negative=_text(graph, inputs.get("negative")),
        model=next((name for id_ in before if (name := _model(graph[id_]["inputs"]))), "none"),
        count=next((n for id_ in before if type(n := graph[id_]["inputs"].get("batch_size")) is int), 1),
        steps=steps if type(steps := inputs.get("steps")) is int else _DEFAULT_STEPS,
        size=sizes[0] if sizes else None,
        files=tuple(graph[id_]["inputs"]["image"] for id_ in loaded),
        prefix=str(graph[output]["inputs"].get("filename_prefix", "ComfyUI_temp")),
        is_preview=graph[output]["class_type"] == "PreviewImage",
        sampler=sampler,
    )


def _text(graph: Graph, link: Any) -> str:
    """Return the text behind a conditioning; empty if it has none."""
    if not is_link(link):
        return ""
    for id_ in reversed(upstream(graph, link[0])):
        text = graph[id_]["inputs"].get("text")
        if isinstance(text, str):
            return text
    return ""


def _model(inputs: dict[str, Any]) -> str:
    name = inputs.get("ckpt_name") or inputs.get("unet_name")
    return name if isinstance(name, str) else ""


def _node_order(id_: str) -> tuple[int, str]:
    return (int(id_), "") if id_.isascii() and id_.isdigit() and len(id_) < 10 else (10**9, id_)  # noqa: PLR2004 - fits the other number

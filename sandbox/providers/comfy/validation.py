"""Validation of workflow graphs with the errors of ComfyUI."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sandbox.providers.comfy.nodes import NODE_TYPES, NodeInput
from sandbox.providers.server import RequestError

Graph = dict[str, dict[str, Any]]

_MAX_NODES: Final = 2_000
_LINK_PARTS: Final = 2
_BAD_LINK: Final = "Bad linked input, must be a length-2 list of [node_id, slot_index]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidGraph:
    """A graph's valid outputs, and the errors of the other nodes."""

    outputs: list[str]
    node_errors: dict[str, Any]


def refusal(type_: str, message: str, details: str = "", *, node_errors: Any = None) -> RequestError:
    """Return the 400 of a prompt with its documented body."""
    return RequestError(400, message, body=refusal_body(type_, message, details, node_errors=node_errors))


def refusal_body(type_: str, message: str, details: str = "", *, node_errors: Any = None) -> dict[str, Any]:
    """Return the body of a refused prompt."""
    error = {"type": type_, "message": message, "details": details or message, "extra_info": {}}
    return {"error": error, "node_errors": node_errors or {}}


def validate_graph(graph: Any, files: Collection[str]) -> ValidGraph:
    """Return the outputs to execute; `files` are the names for LoadImage.

    Raises:
        RequestError: No output is valid.
    """
    nodes = _check_nodes(graph)
    outputs = [id_ for id_, node in nodes.items() if NODE_TYPES[node["class_type"]].is_output]
    if not outputs:
        raise refusal("prompt_no_outputs", "Prompt has no outputs")
    good: list[str] = []
    node_errors: dict[str, Any] = {}
    for output in outputs:
        is_good = True
        for id_ in upstream(nodes, output):
            errors = list(_node_errors(nodes, id_, files))
            if not errors:
                continue
            is_good = False
            entry = node_errors.setdefault(
                id_, {"errors": errors, "dependent_outputs": [], "class_type": nodes[id_]["class_type"]}
            )
            entry["dependent_outputs"].append(output)
        if is_good:
            good.append(output)
    if not good:
        message = "Prompt outputs failed validation"
        raise refusal("prompt_outputs_failed_validation", message, node_errors=node_errors)
    return ValidGraph(outputs=good, node_errors=node_errors)


def upstream(nodes: Graph, start: str) -> list[str]:
    """Return a node and all nodes before it, each once, the start last."""
    found: dict[str, None] = {}
    waiting = [start]
    while waiting:
        id_ = waiting.pop()
        if id_ in found or id_ not in nodes:
            continue
        found[id_] = None
        waiting += [link[0] for link in nodes[id_]["inputs"].values() if is_link(link)]
    return list(found)[::-1]


def is_link(value: Any) -> bool:
    """Return whether an input is a link to another node's output."""
    return isinstance(value, list) and len(value) == _LINK_PARTS and isinstance(value[0], str) and type(value[1]) is int


def _check_nodes(graph: Any) -> Graph:
    if not isinstance(graph, dict) or len(graph) > _MAX_NODES:
        raise refusal("invalid_prompt", "The prompt must be an object of nodes.")
    for id_, node in graph.items():
        where = f"Node ID '#{id_}'"
        if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
            raise refusal("invalid_prompt", "Cannot execute because a node is missing the class_type property.", where)
        if node["class_type"] not in NODE_TYPES:
            raise refusal("invalid_prompt", f"Cannot execute because node {node['class_type']} does not exist.", where)
        if not isinstance(node.get("inputs"), dict):
            raise refusal("invalid_prompt", "Cannot execute because a node has no inputs.", where)
    return graph


def _node_errors(nodes: Graph, id_: str, files: Collection[str]) -> Iterator[dict[str, Any]]:
    node = nodes[id_]
    node_type = NODE_TYPES[node["class_type"]]
    for name, expected in {**node_type.inputs, **node_type.optional}.items():
        if name not in node["inputs"]:
            if name in node_type.inputs:
                yield _error("required_input_missing", "Required input is missing", name, name)
            continue
        error = _input_error(nodes, name, node["inputs"][name], expected, files)
        if error is not None:
            yield error


def _input_error(
    nodes: Graph, name: str, value: Any, expected: NodeInput, files: Collection[str]
) -> dict[str, Any] | None:
    if is_link(value):
        return _link_error(nodes, name, value, expected)
    if expected.is_link or isinstance(value, list | dict):
        details = f"{name}, received {str(value)[:200]}"
        return _error("bad_linked_input", _BAD_LINK, details, name)
    if expected.type == "COMBO":
        if value not in files:
            details = f"{name} - Invalid image file: {str(value)[:200]}"
            return _error("custom_validation_failed", "Custom validation failed for node", details, name)
        return None
    if expected.choices:
        if value not in expected.choices:
            details = f"{name}: {str(value)[:200]!r} not in {list(expected.choices)}"
            return _error("value_not_in_list", "Value not in list", details, name, received=value)
        return None
    return _value_error(name, value, expected)


def _link_error(nodes: Graph, name: str, link: list[Any], expected: NodeInput) -> dict[str, Any] | None:
    if link[0] not in nodes:
        return _error("bad_linked_input", "Bad linked input, the node does not exist", name, name)
    outputs = NODE_TYPES[nodes[link[0]]["class_type"]].outputs
    received = outputs[link[1]] if 0 <= link[1] < len(outputs) else "nothing"
    wanted = expected.type or "COMBO"
    if received != wanted:
        details = f"{name}, received_type({received}) mismatch input_type({wanted})"
        return _error("return_type_mismatch", "Return type mismatch between linked nodes", details, name)
    return None


def _value_error(name: str, value: Any, expected: NodeInput) -> dict[str, Any] | None:
    if expected.type == "STRING":
        return None if isinstance(value, str) else _type_error(name, value, expected)
    allowed = (int,) if expected.type == "INT" else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or value != value:  # noqa: PLR0124 - not a number
        return _type_error(name, value, expected)
    if expected.least is not None and value < expected.least:
        details = f"Value {value} smaller than min of {expected.least}"
        return _error("value_smaller_than_min", details, name, name, received=value)
    if expected.most is not None and value > expected.most:
        details = f"Value {value} bigger than max of {expected.most}"
        return _error("value_bigger_than_max", details, name, name, received=value)
    return None


def _type_error(name: str, value: Any, expected: NodeInput) -> dict[str, Any]:
    message = f"Failed to convert an input value to a {expected.type} value"
    return _error("invalid_input_type", message, f"{name}, {str(value)[:200]}", name, received=value)


def _error(type_: str, message: str, details: str, name: str, *, received: Any = None) -> dict[str, Any]:
    extra = {"input_name": name} | ({} if received is None else {"received_value": received})
    return {"type": type_, "message": message, "details": details, "extra_info": extra}

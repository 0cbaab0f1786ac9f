"""Check of ComfyUI's workflows against the nodes and files of the server."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.doctor.finding import Finding
from bot.domain.errors import ProviderError
from bot.providers import comfyui
from bot.providers.comfyui.workflow_files import WorkflowFile, read_workflows
from bot.providers.comfyui.workflows import PLACEHOLDERS, Template
from bot.providers.transport import provider_client
from bot.settings import Settings

_NAME: Final = comfyui.SPEC.name
_MAX_FINDINGS: Final = 20
_LONGEST_VALUE: Final = 60
_MARKS: Final = frozenset(f"%{each}%" for each in PLACEHOLDERS)


async def check_workflows(settings: Settings) -> list[Finding]:
    """Look for the nodes and files of each workflow on the server.

    A missing one is a warning. The check of the keys reports a server that cannot be reached.
    """
    if _NAME not in settings.providers:
        return []
    files = read_workflows(settings.extras_of(_NAME)["workflows"])
    if not files:
        remedy = f"Put a workflow into the folder of {comfyui.SETTING.upper()}; docs/providers.md has an example."
        return [Finding(good=False, what=f"{_NAME} has no workflow", remedy=remedy)]
    key = settings.key_of(_NAME)
    async with provider_client(proxies=settings.proxies) as client:
        http = comfyui.SPEC.open_http(
            client, settings.api_url_of(_NAME), None if key is None else key.get_secret_value()
        )
        try:
            nodes = (await http.read("/object_info")).document
        except ProviderError:
            return []
    if not isinstance(nodes, dict):
        return []
    findings = [finding for file in files for finding in _compare(file, nodes)][:_MAX_FINDINGS]
    return findings or [Finding(good=True, what=f"{_NAME} has the nodes and files of all workflows")]


def _compare(file: WorkflowFile, nodes: Mapping[str, Any]) -> Iterator[Finding]:
    workflow = file.workflow
    for template in workflow.templates:
        name = f"{workflow.name}{'.edit' if template is workflow.edit else ''}.json"
        for what in dict.fromkeys(_lacks(template, nodes)):
            remedy = "Install it on the server, or export the workflow again with one that is there."
            yield Finding(good=True, is_warning=True, what=f"{name}: {what}", remedy=remedy)
        if "seed" not in template.placeholders:
            remedy = "Put %seed% in place of the seed: the same prompt gives the same picture otherwise."
            yield Finding(good=True, is_warning=True, what=f"{name} has no %seed%", remedy=remedy)


def _lacks(template: Template, nodes: Mapping[str, Any]) -> Iterator[str]:
    """Yield nodes and files of a template, missing on the server."""
    ends = False
    for node in template.graph.values():
        known = nodes.get(node["class_type"])
        if not isinstance(known, dict):
            yield f"the server has no node {_shown(node['class_type'])}"
            continue
        ends = ends or known.get("output_node") is True
        for name, value in node["inputs"].items():
            choices = _choices(known, name)
            if choices is not None and isinstance(value, str) and value not in choices and value not in _MARKS:
                yield f"the server has no {_shown(value)} for {_shown(name)} of {_shown(node['class_type'])}"
    if not ends:
        yield "no node saves pictures"


def _choices(node: Mapping[str, Any], name: str) -> list[Any] | None:
    """Return the values of an input with a list; None for other inputs."""
    inputs = node.get("input")
    for group in inputs.values() if isinstance(inputs, dict) else ():
        spec = group.get(name) if isinstance(group, dict) else None
        if not isinstance(spec, list) or not spec:
            continue
        if isinstance(spec[0], list):
            return spec[0]
        options = spec[1].get("options") if spec[0] == "COMBO" and len(spec) > 1 and isinstance(spec[1], dict) else None
        return options if isinstance(options, list) else None
    return None


def _shown(text: str) -> str:
    return text if text.isprintable() and len(text) <= _LONGEST_VALUE else repr(text[:_LONGEST_VALUE])

"""Models and options reserved for roles."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.options import OPTIONS
from bot.domain.requests import GenerationRequest


class RuleKind(StrEnum):
    """The subject of a rule."""

    MODEL = "model"
    OPTION = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """A model or an option reserved for roles."""

    kind: RuleKind
    name: str
    roles: frozenset[int]


def broken_rule(request: GenerationRequest, rules: Iterable[AccessRule], roles: Iterable[int]) -> AccessRule | None:
    """Return the first rule broken by a member with roles, or None."""
    held = frozenset(roles)
    by_name: Mapping[tuple[RuleKind, str], AccessRule] = {(rule.kind, rule.name): rule for rule in rules}
    if not by_name:
        return None
    for key in _subjects(request):
        rule = by_name.get(key)
        if rule is not None and not rule.roles & held:
            return rule
    return None


def _subjects(request: GenerationRequest) -> Iterator[tuple[RuleKind, str]]:
    """Yield the model, and each option with another value than its default."""
    yield RuleKind.MODEL, request.model
    for name, spec in OPTIONS.items():
        value = getattr(request, name)
        if name != "model" and value and value != spec.default:
            yield RuleKind.OPTION, name

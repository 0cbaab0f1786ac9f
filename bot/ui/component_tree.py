"""Walker of a message's component tree."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def walk(components: Iterable[Any]) -> Iterator[Any]:
    """Yield components and all within them, parents first.

    Takes discord.py's components or their JSON form. A section's accessory comes after its texts.
    """
    for component in components:
        yield component
        if isinstance(component, Mapping):
            children, accessory = component.get("components", ()), component.get("accessory")
        else:
            children, accessory = getattr(component, "children", ()), getattr(component, "accessory", None)
        yield from walk(children)
        if accessory is not None:
            yield from walk([accessory])


def custom_ids(components: Iterable[Any]) -> Iterator[str]:
    """Yield the custom ids of discord.py's components."""
    for component in walk(components):
        custom_id = getattr(component, "custom_id", None)
        if custom_id is not None:
            yield custom_id

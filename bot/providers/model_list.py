"""A provider's own list of its models, for the checks of `doctor`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from bot.providers.http import ProviderHttp


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model in a provider's list.

    `id` is what an offer's `remote_model` names. `shuts_down` is the announced day of its end, if any.
    """

    id: str
    shuts_down: date | None = None


ModelLister = Callable[[ProviderHttp], Awaitable[tuple[ListedModel, ...]]]
"""Reads the whole list with free requests; raises `ProviderError` if it cannot be read."""

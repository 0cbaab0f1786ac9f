"""The container closes its own parts, and builds none for it."""

from typing import Any

from bot.container.engine import EngineContainer
from bot.providers.base import ProviderDefaults
from bot.settings import Settings


class ClosableProvider(ProviderDefaults):
    """A provider with a connection."""

    name = "closable"
    is_open = True

    async def close(self) -> None:
        """Close the connection."""
        self.is_open = False


def container() -> EngineContainer:
    """Return a container without database and HTTP client."""
    nothing: Any = None
    return EngineContainer(Settings(), database=nothing, http=nothing)


async def test_close_closes_the_providers() -> None:
    parts, provider = container(), ClosableProvider()
    providers: Any = {"closable": provider}
    parts.providers = providers
    await parts.close()

    assert not provider.is_open


async def test_close_builds_no_providers() -> None:
    parts = container()
    await parts.close()

    assert "providers" not in vars(parts)

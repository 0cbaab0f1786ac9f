"""Queues with signed webhooks and several hosts, with their fakes."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image

from bot.domain import requests
from bot.domain.images import InputImage
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import InputFile, Pending, Provider, Submission
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec
from sandbox.providers import MANUAL, BflServer, FalServer, ImageApiServer
from tests.providers.provider_harness import KEY, PROMPT
from tests.support.catalogue import SHIPPED, catalogue_of
from tests.support.submissions import submission

WEBHOOK = "https://studio.example/webhooks/queue/Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"


def offer_at(provider: str, model: str) -> Offer:
    """Return a shipped offer."""
    return next(each for each in SHIPPED.offers if (each.provider, each.model) == (provider, model))


def request_at(provider: str, model: str, *, inputs: int = 0, **options: Any) -> GenerationRequest:
    """Return the checked request of a model at one provider."""
    catalogue = catalogue_of(provider, models=SHIPPED.models, offers=SHIPPED.offers)
    images = tuple(InputImage() for _ in range(inputs))
    return requests.generation_request(prompt=PROMPT, model=model, inputs=images, catalogue=catalogue, **options)


def call_at(provider: str, model: str, *, files: tuple[InputFile, ...] = (), **options: Any) -> Submission:
    """Return the call of a model at one provider; options are as typed.

    `seed` is that of the call, `request_seed` the option.
    """
    described = {name: options.pop(name) for name in ("webhook_url", "seed", "call_id") if name in options}
    if "request_seed" in options:
        options["seed"] = options.pop("request_seed")
    request = request_at(provider, model, inputs=len(files), **options)
    return submission(request, offer_at(provider, model), inputs=files, **described)


def picture(width: int = 320, height: int = 256) -> InputFile:
    """Return an input image."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return InputFile(data=file.getvalue(), media_type="image/png")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCase:
    """A provider: its fake, further arguments of its client, and a model."""

    name: str
    server: Callable[[], ImageApiServer]
    arguments: Callable[[Any], dict[str, Any]]
    model: str

    @property
    def spec(self) -> ProviderSpec:
        """Return the provider's description."""
        return PROVIDERS[self.name]

    def provider_at(self, url: str, client: httpx.AsyncClient, arguments: dict[str, Any], **timeouts: float) -> Any:
        """Return the client for an address."""
        http = self.spec.open_http(client, url, KEY)
        for name, seconds in timeouts.items():
            setattr(http, f"_{name}", seconds)
        return self.spec.build(http, **arguments)


FAL = QueueCase(
    name="fal",
    server=lambda: FalServer(key=KEY, latency=MANUAL),
    arguments=lambda server: {
        "platform_url": server.platform_url,
        "jwks_url": f"{server.platform_url}/.well-known/jwks.json",
    },
    model="flux-2-pro",
)
BFL = QueueCase(
    name="bfl", server=lambda: BflServer(key=KEY, latency=MANUAL), arguments=lambda _: {}, model="flux-2-pro"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHarness:
    """A provider wired to its fake."""

    case: QueueCase
    server: Any
    provider: Provider
    client: httpx.AsyncClient

    def call(self, model: str | None = None, **options: Any) -> Submission:
        """Return a call; options are as typed."""
        return call_at(self.case.name, model or self.case.model, **options)

    def provider_at(self, url: str, **timeouts: float) -> Provider:
        """Return the client for another address."""
        provider: Provider = self.case.provider_at(url, self.client, self.case.arguments(self.server), **timeouts)
        return provider

    async def submitted(self, model: str | None = None, **options: Any) -> Pending:
        """Submit a call and return the accepted job."""
        answer = await self.provider.submit(self.call(model, **options))
        assert isinstance(answer, Pending)
        return answer

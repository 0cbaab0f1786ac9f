"""Every provider with images in its answers, with its fake over sockets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from bot.domain.images import InputImage
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import Finished, InputFile, Provider, SubmitAnswer
from bot.providers.registry import PROVIDERS
from sandbox.providers import GeminiServer, ImageApiServer, Latency, OpenRouterServer
from sandbox.providers.pictures import draw_picture
from tests.providers.provider_harness import KEY, PROMPT
from tests.support.catalogue import SHIPPED, catalogue_of, generation_request
from tests.support.submissions import submission

AT_ONCE = Latency(queue=0, work=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynchronousCase:
    """A provider: its fake, the path of its API there, and one of its models."""

    name: str
    path: str
    model: str
    server: Callable[..., ImageApiServer]


CASES = (
    SynchronousCase(name="openrouter", path="/api/v1", model="nano-banana-2.1", server=OpenRouterServer),
    SynchronousCase(name="gemini", path="/v1beta", model="nano-banana-2.1", server=GeminiServer),
)


def offer_at(provider: str, model: str) -> Offer:
    """Return a shipped offer."""
    return next(offer for offer in SHIPPED.offers if (offer.provider, offer.model) == (provider, model))


@dataclass(frozen=True, slots=True, kw_only=True)
class SynchronousHarness:
    """A provider wired to its fake."""

    case: SynchronousCase
    server: ImageApiServer
    client: httpx.AsyncClient

    @property
    def offer(self) -> Offer:
        """Return the offer of the case's model."""
        return offer_at(self.case.name, self.case.model)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Return all its offers."""
        return tuple(offer for offer in SHIPPED.offers if offer.provider == self.case.name)

    def request(self, **options: Any) -> GenerationRequest:
        """Return a checked request for one of the provider's models."""
        catalogue = catalogue_of(self.case.name, models=SHIPPED.models, offers=SHIPPED.offers)
        return generation_request(catalogue=catalogue, **{"prompt": PROMPT, "model": self.case.model} | options)

    def provider_at(self, url: str, *, submit_read_timeout: float | None = None) -> Provider:
        """Return the provider's client for an address."""
        spec = PROVIDERS[self.case.name]
        http = spec.open_http(self.client, url, KEY)
        if submit_read_timeout is not None:
            http._submit_read_timeout = submit_read_timeout
        return spec.build(http)

    @property
    def provider(self) -> Provider:
        """Return the provider's client for its fake."""
        return self.provider_at(self.server.url + self.case.path)

    async def submit(self, *inputs: InputFile, **options: Any) -> SubmitAnswer:
        """Send a call, and return the answer."""
        linked = tuple(InputImage(url=f"https://cdn.example/{number}.png") for number in range(len(inputs)))
        request = self.request(inputs=linked, **options)
        offer = offer_at(self.case.name, request.model)
        return await self.provider.submit(submission(request, offer, inputs=inputs))

    async def finished(self, *inputs: InputFile, **options: Any) -> Finished:
        """Send a call, and return its images."""
        answer = await self.submit(*inputs, **options)
        assert isinstance(answer, Finished)
        return answer


def input_file(kind: str = "png") -> InputFile:
    """Return a drawn input image of a format."""
    data = draw_picture("an input", 0, width=320, height=240, format=kind)
    return InputFile(data=data, media_type=f"image/{kind}")

"""The clients of OpenAI's Images API with their fakes, by profile."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import httpx
from PIL import Image

from bot.domain.errors import ProviderError
from bot.domain.images import ImageFile, InputImage
from bot.domain.models import Abilities, Offer, TokenPrices
from bot.domain.requests import GenerationRequest
from bot.providers.base import Finished, InputFile, Provider, SubmitAnswer
from bot.providers.registry import PROVIDERS
from sandbox.providers import Latency, OpenAiImagesServer
from tests.support.submissions import submission

KEY: Final = "sk-contract-0123456789"
PROMPT: Final = "a lighthouse whose lamp is a small moon"
AT_ONCE: Final = Latency(queue=0.0, work=0.0)
PROFILES: Final = ("openai", "azure", "xai", "litellm", "localai", "vllm", "ollama")
WITH_EDITS: Final = ("openai", "azure", "xai", "litellm", "vllm")
LOCAL: Final = ("localai", "vllm", "ollama")
MODELS: Final[Mapping[str, str]] = {
    "openai": "gpt-image-2.6-flare",
    "azure": "pictures",
    "xai": "grok-imagine-image-2.0",
    "litellm": "pictures",
    "localai": "stablediffusion",
    "vllm": "Qwen/Qwen-Image",
    "ollama": "x/z-image-turbo",
}
TOKENS: Final = TokenPrices(text_in=Decimal(5), image_in=Decimal(8), image_out=Decimal(30))
PREFIXES: Final[Mapping[str, str]] = {"azure": "/openai/v1"}


def picture(width: int = 96, height: int = 64) -> InputFile:
    """Return a PNG to edit."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), (200, 90, 40)).save(content, "PNG")
    return InputFile(data=content.getvalue(), media_type="image/png")


def input_image(width: int = 96, height: int = 64) -> InputImage:
    """Return an input of a request, with a stored file."""
    file = ImageFile(sha256="0" * 64, media_type="image/png", width=width, height=height, size=1)
    return InputImage(file=file)


def request_of(profile: str, **changes: Any) -> GenerationRequest:
    """Return a request for two images; Ollama makes one."""
    request = GenerationRequest(prompt=PROMPT, model="a-model", images=1 if profile == "ollama" else 2)
    return replace(request, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiBench:
    """A provider wired to its fake."""

    profile: str
    server: OpenAiImagesServer
    client: httpx.AsyncClient

    @property
    def offer(self) -> Offer:
        """Return an offer of the fake's first model."""
        prices = TOKENS if self.server.profile.has_tokens else None
        return Offer(
            provider=self.profile,
            model="a-model",
            remote_model=MODELS[self.profile],
            abilities=Abilities(max_inputs=3),
            token_prices=prices,
        )

    def provider(self, *, url: str | None = None, key: str = KEY, **extras: Any) -> Provider:
        """Return the client of the fake, or of another address."""
        spec = PROVIDERS[self.profile]
        at = url or self.server.url + PREFIXES.get(self.profile, "/v1")
        return spec.build(spec.open_http(self.client, at, key), **extras)

    async def submit(self, *inputs: InputFile, provider: Provider | None = None, **changes: Any) -> SubmitAnswer:
        """Submit a call and return its answer; `changes` are options."""
        offer = changes.pop("offer", self.offer)
        described = [input_image() for _ in inputs]
        request = request_of(self.profile, **{"inputs": tuple(described), **changes})
        return await (provider or self.provider()).submit(submission(request, offer, inputs=inputs))

    async def finish(self, *inputs: InputFile, **changes: Any) -> Finished:
        """Submit a call and return its images."""
        answer = await self.submit(*inputs, **changes)
        assert isinstance(answer, Finished), answer
        return answer

    async def fail(self, *inputs: InputFile, **changes: Any) -> ProviderError:
        """Submit a call and return its error."""
        try:
            answer = await self.submit(*inputs, **changes)
        except ProviderError as error:
            return error
        raise AssertionError(f"no error but {answer}")

    @property
    def sent(self) -> dict[str, Any]:
        """Return the body of the only submit."""
        (record,) = self.server.requests
        assert isinstance(record.body, dict)
        return record.body

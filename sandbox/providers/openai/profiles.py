"""Services with OpenAI's Images API, and their differences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from sandbox.providers.fields import Check, anything, boolean, choice, integer, number, openai_size, plain_size, text
from sandbox.providers.sizes import RATIOS

_MAX_PROMPT_CHARS: Final = 32_000
_OLD: Final = ("auto", "low", "medium", "high")
_NEW: Final = (*_OLD, "xhigh", "max")
_ANY_MODEL: Final = text(200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model; `version` is OpenAI's, and 0 for others.

    `price` in US dollars is for a picture of services without tokens, by resolution.
    """

    version: float = 0.0
    shutdown_date: str | None = None
    price: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def qualities(self) -> tuple[str, ...]:
        """Return the qualities."""
        return _NEW if self.version >= 2.5 else _OLD  # noqa: PLR2004 - a model's version


def _series(version: float, *names: str, shutdown_date: str | None = None) -> dict[str, Model]:
    return {f"{name}": Model(version=version, shutdown_date=shutdown_date) for name in names}


OPENAI_MODELS: Final = {
    **_series(2.6, "gpt-image-2.6-flare", "gpt-image-2.6-sunburst"),
    **_series(2.5, "gpt-image-2.5-flare", "gpt-image-2.5-flare-2026-09-08"),
    **_series(2.5, "gpt-image-2.5-sunburst", "gpt-image-2.5-sunburst-2026-09-08"),
    **_series(2.0, "gpt-image-2", "gpt-image-2-2026-04-21"),
    **_series(1.5, "gpt-image-1.5", "gpt-image-1.5-2025-12-16", shutdown_date="2026-12-01"),
    **_series(1.5, "gpt-image-1-mini", "chatgpt-image-latest", shutdown_date="2026-12-01"),
}

_OPENAI: Final[dict[str, Check]] = {
    "model": _ANY_MODEL,
    "prompt": text(_MAX_PROMPT_CHARS),
    "n": integer(1, 10),
    "size": openai_size,
    "quality": choice(*_NEW),
    "background": choice("auto", "opaque", "transparent"),
    "output_format": choice("png", "jpeg", "webp", "gif", "svg"),
    "output_compression": integer(0, 100),
    "frame_count": integer(2, 16),
    "frame_duration_ms": integer(1, 60_000),
    "moderation": choice("auto", "low"),
    "complexity": choice("low", "medium", "high"),
    "stream": boolean,
    "partial_images": integer(0, 3),
    "safety_identifier": text(512),
}
_OPENAI_EDIT: Final[dict[str, Check]] = {
    **_OPENAI,
    "input_fidelity": choice("low", "high"),
    "images": anything,
    "mask": anything,
}
_XAI: Final[dict[str, Check]] = {
    "model": _ANY_MODEL,
    "prompt": text(_MAX_PROMPT_CHARS),
    "aspect_ratio": choice("auto", *RATIOS),
    "resolution": choice("1k", "2k"),
    "quality": choice("low", "medium"),
    "n": integer(1, 10),
    "response_format": choice("b64_json", "url"),
}
_LOCALAI: Final[dict[str, Check]] = {
    "model": _ANY_MODEL,
    "prompt": text(_MAX_PROMPT_CHARS),
    "n": integer(1, 10),
    "size": plain_size,
    "step": integer(1, 200),
    "response_format": choice("b64_json", "url"),
}
_VLLM: Final[dict[str, Check]] = {
    "model": _ANY_MODEL,
    "prompt": text(_MAX_PROMPT_CHARS),
    "n": integer(1, 10),
    "size": plain_size,
    "response_format": choice("b64_json"),
    "seed": integer(0, 2**63 - 1),
    "num_inference_steps": integer(1, 200),
    "guidance_scale": number(0, 50),
}
_OLLAMA: Final[dict[str, Check]] = {
    "model": _ANY_MODEL,
    "prompt": text(_MAX_PROMPT_CHARS),
    "size": plain_size,
    "response_format": choice("b64_json"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A service of this shape; unknown fields are refused.

    `edits` are the accepted body types of edits, `files` the form names of its input pictures. `fields` and
    `edit_fields` are the checks by name. With `prefix_deployments`, the model is in the path. `sends_urls` is the
    default of `response_format`.
    """

    name: str
    models: Mapping[str, Model]
    fields: Mapping[str, Check]
    edit_fields: Mapping[str, Check] = field(default_factory=dict)
    edits: frozenset[str] = frozenset()
    files: tuple[str, ...] = ("image[]", "image")
    max_inputs: int = 16
    prefix: str = "/v1"
    prefix_deployments: bool = False
    key_header: str = "authorization"
    has_keys: bool = True
    has_tokens: bool = False
    sends_urls: bool = False


_BOTH: Final = frozenset({"multipart", "json"})
_PROFILES: Final = (
    Profile(
        name="openai",
        models=OPENAI_MODELS,
        fields=_OPENAI,
        edit_fields=_OPENAI_EDIT,
        edits=_BOTH,
        has_tokens=True,
    ),
    Profile(
        name="azure",
        models={
            "pictures": Model(version=2.5, shutdown_date="2027-09-09"),
            "pictures-2": Model(version=2.0, shutdown_date="2027-10-21"),
            "older-pictures": Model(version=1.5, shutdown_date="2026-12-16"),
        },
        fields=_OPENAI,
        edit_fields=_OPENAI_EDIT,
        edits=_BOTH,
        prefix="/openai/v1",
        prefix_deployments=True,
        key_header="api-key",
        has_tokens=True,
    ),
    Profile(
        name="xai",
        models={"grok-imagine-image-2.0": Model(price={"1k": Decimal("0.04"), "2k": Decimal("0.06")})},
        fields=_XAI,
        edit_fields={**_XAI, "image": anything, "images": anything},
        edits=frozenset({"json"}),
        max_inputs=3,
        sends_urls=True,
    ),
    Profile(
        name="litellm",
        models={"pictures": Model(version=2.5)},
        fields=_OPENAI,
        edit_fields=_OPENAI_EDIT,
        edits=_BOTH,
        has_tokens=True,
    ),
    Profile(
        name="localai",
        models={"stablediffusion": Model()},
        fields=_LOCALAI,
        has_keys=False,
        sends_urls=True,
    ),
    Profile(
        name="vllm",
        models={"Qwen/Qwen-Image": Model()},
        fields=_VLLM,
        edit_fields={**_VLLM, "url[]": anything},
        edits=frozenset({"multipart"}),
        files=("image",),
        has_keys=False,
    ),
    Profile(
        name="ollama",
        models={"x/z-image-turbo": Model()},
        fields=_OLLAMA,
        has_keys=False,
    ),
)
PROFILES: Final = {profile.name: profile for profile in _PROFILES}

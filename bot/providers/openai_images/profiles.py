"""Services with OpenAI's Images API, and their differences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import Final

import httpx

from bot.domain.costs import Cost
from bot.domain.errors import FaultKind
from bot.domain.models import Offer
from bot.providers.error_mapping import REFUSALS
from bot.providers.http import MAX_INLINE_BYTES, SYNCHRONOUS_SECONDS, Call, HttpRules, ProviderHttp
from bot.providers.model_list import ListedModel, ModelLister
from bot.providers.openai_images import costs, errors

# A local model on a slow machine.
_LOCAL_SECONDS: Final = 900.0


class Edits(Enum):
    """The form of edits at a service."""

    NONE = "none"
    FORM = "form"  # files in a form
    JSON = "json"  # data URLs in JSON


async def list_models(http: ProviderHttp) -> tuple[ListedModel, ...]:
    """Return the models of `GET /models`, some with a `shutdown_date`.

    Ollama adds a tag to each name; its usual one may be left out.
    """
    answer = await http.read("/models")
    if answer.fault is not None:
        raise answer.fault
    rows = answer.document.get("data") if isinstance(answer.document, dict) else None
    if not isinstance(rows, list):
        raise http.error(FaultKind.MALFORMED, Call.READ, detail="no list of models", status=answer.status)
    found = [
        ListedModel(id=row["id"], shuts_down=_day(row.get("shutdown_date")))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("id"), str)
    ]
    plain = [replace(model, id=model.id.removesuffix(":latest")) for model in found if model.id.endswith(":latest")]
    return (*found, *plain)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


# A 5xx of a hosted service may come after the pictures were made, and billed.
_HOSTED_RULES: Final = HttpRules(
    refusals=REFUSALS - {500, 503} | {413},
    kind_of=errors.kind_of,
    wait_of=errors.wait_of,
    record_header="x-request-id",
    submit_seconds=SYNCHRONOUS_SECONDS,
    max_bytes=MAX_INLINE_BYTES,
)
# A failed call to the operator's own machine costs nothing.
_LOCAL_RULES: Final = replace(_HOSTED_RULES, refusals=REFUSALS | {413}, submit_seconds=_LOCAL_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A service with this API.

    `fields` are the optional fields that it takes: others are never sent. `file_field` is the form's name of an input
    image. `usual_quality` is sent if the request names none, because the service's own choice would make the cost
    unpredictable. `negative_mark` stands between the prompt and the negative one. `headers` are sent with each submit.
    `cost_of` returns the cost by `usage`, headers and offer.
    """

    name: str
    fields: frozenset[str]
    edits: Edits = Edits.FORM
    file_field: str = "image[]"
    usual_quality: str | None = None
    negative_mark: str | None = None
    is_local: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cost_of: Callable[[object, httpx.Headers, Offer], Cost | None] = costs.by_tokens
    rules: HttpRules = _HOSTED_RULES
    list_models: ModelLister | None = list_models

    @property
    def images_per_call(self) -> int | None:
        """Return 1 if a call cannot ask for several images."""
        return None if "n" in self.fields else 1


_OPENAI_FIELDS: Final = frozenset({"n", "size", "quality", "background", "output_format"})

_PROFILES: Final = (
    Profile(name="openai", fields=_OPENAI_FIELDS | {"auto_size", "safety_identifier"}, usual_quality="medium"),
    # Its models are the operator's deployments; its list has the makers' models.
    Profile(
        name="azure",
        fields=_OPENAI_FIELDS | {"auto_size", "safety_identifier"},
        usual_quality="medium",
        rules=replace(_HOSTED_RULES, key_header="api-key", key_prefix=""),
        list_models=None,
    ),
    Profile(
        name="xai",
        fields=frozenset({"n", "aspect_ratio", "resolution", "quality", "response_format"}),
        edits=Edits.JSON,
        cost_of=costs.by_ticks,
    ),
    # The proxy must not repeat a paid call either.
    Profile(
        name="litellm",
        fields=_OPENAI_FIELDS,
        headers=MappingProxyType({"x-litellm-num-retries": "0"}),
        cost_of=costs.by_header,
        rules=replace(_HOSTED_RULES, record_header="x-litellm-call-id"),
    ),
    Profile(
        name="localai",
        fields=frozenset({"n", "size", "response_format"}),
        edits=Edits.NONE,
        negative_mark="|",
        is_local=True,
        cost_of=costs.of_local_service,
        rules=_LOCAL_RULES,
    ),
    Profile(
        name="vllm",
        fields=frozenset({"n", "size", "response_format", "seed"}),
        file_field="image",
        is_local=True,
        cost_of=costs.of_local_service,
        rules=_LOCAL_RULES,
    ),
    Profile(
        name="ollama",
        fields=frozenset({"size", "response_format"}),
        edits=Edits.NONE,
        is_local=True,
        cost_of=costs.of_local_service,
        rules=_LOCAL_RULES,
    ),
)
PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({profile.name: profile for profile in _PROFILES})

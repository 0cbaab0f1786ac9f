"""Tables of a file of models.

Each key's description says which values it takes; a line about a mistake ends with it.
"""

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from bot.domain.option_spec import Limit, OptionSpec
from bot.domain.options import MAX_IMAGES, OPTIONS, QUALITIES, RESOLUTIONS
from bot.providers.addresses import A_LOCAL_ADDRESS, LocalAddress
from bot.providers.openai_images import PROFILES
from bot.providers.registry import PROVIDERS

SERVICE_NAME: Final = "up to 32 lower-case letters, digits and dashes, other than a provider's"
MODEL_NAME: Final = "up to 40 lower-case letters, digits, dots and dashes"
_MODEL_ID: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_SERVICE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_RESERVED: Final = frozenset({*PROVIDERS, "reve"})
_LONGEST_TEXT: Final = 80
_LONGEST_PROMPT: Final = 32_000
_MOST_INPUTS: Final = 14


class Table(BaseModel):
    """A table of the file: no unknown keys, no values of another type."""

    # Deferred, because a table within another needs no separate validator.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def is_model_id(text: str) -> bool:
    """Return whether a text can be the id of a model."""
    return _MODEL_ID.fullmatch(text) is not None


def is_service_name(text: str) -> bool:
    """Return whether a text can be the name of a service."""
    return _SERVICE_NAME.fullmatch(text) is not None and text not in _RESERVED


def _option_field(spec: OptionSpec, limit: Limit) -> Any:
    if isinstance(limit, bool):
        return Annotated[bool | None, Field(description="takes true or false")], None
    if isinstance(limit, int):
        most = spec.maximum or limit
        return Annotated[int | None, Field(ge=1, le=most, description=f"takes a whole number, 1 to {most}")], None
    values = tuple(spec.choices.values())
    listed = ", ".join(map(str, values))
    # Most options always have a value in a request, so a list without any would leave nothing to choose.
    least = 1 if limit and not spec.open_default else 0
    kind = Annotated[list[Literal[values]] | None, Field(min_length=least, description=f"takes a list of {listed}")]  # type: ignore[valid-type]
    return kind, None


if TYPE_CHECKING:
    Options = Table
else:
    _limits = {name: spec for name, spec in OPTIONS.items() if spec.limit is not None}
    Options = create_model(
        "Options", __base__=Table, **{name: _option_field(spec, spec.limit) for name, spec in _limits.items()}
    )


def _decimal(value: object) -> object:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("no line of text")
    return value.strip()


Text = Annotated[str, Field(max_length=_LONGEST_TEXT), AfterValidator(_line)]
# A larger price fits no column of the database once it is multiplied by tokens.
Usd = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=10_000)]
Credits = Annotated[int, Field(ge=1, le=100_000)]
Factor = Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0, le=100)]
_A_TEXT: Final = f"takes a text of up to {_LONGEST_TEXT} characters on one line"
_CREDITS: Final = "takes whole credits a picture, 1 to 100000"
_USD: Final = "takes dollars a picture, such as 0.04"
_USD_TOKENS: Final = "takes dollars a million tokens, such as 30"
_DAY: Final = "takes a day, such as 2026-12-31 without quotation marks"
_ON_OFF: Final = "takes true or false"
_INPUTS: Final = f"takes a whole number of pictures, 0 to {_MOST_INPUTS}"


class CreditTable(Table):
    """`credits`: the prices for members."""

    text: Annotated[Credits, Field(description=_CREDITS)]
    edit: Annotated[Credits | None, Field(description=_CREDITS)] = None
    resolution: Annotated[
        dict[Literal[RESOLUTIONS], Factor],  # type: ignore[valid-type]
        Field(description='takes a factor of the price for some resolutions, such as { "4K" = 2 }'),
    ] = {}
    quality: Annotated[
        dict[Literal[QUALITIES], Factor],  # type: ignore[valid-type]
        Field(description="takes a factor of the price for some qualities, such as { low = 0.5, high = 4 }"),
    ] = {}


class UsdTable(Table):
    """One list price of an offer."""

    valid_from: Annotated[date, Field(description=_DAY)]
    text: Annotated[Usd, Field(description=_USD)]
    edit: Annotated[Usd | None, Field(description=_USD)] = None
    resolution: Annotated[
        dict[Literal[RESOLUTIONS], Usd],  # type: ignore[valid-type]
        Field(description='takes dollars a picture at some resolutions, such as { "4K" = 0.24 }'),
    ] = {}
    quality: Annotated[
        dict[Literal[QUALITIES], Usd],  # type: ignore[valid-type]
        Field(description="takes dollars a picture at some qualities, such as { low = 0.006 }"),
    ] = {}


class TokenTable(Table):
    """`tokens` of an offer: prices of a million tokens."""

    text_in: Annotated[Usd, Field(description=_USD_TOKENS)]
    image_in: Annotated[Usd, Field(description=_USD_TOKENS)]
    image_out: Annotated[Usd, Field(description=_USD_TOKENS)]


class OfferTable(Table):
    """`offers.NAME`: the model at a provider."""

    enabled: Annotated[bool, Field(description=_ON_OFF)] = True
    remote_model: Annotated[Text | None, Field(description=_A_TEXT)] = None
    remote_edit_model: Annotated[Text | None, Field(description=_A_TEXT)] = None
    shape: Annotated[Text | None, Field(description=_A_TEXT)] = None
    max_inputs: Annotated[int | None, Field(ge=0, le=_MOST_INPUTS, description=_INPUTS)] = None
    options: Annotated[Options | None, Field(description="takes a table of limits of options")] = None
    images_per_call: Annotated[
        int | None, Field(ge=1, le=MAX_IMAGES, description=f"takes a whole number, 1 to {MAX_IMAGES}")
    ] = None
    usd: Annotated[list[UsdTable], Field(description="takes a list of tables with valid_from, text and others")] = []
    tokens: Annotated[TokenTable | None, Field(description="takes a table with text_in, image_in and image_out")] = None


class ModelTable(Table):
    """`models.NAME`."""

    name: Annotated[Text | None, Field(description=_A_TEXT)] = None
    good_at: Annotated[Text, Field(description=_A_TEXT)]
    max_prompt: Annotated[
        int, Field(ge=1, le=_LONGEST_PROMPT, description=f"takes a whole number of characters, 1 to {_LONGEST_PROMPT}")
    ]
    max_inputs: Annotated[int, Field(ge=0, le=_MOST_INPUTS, description=_INPUTS)] = 0
    credits: Annotated[CreditTable, Field(description="takes a table with text, edit, resolution and quality")]
    options: Annotated[Options | None, Field(description="takes a table of limits of options")] = None
    offers: Annotated[
        dict[str, OfferTable], Field(description=f"takes a table for each provider: {', '.join(PROVIDERS)}")
    ] = {}
    released: Annotated[date | None, Field(description=_DAY)] = None
    retires: Annotated[date | None, Field(description=_DAY)] = None
    retired_upstream: Annotated[date | None, Field(description=_DAY)] = None
    note: Annotated[Text | None, Field(description=_A_TEXT)] = None
    enabled: Annotated[bool, Field(description=_ON_OFF)] = True
    force: Annotated[bool, Field(description=_ON_OFF)] = False
    roles: Annotated[
        list[Annotated[int, Field(ge=1)]],
        Field(description="takes a list of Discord's ids of roles, without quotation marks"),
    ] = []


class ServiceTable(Table):
    """`services.NAME`: a service with a known API at its own address."""

    shape: Annotated[Literal["openai"], Field(description="takes openai")]
    profile: Annotated[
        Literal[tuple(PROFILES)],  # type: ignore[valid-type]
        Field(description=f"takes one of {', '.join(PROFILES)}"),
    ] = "openai"
    url: Annotated[LocalAddress, Field(description=A_LOCAL_ADDRESS)]
    key_variable: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Z][A-Z0-9_]{2,79}$", description="takes the name of an environment variable, such as MY_KEY"
        ),
    ] = None
    display_name: Annotated[Text | None, Field(description=_A_TEXT)] = None
    api_version: Annotated[Text | None, Field(description="takes a version of Azure's API")] = None


class FileTable(Table):
    """A whole file."""

    services: Annotated[dict[str, ServiceTable], Field(description="takes a table for each service")] = {}
    models: Annotated[dict[str, ModelTable], Field(description="takes a table for each model")] = {}


# The tables below a key, and whether a name or number stands between the two.
_BELOW: Final[dict[str, tuple[type[Table], bool]]] = {
    "models": (ModelTable, True),
    "services": (ServiceTable, True),
    "credits": (CreditTable, False),
    "options": (Options, False),
    "offers": (OfferTable, True),
    "usd": (UsdTable, True),
    "tokens": (TokenTable, False),
}


def locate(location: tuple[int | str, ...]) -> tuple[str, type[Table], str]:
    """Return a mistake's path, its table, and the text about its key.

    The text is empty for a key that the table does not have.
    """
    table: type[Table] = FileTable
    path: list[str] = []
    text = ""
    parts = iter(location)
    for part in parts:
        path.append(_quoted(part))
        found = table.model_fields.get(str(part))
        text = "" if found is None else found.description or ""
        if found is None or str(part) not in _BELOW:
            break
        below, is_named = _BELOW[str(part)]
        if is_named:
            if (name := next(parts, None)) is None:
                break
            path.append(_quoted(name))
            text = "takes a table"
        table = below
    return ".".join(path), table, text


def _quoted(part: int | str) -> str:
    if isinstance(part, int):
        return str(part + 1)
    return part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"'

"""Settings: environment variables and `.env`.

They are checked as a whole before anything starts.
"""

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.catalogue_file import CatalogueFileError, OpenRouterList, load_catalogue_file
from bot.catalogue_file.openrouter import ALL, SHIPPED_ONLY
from bot.domain.option_spec import MAX_WORD
from bot.domain.options import is_effect_name
from bot.env_file import (
    UnreadableFileError,
    file_mistakes,
    illegible,
    misspelled_names,
    names_of,
    read_env_file,
    without_quotes,
)
from bot.providers.addresses import A_LOCAL_ADDRESS, AN_ADDRESS, Address, LocalAddress
from bot.providers.found_models import FoundModel, FoundModelsError
from bot.providers.openrouter import OpenRouter
from bot.providers.openrouter_models import is_model_id as is_openrouter_model
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec
from bot.proxies import Proxies

DISCORD_API_URL: Final = "https://discord.com/api/v10"
ENV_FILE: Final = Path(".env")

# "reve" is a name for a later release, accepted so that an operator can write the order once.
_A_KEY: Final = "takes the key of a service in MODELS_FILE"
_PROVIDER_NAMES: Final = (*PROVIDERS, "reve")


class SettingsError(Exception):
    """Mistakes in the settings.

    `lines` has one for each, naming the variable and the values it takes.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class IllegibleError(ValueError):
    """A value has impossible characters.

    The message follows the variable's name.
    """


class UnknownNamesError(ValueError):
    """A value has an unknown name.

    The message follows the variable's name, and lists the known ones.
    """


def _proxy(value: SecretStr) -> SecretStr:
    """Accept an HTTP proxy, with or without `http://`, and return its URL."""
    url = value.get_secret_value()
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("not an HTTP proxy")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("more than an address")
    return SecretStr(url.rstrip("/"))


def _database(value: str) -> str:
    if not value.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError("another database")
    try:
        name = make_url(value).database
    except ArgumentError:
        raise ValueError("not an address") from None
    if name in (None, "", ":memory:"):
        raise ValueError("no file, or no name")
    return value


def _names(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _effects(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(is_effect_name(name) for name in names):
        raise ValueError("not a name")
    return names


def _known_providers(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Accept names of the providers and of the services of MODELS_FILE."""
    if "models_file" not in info.data:
        return names  # its own mistakes come first
    known = (*_PROVIDER_NAMES, *load_catalogue_file(info.data["models_file"], _found_models(info.data)).services)
    if set(names) <= set(known):
        return names
    raise UnknownNamesError(f"takes names of providers with commas between: {', '.join(known)}")


def _communities(value: object) -> object:
    if not isinstance(value, str) or value.strip() == "*":
        return "*" if isinstance(value, str) else value
    return [int(part) for part in value.split(",") if part.strip()] or None


def _found_models(values: Mapping[str, Any]) -> tuple[FoundModel, ...]:
    """Return the models beside the files, of all providers with a URL.

    Raises:
        FoundModelsError: some have mistakes.
    """
    found: list[FoundModel] = []
    for spec in PROVIDERS.values():
        extras = {extra.keyword: values.get(extra.setting) for extra in spec.extras}
        if spec.find_models is not None and values.get(spec.url_setting) and None not in extras.values():
            found += spec.find_models(**extras)
    return tuple(found)


def _models_file(value: Path | None, info: ValidationInfo) -> Path | None:
    """Accept a file of models without mistakes, beside the found ones."""
    load_catalogue_file(value, _found_models(info.data))
    return value


def _known_models(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Accept names of models of the files."""
    if "models_file" not in info.data:
        return names  # its own mistakes come first
    known = load_catalogue_file(info.data["models_file"], _found_models(info.data)).ids
    if set(names) <= set(known):
        return names
    raise UnknownNamesError(f"takes names of models with commas between: {', '.join(known)}")


def _openrouter_models(names: tuple[str, ...]) -> tuple[str, ...]:
    """Accept one word, or names of models with their makers."""
    if names not in ((SHIPPED_ONLY,), (ALL,)) and not (names and all(map(is_openrouter_model, names))):
        raise ValueError("no names of models")
    return names


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


DatabaseUrl = Annotated[str, AfterValidator(_database)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


def _url_field(spec: ProviderSpec) -> Any:
    """Return the field of a provider's URL; None if there is no usual one."""
    kind = Address if spec.needs_key else LocalAddress
    default = spec.default_url or None
    return (kind | None, Field(default=default, description=AN_ADDRESS if spec.needs_key else A_LOCAL_ADDRESS))


def _provider_fields() -> dict[str, Any]:
    """Return each provider's key and URL as fields for `create_model`."""
    fields: dict[str, Any] = {}
    for spec in PROVIDERS.values():
        fields[spec.key_setting] = (SecretStr | None, Field(default=None, description=spec.key_description))
        fields[spec.url_setting] = _url_field(spec)
        for extra in spec.extras:
            fields[extra.setting] = (extra.kind, Field(default=extra.default, description=extra.description))
    return fields


if TYPE_CHECKING:
    _ProviderSettings = BaseSettings
else:
    _ProviderSettings = create_model("_ProviderSettings", __base__=BaseSettings, **_provider_fields())


class Settings(_ProviderSettings):
    """All settings, each under its variable's name in lower case.

    Descriptions say which values a variable takes.
    """

    model_config = SettingsConfigDict(
        # "-sig": some editors begin a file with a byte order mark.
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    discord_token: Annotated[SecretStr | None, Field(description="takes the bot's token")] = None
    discord_api_url: Annotated[Address, Field(description=AN_ADDRESS)] = DISCORD_API_URL
    # Validated without a file too: found models may have mistakes.
    models_file: Annotated[
        Path | None,
        AfterValidator(_models_file),
        Field(validate_default=True, description="takes the path of a TOML file of models"),
    ] = None
    # After `models_file`: its services and models can be named here.
    provider_order: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_known_providers),
        Field(description="takes names of providers with commas between"),
    ] = _PROVIDER_NAMES
    default_model: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_known_models),
        Field(description="takes names of models with commas between"),
    ] = ()
    openrouter_models: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_openrouter_models),
        Field(description="takes shipped, all, or OpenRouter's names of models with commas between"),
    ] = ("shipped",)
    database_url: Annotated[
        DatabaseUrl | None,
        Field(repr=False, description="takes sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"),
    ] = None
    data_dir: Annotated[Path, Field(description="takes a folder")] = Path("data")
    picture_retention_days: Annotated[Count, Field(description="takes whole days, 1 or more")] = 30
    min_free_disk_mb: Annotated[int, Field(ge=0, description="takes megabytes, 0 or more")] = 500
    max_stored_mb: Annotated[Count, Field(description="takes megabytes, 1 or more")] = 50_000
    max_stored_mb_per_member: Annotated[Count, Field(description="takes megabytes, 1 or more")] = 2000
    http_host: Annotated[str, Field(description="takes an address of this machine")] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535, description="takes a port, 0 to 65535 (0: any)")] = 8080
    health_host: Annotated[str, Field(description="takes an address of this machine")] = "127.0.0.1"
    health_port: Annotated[int | None, Field(ge=0, le=65535, description="takes a port, 0 to 65535 (0: any)")] = None
    webhook_public_url: Annotated[Address | None, Field(description=AN_ADDRESS)] = None
    https_proxy: Annotated[
        SecretStr | None,
        AfterValidator(lambda value: None if value is None else _proxy(value)),
        Field(description="takes http://HOST:PORT or http://USER:PASSWORD@HOST:PORT of an HTTP proxy (not SOCKS)"),
    ] = None
    no_proxy: Annotated[str, Field(description="takes hosts with commas between, or *")] = ""
    trusted_download_networks: Annotated[
        tuple[IPvAnyNetwork, ...],
        NoDecode,
        BeforeValidator(_names),
        Field(description="takes networks with commas between, such as 198.18.0.0/15"),
    ] = ()
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(_upper),
        Field(description="takes DEBUG, INFO, WARNING or ERROR"),
    ] = "INFO"
    log_format: Annotated[Literal["text", "json"], Field(description="takes text or json")] = "text"
    shard_count: Annotated[Count | None, Field(description="takes a whole number, 1 or more")] = None
    shard_ids: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...] | None,
        NoDecode,
        BeforeValidator(_names),
        Field(description="takes shard numbers with commas between, and needs SHARD_COUNT"),
    ] = None
    poll_interval_seconds: Annotated[Seconds, Field(description="takes seconds, more than 0")] = 3.0
    job_soft_deadline_seconds: Annotated[Seconds, Field(description="takes seconds, more than 0")] = 300.0
    job_hard_deadline_seconds: Annotated[
        Seconds, Field(description="takes seconds, no fewer than JOB_SOFT_DEADLINE_SECONDS")
    ] = 7200.0
    lease_seconds: Annotated[float, Field(ge=1, allow_inf_nan=False, description="takes seconds, 1 or more")] = 15.0
    default_allowance: Annotated[int, Field(ge=0, description="takes credits a day, 0 or more")] = 200
    max_active_jobs_per_member: Annotated[Count, Field(description="takes a whole number, 1 or more")] = 3
    max_active_jobs_per_community: Annotated[Count | None, Field(description="takes a whole number, 1 or more")] = None
    max_active_jobs: Annotated[Count, Field(description="takes a whole number, 1 or more")] = 64
    communities: Annotated[
        tuple[int, ...] | Literal["*"] | None,
        NoDecode,
        BeforeValidator(_communities),
        Field(description="takes server ids with commas between, or *"),
    ] = None
    effects: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_effects),
        Field(description=f"takes names of effects with commas between, up to {MAX_WORD} letters and digits each"),
    ] = ()
    edit_by_mention: Annotated[bool, Field(description="takes on or off")] = True
    mark_pictures: Annotated[bool, Field(description="takes on or off")] = True
    first_hint: Annotated[bool, Field(description="takes on or off")] = True
    user_install: Annotated[bool, Field(description="takes on or off")] = False
    monthly_budget: Annotated[int, Field(ge=0, description="takes credits a month, 0 or more")] = 100_000
    low_balance_usd: Annotated[
        Decimal, Field(ge=0, allow_inf_nan=False, description="takes dollars, 0 or more (0: no warning)")
    ] = Decimal(5)
    free_repeats: Annotated[int, Field(ge=0, description="takes a number of jobs, 0 or more")] = 2

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Strip blanks and quotation marks, and drop blank values.

        Blanks come with copying; a blank value counts as unset.
        """
        stripped = {name: without_quotes(value) if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @field_validator("*", mode="before")
    @classmethod
    def _legible(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and info.field_name is not None:
            secret = SecretStr in get_args(cls.model_fields[info.field_name].annotation)
            if mistake := illegible(value, secret=secret):
                raise IllegibleError(mistake)
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        mistakes = []
        if self.job_hard_deadline_seconds < self.job_soft_deadline_seconds:
            mistakes.append("job_hard_deadline_seconds")
        shards = self.shard_ids
        if shards is not None and not (shards and max(shards) < (self.shard_count or 0)):
            mistakes.append("shard_ids")
        if mistakes:
            raise ValueError(" ".join(mistakes))  # the names, for `_variables`
        return self

    @property
    def database_address(self) -> str:
        """The database's URL.

        Without DATABASE_URL, a file in the data folder.
        """
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'atelier.db'}"

    @property
    def proxies(self) -> Proxies:
        """The proxy of outgoing requests."""
        return Proxies(None if self.https_proxy is None else self.https_proxy.get_secret_value(), self.no_proxy)

    @property
    def storage_folders(self) -> tuple[Path, ...]:
        """Folders of pictures and, with SQLite, of the database."""
        database = make_url(self.database_address)
        pictures = self.data_dir / "pictures"
        is_file = database.get_backend_name() == "sqlite"
        return (pictures, Path(str(database.database)).parent) if is_file else (pictures,)

    @cached_property
    def specs(self) -> Mapping[str, ProviderSpec]:
        """All providers: the built-in ones, then the services of MODELS_FILE."""
        return MappingProxyType({**PROVIDERS, **load_catalogue_file(self.models_file, self.found_models).services})

    @property
    def openrouter_list(self) -> OpenRouterList | None:
        """OpenRouter's own list of models; None if it is not wanted."""
        if SHIPPED_ONLY in self.openrouter_models or OpenRouter.name not in self.providers:
            return None
        return OpenRouterList(folder=self.data_dir, wanted=self.openrouter_models)

    def key_of(self, provider: str) -> SecretStr | None:
        """Return the key of a provider, or None if it has none or does not exist."""
        spec = self.specs.get(provider)
        # The key of a service is a field only with `load_settings`.
        key: SecretStr | None = None if spec is None else getattr(self, spec.key_setting, None)
        return key

    def api_url_of(self, provider: str) -> str:
        """Return the API's URL of a provider in `specs`, or "" if not set."""
        spec = self.specs[provider]
        url: str | None = spec.default_url if spec.is_service else getattr(self, spec.url_setting)
        return url or ""

    def display_name_of(self, provider: str) -> str:
        """Return a provider's name for people; an unknown one keeps its own."""
        spec = self.specs.get(provider)
        return provider if spec is None else spec.display_name

    def extras_of(self, provider: str) -> dict[str, Any]:
        """Return a provider's other settings, by the keyword of its client."""
        return {extra.keyword: getattr(self, extra.setting) for extra in self.specs[provider].extras}

    @property
    def found_models(self) -> tuple[FoundModel, ...]:
        """Models beside those of the files, such as workflows of a folder."""
        return _found_models(dict(self))

    @property
    def providers(self) -> tuple[str, ...]:
        """Configured providers, in the operator's order.

        Those have a key and a URL; one on the operator's own machine needs no key. Without PROVIDER_ORDER, the services
        of MODELS_FILE come last.
        """
        is_chosen = "provider_order" in self.model_fields_set
        order = self.provider_order if is_chosen else dict.fromkeys((*self.provider_order, *self.specs))
        return tuple(name for name in order if self._is_configured(name))

    def _is_configured(self, provider: str) -> bool:
        spec = self.specs.get(provider)
        if spec is None or not self.api_url_of(provider):
            return False
        return not spec.needs_key or self.key_of(provider) is not None


class ExplicitSettings(Settings):
    """Settings from keyword arguments alone.

    Neither the environment nor `.env` is read.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the keyword arguments as the only source."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings.

    No value is ever part of an error: it may be a secret.

    Raises:
        SettingsError: A setting has a wrong value.
    """
    try:
        text = read_env_file(ENV_FILE)
    except UnreadableFileError as error:
        raise SettingsError(error.lines) from None
    names = (*names_of(text), *os.environ)
    lines = {*file_mistakes(ENV_FILE, text), *misspelled_names(names, Settings.model_fields)}
    if lines:  # what they are about is missing from the settings
        raise SettingsError(tuple(sorted(lines))) from None
    try:
        settings = Settings(**overrides)
        if keys := _service_keys(settings):
            fields: Any = {name: (SecretStr | None, Field(default=None, description=_A_KEY)) for name in keys}
            settings = create_model("SettingsWithServices", __base__=Settings, **fields)(**overrides)
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_url=False)
        lines = {
            f"{name.upper()} {wrong}"
            for each in mistakes
            for name in _variables(each)
            for wrong in _what_is_wrong(name, each)
        }
        raise SettingsError(tuple(sorted(lines))) from None
    if lines := set(_mistakes_of_services(settings)):
        raise SettingsError(tuple(sorted(lines)))
    return settings


def _service_keys(settings: Settings) -> list[str]:
    """Return the keys of services that are no settings yet."""
    services = [spec for spec in settings.specs.values() if spec.is_service and spec.needs_key]
    return [spec.key_setting for spec in services if not _is_setting(spec.key_setting)]


def _is_setting(name: str) -> bool:
    """Return whether the settings have this name, as a field or otherwise."""
    return name in Settings.model_fields or hasattr(Settings, name)


def _mistakes_of_services(settings: Settings) -> Iterator[str]:
    """Yield a line for each service without a usable key."""
    keys = {spec.key_setting for spec in PROVIDERS.values()}
    for spec in settings.specs.values():
        if not spec.is_service or not spec.needs_key:
            continue
        if _is_setting(spec.key_setting) and spec.key_setting not in keys:
            where = f"MODELS_FILE {settings.models_file}: services.{spec.name}.key_variable"
            yield f"{where} takes the name of a variable of its own, and {spec.key_variable} is another setting"
        elif settings.key_of(spec.name) is None:
            yield f"{spec.key_variable} is not set: services.{spec.name} in {settings.models_file} has its key there"


def _what_is_wrong(name: str, mistake: Any) -> tuple[str, ...]:
    error = mistake.get("ctx", {}).get("error")
    if isinstance(error, CatalogueFileError | FoundModelsError):
        return error.lines
    return (str(error) if isinstance(error, IllegibleError | UnknownNamesError) else _takes(name),)


def _takes(name: str) -> str:
    field = Settings.model_fields.get(name)
    return (field.description if field else None) or "has a wrong value"


def _variables(mistake: Any) -> list[str]:
    error = mistake.get("ctx", {}).get("error")
    if isinstance(error, FoundModelsError):
        return [error.setting]
    location = mistake["loc"]
    if location:
        return [str(location[0])]
    # From `_fit_together`: its message is the names.
    return str(mistake["ctx"]["error"]).split()

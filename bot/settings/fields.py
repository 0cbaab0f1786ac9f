"""All settings as fields, and values derived from them."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, get_args
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from sqlalchemy import make_url

from bot.catalogue_file import OpenRouterList, load_catalogue_file
from bot.catalogue_file.openrouter import SHIPPED_ONLY
from bot.domain.allowances import MAX_CREDITS
from bot.domain.option_spec import MAX_WORD
from bot.domain.premium import Benefit, PremiumPlan
from bot.domain.prompt_rules import PromptRule
from bot.env_file import (
    illegible,
    without_quotes,
)
from bot.images.object_client import StoreAddress
from bot.moderation.rule_file import load_rule_file
from bot.providers.addresses import A_LOCAL_ADDRESS, AN_ADDRESS, Address, LocalAddress
from bot.providers.found_models import FoundModel
from bot.providers.openai_moderation import CATEGORIES
from bot.providers.openrouter import OpenRouter
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec
from bot.proxies import Proxies
from bot.secret_key import MIN_SECRET_KEY
from bot.settings.errors import IllegibleError
from bot.settings.provider_fields import (
    PROVIDER_NAMES,
    check_models,
    check_models_file,
    check_providers,
    find_models,
    provider_fields,
)
from bot.settings.validators import (
    CONTACT,
    INTERACTIONS,
    PREMIUM_SKUS,
    SHARD_IDS,
    Count,
    DatabaseUrl,
    Days,
    PictureStoreUrl,
    Seconds,
    Whole,
    check_contact,
    check_effects,
    check_moderation,
    check_openrouter_models,
    check_rule_file,
    check_secret_key,
    check_webhook_url,
    none_for_off,
    parse_communities,
    parse_premium_skus,
    parse_proxy,
    parse_shards,
    split_moderation,
    split_names,
    to_lower,
    to_upper,
)

DISCORD_API_URL: Final = "https://discord.com/api/v10"
ENV_FILE: Final = Path(".env")


if TYPE_CHECKING:
    _ProviderSettings = BaseModel
else:
    # Its validators are never used, so they are not built.
    _ProviderSettings = create_model("_ProviderSettings", __config__=ConfigDict(defer_build=True), **provider_fields())


class Settings(_ProviderSettings):
    """All settings, each under its variable's name in lower case.

    Descriptions say which values a variable takes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)

    discord_token: Annotated[SecretStr | None, Field(description="takes the bot's token")] = None
    discord_api_url: Annotated[Address, Field(description=AN_ADDRESS)] = DISCORD_API_URL
    # Validated without a file too: found models may have mistakes.
    models_file: Annotated[
        Path | None,
        AfterValidator(check_models_file),
        Field(validate_default=True, description="takes the path of a TOML file of models"),
    ] = None
    # After `models_file`: its services and models can be named here.
    provider_order: Annotated[
        tuple[str, ...],
        BeforeValidator(split_names),
        AfterValidator(check_providers),
        Field(description="takes names of providers with commas between"),
    ] = PROVIDER_NAMES
    default_model: Annotated[
        tuple[str, ...],
        BeforeValidator(split_names),
        AfterValidator(check_models),
        Field(description="takes names of models with commas between"),
    ] = ()
    openrouter_models: Annotated[
        tuple[str, ...],
        BeforeValidator(split_names),
        AfterValidator(check_openrouter_models),
        Field(description="takes shipped, all, or OpenRouter's names of models with commas between"),
    ] = ("shipped",)
    database_url: Annotated[
        DatabaseUrl | None,
        Field(repr=False, description="takes sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"),
    ] = None
    secret_key: Annotated[
        SecretStr | None,
        AfterValidator(check_secret_key),
        Field(description=f"takes {MIN_SECRET_KEY} characters or more, such as the output of: openssl rand -hex 32"),
    ] = None
    data_dir: Annotated[Path, Field(description="takes a folder")] = Path("data")
    picture_store_url: Annotated[
        PictureStoreUrl | None,
        Field(description="takes s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER"),
    ] = None
    aws_endpoint_url: Annotated[LocalAddress | None, Field(description=A_LOCAL_ADDRESS)] = None
    aws_region: Annotated[str | None, Field(description="takes the name of a region, such as eu-central-1")] = None
    aws_access_key_id: Annotated[str | None, Field(description="takes the id of a key")] = None
    aws_secret_access_key: Annotated[SecretStr | None, Field(description="takes the key of AWS_ACCESS_KEY_ID")] = None
    aws_session_token: Annotated[SecretStr | None, Field(description="takes the token of a session")] = None
    google_application_credentials: Annotated[
        Path | None, Field(description="takes the path of a service account's file")
    ] = None
    azure_storage_account_name: Annotated[str | None, Field(description="takes the name of a storage account")] = None
    azure_storage_account_key: Annotated[
        SecretStr | None, Field(description="takes a key of AZURE_STORAGE_ACCOUNT_NAME")
    ] = None
    picture_retention_days: Annotated[Days, Field(description="takes whole days, 1 to 36500")] = 30
    guild_retention_days: Annotated[Days, Field(description="takes whole days, 1 to 36500")] = 30
    prompt_retention_days: Annotated[Days | None, Field(description="takes whole days, 1 to 36500")] = None
    deleted_prompt_days: Annotated[Whole, Field(ge=0, le=36_500, description="takes whole days, 0 to 36500")] = 7
    prompt_rules_file: Annotated[
        Path | None,
        AfterValidator(check_rule_file),
        Field(description="takes the path of a file of prompt rules"),
    ] = None
    min_free_disk_mb: Annotated[Whole, Field(ge=0, description="takes megabytes, 0 or more")] = 500
    max_stored_mb: Annotated[Count, Field(description="takes megabytes, 1 or more")] = 50_000
    max_stored_mb_per_member: Annotated[Count, Field(description="takes megabytes, 1 or more")] = 2000
    http_host: Annotated[str, Field(description="takes an address of this machine")] = "127.0.0.1"
    http_port: Annotated[Whole, Field(ge=0, le=65535, description="takes a port, 0 to 65535 (0: any)")] = 8080
    health_host: Annotated[str, Field(description="takes an address of this machine")] = "127.0.0.1"
    health_port: Annotated[Whole | None, Field(ge=0, le=65535, description="takes a port, 0 to 65535 (0: any)")] = None
    metrics: Annotated[bool, Field(description="takes on or off")] = False
    webhook_public_url: Annotated[Address | None, Field(description=AN_ADDRESS)] = None
    https_proxy: Annotated[
        SecretStr | None,
        AfterValidator(lambda value: None if value is None else parse_proxy(value)),
        Field(description="takes http://HOST:PORT or http://USER:PASSWORD@HOST:PORT of an HTTP proxy (not SOCKS)"),
    ] = None
    no_proxy: Annotated[str, Field(description="takes hosts with commas between, or *")] = ""
    trusted_download_networks: Annotated[
        tuple[IPvAnyNetwork, ...],
        BeforeValidator(split_names),
        Field(description="takes networks with commas between, such as 198.18.0.0/15"),
    ] = ()
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(to_upper),
        Field(description="takes DEBUG, INFO, WARNING or ERROR"),
    ] = "INFO"
    log_format: Annotated[Literal["text", "json"], Field(description="takes text or json")] = "text"
    shard_count: Annotated[Count | None, Field(description="takes a whole number, 1 or more")] = None
    shard_ids: Annotated[
        tuple[Annotated[Whole, Field(ge=0)], ...] | Literal["none"] | None,
        BeforeValidator(parse_shards),
        Field(description=SHARD_IDS),
    ] = None
    interactions: Annotated[Literal["gateway", "http"], BeforeValidator(to_lower), Field(description=INTERACTIONS)] = (
        "gateway"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False, description="takes seconds, 0 to 300")] = (
        3.0
    )
    poll_interval_seconds: Annotated[Seconds, Field(description="takes seconds, more than 0, at most a year")] = 3.0
    job_soft_deadline_seconds: Annotated[Seconds, Field(description="takes seconds, more than 0, at most a year")] = (
        300.0
    )
    job_hard_deadline_seconds: Annotated[
        Seconds, Field(description="takes seconds, no fewer than JOB_SOFT_DEADLINE_SECONDS, at most a year")
    ] = 7200.0
    lease_seconds: Annotated[float, Field(ge=1, allow_inf_nan=False, description="takes seconds, 1 or more")] = 15.0
    default_allowance: Annotated[
        Whole, Field(ge=0, le=MAX_CREDITS, description="takes credits a day, 0 to 1000000000")
    ] = 200
    max_active_jobs_per_member: Annotated[Count, Field(description="takes a whole number, 1 or more")] = 3
    max_active_jobs_per_community: Annotated[Count | None, Field(description="takes a whole number, 1 or more")] = None
    max_active_jobs: Annotated[Count, Field(description="takes a whole number, 1 or more")] = 64
    communities: Annotated[
        tuple[int, ...] | Literal["*"] | None,
        BeforeValidator(parse_communities),
        Field(description="takes server ids with commas between, or *"),
    ] = None
    effects: Annotated[
        tuple[str, ...],
        BeforeValidator(split_names),
        AfterValidator(check_effects),
        Field(description=f"takes names of effects with commas between, up to {MAX_WORD} letters and digits each"),
    ] = ()
    edit_by_mention: Annotated[bool, Field(description="takes on or off")] = True
    mark_pictures: Annotated[bool, Field(description="takes on or off")] = True
    prompt_moderation: Annotated[
        tuple[str, ...],
        BeforeValidator(split_moderation),
        AfterValidator(check_moderation),
        Field(
            description=f"takes off, all, or categories with commas between: {', '.join(CATEGORIES)}; "
            "needs OPENAI_API_KEY"
        ),
    ] = ()
    contact_address: Annotated[str | None, AfterValidator(check_contact), Field(description=CONTACT)] = None
    first_hint: Annotated[bool, Field(description="takes on or off")] = True
    user_install: Annotated[bool, Field(description="takes on or off")] = False
    monthly_budget: Annotated[
        Whole, Field(ge=0, le=MAX_CREDITS, description="takes credits a month, 0 to 1000000000")
    ] = 100_000
    daily_report_hour: Annotated[
        Annotated[Whole, Field(ge=0, le=23)] | None,
        BeforeValidator(none_for_off),
        Field(description="takes an hour of UTC, 0 to 23, or off"),
    ] = 9
    budget_alerts: Annotated[
        tuple[Annotated[Whole, Field(ge=1, le=100)], ...],
        BeforeValidator(split_names),
        Field(min_length=1, description="takes percentages, 1 to 100, separated by commas"),
    ] = (50, 80, 95, 100)
    alert_webhook_url: Annotated[
        SecretStr | None,
        AfterValidator(check_webhook_url),
        Field(description="takes the http:// or https:// address of a webhook"),
    ] = None
    community_budget: Annotated[
        Whole | None, Field(ge=0, le=MAX_CREDITS, description="takes credits a month, 0 to 1000000000")
    ] = None
    community_keys: Annotated[bool, Field(description="takes on or off; on needs SECRET_KEY")] = False
    low_balance_usd: Annotated[
        Decimal, Field(ge=0, allow_inf_nan=False, description="takes dollars, 0 or more (0: no warning)")
    ] = Decimal(5)
    premium_skus: Annotated[
        tuple[tuple[int, Benefit], ...],
        BeforeValidator(parse_premium_skus),
        Field(description=PREMIUM_SKUS),
    ] = ()
    premium_tests: Annotated[bool, Field(description="takes on or off")] = False
    free_repeats: Annotated[Whole, Field(ge=0, description="takes a number of jobs, 0 or more")] = 2

    _secret_files: Mapping[str, Path] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        """Check values, such as the texts of variables."""
        super().__init__(**values)

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
        if not self._has_fitting_shards():
            mistakes.append("shard_ids")
        # Not the key in the data folder: who copies the database alone would lose every server's key.
        if self.community_keys and self.secret_key is None:
            mistakes.append("community_keys")
        if self.prompt_moderation and self.key_of("openai") is None:
            mistakes.append("prompt_moderation")
        if mistakes:
            raise ValueError(" ".join(mistakes))  # the names, for `_variables`
        return self

    def _has_fitting_shards(self) -> bool:
        """Return whether the shards exist, or are left to other processes."""
        if self.shard_ids == "none":
            return self.interactions == "http"
        return self.shard_ids is None or (self.shard_ids != () and max(self.shard_ids) < (self.shard_count or 0))

    @property
    def secret_files(self) -> Mapping[str, Path]:
        """Files of secrets, by setting."""
        return self._secret_files

    def note_secret_files(self, paths: Mapping[str, Path]) -> None:
        """Record the files of secrets."""
        self._secret_files = MappingProxyType(dict(paths))

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
    def premium_plan(self) -> PremiumPlan:
        """Credits for sale at Discord."""
        return PremiumPlan(benefits=dict(self.premium_skus), takes_tests=self.premium_tests)

    @property
    def storage_folders(self) -> tuple[Path, ...]:
        """Folders of pictures or their copies and, with SQLite, of the database."""
        database = make_url(self.database_address)
        pictures = self.picture_folder
        is_file = database.get_backend_name() == "sqlite"
        return (pictures, Path(str(database.database)).parent) if is_file else (pictures,)

    @property
    def picture_folder(self) -> Path:
        """The folder of pictures.

        With an object store, it is for copies and incoming files.
        """
        if self.object_store is not None:
            return self.data_dir / "picture-copies"
        url = self.picture_store_url
        return self.data_dir / "pictures" if url is None else Path(unquote(urlsplit(url).path))

    @property
    def object_store(self) -> StoreAddress | None:
        """The place of pictures if it is no folder."""
        url = self.picture_store_url
        return None if url is None or url.startswith("file:") else StoreAddress.parse(url)

    @property
    def object_store_options(self) -> Mapping[str, str]:
        """Endpoint and credentials of the object store, by the library's names."""
        values = {
            "s3": {
                "endpoint": self.aws_endpoint_url,
                "region": self.aws_region,
                "access_key_id": self.aws_access_key_id,
                "secret_access_key": _revealed(self.aws_secret_access_key),
                "session_token": _revealed(self.aws_session_token),
            },
            "gs": {
                "application_credentials": None
                if self.google_application_credentials is None
                else str(self.google_application_credentials)
            },
            "az": {
                "account_name": self.azure_storage_account_name,
                "account_key": _revealed(self.azure_storage_account_key),
            },
        }
        address = self.object_store
        options = {} if address is None else values[address.scheme]
        return {name: value for name, value in options.items() if value is not None}

    @cached_property
    def specs(self) -> Mapping[str, ProviderSpec]:
        """All providers: the built-in ones, then the services of MODELS_FILE."""
        return MappingProxyType({**PROVIDERS, **load_catalogue_file(self.models_file, self.found_models).services})

    @cached_property
    def prompt_rules(self) -> tuple[PromptRule, ...]:
        """The operator's own prompt rules."""
        return () if self.prompt_rules_file is None else load_rule_file(self.prompt_rules_file)

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
        return find_models(dict(self))

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


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()

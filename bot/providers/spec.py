"""Description of a provider: its names, its settings and its client."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from bot.providers.base import Provider
from bot.providers.found_models import FoundModel
from bot.providers.http import DEFAULT_RULES, HttpRules, ProviderHttp, RecordExchange, utc_now
from bot.providers.model_list import ModelLister


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraSetting:
    """A further setting of one provider.

    `setting` is named like its environment variable in lower case. `kind` is its type for the settings' validation;
    `description` says what it takes.
    """

    setting: str
    keyword: str
    kind: Any
    default: Any
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """A provider as settings, doctor, cards and the container know it.

    `name` is also the provider's name in the catalogue's offers and in the database. The settings are named like their
    environment variables in lower case. `key_description` says what the key's variable takes. `probe_path` is a free
    GET for a job that cannot exist: its status shows whether the key is accepted. `needs_public_webhooks`: the provider
    refuses a job with a webhook at a private address. `can_cancel`: a job can be cancelled while it is queued there,
    `can_cancel_running`: also while it runs. `picture_hosts` serve its images; empty if only the API's host is known.
    `rules` are those of its HTTP. `needs_key` is False for an API on the operator's own machine: its URL switches it
    on, its key may be empty, and HTTP without TLS is accepted. `extras` are its other settings, which `build` gets as
    keyword arguments. `list_models` reads the provider's own list of models, to compare the offers with. `shapes` are
    the forms of input that its offers choose from; empty if there is only one. `images_per_call` is the most that a
    call makes, for offers that do not say it; None if a call makes as many as a job can ask for. `is_service`: it comes
    from MODELS_FILE, and its URL is `default_url`, no setting. `find_models` gets the extras too, and returns models
    beside those of the files, or raises `FoundModelsError`.
    """

    name: str
    display_name: str
    key_setting: str
    key_description: str
    url_setting: str
    default_url: str
    probe_path: str
    build: Callable[..., Provider]
    needs_public_webhooks: bool = False
    can_cancel: bool = False
    can_cancel_running: bool = False
    picture_hosts: tuple[str, ...] = ()
    rules: HttpRules = DEFAULT_RULES
    needs_key: bool = True
    extras: tuple[ExtraSetting, ...] = ()
    list_models: ModelLister | None = None
    shapes: tuple[str, ...] = ()
    images_per_call: int | None = None
    is_service: bool = False
    find_models: Callable[..., tuple[FoundModel, ...]] | None = None

    @property
    def key_variable(self) -> str:
        """Return the environment variable of the key."""
        return self.key_setting.upper()

    @property
    def url_variable(self) -> str:
        """Return the variable of the URL; of a service, its key in the file."""
        return f"services.{self.name}.url in MODELS_FILE" if self.is_service else self.url_setting.upper()

    @property
    def switch_variable(self) -> str:
        """Return the environment variable for switching the provider on."""
        return self.key_variable if self.needs_key else self.url_variable

    @property
    def takes_guild_keys(self) -> bool:
        """True if a server can bring its own key.

        The provider has public accounts. Services, proxies and machines of the operator are none.
        """
        return self.needs_key and bool(self.default_url) and not self.is_service

    def open_http(
        self,
        client: httpx.AsyncClient,
        url: str,
        key: str | None,
        *,
        clock: Callable[[], datetime] = utc_now,
        record: RecordExchange | None = None,
    ) -> ProviderHttp:
        """Return the access to the API at a URL with a key; see `ProviderHttp`."""
        return ProviderHttp(
            name=self.name,
            base_url=url,
            key=key,
            client=client,
            rules=self.rules,
            clock=clock,
            record=record,
        )

"""Settings of the providers and of their models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr, ValidationInfo

from bot.catalogue_file import load_catalogue_file
from bot.providers.addresses import A_LOCAL_ADDRESS, AN_ADDRESS, Address, LocalAddress
from bot.providers.found_models import FoundModel
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec
from bot.settings.errors import UnknownNamesError

# "reve" is a name for a later release, accepted so that an operator can write the order once.
PROVIDER_NAMES: Final = (*PROVIDERS, "reve")


def _url_field(spec: ProviderSpec) -> Any:
    """Return the field of a provider's URL; None if there is no usual one."""
    kind = Address if spec.needs_key else LocalAddress
    default = spec.default_url or None
    return (kind | None, Field(default=default, description=AN_ADDRESS if spec.needs_key else A_LOCAL_ADDRESS))


def provider_fields() -> dict[str, Any]:
    """Return each provider's key and URL as fields for `create_model`."""
    fields: dict[str, Any] = {}
    for spec in PROVIDERS.values():
        fields[spec.key_setting] = (SecretStr | None, Field(default=None, description=spec.key_description))
        fields[spec.url_setting] = _url_field(spec)
        for extra in spec.extras:
            fields[extra.setting] = (extra.kind, Field(default=extra.default, description=extra.description))
    return fields


def find_models(values: Mapping[str, Any]) -> tuple[FoundModel, ...]:
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


def check_models_file(value: Path | None, info: ValidationInfo) -> Path | None:
    """Accept a file of models without mistakes, beside the found ones."""
    load_catalogue_file(value, find_models(info.data))
    return value


def check_models(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Accept names of models of the files."""
    if "models_file" not in info.data:
        return names  # its own mistakes come first
    known = load_catalogue_file(info.data["models_file"], find_models(info.data)).ids
    if set(names) <= set(known):
        return names
    raise UnknownNamesError(f"takes names of models with commas between: {', '.join(known)}")


def check_providers(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Accept names of the providers and of the services of MODELS_FILE."""
    if "models_file" not in info.data:
        return names  # its own mistakes come first
    known = (*PROVIDER_NAMES, *load_catalogue_file(info.data["models_file"], find_models(info.data)).services)
    if set(names) <= set(known):
        return names
    raise UnknownNamesError(f"takes names of providers with commas between: {', '.join(known)}")

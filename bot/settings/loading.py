"""Loading of the settings, and the lines about their mistakes."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from io import StringIO
from typing import Any, Final

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, create_model

from bot.catalogue_file import CatalogueFileError
from bot.env_file import UnreadableFileError, file_mistakes, misspelled_names, names_of, read_env_file
from bot.moderation.rule_file import RuleFileError
from bot.providers.found_models import FoundModelsError
from bot.providers.registry import PROVIDERS
from bot.settings.errors import IllegibleError, SettingsError, UnknownNamesError
from bot.settings.fields import ENV_FILE, Settings
from bot.settings.secret_files import SecretFiles, file_setting, read_secret_files, secret_names

_A_KEY: Final = "takes the key of a service in MODELS_FILE"


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
    known = {*Settings.model_fields, *map(file_setting, secret_names(Settings.model_fields))}
    lines = {*file_mistakes(ENV_FILE, text), *misspelled_names((*names_of(text), *os.environ), known)}
    if lines:  # what they are about is missing from the settings
        raise SettingsError(tuple(sorted(lines))) from None
    env_file = dotenv_values(stream=StringIO(text))
    variables = _set_variables(env_file) | _set_variables(os.environ)
    read_files = partial(read_secret_files, environment=os.environ, env_file=env_file)
    files = read_files(secret_names(Settings.model_fields))
    settings = _build(Settings, variables, files, overrides)
    if keys := _service_keys(settings):
        fields: Any = {name: (SecretStr | None, Field(default=None, description=_A_KEY)) for name in keys}
        of_services = read_files(keys)
        files = SecretFiles(
            contents=files.contents | of_services.contents,
            paths=files.paths | of_services.paths,
            mistakes=of_services.mistakes,
        )
        kind = create_model("SettingsWithServices", __base__=Settings, **fields)
        settings = _build(kind, variables, files, overrides)
    settings.note_secret_files(files.paths)
    if lines := set(_mistakes_of_services(settings)):
        raise SettingsError(tuple(sorted(lines)))
    return settings


def _set_variables(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Return the variables with a value, by names in lower case."""
    return {name.lower(): value for name, value in variables.items() if value}


def _build(
    kind: type[Settings], variables: Mapping[str, str], files: SecretFiles, overrides: Mapping[str, Any]
) -> Settings:
    """Validate the settings, with the secrets of these files.

    Raises:
        SettingsError: A setting has a wrong value, or a file has no secret.
    """
    lines = set(files.mistakes)
    values = {name: value for name, value in variables.items() if name in kind.model_fields}
    try:
        settings = kind(**{**values, **files.contents, **overrides})
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            for name in _variables(each):
                lines |= {f"{_shown_name(name, files)} {wrong}" for wrong in _what_is_wrong(name, each)}
    if lines:
        raise SettingsError(tuple(sorted(lines))) from None
    return settings


def _shown_name(name: str, files: SecretFiles) -> str:
    variable = name.upper()
    return f"{variable} (from {file_setting(name).upper()})" if name in files.contents else variable


def _service_keys(settings: Settings) -> list[str]:
    """Return the keys of services without a setting."""
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
    if isinstance(error, CatalogueFileError | FoundModelsError | RuleFileError):
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

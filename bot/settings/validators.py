"""Validators of single values."""

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.catalogue_file.openrouter import ALL, SHIPPED_ONLY
from bot.domain.options import is_effect_name
from bot.domain.premium import Benefit, parse_benefit
from bot.images.object_client import STORE_SCHEMES
from bot.moderation.rule_file import load_rule_file
from bot.providers.openai_moderation import CATEGORIES
from bot.providers.openrouter_models import is_model_id as is_openrouter_model
from bot.secret_key import MIN_SECRET_KEY
from bot.settings.errors import UnknownNamesError

PREMIUM_SKUS: Final = (
    "takes SKU=grant:CREDITS, SKU=allowance:CREDITS/PERIOD (day, week or month) or SKU=allowance:unlimited, with commas"
    " between"
)
"""The values of the setting, in words."""
SHARD_IDS: Final = (
    "takes shard numbers with commas between, and needs SHARD_COUNT; or none, and needs INTERACTIONS=http"
)
INTERACTIONS: Final = "takes gateway or http"
_SNOWFLAKE: Final = re.compile(r"[0-9]{1,18}|[1-8][0-9]{18}")

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_KEY_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._-]+)*/?")
_DIGITS: Final = re.compile(r"[+-]?[0-9]+")
_MODERATION_WORDS: Final = {"off": (), "all": CATEGORIES}


def parse_proxy(value: SecretStr) -> SecretStr:
    """Accept an HTTP proxy, with or without `http://`, and return its URL."""
    url = value.get_secret_value()
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("not an HTTP proxy")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("more than an address")
    return SecretStr(url.rstrip("/"))


def check_rule_file(value: Path | None) -> Path | None:
    """Accept a file of prompt rules without mistakes."""
    if value is not None:
        load_rule_file(value)
    return value


def check_database(value: str) -> str:
    """Accept the address of a database with a name."""
    if not value.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError("another database")
    try:
        name = make_url(value).database
    except ArgumentError:
        raise ValueError("not an address") from None
    if name in (None, "", ":memory:"):
        raise ValueError("no file, or no name")
    return value


def check_picture_store(value: str) -> str:
    """Accept the URL of a bucket, a container or an absolute folder."""
    parts = urlsplit(value)
    if parts.query or parts.fragment:
        raise ValueError("more than an address")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.strip("/"):
            raise ValueError("no absolute folder")
        return value
    if parts.scheme not in STORE_SCHEMES or not _BUCKET.fullmatch(parts.netloc):
        raise ValueError("no bucket")
    if not _KEY_PREFIX.fullmatch(parts.path) or ".." in parts.path:
        raise ValueError("no prefix")
    return value


def check_digits(value: object) -> object:
    """Accept a whole number in digits alone.

    pydantic reads "1.000" as one and "1_000" as a thousand.
    """
    if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):
        raise ValueError("not digits alone")
    return value


def split_names(value: object) -> object:
    """Return a text's parts between commas; other values unchanged."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def parse_shards(value: object) -> object:
    """Return shard numbers between commas, or `none`."""
    is_none = isinstance(value, str) and value.strip().lower() == "none"
    return "none" if is_none else split_names(value)


def split_moderation(value: object) -> object:
    """Return the categories in a text; `off` is none, `all` is each."""
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _MODERATION_WORDS:
        return _MODERATION_WORDS[word]
    return split_names(value)


def check_moderation(names: tuple[str, ...]) -> tuple[str, ...]:
    """Accept names of moderation categories."""
    if not set(names).issubset(CATEGORIES):
        raise ValueError("not a category")
    return names


def check_effects(names: tuple[str, ...]) -> tuple[str, ...]:
    """Accept names of effects."""
    if not all(is_effect_name(name) for name in names):
        raise ValueError("not a name")
    return names


def parse_communities(value: object) -> object:
    """Return server ids between commas, `*`, or None for a lone comma."""
    if not isinstance(value, str) or value.strip() == "*":
        return "*" if isinstance(value, str) else value
    parts = [part for part in value.split(",") if part.strip()]
    return [int(str(check_digits(part))) for part in parts] or None


def parse_premium_skus(value: object) -> object:
    """Return SKUs with their benefits; other values than texts unchanged.

    Raises:
        UnknownNamesError: a part is none, or has the SKU of an earlier one.
    """
    if not isinstance(value, str):
        return value
    benefits: dict[int, Benefit] = {}
    parts = [part for part in value.replace(";", ",").split(",") if part.strip()]
    for place, part in enumerate(parts, start=1):
        sku, _, benefit = (each.strip() for each in part.partition("="))
        if not _SNOWFLAKE.fullmatch(sku) or int(sku) in benefits:
            raise UnknownNamesError(f"{PREMIUM_SKUS}; number {place} has no SKU, or one of before")
        try:
            benefits[int(sku)] = parse_benefit(benefit)
        except ValueError:
            raise UnknownNamesError(f"{PREMIUM_SKUS}; number {place} is none of these") from None
    return tuple(benefits.items())


def check_openrouter_models(names: tuple[str, ...]) -> tuple[str, ...]:
    """Accept one word, or names of models with their makers."""
    if names not in ((SHIPPED_ONLY,), (ALL,)) and not (names and all(map(is_openrouter_model, names))):
        raise ValueError("no names of models")
    return names


def none_for_off(value: object) -> object:
    """Return None for `off`; other values unchanged."""
    return None if isinstance(value, str) and value.lower() == "off" else value


def to_lower(value: object) -> object:
    """Return a text in small letters; other values unchanged."""
    return value.lower() if isinstance(value, str) else value


def to_upper(value: object) -> object:
    """Return a text in capital letters; other values unchanged."""
    return value.upper() if isinstance(value, str) else value


def check_secret_key(value: SecretStr | None) -> SecretStr | None:
    """Accept a key of sufficient length."""
    if value is not None and len(value) < MIN_SECRET_KEY:
        raise ValueError("too short")
    return value


def check_webhook_url(value: SecretStr | None) -> SecretStr | None:
    """Accept an address with a host."""
    if value is not None:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("not an address")
    return value


CONTACT: Final = "takes an e-mail address, or an https:// address of a page, up to 200 characters"
_LONGEST_CONTACT: Final = 200


def check_contact(value: str | None) -> str | None:
    """Accept an e-mail address, or the HTTPS address of a page."""
    if value is not None:
        name, _, host = value.partition("@")
        is_mail = bool(name) and "." in host and "@" not in host and "/" not in value
        parts = urlsplit(value)
        is_page = parts.scheme == "https" and bool(parts.hostname)
        if not (is_mail or is_page) or len(value) > _LONGEST_CONTACT or not value.isprintable() or " " in value:
            raise ValueError("neither a mail address nor a page")
    return value


PictureStoreUrl = Annotated[str, AfterValidator(check_picture_store)]
DatabaseUrl = Annotated[str, AfterValidator(check_database)]
# A year, and a hundred of them: more would not fit into dates.
Seconds = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(check_digits)]
Count = Annotated[Whole, Field(ge=1)]
Days = Annotated[Whole, Field(ge=1, le=36_500)]

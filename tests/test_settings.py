"""Settings: valid values, and messages about wrong ones."""

import os
from pathlib import Path

import pytest

from bot.factories import build_catalogue
from bot.providers.registry import PROVIDERS
from bot.settings import Settings, SettingsError, load_settings
from bot.settings.validators import PREMIUM_SKUS, SHARD_IDS
from tests.support.catalogue import SHIPPED
from tests.support.clock import START

SECRET = "s3cret-value"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def mistakes(monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[str, ...]:
    """Return the lines about wrong variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == "\n".join(caught.value.lines)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return caught.value.lines


AN_ADDRESS = "takes an https:// address (http:// only on this machine)"
WRONG = [
    ("DISCORD_API_URL", "ftp://discord.com", AN_ADDRESS),
    ("DISCORD_API_URL", "http://discord.com/api/v10", AN_ADDRESS),
    ("DISCORD_API_URL", "discord.com/api/v10", AN_ADDRESS),
    ("SKILLBOSS_API_URL", "https://", AN_ADDRESS),
    ("SKILLBOSS_API_URL", "https://example.org:99999", AN_ADDRESS),
    *(
        ("OPENROUTER_MODELS", value, "takes shipped, all, or OpenRouter's names of models with commas between")
        for value in ("some", "all,shipped", "all,qwen/qwen-image-3", "qwen-image-3", "qwen/../x", ",")
    ),
    ("REVE2IMG_API_URL", f"https://user:{SECRET}@example.org", AN_ADDRESS),
    ("REVE2IMG_API_URL", f"https://example.org/?key={SECRET}", AN_ADDRESS),
    ("WEBHOOK_PUBLIC_URL", "http://example.org", AN_ADDRESS),
    ("FAL_PLATFORM_URL", "http://example.org", AN_ADDRESS),
    ("FAL_JWKS_URL", "https://example.org/keys?x=1", AN_ADDRESS),
    (
        "PROVIDER_ORDER",
        "skillboss,nobody",
        f"takes names of providers with commas between: {', '.join([*PROVIDERS, 'reve'])}",
    ),
    *(
        (
            "PICTURE_STORE_URL",
            url,
            "takes s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER",
        )
        for url in (
            "my-bucket",
            "https://s3.example.org/bucket",
            "s3://",
            "s3:///prefix",
            "s3://bucket/../other",
            "s3://bucket/a//b",
            f"s3://{SECRET}:{SECRET}@bucket",
            "s3://bucket?versions",
            "file://pictures",
            "file:///",
        )
    ),
    *(
        ("DATABASE_URL", url, "takes sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME")
        for url in (
            f"mysql://user:{SECRET}@host/name",
            "sqlite:///file.db",
            "sqlite+aiosqlite:///",
            "sqlite+aiosqlite:///:memory:",
            f"postgresql+asyncpg://user:{SECRET}@host",
            f"postgresql+asyncpg://user:{SECRET}@host:port/name",
        )
    ),
    ("PICTURE_RETENTION_DAYS", "0", "takes whole days, 1 to 36500"),
    ("PICTURE_RETENTION_DAYS", "1.5", "takes whole days, 1 to 36500"),
    ("PROMPT_RETENTION_DAYS", "0", "takes whole days, 1 to 36500"),
    # No date is so far away: each clean-up would fail, of deleted prompts too.
    *(
        (f"{name}_RETENTION_DAYS", value, "takes whole days, 1 to 36500")
        for name in ("PICTURE", "GUILD", "PROMPT")
        for value in ("999999", "99999999999")
    ),
    ("DELETED_PROMPT_DAYS", "999999", "takes whole days, 0 to 36500"),
    ("DELETED_PROMPT_DAYS", "-1", "takes whole days, 0 to 36500"),
    ("HTTP_PORT", "65536", "takes a port, 0 to 65535 (0: any)"),
    ("HTTP_PORT", "http", "takes a port, 0 to 65535 (0: any)"),
    *(
        ("TRUSTED_DOWNLOAD_NETWORKS", value, "takes networks with commas between, such as 198.18.0.0/15")
        for value in ("proxy", "198.18.0.1/15", "198.18.0.0/33")
    ),
    ("MIN_FREE_DISK_MB", "-1", "takes megabytes, 0 or more"),
    ("MAX_STORED_MB", "0", "takes megabytes, 1 or more"),
    ("MAX_STORED_MB_PER_MEMBER", "much", "takes megabytes, 1 or more"),
    ("HEALTH_PORT", "-1", "takes a port, 0 to 65535 (0: any)"),
    ("USER_INSTALL", "perhaps", "takes on or off"),
    ("LOG_LEVEL", "LOUD", "takes DEBUG, INFO, WARNING or ERROR"),
    ("LOG_FORMAT", "xml", "takes text or json"),
    ("SHARD_COUNT", "0", "takes a whole number, 1 or more"),
    ("SHARD_IDS", "0,1", SHARD_IDS),
    ("SHARD_IDS", ",", SHARD_IDS),
    ("SHARD_IDS", "one", SHARD_IDS),
    ("SHARD_IDS", "-1", SHARD_IDS),
    ("SHARD_IDS", "none", SHARD_IDS),
    ("INTERACTIONS", "webhook", "takes gateway or http"),
    ("DRAIN_SECONDS", "-1", "takes seconds, 0 to 300"),
    ("DRAIN_SECONDS", "301", "takes seconds, 0 to 300"),
    ("POLL_INTERVAL_SECONDS", "0", "takes seconds, more than 0, at most a year"),
    ("POLL_INTERVAL_SECONDS", "nan", "takes seconds, more than 0, at most a year"),
    ("POLL_INTERVAL_SECONDS", "inf", "takes seconds, more than 0, at most a year"),
    ("JOB_SOFT_DEADLINE_SECONDS", "-5", "takes seconds, more than 0, at most a year"),
    ("JOB_SOFT_DEADLINE_SECONDS", "1e15", "takes seconds, more than 0, at most a year"),
    ("JOB_HARD_DEADLINE_SECONDS", "299", "takes seconds, no fewer than JOB_SOFT_DEADLINE_SECONDS, at most a year"),
    ("LEASE_SECONDS", "0.5", "takes seconds, 1 or more"),
    ("LEASE_SECONDS", "inf", "takes seconds, 1 or more"),
    ("DEFAULT_ALLOWANCE", "-1", "takes credits a day, 0 to 1000000000"),
    ("DEFAULT_ALLOWANCE", "1000000001", "takes credits a day, 0 to 1000000000"),
    ("MAX_ACTIVE_JOBS_PER_MEMBER", "0", "takes a whole number, 1 or more"),
    ("MAX_ACTIVE_JOBS_PER_COMMUNITY", "0", "takes a whole number, 1 or more"),
    ("MAX_ACTIVE_JOBS", "many", "takes a whole number, 1 or more"),
    ("MAX_ACTIVE_JOBS", "1_0", "takes a whole number, 1 or more"),
    ("MONTHLY_BUDGET", "100.000", "takes credits a month, 0 to 1000000000"),
    ("COMMUNITY_BUDGET", "100_000", "takes credits a month, 0 to 1000000000"),
    ("DEFAULT_ALLOWANCE", "1.000", "takes credits a day, 0 to 1000000000"),
    ("COMMUNITIES", "1_0", "takes server ids with commas between, or *"),
    ("COMMUNITIES", "here", "takes server ids with commas between, or *"),
    ("COMMUNITIES", "1,*", "takes server ids with commas between, or *"),
    ("PREMIUM_SKUS", "12=grant:5;13=gift:5", f"{PREMIUM_SKUS}; number 2 is none of these"),
    ("PREMIUM_SKUS", "12=grant:5,12=grant:6", f"{PREMIUM_SKUS}; number 2 has no SKU, or one of before"),
    ("PREMIUM_SKUS", "grant:5", f"{PREMIUM_SKUS}; number 1 has no SKU, or one of before"),
    ("PREMIUM_SKUS", "9999999999999999999=grant:5", f"{PREMIUM_SKUS}; number 1 has no SKU, or one of before"),
    ("MONTHLY_BUDGET", "-1", "takes credits a month, 0 to 1000000000"),
    # More fits no integer of PostgreSQL: each job would fail.
    ("MONTHLY_BUDGET", "3000000000", "takes credits a month, 0 to 1000000000"),
    ("COMMUNITY_BUDGET", "3000000000", "takes credits a month, 0 to 1000000000"),
    ("DAILY_REPORT_HOUR", "24", "takes an hour of UTC, 0 to 23, or off"),
    ("DAILY_REPORT_HOUR", "9:30", "takes an hour of UTC, 0 to 23, or off"),
]


@pytest.mark.parametrize(("variable", "value", "takes"), WRONG, ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, takes: str) -> None:
    """With the variable and its valid values, never the value."""
    lines = mistakes(monkeypatch, **{variable: value})
    assert lines == (f"{variable} {takes}",)
    assert SECRET not in lines[0]


def test_all_mistakes_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = mistakes(monkeypatch, HTTP_PORT="x", LOG_LEVEL="x", SHARD_COUNT="x")
    assert [line.split()[0] for line in lines] == ["HTTP_PORT", "LOG_LEVEL", "SHARD_COUNT"]


def test_contradictory_values_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines and shards."""
    lines = mistakes(monkeypatch, JOB_HARD_DEADLINE_SECONDS="10", SHARD_IDS="4", SHARD_COUNT="4")
    assert [line.split()[0] for line in lines] == ["JOB_HARD_DEADLINE_SECONDS", "SHARD_IDS"]


def test_defaults_need_no_variable() -> None:
    settings = load_settings()
    assert settings.discord_token is None
    assert settings.discord_api_url == "https://discord.com/api/v10"
    assert settings.providers == ()
    assert settings.database_address == "sqlite+aiosqlite:///data/atelier.db"
    assert (settings.communities, settings.user_install) == (None, False)
    assert (settings.poll_interval_seconds, settings.job_soft_deadline_seconds) == (3, 300)
    assert (settings.job_hard_deadline_seconds, settings.default_allowance) == (7200, 200)
    assert (settings.max_active_jobs_per_member, settings.max_active_jobs, settings.monthly_budget) == (3, 64, 100_000)
    assert (settings.lease_seconds, settings.max_active_jobs_per_community) == (15, None)
    assert settings.webhook_public_url is None
    assert (settings.picture_retention_days, settings.log_level, settings.log_format) == (30, "INFO", "text")
    assert (settings.prompt_retention_days, settings.deleted_prompt_days) == (None, 7)


@pytest.mark.parametrize("blank", ["", "  "], ids=["empty", "blank"])
def test_empty_value_is_unset(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """For every variable."""
    unset = load_settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), blank)
    assert load_settings() == unset


@pytest.mark.parametrize(
    ("url", "folder", "store"),
    [
        ("", "data/pictures", None),
        ("file:///srv/my%20pictures", "/srv/my pictures", None),
        ("s3://bucket", "data/picture-copies", ("s3", "bucket", "")),
        ("gs://my_bucket/a/b/", "data/picture-copies", ("gs", "my_bucket", "a/b")),
        ("az://container/x", "data/picture-copies", ("az", "container", "x")),
    ],
)
def test_pictures_have_a_folder_or_a_store(
    monkeypatch: pytest.MonkeyPatch, url: str, folder: str, store: tuple[str, str, str] | None
) -> None:
    monkeypatch.setenv("PICTURE_STORE_URL", url)
    settings = load_settings()
    assert settings.picture_folder == Path(folder)
    assert settings.storage_folders == (Path(folder), Path("data"))
    found = settings.object_store
    assert (None if found is None else (found.scheme, found.bucket, found.prefix)) == store


def test_credentials_of_the_store_come_from_variables_and_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    monkeypatch.setenv("PICTURE_STORE_URL", "s3://bucket/pictures")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "key"))
    settings = load_settings()
    assert settings.object_store_options == {"access_key_id": "id", "secret_access_key": SECRET}
    assert SECRET not in repr(settings)


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """In repr or in errors."""
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setenv("SKILLBOSS_WHOLESALE_KEY", SECRET)
    monkeypatch.setenv("REVE2IMG_API_KEY", SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql+asyncpg://atelier:{SECRET}@localhost/atelier")
    settings = load_settings()
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in repr(settings.model_dump(exclude={"database_url"}))
    lines = mistakes(monkeypatch, HTTP_PORT="x")
    assert SECRET not in repr(lines)


@pytest.mark.parametrize(("value", "hour"), [("off", None), ("OFF", None), ("0", 0), ("23", 23), ("", 9)])
def test_daily_report_has_an_hour_or_is_off(monkeypatch: pytest.MonkeyPatch, value: str, hour: int | None) -> None:
    monkeypatch.setenv("DAILY_REPORT_HOUR", value)
    assert load_settings().daily_report_hour == hour


@pytest.mark.parametrize(("value", "on"), [("on", True), ("ON", True), ("true", True), ("off", False), ("no", False)])
def test_switch_accepts_common_words(monkeypatch: pytest.MonkeyPatch, value: str, on: bool) -> None:
    monkeypatch.setenv("USER_INSTALL", value)
    assert load_settings().user_install is on


def test_blanks_around_value_are_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", f" {SECRET}\n")
    settings = load_settings()
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == SECRET


def test_env_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment overrides it; unknown names are ignored."""
    (tmp_path / ".env").write_text("HTTP_PORT=1234\nLOG_LEVEL=debug\nSOMETHING_ELSE=1\nMONTHLY_BUDGET=\n")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    settings = load_settings()
    assert (settings.http_port, settings.log_level, settings.monthly_budget) == (1234, "ERROR", 100_000)


def test_empty_variable_does_not_override_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("http_port=1234\nHTTP_HOST=::2\n")
    monkeypatch.setenv("HTTP_PORT", "")
    monkeypatch.setenv("http_host", "::1")
    settings = load_settings(metrics="on")
    assert (settings.http_port, settings.http_host, settings.metrics) == (1234, "::1", True)


def test_wrong_value_in_env_file_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DISCORD_TOKEN={SECRET}\nHTTP_PORT=none\n")
    assert mistakes(monkeypatch) == ("HTTP_PORT takes a port, 0 to 65535 (0: any)",)


@pytest.mark.parametrize(
    ("value", "admitted"),
    [("*", "*"), (" * ", "*"), ("1", (1,)), ("1, 22 ,333", (1, 22, 333)), ("1,", (1,)), (",", None)],
)
def test_communities_accept_ids_or_star(monkeypatch: pytest.MonkeyPatch, value: str, admitted: object) -> None:
    """Ids with commas, or a star; a lone comma is nothing."""
    monkeypatch.setenv("COMMUNITIES", value)
    assert load_settings().communities == admitted


def test_community_keys_need_a_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start must read the keys also without the data folder."""
    assert mistakes(monkeypatch, COMMUNITY_KEYS="on") == ("COMMUNITY_KEYS takes on or off; on needs SECRET_KEY",)
    monkeypatch.setenv("SECRET_KEY", "k" * 32)
    assert load_settings().community_keys


@pytest.mark.parametrize(
    ("value", "categories"),
    [("off", 0), ("all", 13), ("violence, sexual/minors", 2), ("", 0)],
)
def test_prompt_moderation_takes_categories(monkeypatch: pytest.MonkeyPatch, value: str, categories: int) -> None:
    monkeypatch.setenv("PROMPT_MODERATION", value)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert len(load_settings().prompt_moderation) == categories


@pytest.mark.parametrize("value", ["gore", "violence"])
def test_prompt_moderation_without_key_or_category_is_a_mistake(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    if value == "gore":
        monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    (mistake,) = mistakes(monkeypatch, PROMPT_MODERATION=value)
    assert mistake.startswith("PROMPT_MODERATION takes off, all, or categories with commas between: harassment")
    assert mistake.endswith("needs OPENAI_API_KEY")


def test_process_without_shards_needs_interactions_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARD_IDS", "None")
    monkeypatch.setenv("INTERACTIONS", "HTTP")
    settings = load_settings()
    assert (settings.shard_ids, settings.interactions, settings.drain_seconds) == ("none", "http", 3)


def test_shard_ids_need_shard_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs the number of shards."""
    monkeypatch.setenv("SHARD_COUNT", "4")
    monkeypatch.setenv("SHARD_IDS", "2, 3")
    settings = load_settings()
    assert (settings.shard_count, settings.shard_ids) == (4, (2, 3))


def test_fractional_interval_and_equal_deadlines_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLL_INTERVAL_SECONDS", "0.25")
    monkeypatch.setenv("JOB_SOFT_DEADLINE_SECONDS", "60")
    monkeypatch.setenv("JOB_HARD_DEADLINE_SECONDS", "60")
    assert load_settings().poll_interval_seconds == 0.25


def test_addresses_are_checked_and_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http only on this machine; a trailing slash goes."""
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:8080/api/v10/")
    monkeypatch.setenv("SKILLBOSS_API_URL", "http://localhost:1/")
    monkeypatch.setenv("WEBHOOK_PUBLIC_URL", "https://bot.example.org/")
    settings = load_settings()
    assert settings.discord_api_url == "http://127.0.0.1:8080/api/v10"
    assert settings.api_url_of("skillboss") == "http://localhost:1"
    assert settings.webhook_public_url == "https://bot.example.org"


def test_providers_with_key_follow_operator_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKILLBOSS_WHOLESALE_KEY", SECRET)
    assert load_settings().providers == ("skillboss",)
    monkeypatch.setenv("REVE2IMG_API_KEY", SECRET)
    assert load_settings().providers == ("skillboss", "reve2img")
    monkeypatch.setenv("PROVIDER_ORDER", "reve2img, skillboss")
    assert load_settings().providers == ("reve2img", "skillboss")
    monkeypatch.setenv("PROVIDER_ORDER", "reve2img")
    assert load_settings().providers == ("reve2img",)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_env_file_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_bytes(f"DISCORD_TOKEN={SECRET}\n".encode(encoding))
    assert mistakes(monkeypatch) == (".env is saved as UTF-16, or is no text: save it as UTF-8",)


def test_env_file_of_other_encoding_names_its_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = f"# caf\xe9\nDISCORD_TOKEN={SECRET}\xe9\nHTTP_PORT=8080\nexport fal_key='\xfc'\n"
    (tmp_path / ".env").write_bytes(lines.encode("latin-1"))
    assert mistakes(monkeypatch) == (
        "A name in .env, line 1, is not UTF-8: save the file as UTF-8",
        "DISCORD_TOKEN in .env, line 2, is not UTF-8: save the file as UTF-8",
        "FAL_KEY in .env, line 4, is not UTF-8: save the file as UTF-8",
    )


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=1234\n", encoding="utf-8-sig")
    assert load_settings().http_port == 1234


def test_open_quotation_mark_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The parser would skip the line, and the token would count as unset."""
    (tmp_path / ".env").write_text(f'HTTP_PORT=1234\nDISCORD_TOKEN="{SECRET}\nLOG_LEVEL=INFO\n')
    assert mistakes(monkeypatch) == (
        "DISCORD_TOKEN in .env, line 2, cannot be read: close its quotation marks, or remove them",
    )
    assert not caplog.records


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_unreadable_env_file_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").touch(mode=0o000)
    assert mistakes(monkeypatch) == (".env cannot be read: Permission denied",)


@pytest.mark.parametrize(
    "name",
    [
        "DISCORD_TOKEN\u200b",
        "\u2060DISCORD_TOKEN",
        "D\u00cfSCORD_TOKEN",
        "DISCORD\u00ad_TOKEN",
        "DISC\u00d3RD_T\u014cKEN",
    ],
)
@pytest.mark.parametrize("place", ["file", "environment"])
def test_odd_name_is_reported_under_its_plain_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, place: str
) -> None:
    """Else it would be ignored, and the token would count as unset."""
    variables = {}
    if place == "file":
        (tmp_path / ".env").write_text(f"{name}={SECRET}\n", encoding="utf-8")
    else:
        variables[name] = SECRET
    assert mistakes(monkeypatch, **variables) == (
        "DISCORD_TOKEN has an accented or invisible character in its name: type the name again",
    )


INVISIBLE = "has an invisible character in its value: type or copy it again"
NO_ASCII = "has a character that no token has, such as an accent or a curly quotation mark: copy it again"
QUOTED = "begins or ends with a quotation mark: remove it"


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        (f"{SECRET}\u200b", INVISIBLE),
        (f"\ufeff{SECRET}", INVISIBLE),
        (f"{SECRET}\udcff", INVISIBLE),
        (f"{SECRET}\n{SECRET}", INVISIBLE),
        (f"\u201c{SECRET}\u201d", NO_ASCII),
        (f"s\u00e9{SECRET}", NO_ASCII),
        (f"Bot {SECRET}", "has a space in its value: copy it again"),
        (f'{SECRET}"', QUOTED),
        (f"'{SECRET}", QUOTED),
    ],
    ids=["zero width", "byte order mark", "not UTF-8", "line break", "curly", "accent", "space", "end", "begin"],
)
@pytest.mark.parametrize("variable", ["DISCORD_TOKEN", "SKILLBOSS_WHOLESALE_KEY", "REVE2IMG_API_KEY"])
def test_odd_character_in_secret_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, mistake: str
) -> None:
    """A request would fail with a traceback that holds the key."""
    lines = mistakes(monkeypatch, **{variable: value})
    assert lines == (f"{variable} {mistake}",)
    assert SECRET not in lines[0]


def test_invisible_character_in_other_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is reported together with other mistakes."""
    lines = mistakes(monkeypatch, DATA_DIR="da\u200bta", DATABASE_URL="sqlite+aiosqlite:///a\u200b.db", HTTP_PORT="x")
    assert lines == (
        f"DATABASE_URL {INVISIBLE}",
        f"DATA_DIR {INVISIBLE}",
        "HTTP_PORT takes a port, 0 to 65535 (0: any)",
    )


def test_folder_may_have_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "donn\u00e9es")
    assert load_settings().data_dir == Path("donn\u00e9es")


def test_quotation_marks_of_environment_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's --env-file leaves them."""
    monkeypatch.setenv("DISCORD_TOKEN", f'"{SECRET}"')
    monkeypatch.setenv("HTTP_PORT", "'1234'")
    settings = load_settings()
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == SECRET
    assert settings.http_port == 1234


def test_models_file_and_default_model_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[models.nano-banana]\nname = "Banana"')
    monkeypatch.setenv("MODELS_FILE", str(file))
    monkeypatch.setenv("DEFAULT_MODEL", "seedream-5, nano-banana")
    settings = load_settings()
    assert (settings.models_file, settings.default_model) == (file, ("seedream-5", "nano-banana"))


def test_empty_models_file_and_default_model_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELS_FILE", "DEFAULT_MODEL"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.models_file, settings.default_model) == (None, ())


def test_unknown_default_model_names_the_known_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = ", ".join(SHIPPED.ids)
    lines = mistakes(monkeypatch, DEFAULT_MODEL="reve-2.0,dall-e")
    assert lines == (f"DEFAULT_MODEL takes names of models with commas between: {known}",)
    (tmp_path / "own.toml").write_text(
        '[models.fast-1]\ngood_at = "x"\nmax_prompt = 9\ncredits.text = 1\noffers.reve2img = {}'
    )
    lines = mistakes(monkeypatch, DEFAULT_MODEL="fast-2", MODELS_FILE="own.toml")
    assert lines == (f"DEFAULT_MODEL takes names of models with commas between: {known}, fast-1",)
    monkeypatch.setenv("DEFAULT_MODEL", "fast-1")
    assert load_settings().default_model == ("fast-1",)


def test_mistakes_of_models_file_are_listed_with_those_of_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text("[models.seedream-5]\nenabled = 1\nmax_prompt = 0\n")
    lines = mistakes(monkeypatch, MODELS_FILE="own.toml", DEFAULT_MODEL="x", HTTP_PORT="x")
    assert lines == (
        "HTTP_PORT takes a port, 0 to 65535 (0: any)",
        "MODELS_FILE own.toml: models.seedream-5.enabled takes true or false",
        "MODELS_FILE own.toml: models.seedream-5.max_prompt takes a whole number of characters, 1 to 32000",
    )


def test_missing_models_file_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = mistakes(monkeypatch, MODELS_FILE="none.toml")
    assert lines == ("MODELS_FILE none.toml cannot be read: No such file or directory",)


def test_workflows_of_comfyui_are_models_once_its_url_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "mine.json").write_text('{"1": {"class_type": "A", "inputs": {"text": "%prompt%"}}}')
    (folder / "no.json").write_text("x")
    assert load_settings().providers == ()
    lines = mistakes(monkeypatch, COMFYUI_URL="http://gpu.local:8188/", DEFAULT_MODEL="mine")
    assert lines == ("COMFYUI_WORKFLOWS workflows/no.json is no JSON: in ComfyUI, choose Workflow > Export (API)",)

    (folder / "no.json").unlink()
    settings = load_settings()
    catalogue = build_catalogue(settings, settings.providers, START.date())
    assert (settings.providers, settings.default_model) == (("comfyui",), ("mine",))
    assert [model.id for model in catalogue.models] == ["mine"]
    assert catalogue.default_model == "mine"

    (folder / "mine.toml").write_text("credits.text = 0")
    assert mistakes(monkeypatch) == (
        "COMFYUI_WORKFLOWS workflows/mine.toml: credits.text takes whole credits a picture, 1 to 100000",
    )


def test_mistakes_in_prompt_rules_are_named_by_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "rules.txt"
    file.write_text("word: fine\npattern: (a\n")
    lines = mistakes(monkeypatch, PROMPT_RULES_FILE=str(file))
    assert lines == (f"PROMPT_RULES_FILE {file}, line 2: the pattern is wrong: missing ): (a",)

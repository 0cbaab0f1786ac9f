"""Secrets in files, named by NAME_FILE."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.settings import Settings, SettingsError, load_settings
from bot.settings.secret_files import secret_names

SECRET = "s3cret-value-0123456789-0123456789"
SECRETS = secret_names(Settings.model_fields)
VALUES = {
    "database_url": f"postgresql+asyncpg://atelier:{SECRET}@localhost/atelier",
    "alert_webhook_url": f"https://alerts.example.org/{SECRET}",
    "https_proxy": f"http://user:{SECRET}@proxy.example.org:3128",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def mistakes() -> tuple[str, ...]:
    """Return the lines about wrong settings."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.lines


def token_file(content: str | bytes = SECRET) -> Path:
    """Write a file with the token."""
    file = Path("mounted-token")
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_every_hidden_setting_is_a_secret() -> None:
    hidden = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert set(SECRETS) == hidden | {"database_url"}
    assert {"discord_token", "secret_key", "https_proxy", "fal_key", "litellm_api_key"} <= hidden


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value = VALUES.get(name, SECRET)
    file = token_file(f"{value}\n")
    monkeypatch.setenv(f"{name.upper()}_FILE", str(file))
    settings = load_settings()
    read = getattr(settings, name)
    assert (read.get_secret_value() if isinstance(read, SecretStr) else read) == value
    assert dict(settings.secret_files) == {name: file}
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "content",
    [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"\ufeff{SECRET}\n\n", f'"{SECRET}"\n'],
    ids=["bare", "line break", "of Windows", "byte order mark", "quoted"],
)
def test_line_breaks_and_quotes_of_the_file_are_no_part_of_the_secret(
    monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(token_file(content)))
    assert load_settings().discord_token == SecretStr(SECRET)


def test_mounted_link_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes mounts links to the files of the latest version."""
    Path("token").symlink_to(token_file())
    monkeypatch.setenv("discord_token_file", "token")
    assert load_settings().discord_token == SecretStr(SECRET)


def test_file_may_be_named_in_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    token_file()
    Path(".env").write_text("FOLDER=.\nDISCORD_TOKEN=\nDISCORD_TOKEN_FILE=${FOLDER}/mounted-token\n")
    assert load_settings().discord_token == SecretStr(SECRET)
    monkeypatch.setenv("DISCORD_TOKEN", "of-the-environment")
    settings = load_settings()
    assert settings.discord_token == SecretStr("of-the-environment")
    assert settings.secret_files == {}


def test_file_of_the_environment_overrides_value_of_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DISCORD_TOKEN=of-the-file\n")
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(token_file()))
    assert load_settings().discord_token == SecretStr(SECRET)


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_value_and_file_in_one_place_are_a_mistake(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    variables = {"DISCORD_TOKEN": SECRET, "DISCORD_TOKEN_FILE": str(token_file())}
    if place == "environment":
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
    else:
        Path(".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    assert mistakes() == ("DISCORD_TOKEN and DISCORD_TOKEN_FILE are both set: remove one of them",)


def test_blank_file_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN_FILE", " ")
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    assert load_settings().discord_token == SecretStr(SECRET)


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ("", "names an empty file"),
        (" \n", "names an empty file"),
        (f"{SECRET}\0", "names a file that is saved as UTF-16, or is no text: save it as UTF-8"),
        (SECRET.encode("utf-16"), "names a file that is saved as UTF-16, or is no text: save it as UTF-8"),
        (SECRET.encode() + b"\xff", "names a file that is no text in UTF-8: save it as UTF-8"),
        (SECRET * 1000, "names a file of more than 8192 bytes, and a secret is short"),
    ],
    ids=["empty", "blank", "binary", "UTF-16", "latin", "large"],
)
def test_useless_file_is_one_line(monkeypatch: pytest.MonkeyPatch, content: str | bytes, mistake: str) -> None:
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(token_file(content)))
    assert mistakes() == (f"DISCORD_TOKEN_FILE {mistake}",)


def test_secret_in_place_of_the_path_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN_FILE", SECRET)
    assert mistakes() == ("DISCORD_TOKEN_FILE names a file that cannot be read: No such file or directory",)


def test_folder_device_and_pipe_are_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo("pipe")
    for name, path in {"DISCORD_TOKEN": "/", "FAL_KEY": "/dev/zero", "BFL_API_KEY": "pipe"}.items():
        monkeypatch.setenv(f"{name}_FILE", path)
    wrong = "names something that is no file"
    assert mistakes() == (f"BFL_API_KEY_FILE {wrong}", f"DISCORD_TOKEN_FILE {wrong}", f"FAL_KEY_FILE {wrong}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_unreadable_file_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    file = token_file()
    file.chmod(0)
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(file))
    assert mistakes() == ("DISCORD_TOKEN_FILE names a file that cannot be read: Permission denied",)


def test_mistakes_of_files_and_values_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DISCORD_TOKEN_FILE": "missing",
        "FAL_KEY_FILE": str(token_file(f"{SECRET}\n{SECRET}")),
        "SECRET_KEY": "short",
        "HTTP_PORT": "x",
    }.items():
        monkeypatch.setenv(name, value)
    assert mistakes() == (
        "DISCORD_TOKEN_FILE names a file that cannot be read: No such file or directory",
        "FAL_KEY (from FAL_KEY_FILE) has an invisible character in its value: type or copy it again",
        "HTTP_PORT takes a port, 0 to 65535 (0: any)",
        "SECRET_KEY takes 32 characters or more, such as the output of: openssl rand -hex 32",
    )


def test_odd_name_of_a_file_variable_is_reported_under_its_plain_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN_FILE\u200b", str(token_file()))
    assert mistakes() == ("DISCORD_TOKEN_FILE has an accented or invisible character in its name: type the name again",)


def test_key_of_a_service_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.toml").write_text(
        '[services.together]\nshape = "openai"\nurl = "https://api.example.com/v1"\nkey_variable = "TOGETHER_API_KEY"\n'
        'display_name = "Together AI"\n'
    )
    monkeypatch.setenv("MODELS_FILE", "own.toml")
    monkeypatch.setenv("TOGETHER_API_KEY_FILE", "missing")
    assert mistakes() == ("TOGETHER_API_KEY_FILE names a file that cannot be read: No such file or directory",)
    monkeypatch.setenv("TOGETHER_API_KEY_FILE", str(token_file()))
    settings = load_settings()
    assert settings.key_of("together") == SecretStr(SECRET)
    assert set(settings.secret_files) == {"together_api_key"}

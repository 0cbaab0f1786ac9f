"""Checks of compose.scale.yaml: its parts fit each other and the bot."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml
from sqlalchemy import make_url

from bot.settings import Settings
from bot.web.interactions import PATH
from tests.docs.test_container_files import LIMITS
from tests.docs.test_documentation import SETTINGS, read

COMPOSE: Final[dict[str, Any]] = yaml.safe_load(read("compose.scale.yaml"))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
BOTS: Final = ("gateway", "commands")
BALANCER: Final[str] = COMPOSE["configs"]["balancer"]["content"]
REQUIRED: Final = re.compile(r"\$\{([A-Z_]+):\?is missing in \.env\}")


def environment(name: str) -> dict[str, str]:
    """Return a service's variables."""
    found: dict[str, str] = SERVICES[name]["environment"]
    return found


def settings_of(name: str) -> Settings:
    """Return a bot's settings, with values in place of the secrets."""
    values = {key.lower(): REQUIRED.sub("0123456789abcdef" * 4, value) for key, value in environment(name).items()}
    chosen: dict[str, Any] = {"discord_token": "token", **values}
    return Settings(**chosen)


def flatten(values: Any) -> dict[str, str]:
    """Return the innermost values by their keys, and lists' last items."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flatten(value)
        else:
            last = value[-1] if isinstance(value, list) else value
            found[key] = str(last).lower() if isinstance(last, bool) else str(last)
    return found


@pytest.mark.parametrize("name", BOTS)
def test_bots_have_the_limits_of_the_usual_file(name: str) -> None:
    values = flatten(SERVICES[name])
    assert {key: values.get(key) for key in LIMITS} == LIMITS


@pytest.mark.parametrize("name", BOTS)
def test_bots_accept_their_settings(name: str) -> None:
    assert set(environment(name)) <= SETTINGS
    settings = settings_of(name)
    assert settings.interactions == "http"
    assert settings.object_store is not None
    assert settings.data_dir.as_posix() == "/app/data"


def test_one_bot_holds_the_gateway() -> None:
    assert [settings_of(name).shard_ids for name in BOTS] == [None, "none"]
    shared = {key: value for key, value in environment("commands").items() if key != "SHARD_IDS"}
    assert shared == environment("gateway")


def test_images_are_pinned() -> None:
    images = {name: service["image"] for name, service in SERVICES.items() if name not in BOTS}
    assert {name for name, image in images.items() if not re.search(r":(RELEASE\.)?\d+[\w.-]+$", image)} == set()
    assert images["bucket"] == images["store"]
    assert {SERVICES[name]["build"] for name in BOTS} == {"."}


def test_every_lasting_service_has_a_health_check_and_limits() -> None:
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name == "bucket"
        assert {"mem_limit", "pids_limit", "logging", "restart"} <= set(service)


def test_no_secret_is_in_the_file() -> None:
    secrets = {
        f"{name}.{key}": value
        for name, service in SERVICES.items()
        for key, value in service.get("environment", {}).items()
        if re.search(r"PASSWORD|SECRET|TOKEN", key)
    }
    assert len(secrets) == 7
    assert [name for name, value in secrets.items() if not REQUIRED.fullmatch(value)] == []
    named = set(REQUIRED.findall(read("compose.scale.yaml")))
    assert named == {"POSTGRES_PASSWORD", "STORE_PASSWORD", "SECRET_KEY"}
    comments = "\n".join(line for line in read("compose.scale.yaml").splitlines() if line.startswith("#"))
    assert all(name in comments for name in named)


def test_database_is_the_service() -> None:
    url = make_url(REQUIRED.sub("x", environment("gateway")["DATABASE_URL"]))
    database = environment("postgres")
    assert url.host in SERVICES
    assert (url.host, url.username, url.database) == ("postgres", database["POSTGRES_USER"], database["POSTGRES_DB"])


def test_store_and_bucket_are_those_of_the_bots() -> None:
    bot, store = environment("gateway"), environment("store")
    address = urlsplit(bot["AWS_ENDPOINT_URL"])
    assert address.hostname in SERVICES
    assert f"--address :{address.port}" in SERVICES["store"]["command"]
    assert (bot["AWS_ACCESS_KEY_ID"], bot["AWS_SECRET_ACCESS_KEY"]) == (
        store["MINIO_ROOT_USER"],
        store["MINIO_ROOT_PASSWORD"],
    )
    (script,) = SERVICES["bucket"]["command"]
    assert bot["AWS_ENDPOINT_URL"] in script
    assert f"store/{urlsplit(bot['PICTURE_STORE_URL']).hostname}" in script


def test_balancer_passes_public_paths_to_every_bot() -> None:
    ports = {name: environment(name)["HTTP_PORT"] for name in BOTS}
    assert dict(re.findall(r"server (\w+) \1:(\d+)", BALANCER)) == ports
    assert f"path {PATH}\n" in BALANCER
    assert "path_beg /inputs/ /webhooks/\n" in BALANCER
    assert "uri /readyz" in BALANCER


def test_nothing_but_the_balancer_is_published_and_that_on_this_machine() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    (port,) = SERVICES["balancer"]["ports"]
    inside = re.search(r"bind :(\d+)", BALANCER)
    assert inside is not None
    assert port == f"127.0.0.1:${{BALANCER_PORT:-8080}}:{inside[1]}"
    assert f"http://127.0.0.1:{inside[1]}/balancer" in SERVICES["balancer"]["healthcheck"]["test"]
    assert "monitor-uri /balancer\n" in BALANCER


def test_services_and_volumes_that_are_named_exist() -> None:
    needed = {other for service in SERVICES.values() for other in service.get("depends_on", {})}
    assert needed == {"postgres", "bucket", "store"}
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])


def test_first_bot_takes_over_the_volume_of_the_usual_file() -> None:
    usual = yaml.safe_load(read("compose.yaml"))["services"]["atelier"]["volumes"]
    assert [SERVICES[name]["volumes"] for name in BOTS] == [usual, ["commands:/app/data"]]

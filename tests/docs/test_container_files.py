"""Checks of the Dockerfile and the compose file: pinned, and limited."""

import re

import pytest

from tests.docs.test_documentation import read

LIMITS = {
    "restart": "unless-stopped",
    "init": "true",
    "read_only": "true",
    "tmpfs": "/tmp:size=64m,mode=1777",  # noqa: S108 - in the container
    "cap_drop": "ALL",
    "security_opt": "no-new-privileges:true",
    "stop_grace_period": "330s",
    "mem_limit": "1g",
    "memswap_limit": "1g",
    "pids_limit": "256",
    "driver": "json-file",
    "max-size": "10m",
    "max-file": "5",
}


def service(name: str) -> dict[str, str]:
    """Return the keys of a service in the compose file, at any depth.

    A list counts as its last item.
    """
    text = re.sub(r"(?m)^ *#.*\n", "", read("compose.yaml"))
    found = re.search(rf"(?ms)^  {name}:\n(.*?)(?=^ ?\S|\Z)", text)
    assert found is not None
    values: dict[str, str] = {}
    key = ""
    for line in found[1].splitlines():
        stripped = line.strip()
        if stripped.startswith("- "):
            values[key] = stripped[2:].strip('"')
        elif stripped:
            key, _, value = stripped.partition(":")
            values[key] = value.strip().strip('"')
    return values


@pytest.mark.parametrize("key", LIMITS)
def test_compose_file_limits_the_container(key: str) -> None:
    assert service("atelier").get(key) == LIMITS[key]


def test_dockerfile_names_its_base_image_by_digest() -> None:
    text = read("Dockerfile")
    (base,) = re.findall(r"(?m)^ARG BASE=(\S+)$", text)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert set(re.findall(r"(?m)^FROM (\S+)", text)) == {"${BASE}"}


def test_dockerfile_compiles_the_library_before_it_drops_rights() -> None:
    """The bot's user cannot write compiled files there."""
    last = read("Dockerfile").rpartition("FROM ")[2]
    assert 0 < last.find("RUN python -m compileall") < last.find("USER ")

"""Findings about ComfyUI and its workflows."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.doctor.providers import check_keys
from bot.doctor.workflows import check_workflows
from bot.settings import Settings
from sandbox.providers.comfy import ComfyServer
from tests.providers.comfy_support import EXAMPLES, MODEL, example, write


@pytest.fixture
async def comfy() -> AsyncIterator[ComfyServer]:
    """Yield the fake of ComfyUI."""
    server = ComfyServer()
    await server.start()
    yield server
    await server.close()


def settings_of(comfy: ComfyServer, folder: Path) -> Settings:
    """Return settings with ComfyUI alone."""
    values: dict[str, Any] = {"comfyui_url": comfy.url, "comfyui_workflows": folder}
    return Settings(**values)


async def warnings(comfy: ComfyServer, folder: Path) -> list[str]:
    """Return the warnings about workflows."""
    found = await check_workflows(settings_of(comfy, folder))
    assert all(each.is_warning and each.remedy for each in found)
    return [each.what for each in found]


async def test_examples_and_server_fit(comfy: ComfyServer) -> None:
    settings = settings_of(comfy, EXAMPLES)
    found = [*await check_keys(settings), *await check_workflows(settings)]

    assert [(each.good, each.what) for each in found] == [
        (True, "comfyui answers"),
        (True, "comfyui has the nodes and files of all workflows"),
    ]


async def test_missing_nodes_files_seed_and_output_are_warnings(comfy: ComfyServer, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    graph = example()
    graph["1"]["inputs"]["ckpt_name"] = "gone.safetensors"
    graph["5"]["inputs"]["seed"] = 5
    graph["7"]["class_type"] = "SaveSomewhere"
    write(tmp_path, f"{MODEL}.json", graph)

    assert await warnings(comfy, tmp_path) == [
        f"{MODEL}.json: the server has no gone.safetensors for ckpt_name of CheckpointLoaderSimple",
        f"{MODEL}.json: the server has no node SaveSomewhere",
        f"{MODEL}.json: no node saves pictures",
        f"{MODEL}.json has no %seed%",
    ]


async def test_empty_folder_is_a_fault(comfy: ComfyServer, tmp_path: Path) -> None:
    (finding,) = await check_workflows(settings_of(comfy, tmp_path))
    assert (finding.good, finding.what) == (False, "comfyui has no workflow")
    assert "COMFYUI_WORKFLOWS" in finding.remedy


async def test_server_that_is_down_is_reported_once(comfy: ComfyServer) -> None:
    await comfy.go_down()
    settings = settings_of(comfy, EXAMPLES)

    (finding,) = await check_keys(settings)
    assert finding.what == "comfyui cannot be reached (no connection)"
    assert "COMFYUI_URL" in finding.remedy
    assert await check_workflows(settings) == []


async def test_without_comfyui_nothing_is_checked() -> None:
    assert await check_workflows(Settings()) == []

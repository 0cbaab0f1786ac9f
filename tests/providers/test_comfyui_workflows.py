"""Folders of workflows: models for members, and mistakes by file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.catalogue_file import load_catalogue_file
from bot.domain.models import Model
from bot.domain.options import REVE_RATIOS
from bot.providers.comfyui.workflow_files import find_models, read_workflows
from bot.providers.comfyui.workflows import Workflow
from bot.providers.found_models import FoundModelsError
from tests.providers.comfy_support import EXAMPLES, MODEL, Graph, example, write
from tests.support.catalogue import SHIPPED

PROMPT_NODE = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "%prompt%"}}}
EXPORT = "in ComfyUI, choose Workflow > Export (API)"


def with_input(value: Any) -> Graph:
    """Return a small workflow with one more input."""
    return PROMPT_NODE | {"2": {"class_type": "Any", "inputs": {"value": value}}}


def nested(depth: int) -> str:
    """Return a workflow with lists in lists."""
    return json.dumps(with_input(0)).replace('"value": 0', f'"value": {"[" * depth}0{"]" * depth}')


def mistakes(folder: Path) -> list[str]:
    """Return the lines about a folder, without its path."""
    with pytest.raises(FoundModelsError) as caught:
        load_catalogue_file(None, find_models(workflows=folder))
    assert caught.value.setting == "comfyui_workflows"
    return [line.replace(f"{folder}/", "") for line in caught.value.lines]


def workflow_of(folder: Path, name: str = "a") -> Workflow:
    """Return a workflow of a folder."""
    return next(each.workflow for each in read_workflows(folder) if each.workflow.name == name)


def model_of(folder: Path, name: str = "a", models: Path | None = None) -> Model:
    """Return the model of a workflow."""
    return next(each for each in load_catalogue_file(models, find_models(workflows=folder)).models if each.id == name)


def test_examples_are_one_model_for_text_and_edits() -> None:
    model = model_of(EXAMPLES, MODEL)

    assert (model.strength, model.max_prompt) == ("drafts on our own machine", 2000)
    assert (model.text_price, model.edit_price, model.abilities.max_inputs) == (2, 3, 1)
    assert model.abilities["aspect_ratio"] == ("16:9", "1:1", "9:16")
    assert model.abilities["format"] == ("png",)


def test_example_in_the_documents_is_the_file() -> None:
    text = (EXAMPLES.parent / "providers.md").read_text(encoding="utf-8")
    assert (EXAMPLES / f"{MODEL}.toml").read_text(encoding="utf-8") in text


def test_workflow_without_settings_has_the_usual_ones(tmp_path: Path) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    sized = PROMPT_NODE | {"2": {"class_type": "Size", "inputs": {"w": "%width%", "h": ["%height%"]}}}
    write(tmp_path, "b.json", sized)
    plain, free = model_of(tmp_path), model_of(tmp_path, "b")

    assert (plain.text_price, plain.edit_price, plain.max_prompt) == (1, None, 4000)
    assert (plain.abilities["aspect_ratio"], free.abilities["aspect_ratio"]) == (("1:1",), REVE_RATIOS)


def test_models_file_changes_a_workflow(tmp_path: Path) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    write(tmp_path, "a.toml", 'credits.text = 5\ngood_at = "tests"\nname = "A"')
    models = write(tmp_path / "other", "own.toml", "[models.a]\ncredits.text = 7")
    model = model_of(tmp_path, models=models)

    assert (model.text_price, model.strength, model.display_name) == (7, "tests", "A")


def test_price_of_text_is_that_of_an_edit_too(tmp_path: Path) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    write(tmp_path, "a.edit.json", with_input("%image_1%"))
    write(tmp_path, "a.toml", "credits.text = 5")

    assert model_of(tmp_path).edit_price == 5


def test_workflow_named_like_a_shipped_model_is_another_offer(tmp_path: Path) -> None:
    write(tmp_path, "seedream-5.json", PROMPT_NODE)
    write(tmp_path, "nano-banana.json", PROMPT_NODE)
    write(tmp_path, "nano-banana.edit.json", with_input("%image_1%"))
    file = load_catalogue_file(None, find_models(workflows=tmp_path))
    offers = {offer.model: offer for offer in file.offers if offer.provider == "comfyui"}

    assert file.models == SHIPPED.models
    assert set(offers) == {"seedream-5", "nano-banana"}
    assert offers["seedream-5"].abilities["aspect_ratio"] == ("1:1",)
    assert [offer.abilities.max_inputs for offer in offers.values()] == [0, 0]
    assert all(price.text == 0 for offer in offers.values() for price in offer.list_prices)


def test_placeholders_give_the_options_of_the_model(tmp_path: Path) -> None:
    write(tmp_path, "a.json", example())
    write(tmp_path, "a.toml", "workflow.steps = { low = 8, high = 40 }")
    write(tmp_path, "b.json", PROMPT_NODE)
    rich, plain = model_of(tmp_path).abilities, model_of(tmp_path, "b").abilities

    assert [rich[name] for name in ("seed", "negative", "quality", "transparent")] == [
        True,
        True,
        ("low", "high"),
        False,
    ]
    assert [plain[name] for name in ("seed", "negative", "quality")] == [False, False, ()]
    assert [workflow_of(tmp_path).steps_at(each) for each in (None, "low", "high")] == [8, 8, 40]


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("1:1", None, (1024, 1024)),
        ("16:9", "1K", (1344, 768)),
        ("9:16", None, (768, 1344)),
        ("3:2", "2K", (2560, 1664)),
        ("1:1", "4K", (4096, 4096)),
        ("auto", None, (1024, 1024)),
    ],
)
def test_sides_are_multiples_of_64_with_a_megapixel(
    tmp_path: Path, ratio: str, resolution: str | None, size: tuple[int, int]
) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    assert workflow_of(tmp_path).size(ratio, resolution) == size


def test_settings_choose_sizes_and_multiples(tmp_path: Path) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    write(tmp_path, "a.toml", '[workflow]\nmultiple = 8\nsizes = { "1:1" = [512, 520] }')
    workflow = workflow_of(tmp_path)

    assert workflow.size("1:1", "2K") == (1024, 1040)
    assert workflow.size("16:9", None) == (1368, 768)


def test_missing_folder_and_other_files_are_no_models(tmp_path: Path) -> None:
    assert read_workflows(tmp_path / "none") == ()
    write(tmp_path, "notes.txt", "x")
    write(tmp_path, ".hidden.json", "x")
    assert read_workflows(tmp_path) == ()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", f"a.json is no JSON: {EXPORT}"),
        ("{", f"a.json is no JSON: {EXPORT}"),
        ("9" * 5000, f"a.json is no JSON: {EXPORT}"),
        ("[" * 100_000, f"a.json is no JSON: {EXPORT}"),
        ("[]", f"a.json is no workflow: {EXPORT}"),
        ("{}", f"a.json is no workflow: {EXPORT}"),
        ({"nodes": [], "links": []}, f"a.json is in the format of the editor: {EXPORT}"),
        ({"1": 5}, f"a.json is not in the API format (node '1' has no class_type): {EXPORT}"),
        ({"1": {"class_type": 5}}, f"a.json is not in the API format (node '1' has no class_type): {EXPORT}"),
        (
            {"n" * 90: {"class_type": "A", "inputs": []}},
            f"a.json is not in the API format (node '{'n' * 40}…' has no inputs): {EXPORT}",
        ),
        (nested(40), "a.json is nested too deeply"),
        ({str(each): {"class_type": "A", "inputs": {}} for each in range(1001)}, "a.json has more than 1000 nodes"),
        (" " * (1024 * 1024 + 1), "a.json is longer than 1024 KB: a workflow is a few"),
        (json.dumps(with_input(5)).replace("5", "1e999"), "a.json has numbers or characters that JSON does not allow"),
        (json.dumps(with_input(5)).replace("5", "NaN"), "a.json has numbers or characters that JSON does not allow"),
        (with_input("\ud800"), "a.json has numbers or characters that JSON does not allow"),
        (
            {"1": {"class_type": "A", "inputs": {"text": "a cat"}}},
            "a.json has no %prompt%: put it in place of the prompt, as the whole text of an input",
        ),
        (
            with_input("art, %prompt%"),
            "a.json has %prompt% inside a longer text: it must be the whole text of an input",
        ),
        (
            with_input("%image_1%"),
            "a.json has %image_1%: save it as a.edit.json, beside a workflow for text in a.json",
        ),
        (
            with_input(["%promt%"]),
            (
                "a.json has an unknown placeholder '%promt%'; known are: %prompt%, %negative%, %seed%, %width%, "
                "%height%, %steps%, %images%, %image_1%, %image_2%, %image_3%, %image_4%"
            ),
        ),
    ],
)
def test_unusable_workflow_is_one_line(tmp_path: Path, content: object, line: str) -> None:
    write(tmp_path, "a.json", content)
    assert mistakes(tmp_path) == [line]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (PROMPT_NODE, "a.edit.json has no %image_1%: put it in place of the picture of a LoadImage node"),
        (with_input(["%image_1%", "%image_3%"]), "a.edit.json has %image_3%, but not all of those before it"),
        ("x", f"a.edit.json is no JSON: {EXPORT}"),
    ],
)
def test_unusable_workflow_for_edits_is_one_line(tmp_path: Path, content: object, line: str) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    write(tmp_path, "a.edit.json", content)
    assert mistakes(tmp_path) == [line]


def test_placeholders_of_file_names_are_those_of_comfyui(tmp_path: Path) -> None:
    save = {"class_type": "SaveImage", "inputs": {"filename_prefix": "%date%"}}
    write(tmp_path, "a.json", PROMPT_NODE | {"2": save})
    assert workflow_of(tmp_path).text.placeholders == {"prompt"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x", "a.toml is no TOML: Expected '=' after a key in a key/value pair (at end of document)"),
        ("x = " + "[" * 5000, "a.toml is nested too deeply"),
        ("max_inputs = 2", "a.toml: max_inputs is no key here: it follows from the workflows, or goes to MODELS_FILE"),
        ("credits.text = 0", "a.toml: credits.text takes whole credits a picture, 1 to 100000"),
        ("credits = 5", "a.toml: credits takes a table with text, edit, resolution and quality"),
        ("workflow = 5", "a.toml: workflow takes a table with sizes, steps, multiple, negative"),
        ("workflow.step = 5", "a.toml: workflow.step is no key; known are: sizes, steps, multiple, negative"),
        *(
            (
                f"workflow.steps = {value}",
                (
                    "a.toml: workflow.steps takes a whole number, 1 to 1000, or some by quality, such as "
                    "{ low = 8, medium = 20, high = 40 }"
                ),
            )
            for value in ("true", "0", "{}", "{ best = 5 }", "{ low = 1.5 }")
        ),
        ("workflow.multiple = 64.0", "a.toml: workflow.multiple takes one of 8, 16, 32, 64"),
        ("workflow.negative = []", "a.toml: workflow.negative takes a text of up to 2000 characters"),
        *(
            (
                f"workflow.sizes = {value}",
                (
                    "a.toml: workflow.sizes takes pixels by aspect ratio, multiples of 8 up to 8192, such as "
                    '{ "16:9" = [1344, 768] }'
                ),
            )
            for value in ("5", "{}", '{ "5:1" = [8, 8] }', '{ "1:1" = [8] }', '{ "1:1" = [9, 8] }', '{ "1:1" = 8 }')
        ),
    ],
)
def test_mistake_in_settings_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    write(tmp_path, "a.json", PROMPT_NODE)
    write(tmp_path, "a.toml", text)
    assert mistakes(tmp_path) == [line]


def test_files_without_their_workflow_are_mistakes(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", "")
    write(tmp_path, "b.edit.json", with_input("%image_1%"))
    assert mistakes(tmp_path) == [
        "a.toml is alone: a.json, the workflow for text, must be beside it",
        "b.edit.json is alone: b.json, the workflow for text, must be beside it",
    ]


@pytest.mark.parametrize("name", ["My Flow.json", "ä.json", "-a.json", f"{'a' * 41}.json", "a\nb.json", "A.edit.json"])
def test_odd_name_is_a_mistake(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, PROMPT_NODE)
    (line,) = mistakes(tmp_path)
    assert line.endswith(" has no name of a model: it takes up to 40 lower-case letters, digits, dots and dashes")
    assert "\n" not in line


def test_links_out_of_the_folder_and_no_files_are_mistakes(tmp_path: Path) -> None:
    folder = tmp_path / "workflows"
    outside = write(tmp_path, "secret.json", PROMPT_NODE)
    write(folder, "z.json", PROMPT_NODE)
    (folder / "a.json").symlink_to(outside)
    (folder / "b.json").symlink_to(folder / "b.json")
    (folder / "c.json").mkdir()
    os.mkfifo(folder / "d.json")
    (folder / "e.json").symlink_to(folder / "z.json")
    (folder / "f.json").symlink_to(folder / "none.json")

    lines = mistakes(folder)
    assert [line.split(":")[0] for line in lines] == [
        "a.json leads out of the folder",
        "b.json cannot be read",
        "c.json is no file",
        "d.json is no file",
        "f.json cannot be read",
    ]


def test_all_mistakes_are_shown_at_once(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write(tmp_path, name, "x")
    assert len(mistakes(tmp_path)) == 2


def test_too_many_files_are_one_mistake(tmp_path: Path) -> None:
    for number in range(201):
        write(tmp_path, f"w{number}.json", "x")
    assert mistakes(tmp_path) == [f"{tmp_path} has more than 200 files of workflows"]


def test_filling_changes_no_template(tmp_path: Path) -> None:
    write(tmp_path, "a.json", example())
    template = workflow_of(tmp_path).text
    filled = template.fill({"prompt": "%seed%", "seed": 5, "negative": "", "width": 8, "height": 8, "steps": 1})

    assert template.graph == example()
    assert filled["2"]["inputs"]["text"] == "%seed%"
    assert filled["5"]["inputs"]["seed"] == 5

"""The examples of MODELS_FILE in the documents are files without mistakes."""

import re
from pathlib import Path

import pytest

from bot.catalogue_file import load_catalogue_file

DOCS = Path(__file__).parents[2] / "docs"
# Its examples belong to the files of workflows.
OTHER_FILES = "ComfyUI"


def examples(page: str) -> list[str]:
    """Return the examples of a page."""
    sections = re.split(r"^## ", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = "".join(section for section in sections if not section.startswith(OTHER_FILES))
    return re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


EXAMPLES = [(f"{page}: {text.split()[0]}", text) for page in ("models.md", "providers.md") for text in examples(page)]


@pytest.mark.parametrize("text", [text for _, text in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_example_of_models_file_can_be_loaded(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")

    assert load_catalogue_file(file).models

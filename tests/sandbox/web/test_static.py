"""Safety and readability of the page's own files."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[3] / "sandbox" / "web" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
FILES = sorted(each for each in STATIC.iterdir() if each.suffix in (".js", ".css", ".html"))
MARKUP_FROM_TEXT = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc"
    r"|createContextualFragment"
)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_script_creates_no_markup_from_text(file: Path) -> None:
    assert MARKUP_FROM_TEXT.findall(file.read_text()) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_file_names_no_remote_address(file: Path) -> None:
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://\w[\w.]*", text) == []
    assert "@import" not in text


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_import_exists_and_is_used(file: Path) -> None:
    text = file.read_text()
    for names, module in re.findall(r'import \{([^}]*)\} from "\./([\w.]+)"', text):
        source = (STATIC / module).read_text()
        for name in (each.strip() for each in names.split(",")):
            assert re.search(rf"export (async )?(function\*?|const|class|let) {name}\b", source), (module, name)
            assert len(re.findall(rf"\b{name}\b", text)) > 1, name


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_module_starts_with_comment_and_is_short(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0].startswith("//")
    assert len(lines) < 350

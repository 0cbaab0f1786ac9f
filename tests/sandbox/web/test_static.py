"""The page's own files: what keeps them safe and readable can be read off them."""

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
def test_no_script_makes_markup_of_text(file: Path) -> None:
    """Nodes are made one by one, texts become text nodes."""
    assert MARKUP_FROM_TEXT.findall(file.read_text()) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_loaded_from_elsewhere(file: Path) -> None:
    """Every address in the files is local (a namespace's name is no address)."""
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://\w[\w.]*", text) == []
    assert "@import" not in text


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_every_import_is_there_and_used(file: Path) -> None:
    """Modules name files that exist, names that those export, and use what they import."""
    text = file.read_text()
    for names, module in re.findall(r'import \{([^}]*)\} from "\./([\w.]+)"', text):
        source = (STATIC / module).read_text()
        for name in (each.strip() for each in names.split(",")):
            assert re.search(rf"export (async )?(function\*?|const|class|let) {name}\b", source), (module, name)
            assert len(re.findall(rf"\b{name}\b", text)) > 1, name


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_every_module_is_one_idea(file: Path) -> None:
    """It says what it is for at its top, and is not too long."""
    lines = file.read_text().splitlines()
    assert lines[0].startswith("//")
    assert len(lines) < 350

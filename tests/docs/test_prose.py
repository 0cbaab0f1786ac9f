"""Checks of the language of code and documents."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = (
    "bot",
    "cogs",
    "db",
    "sandbox",
    "benchmarks",
    "scripts",
    *sorted(
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "tests").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    ),
    "tests/*.py",
)
GLOSSARY = REPOSITORY / "docs/glossary.md"
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(
            REPOSITORY / name
            for name in (".env.example", "Makefile", "compose.yaml", "compose.scale.yaml", "Dockerfile", ".ci/run")
        ),
    )
    if path != GLOSSARY
)

PAGE_SOURCES = sorted(path for path in (REPOSITORY / "sandbox/web/static").iterdir() if path.suffix in {".js", ".css"})

LONGEST = 72
"""Characters of a docstring's first line."""

MOST_RELATIVE_CLAUSES = 0.02
"""The part of all first lines that may have a relative pronoun."""

FORBIDDEN = re.compile(r"\b(what|whatever|who|whom|whose|whoever|whomever|hears?|heard)\b", re.IGNORECASE)
RELATIVE = re.compile(r"\b(that|which|who|whom|whose|what)\b", re.IGNORECASE)
CONJUNCTION = re.compile(r"\b(so|checks?|says?|prove|report|verify|ensure|show|know|only) that\b", re.IGNORECASE)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
DIRECTIVE = re.compile(r"#\s*(noqa|type:|pragma|mypy:|fmt:|!)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A docstring or a comment, and the line where it starts."""

    file: str
    line: int
    text: str
    is_docstring: bool

    @property
    def first_line(self) -> str:
        """The first line of a docstring."""
        return self.text.split("\n")[0]

    def __str__(self) -> str:
        """Return the place and the first line, for a failing test."""
        return f"{self.file}:{self.line}: {self.first_line}"


def python_files(package: str) -> list[Path]:
    """Return the Python files and scripts of a folder or a pattern."""
    found = REPOSITORY.glob(package) if "*" in package else (REPOSITORY / package).rglob("*")
    files = (path for path in found if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for path in files if path.suffix == ".py" or (not path.suffix and is_python_script(path)))


def is_python_script(path: Path) -> bool:
    """Return whether a file without a suffix starts with Python's shebang."""
    with path.open("rb") as file:
        return b"python" in file.readline() and path.parent.name == "scripts"


@cache
def prose_of(package: str) -> tuple[Prose, ...]:
    """Return all docstrings and comments of a package."""
    return tuple(prose for path in python_files(package) for prose in prose_in(path))


@cache
def prose_in(path: Path) -> tuple[Prose, ...]:
    """Return all docstrings and comments of a file."""
    return (*docstrings(path), *comments(path))


def docstrings(path: Path) -> Iterator[Prose]:
    """Yield the docstrings of a module, its classes and functions.

    Those of attributes are yielded like comments: their first line may be longer.
    """
    blocks: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while blocks:
        node = blocks.pop(0)
        inner = [
            each for name in ("body", "orelse", "handlers", "finalbody", "cases") for each in getattr(node, name, ())
        ]
        blocks += inner
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for at, statement in enumerate(inner):
                if isinstance(statement, ast.Expr) and isinstance(text := getattr(statement.value, "value", None), str):
                    yield prose(path, statement.lineno, text, is_docstring=at == 0)


def comments(path: Path) -> Iterator[Prose]:
    """Yield the comments of a file; directives for tools are none."""
    source = io.StringIO(path.read_text(encoding="utf-8"))
    for token in tokenize.generate_tokens(source.readline):
        if token.type == tokenize.COMMENT and not DIRECTIVE.match(token.string):
            yield prose(path, token.start[0], token.string.lstrip("# "), is_docstring=False)


def prose(path: Path, line: int, text: str, *, is_docstring: bool) -> Prose:
    """Return a text with its place."""
    file = path.relative_to(REPOSITORY).as_posix()
    return Prose(file=file, line=line, text=text, is_docstring=is_docstring)


@cache
def retired_words() -> re.Pattern[str]:
    """Return the pattern of the words in the glossary's last table."""
    table = GLOSSARY.read_text(encoding="utf-8").split("\n## Retired words\n")[1]
    cells = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    words = [word.strip() for cell in cells for word in cell.split(",") if not cell.startswith("-")]
    assert words
    either = "|".join(word.replace(" ", r"\s+") for word in words)
    return re.compile(rf"\b({either})\b", re.IGNORECASE)


def retired_in(text: str) -> list[str]:
    """Return the retired words of a text, code in backticks left out."""
    return [" ".join(match.lower().split()) for match in retired_words().findall(CODE.sub("", text))]


def test_retired_words_are_found_in_text_and_not_in_code() -> None:
    assert retired_in("Wait anew, lest\nwhoever sees   to `anew`.") == ["anew", "lest", "whoever", "sees to"]


@pytest.mark.parametrize("package", PACKAGES)
def test_code_has_no_retired_words(package: str) -> None:
    found = [f"{each} ({', '.join(words)})" for each in prose_of(package) if (words := retired_in(each.text))]

    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_has_no_retired_words(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    if not document.endswith(".md"):
        text = "\n".join(re.findall(r"#+ *(.*)", text))  # its comments

    assert retired_in(text) == []


@pytest.mark.parametrize("path", PAGE_SOURCES, ids=lambda path: path.name)
def test_page_source_has_no_retired_words(path: Path) -> None:
    comments = re.findall(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", path.read_text(encoding="utf-8"), re.DOTALL)

    assert [comment for comment in comments if retired_in(comment)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_first_docstring_line_has_no_riddle(package: str) -> None:
    found = [str(each) for each in prose_of(package) if each.is_docstring and FORBIDDEN.search(each.first_line)]

    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_first_docstring_line_fits_its_length(package: str) -> None:
    found = [str(each) for each in prose_of(package) if each.is_docstring and len(each.first_line) > LONGEST]

    assert found == []


def test_few_first_docstring_lines_have_a_relative_pronoun() -> None:
    lines = [each for package in PACKAGES for each in prose_of(package) if each.is_docstring]
    found = [str(each) for each in lines if RELATIVE.search(CONJUNCTION.sub("", each.first_line))]

    assert lines
    assert len(found) / len(lines) < MOST_RELATIVE_CLAUSES, f"{len(found)} of {len(lines)}:\n" + "\n".join(found)

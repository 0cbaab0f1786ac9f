"""Catalogues are complete, translations fit, locales find a language."""

import ast
import re
import string
import subprocess
import sys
from pathlib import Path

import polib
import pytest

from bot.domain.lazy_text import LazyText
from bot.ui.i18n import CATALOGUE, CATALOGUES, N_, _, catalogue, ngettext, read_catalogues, use_locale
from tests.ui.pseudo_locale import TEMPLATE

REPOSITORY = Path(__file__).parents[2]
COMMITTED = sorted(CATALOGUES.glob(f"*/{CATALOGUE}"))
MARKS = ("_", "N_", "ngettext", "LazyText", "LazyPlural", "locale_str")
SOURCES = [path for folder in ("bot/ui", "cogs") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
# Keywords of discord.py's that a person reads.
READ = ("label", "description", "placeholder", "title")


def texts_of(file: Path) -> set[tuple[str, str]]:
    """Return the texts of a catalogue with their plurals."""
    return {(entry.msgid, entry.msgid_plural) for entry in polib.pofile(str(file)) if not entry.obsolete}


def fields(text: str) -> set[str]:
    """Return the placeholder names of a text."""
    return {name for _before, name, _form, _turn in string.Formatter().parse(text) if name is not None}


def strange(entry: polib.POEntry) -> set[str]:
    """Return placeholders of a translation missing in its source."""
    said = [entry.msgstr, *entry.msgstr_plural.values()]
    return set().union(*map(fields, said)) - fields(entry.msgid) - fields(entry.msgid_plural)


def write(folder: Path, language: str, **texts: str) -> None:
    """Write a small catalogue."""
    made = polib.POFile()
    made.metadata = {"Content-Type": "text/plain; charset=utf-8"}
    made.extend(polib.POEntry(msgid=text, msgstr=said) for text, said in texts.items())
    (folder / language / CATALOGUE).parent.mkdir(parents=True)
    made.save(str(folder / language / CATALOGUE))


def test_catalogue_has_every_text(tmp_path: Path) -> None:
    """`make i18n` updates the catalogues."""
    script = REPOSITORY / "scripts" / "extract-i18n"
    subprocess.run([sys.executable, script, "--into", tmp_path], check=True, capture_output=True)  # noqa: S603 - our own script
    assert texts_of(TEMPLATE) == texts_of(tmp_path / TEMPLATE.name)


def test_texts_have_no_retired_words() -> None:
    """Words of the style page that members no longer read."""
    retired = re.compile(r"\b(anew|to be had|under way|in line|paints?|whoever|kindly|word it)\b", re.IGNORECASE)
    texts = [text for entry in polib.pofile(str(TEMPLATE)) for text in (entry.msgid, entry.msgid_plural)]
    assert [text for text in texts if retired.search(text)] == []


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parts[-3])
def test_every_language_has_same_texts(file: Path) -> None:
    """Untranslated ones included."""
    assert texts_of(file) == texts_of(TEMPLATE)


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parts[-3])
def test_translation_has_no_extra_placeholder(file: Path) -> None:
    assert [(entry.msgid, names) for entry in polib.pofile(str(file)) if (names := strange(entry))] == []


def test_extra_placeholder_is_found() -> None:
    """In a translation and in each of its plurals."""
    assert strange(polib.POEntry(msgid="{count} held", msgstr="{anzahl} belegt")) == {"anzahl"}
    plural = polib.POEntry(msgid="one", msgid_plural="{count}", msgstr_plural={0: "eins", 1: "{count} {x}"})
    assert strange(plural) == {"x"}


def is_mark(node: ast.AST) -> bool:
    """Return whether a node is a call of a gettext mark."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS


def unmarked(tree: ast.Module) -> list[str]:
    """Return unmarked texts, and texts composed before marking."""
    found: list[str] = []
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)  # a docstring
        if is_mark(node):
            assert isinstance(node, ast.Call)
            skipped.update(node.args)
            found += [ast.unparse(node) for argument in node.args if isinstance(argument, ast.JoinedStr)]
        if isinstance(node, ast.keyword) and node.arg in READ and isinstance(node.value, ast.Constant):
            found += [node.value.value] if isinstance(node.value.value, str) and node.value.value else []
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            words = node.value.split()
            found += [node.value] if sum(word.strip(".,:;").isalpha() for word in words) > 1 else []
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_text_is_marked(file: Path) -> None:
    """Two words in a row, or a label, are for people.

    `_("{count} left").format(count=3)`.
    """
    assert unmarked(ast.parse(file.read_text(encoding="utf-8"))) == []


def test_unmarked_text_is_found() -> None:
    """Sentences, f-strings, one-word labels; no event names."""
    source = """a("it is late"); f"{x} are here"; b(label="Go"); _(f"{x}"); _("so be it"); c("a.b"); b(label=_("Go"))"""
    assert sorted(unmarked(ast.parse(source))) == [" are here", "Go", "_(f'{x}')", "it is late"]


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("pt-BR", "da região"),
        ("pt", "da língua"),
        ("pt-PT", "da língua"),
        ("de", "word"),
        ("", "word"),
        ("../pt", "word"),
        ("x/../pt", "word"),
    ],
)
def test_locale_gets_nearest_language(tmp_path: Path, locale: str, said: str) -> None:
    """Region, else language, else English; each text separately."""
    write(tmp_path, "pt", word="da língua", other="outra")
    write(tmp_path, "pt_BR", word="da região")
    with use_locale(locale, tmp_path):
        assert _("word") == said
        assert _("other") == ("outra" if "pt" in locale[:2] else "other")
    assert _("word") == "word"


def test_lazy_text_is_translated_with_values(tmp_path: Path) -> None:
    write(tmp_path, "de", **{"{first} to {last}": "von {first} bis {last}"})
    phrase = LazyText("{first} to {last}", first=1, last=4)
    assert phrase == "1 to 4"
    with use_locale("de", tmp_path):
        assert _(phrase) == "von 1 bis 4"
        assert _(N_("unknown")) == "unknown"
        assert _("") == ""


def test_plurals_follow_language(tmp_path: Path) -> None:
    made = polib.POFile()
    made.metadata = {
        "Content-Type": "text/plain; charset=utf-8",
        "Plural-Forms": "nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);",
    }
    made.append(polib.POEntry(msgid="fox", msgid_plural="foxes", msgstr_plural={0: "liška", 1: "lišky", 2: "lišek"}))
    (tmp_path / "cs" / CATALOGUE).parent.mkdir(parents=True)
    made.save(str(tmp_path / "cs" / CATALOGUE))
    with use_locale("cs", tmp_path):
        assert [ngettext("fox", "foxes", number) for number in (1, 3, 5)] == ["liška", "lišky", "lišek"]
    assert [ngettext("fox", "foxes", number) for number in (1, 3)] == ["fox", "foxes"]


def test_catalogue_is_read_once() -> None:
    assert catalogue("en-US") is catalogue("en-US")


def test_answer_reads_no_catalogue_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catalogues read at the start serve all regions."""
    read_catalogues()
    monkeypatch.setattr("polib.pofile", None)
    with use_locale("en-ZA"):
        assert _("Vary") == "Vary"

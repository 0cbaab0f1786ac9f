"""Discord's Markdown as a harmless tree."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.web.markdown import tree
from tests.sandbox.web.ws_client import plain_text

KINDS = {
    "p", "h1", "h2", "h3", "small", "quote", "ul", "ol", "li", "pre", "code", "br", "strong", "em", "u", "s",
    "spoiler", "link", "time", "user", "role", "channel", "emoji", "command",
}  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[press](javascript:alert(1))",
    "[press](JaVaScRiPt:alert(1))",
    "[press](data:text/html,<script>alert(1)</script>)",
    "[press](&#106;avascript:alert(1))",
    "[press](\x01javascript:alert(1))",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x](//evil.example)",
    "<a href='javascript:alert(1)'>x</a>",
    "**[b](vbscript:x)** ||<svg onload=alert(1)>||",
]


def all_nodes(nodes: list[Any]) -> Iterator[Any]:
    """Yield every node of a tree."""
    for node in nodes:
        yield node
        if isinstance(node, dict):
            yield from all_nodes(node.get("c", []))


def paragraph(text: str) -> Any:
    """Return the nodes of the only paragraph of a text."""
    (block,) = tree(text)
    assert isinstance(block, dict)
    assert block["t"] == "p"
    return block["c"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("**a**", "strong"), ("*a*", "em"), ("_a_", "em"), ("__a__", "u"), ("~~a~~", "s"), ("||a||", "spoiler")],
)
def test_mark_becomes_its_node(text: str, kind: str) -> None:
    assert paragraph(text) == [{"t": kind, "c": ["a"]}]


def test_nested_marks_become_nested_nodes() -> None:
    assert paragraph("**a *b* ||c||**") == [
        {"t": "strong", "c": ["a ", {"t": "em", "c": ["b"]}, " ", {"t": "spoiler", "c": ["c"]}]}
    ]


def test_block_becomes_its_node_without_empty_line() -> None:
    text = "# a\n## b\n### c\n#### d\n-# e\n> f\n> g\nh\n- i\n  - j\n1. k\n```py\nl\n```"
    kinds = [node["t"] for node in tree(text) if isinstance(node, dict)]
    assert kinds == ["h1", "h2", "h3", "p", "small", "quote", "p", "ul", "ol", "pre"]


def test_line_break_and_empty_line_are_kept() -> None:
    assert tree("a\nb\n\n\nc") == [{"t": "p", "c": ["a", {"t": "br"}, "b"]}, {"t": "p", "c": ["c"], "gap": 2}]


def test_long_quote_takes_rest_and_does_not_nest() -> None:
    (quote,) = tree(">>> a\nb\n\n> c")
    assert isinstance(quote, dict)
    assert quote["t"] == "quote"
    assert plain_text([quote]) == "ab> c"


def test_mention_has_name_unless_unknown() -> None:
    names = {("user", "1"): "Member", ("role", "2"): "Mods", ("channel", "3"): "general"}
    found = tree("<@1><@!1><@&2><#3><@9><t:5:R><a:wave:12></credits balance:4>", lambda *what: names.get(what))
    assert found == [
        {
            "t": "p",
            "c": [
                {"t": "user", "id": "1", "name": "Member"},
                {"t": "user", "id": "1", "name": "Member"},
                {"t": "role", "id": "2", "name": "Mods"},
                {"t": "channel", "id": "3", "name": "general"},
                {"t": "user", "id": "9", "name": None},
                {"t": "time", "at": 5, "style": "R"},
                {"t": "emoji", "name": "wave", "id": "12"},
                {"t": "command", "name": "credits balance"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("[a](https://b.c/d)", "https://b.c/d"),
        ("see https://b.c/d(e), yes", "https://b.c/d(e)"),
        ("<https://b.c>", "https://b.c"),
        ("(http://b.c/d)", "http://b.c/d"),
    ],
)
def test_http_address_becomes_link(text: str, href: str) -> None:
    links = [node for node in all_nodes(tree(text)) if isinstance(node, dict) and node["t"] == "link"]
    assert [link["href"] for link in links] == [href]


def test_escaped_mark_stays_text() -> None:
    assert paragraph(r"\*a\* \<@1> \|\|b\|\| \# c") == ["*a* <@1> ||b|| # c"]
    assert plain_text(tree(r"\# a")) == "# a"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    for node in all_nodes(tree(text)):
        assert isinstance(node, str) or node["t"] != "link"


@given(st.text(alphabet=st.one_of(st.sampled_from("*_~|`<>[]()#-:/@&!\\\n 1ahtps."), st.characters()), max_size=300))
@example("||" * 150)
@example("> " * 100)
@example("[" * 150)
@example("*_" * 150)
def test_any_text_becomes_encodable_tree_of_known_nodes(text: str) -> None:
    nodes = tree(text)
    json.dumps(nodes)
    for node in all_nodes(nodes):
        if isinstance(node, dict):
            assert node["t"] in KINDS
            if node["t"] == "link":
                assert node["href"].lower().startswith(("http://", "https://"))

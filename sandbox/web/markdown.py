"""Discord's dialect of Markdown, parsed into a tree of plain data.

The page makes DOM nodes of it; nothing here produces HTML. A node is a string or `{"t": kind, ...}`, with its
children under "c". The address of a "link" is http or https; any other address stays plain text.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

Node: TypeAlias = str | dict[str, Any]
Names: TypeAlias = Callable[[str, str], str | None]
"""Returns the name of a mention: `names("user" | "role" | "channel", id)`; None if missing."""

_SECURE: Final = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_LINE: Final = re.compile(r"(#{1,3}|-#) +(\S.*)")
_ADDRESS: Final = re.compile(r"://[^\s<>\"|`]+")
_TRAILING: Final = ".,:;!?\"'*_~)]}"
_ANGLED: Final = re.compile(
    r"<(?:@!?(?P<user>\d{1,20})|@&(?P<role>\d{1,20})|#(?P<channel>\d{1,20})"
    r"|t:(?P<at>-?\d{1,12})(?::(?P<style>[tTdDfFRsS]))?"
    r"|(?P<moving>a)?:(?P<emoji>\w{2,32}):(?P<emoji_id>\d{1,20})"
    r"|/(?P<command>[-\w' ]{1,100}):(?P<command_id>\d{1,20})"
    r"|(?P<url>https?://[^\s<>]+))>",
    re.ASCII | re.IGNORECASE,
)
_SPOILER_END: Final = re.compile(r"(?<!\\)\|\|")
_KINDS: Final = {
    "em": "em",
    "s": "s",
    "spoiler": "spoiler",
    "paragraph": "p",
    "quote": "quote",
    "bullet_list": "ul",
    "ordered_list": "ol",
    "list_item": "li",
}
_NO_NAMES: Final[Names] = lambda _kind, _id: None  # noqa: E731 - a constant that happens to be a function


def tree(text: str, names: Names = _NO_NAMES) -> list[Node]:
    """Return the nodes of a text; "gap" counts the empty lines above a block."""
    return _blocks(_PARSER.parse(text), names)


def _heading(state: StateBlock, start: int, _end: int, silent: bool) -> bool:  # noqa: FBT001 - the parser's form
    """Parse `# `, `## `, `### ` and `-# `, always one whole line."""
    found = _LINE.fullmatch(state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]])
    if found is None:
        return False
    if not silent:
        state.line = start + 1
        kind = "small" if found[1] == "-#" else f"h{len(found[1])}"
        opening = state.push("line_open", "", 1)
        opening.meta = {"kind": kind}
        opening.map = [start, state.line]
        inline = state.push("inline", "", 0)
        inline.content = found[2].rstrip()
        inline.children = []
        state.push("line_close", "", -1)
    return True


def _quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - the parser's form
    """Parse `> ` line by line, or `>>> ` to the end; quotes do not nest."""
    if state.env.get("quoted") or state.level:
        return False
    line = _line(state, start)
    if line.startswith(">>> "):
        lines = [line[4:], *(_line(state, each) for each in range(start + 1, end))]
    else:
        lines = []
        for each in range(start, end):
            if not _line(state, each).startswith("> "):
                break
            lines.append(_line(state, each)[2:])
    if not lines:
        return False
    if not silent:
        opening = state.push("quote_open", "", 1)
        opening.map = [start, start + len(lines)]
        state.env["quoted"] = True
        state.md.block.parse("\n".join(lines), state.md, state.env, state.tokens)
        state.env["quoted"] = False
        state.push("quote_close", "", -1)
        state.line = start + len(lines)
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] : state.eMarks[number]]


def _angled(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's form
    """Parse angle brackets: mentions, times, emoji, commands, addresses."""
    found = _ANGLED.match(state.src, state.pos) if state.src[state.pos] == "<" else None
    if found is None:
        return False
    if not silent:
        state.push("angled", "", 0).meta = found.groupdict()
    state.pos = found.end()
    return True


def _spoiler(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's form
    if not state.src.startswith("||", state.pos):
        return False
    closing = _SPOILER_END.search(state.src, state.pos + 3, state.posMax)
    if closing is None:
        return False
    if not silent:
        rest = state.posMax
        state.push("spoiler_open", "", 1)
        state.pos, state.posMax = state.pos + 2, closing.start()
        state.md.inline.tokenize(state)
        state.push("spoiler_close", "", -1)
        state.posMax = rest
    state.pos = closing.end()
    return True


def _bare_address(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's form
    """Parse a bare address; its scheme is already in the pending text."""
    scheme = re.search(r"(?<![\w])(https?)$", state.pending, re.IGNORECASE)
    found = _ADDRESS.match(state.src, state.pos, state.posMax)
    if scheme is None or found is None or state.linkLevel:
        return False
    rest = found[0]
    while rest[-1] in _TRAILING and not (rest[-1] == ")" and rest.count("(") >= rest.count(")")):
        rest = rest[:-1]
    href = scheme[1] + rest
    if not _SECURE.match(href):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[1])]
        state.push("address", "", 0).content = href
    state.pos += len(rest)
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero", {"maxNesting": 20})
    parser.enable(["fence", "list", "newline", "escape", "backticks", "strikethrough", "emphasis", "link"])
    parser.enable(["balance_pairs", "fragments_join"])
    stops: RuleOptionsType = {"alt": ["paragraph", "list"]}
    parser.block.ruler.before("list", "line", _heading, stops)
    parser.block.ruler.before("line", "quote", _quote, stops)
    parser.inline.ruler.before("link", "spoiler", _spoiler)
    parser.inline.ruler.before("link", "angled", _angled)
    parser.inline.ruler.before("link", "bare_address", _bare_address)
    parser.inline.add_terminator_char("|")
    parser.validateLink = lambda url: _SECURE.match(url) is not None  # type: ignore[method-assign] # its hook
    return parser


def _blocks(tokens: list[Token], names: Names) -> list[Node]:
    """Fold the flat tokens of blocks into a tree."""
    root: list[Node] = []
    open_: list[list[Node]] = [root]
    last_line = 0
    for token in tokens:
        if token.type == "inline":
            open_[-1].extend(_inline(token.children or [], names))
            continue
        if token.nesting < 0:
            open_.pop()
            continue
        node: dict[str, Any]
        if token.type == "fence":
            node = {"t": "pre", "v": token.content.removesuffix("\n"), "lang": token.info.strip()[:20]}
        elif token.type == "line_open":
            node = {"t": token.meta["kind"], "c": []}
        else:
            node = {"t": _KINDS[token.type.removesuffix("_open")], "c": []}
        if node["t"] == "ol":
            node["start"] = int(token.attrs.get("start", 1))
        if len(open_) == 1 and token.map is not None:
            if root and token.map[0] > last_line:
                node["gap"] = token.map[0] - last_line
            last_line = token.map[1]
        open_[-1].append(node)
        if token.nesting > 0:
            open_.append(node["c"])
    return root


def _inline(tokens: list[Token], names: Names) -> list[Node]:
    root: list[Node] = []
    open_: list[list[Node]] = [root]
    for token in tokens:
        here = open_[-1]
        if token.nesting < 0:
            open_.pop()
        elif token.nesting > 0:
            node = _opened(token)
            here.append(node)
            open_.append(node["c"])
        elif token.type in ("softbreak", "hardbreak"):
            here.append({"t": "br"})
        elif token.type == "code_inline":
            # Three backticks make a block even in the middle of a line.
            here.append({"t": "pre" if token.markup == "```" else "code", "v": token.content})
        elif token.type == "address":
            here.append({"t": "link", "href": token.content, "c": [token.content]})
        elif token.type == "angled":
            here.append(_resolved(token.meta, names))
        elif here and isinstance(here[-1], str):
            here[-1] += token.content
        elif token.content:
            here.append(token.content)
    return root


def _opened(token: Token) -> dict[str, Any]:
    kind = token.type.removesuffix("_open")
    if kind == "strong":
        return {"t": "u" if token.markup == "__" else "strong", "c": []}
    if kind == "link":
        return {"t": "link", "href": str(token.attrs["href"]), "c": []}
    return {"t": _KINDS[kind], "c": []}


def _resolved(found: dict[str, str | None], names: Names) -> Node:
    for kind in ("user", "role", "channel"):
        id_ = found[kind]
        if id_ is not None:
            return {"t": kind, "id": id_, "name": names(kind, id_)}
    if found["at"] is not None:
        return {"t": "time", "at": int(found["at"]), "style": found["style"] or "f"}
    if found["emoji"] is not None:
        return {"t": "emoji", "name": found["emoji"], "id": found["emoji_id"]}
    if found["command"] is not None:
        return {"t": "command", "name": found["command"]}
    return {"t": "link", "href": str(found["url"]), "c": [str(found["url"])]}


_PARSER: Final = _parser()

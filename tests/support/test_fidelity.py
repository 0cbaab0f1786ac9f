import copy
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.discord.recorder import RecordedRequest, SentFile
from tests.support.fidelity import Fidelity, find_description

CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
POST = "/channels/{channel_id}/messages"
COMMANDS = "/applications/{application_id}/commands"
V2 = 1 << 15
EPHEMERAL = 1 << 6

CARD: dict[str, Any] = {
    "flags": V2,
    "components": [
        {
            "type": 17,
            "components": [
                {"type": 10, "content": "A lighthouse"},
                {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, "description": "A lighthouse"}]},
                {"type": 1, "components": [{"type": 2, "style": 2, "label": "Again", "custom_id": "again"}]},
            ],
        }
    ],
    "attachments": [{"id": 0, "filename": "a.png"}],
}
FORM: dict[str, Any] = {
    "type": 9,
    "data": {
        "custom_id": "form",
        "title": "Edit",
        "components": [
            {"type": 18, "label": "Prompt", "component": {"type": 4, "custom_id": "prompt", "style": 2}},
        ],
    },
}
PICTURE = SentFile("files[0]", "a.png", 100)


@pytest.fixture(scope="module")
def fidelity() -> Fidelity:
    """Give the checker, where Discord's description is at hand."""
    path = find_description()
    if path is None:
        pytest.skip("ATELIER_TEST_DATA has no discord-openapi.json")
    return Fidelity(path)


def sent(method: str, path: str, json: Any, *files: SentFile, status: int = 200, answer: Any = None) -> RecordedRequest:
    """Return a request as the fake records it."""
    return RecordedRequest(
        method=method, path=path, target="", json=json, files=files, status=status, at=0.0, answer=answer
    )


def patched(change: Callable[[dict[str, Any]], object], *files: SentFile) -> RecordedRequest:
    """Return the edit with the card after `change`."""
    card = copy.deepcopy(CARD)
    change(card)
    return sent("PATCH", ORIGINAL, card, *(files or (PICTURE,)))


def opened(change: Callable[[dict[str, Any]], object]) -> RecordedRequest:
    """Return the callback with the form after `change` of its data."""
    form = copy.deepcopy(FORM)
    change(form["data"])
    return sent("POST", CALLBACK, form)


def inside(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the components inside the card's container."""
    found: list[dict[str, Any]] = card["components"][0]["components"]
    return found


def test_correct_request_has_no_problems(fidelity: Fidelity) -> None:
    correct = [
        sent("PATCH", ORIGINAL, CARD, PICTURE),
        sent("POST", CALLBACK, {"type": 4, "data": {**CARD, "flags": V2 | EPHEMERAL}}, PICTURE),
        sent("POST", CALLBACK, FORM),
        sent("POST", CALLBACK, {"type": 5, "data": {"flags": EPHEMERAL}}),
        sent("POST", CALLBACK, {"type": 5}),
        sent("POST", CALLBACK, {"type": 6}),
        sent("POST", CALLBACK, {"type": 8, "data": {"choices": [{"name": "Reve", "value": "reve"}]}}),
        sent("PUT", COMMANDS, [{"name": "imagine", "description": "Paint", "type": 1, "nsfw": False}]),
        sent("POST", POST, {"content": "Hello", "nonce": "1", "enforce_nonce": True}),
        sent("GET", "/users/@me", None),
    ]
    assert [fidelity.problems(request) for request in correct] == [[] for _ in correct]


def test_edit_may_refer_to_kept_files(fidelity: Fidelity) -> None:
    kept = copy.deepcopy(CARD)
    del kept["attachments"]
    assert fidelity.problems(sent("PATCH", ORIGINAL, kept)) == []
    assert fidelity.problems(sent("PATCH", ORIGINAL, {**CARD, "attachments": [{"id": "77"}]})) == []


def test_body_of_a_cut_request_is_no_mistake(fidelity: Fidelity) -> None:
    cut = sent("PATCH", ORIGINAL, None, status=0)
    assert fidelity.problems(cut) == []


def grow(card: dict[str, Any], component: dict[str, Any], times: int) -> None:
    """Add a component several times to the top of a message."""
    card["components"] += [copy.deepcopy(component) for _ in range(times)]


MUTATIONS: list[tuple[str, RecordedRequest, str]] = [
    ("no such route", sent("POST", "/nowhere", {}), "no such route"),
    ("a body where none belongs", sent("GET", "/users/@me", {}), "takes no body"),
    ("no body", sent("PATCH", ORIGINAL, None), "body is missing"),
    ("content too long", sent("PATCH", ORIGINAL, {"content": "x" * 2001}), "too long"),
    ("a wrong type", sent("PATCH", ORIGINAL, {"content": 5}), "not of type"),
    ("a missing field", patched(lambda card: inside(card)[0].pop("content")), "'content' is a required property"),
    ("a label too long", patched(lambda card: inside(card)[2]["components"][0].update(label="x" * 81)), "too long"),
    ("an empty gallery", patched(lambda card: inside(card)[1].update(items=[])), "non-empty"),
    ("alt text too long", patched(lambda card: inside(card)[1]["items"][0].update(description="x" * 1025)), "too long"),
    (
        "six buttons in a row",
        patched(
            lambda card: inside(card)[2].update(
                components=[{"type": 2, "style": 2, "label": "x", "custom_id": f"b{number}"} for number in range(6)]
            )
        ),
        "too long",
    ),
    ("an unknown key at the top", patched(lambda card: card.update(colour=1)), "body.colour"),
    ("an unknown key in a component", patched(lambda card: card["components"][0].update(colour=1)), "colour: Discord"),
    (
        "an unknown key deep down",
        patched(lambda card: inside(card)[2]["components"][0].update(tooltip="x")),
        "tooltip: Discord",
    ),
    ("an unknown key in a form", opened(lambda data: data["components"][0].update(hint="x")), "hint: Discord"),
    (
        "an unknown key in an option",
        sent(
            "PUT",
            COMMANDS,
            [
                {
                    "name": "a",
                    "description": "b",
                    "options": [{"type": 3, "name": "c", "description": "d", "placeholder": "e"}],
                }
            ],
        ),
        "placeholder: Discord",
    ),
    (
        "41 components",
        patched(lambda card: grow(card, {"type": 14}, 36)),
        "41 in all",
    ),
    ("4,001 characters", patched(lambda card: grow(card, {"type": 10, "content": "x" * 2000}, 2)), "of text in all"),
    ("content with V2", patched(lambda card: card.update(content="x")), "content: not with"),
    ("embeds with V2", patched(lambda card: card.update(embeds=[{"title": "x"}])), "embeds: not with"),
    (
        "a poll with V2",
        sent(
            "POST",
            POST,
            {
                "flags": V2,
                "components": [{"type": 10, "content": "x"}],
                "poll": {"question": {"text": "x"}, "answers": [{"poll_media": {"text": "y"}}]},
            },
        ),
        "poll: not with",
    ),
    ("V2 components without the flag", sent("POST", POST, {"components": [{"type": 10, "content": "x"}]}), "need the"),
    ("the flag taken away", patched(lambda card: card.update(flags=0)), "need the"),
    ("ephemeral in an edit", patched(lambda card: card.update(flags=V2 | EPHEMERAL)), "first answer"),
    ("ephemeral in a channel", sent("POST", POST, {"content": "x", "flags": EPHEMERAL}), "first answer"),
    ("V2 in a deferral", sent("POST", CALLBACK, {"type": 5, "data": {"flags": V2}}), "deferred answer"),
    ("content in a deferral", sent("POST", CALLBACK, {"type": 5, "data": {"content": "x"}}), "deferred answer"),
    (
        "six items in a form",
        opened(lambda data: data.update(components=[{"type": 10, "content": "x"} for _ in range(6)])),
        "top of a modal",
    ),
    ("a title too long", opened(lambda data: data.update(title="x" * 46)), "too long"),
    ("the same field twice", opened(lambda data: data["components"].append(data["components"][0])), "there twice"),
    (
        "the same button twice",
        patched(lambda card: inside(card)[2]["components"].append(inside(card)[2]["components"][0])),
        "there twice",
    ),
    (
        "a picture that is not there",
        patched(lambda card: inside(card)[1]["items"][0].update(media={"url": "attachment://b.png"})),
        "attachment://b.png is none",
    ),
    (
        "a file that is not there",
        sent("POST", POST, {"flags": V2, "components": [{"type": 13, "file": {"url": "attachment://b.txt"}}]}),
        "attachment://b.txt is none",
    ),
    (
        "26 choices",
        sent("POST", CALLBACK, {"type": 8, "data": {"choices": [{"name": "x", "value": "x"}] * 26}}),
        "too long",
    ),
    ("an unknown callback", sent("POST", CALLBACK, {"type": 77}), "not valid under any"),
]


@pytest.mark.parametrize(
    ("request_", "complaint"), [each[1:] for each in MUTATIONS], ids=[each[0] for each in MUTATIONS]
)
def test_wrong_request_has_its_problem(fidelity: Fidelity, request_: RecordedRequest, complaint: str) -> None:
    problems = fidelity.problems(request_)
    assert any(complaint in problem for problem in problems), problems


def test_wrong_response_or_status_has_problem(fidelity: Fidelity) -> None:
    own = {"id": "1", "username": "x"}
    assert fidelity.answer_problems(sent("GET", "/users/@me", None, answer=own)) != []
    assert fidelity.answer_problems(sent("GET", "/users/@me", None, status=299)) != []
    assert fidelity.answer_problems(sent("GET", "/users/@me", None, status=404)) == []
    assert fidelity.answer_problems(sent("POST", CALLBACK, {"type": 6}, status=204)) == []

from typing import Any

import pytest

from sandbox.discord.command_rules import check_command
from sandbox.discord.errors import ApiError, FormErrors
from sandbox.discord.limits import check_message, check_modal

TEXT = {"type": 10, "content": "x"}
BUTTON = {"type": 2, "style": 1, "label": "x", "custom_id": "x"}


def row(*components: dict[str, Any]) -> dict[str, Any]:
    """Return an action row."""
    return {"type": 1, "components": list(components)}


def gallery(count: int, **more: Any) -> dict[str, Any]:
    """Return a gallery of so many pictures."""
    return {"type": 12, "items": [{"media": {"url": "https://example.com/a.png"}, **more} for _ in range(count)]}


def numbered(count: int) -> list[dict[str, Any]]:
    """Return `count` buttons with different ids."""
    return [{**BUTTON, "custom_id": str(number)} for number in range(count)]


def choice(value: str, **more: Any) -> dict[str, Any]:
    """Return an option of a select."""
    return {"label": value, "value": value, **more}


def menu(count: int, **more: Any) -> dict[str, Any]:
    """Return a select with so many options."""
    return {"type": 3, "custom_id": "m", "options": [choice(str(number)) for number in range(count)], **more}


def complaints(form: FormErrors) -> str:
    """Return the form's error body as text; empty without an error."""
    try:
        form.raise_if_any()
    except ApiError as error:
        return str(error.body)
    return ""


@pytest.mark.parametrize(
    ("payload", "v2", "complaint"),
    [
        ({"content": "x" * 2000}, False, ""),
        ({"content": "x" * 2001}, False, "2000 or fewer"),
        ({"content": "x", "components": [TEXT]}, True, "'content' field cannot be used"),
        ({"embeds": [{}], "components": [TEXT]}, True, "'embeds' field cannot be used"),
        ({"components": [TEXT]}, False, "must be one of (1)"),
        ({"components": [row(BUTTON)] * 6}, False, "5 or fewer"),
        ({"components": [{**TEXT} for _ in range(40)]}, True, ""),
        ({"components": [{**TEXT} for _ in range(41)]}, True, "cannot exceed 40"),
        ({"components": [{"type": 10, "content": "x" * 2000}] * 2}, True, ""),
        ({"components": [{"type": 10, "content": "x" * 2001}] * 2}, True, "maximum size of 4000"),
        ({"components": [row(*numbered(5))]}, False, ""),
        ({"components": [row(*numbered(6))]}, False, "between 1 and 5"),
        ({"components": [row()]}, False, "between 1 and 5"),
        ({"components": [row(BUTTON, BUTTON)]}, False, "cannot be duplicated"),
        ({"components": [row({**BUTTON, "label": "x" * 81})]}, False, "80 or fewer"),
        ({"components": [row({**BUTTON, "custom_id": "x" * 101})]}, False, "between 1 and 100"),
        ({"components": [row({**BUTTON, "custom_id": ""})]}, False, "between 1 and 100"),
        ({"components": [row({"type": 2, "style": 1, "label": "x"})]}, False, "custom id is required"),
        ({"components": [row({"type": 2, "style": 1, "custom_id": "x"})]}, False, "label or an emoji"),
        ({"components": [row({"type": 2, "style": 5, "label": "x"})]}, False, "url is required"),
        ({"components": [row({**BUTTON, "style": 9})]}, False, "must be one of"),
        ({"components": [row({"type": 2, "style": 6})]}, False, "SKU id is required"),
        ({"components": [row({"type": 2, "style": 6, "sku_id": "1"})]}, False, ""),
        ({"components": [row(BUTTON, {"type": 5, "custom_id": "u"})]}, False, "exceeds the maximum width"),
        ({"components": [gallery(10)]}, True, ""),
        ({"components": [gallery(11)]}, True, "between 1 and 10"),
        ({"components": [gallery(0)]}, True, "between 1 and 10"),
        ({"components": [gallery(1, description="x" * 1025)]}, True, "between 1 and 1024"),
        ({"components": [{"type": 17, "components": [{"type": 17, "components": [TEXT]}]}]}, True, "must be one of"),
        ({"components": [{"type": 9, "components": [TEXT]}]}, True, "field is required"),
        ({"components": [row(menu(25))]}, False, ""),
        ({"components": [row(menu(26))]}, False, "between 1 and 25"),
        ({"components": [row(menu(2, max_values=3))]}, False, "less than or equal to 2"),
        ({"components": [row(menu(2, min_values=2, max_values=1))]}, False, "less than or equal to 1"),
        ({"components": [row(menu(2, min_values=-1))]}, False, "greater than or equal to 0"),
        ({"components": [row(menu(2, max_values="2"))]}, False, "is not int"),
        ({"components": [row(menu(2, options=[choice("a"), choice("a")]))]}, False, "already used"),
        (
            {"components": [row(menu(2, options=[choice("a", default=True), choice("b", default=True)]))]},
            False,
            "At most 1",
        ),
        ({"components": [row(menu(1, options=[choice("x" * 101)]))]}, False, "between 1 and 100"),
        ({"components": [row(menu(1, options=[{"label": "x"}]))]}, False, "required"),
        ({"components": [row(menu(1, options=[choice("a", description="x" * 101)]))]}, False, "100 or fewer"),
        ({"components": [row(menu(1, options=["x"]))]}, False, "Only dictionaries"),
        ({"components": [row({"type": 4, "custom_id": "x", "style": 1, "label": "x"})]}, False, "in a message"),
        ({"components": ["x"]}, True, "Only dictionaries"),
        ({"components": "x"}, True, "Only iterables"),
    ],
)
def test_message_over_limit_is_reported(payload: dict[str, Any], v2: bool, complaint: str) -> None:
    form = FormErrors()
    check_message(payload, form, v2=v2)
    found = complaints(form)
    assert (complaint in found) if complaint else found == ""


def label(component: dict[str, Any]) -> dict[str, Any]:
    """Return a component in its label."""
    return {"type": 18, "label": "x", "component": component}


def field(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a labelled text input."""
    return label({"type": 4, "custom_id": str(number), "style": 1, **more})


def upload(**more: Any) -> dict[str, Any]:
    """Return a labelled file upload."""
    return label({"type": 19, "custom_id": "u", **more})


def modal(*components: dict[str, Any]) -> dict[str, Any]:
    """Return a modal of these."""
    return {"title": "x", "custom_id": "x", "components": list(components)}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"title": "x" * 45, "custom_id": "x", "components": [field(number) for number in range(5)]}, ""),
        ({"title": "x" * 46, "custom_id": "x", "components": [field()]}, "between 1 and 45"),
        ({"title": "x", "custom_id": "x", "components": [field(number) for number in range(6)]}, "between 1 and 5"),
        ({"title": "x", "custom_id": "x", "components": []}, "between 1 and 5"),
        ({"title": "x", "custom_id": "x"}, "required"),
        ({"title": "x", "components": [field()]}, "required"),
        ({"title": "x", "custom_id": "x", "components": [field(), field()]}, "duplicated"),
        ({"title": "x", "custom_id": "x", "components": [field(placeholder="x" * 101)]}, "100 or fewer"),
        ({"title": "x", "custom_id": "x", "components": [{"type": 18, "label": "x"}]}, "required"),
        (modal(label(TEXT)), "one of"),
        (modal(field(min_length=10, max_length=4000), upload(min_values=0, max_values=10, required=False)), ""),
        (modal(upload(min_values=0)), "at least one value"),
        (modal(label({"type": 22, "custom_id": "c", "min_values": 2, "options": [choice("1"), choice("2")]})), ""),
        (modal(field(max_length=4001)), "less than or equal to 4000"),
        (modal(field(min_length=2, max_length=1)), "less than or equal to 1"),
        (modal(field(max_length=5, value="x" * 6)), "5 or fewer"),
        (modal(field(style=3)), "must be one of"),
        (modal(upload(max_values=11)), "less than or equal to 10"),
        (modal(upload(min_values=3, max_values=2)), "less than or equal to 2"),
        (modal(label(menu(2, required=False, min_values=0))), ""),
        (modal(label(menu(2, disabled=True))), "cannot be disabled"),
    ],
)
def test_modal_over_limit_is_reported(data: dict[str, Any], complaint: str) -> None:
    form = FormErrors()
    check_modal(data, form)
    found = complaints(form)
    assert (complaint in found) if complaint else found == ""


def command(**more: Any) -> dict[str, Any]:
    """Return a slash command."""
    return {"name": "imagine", "description": "Paint", **more}


def option(name: str = "x", kind: int = 3, **more: Any) -> dict[str, Any]:
    """Return an option."""
    return {"name": name, "description": "x", "type": kind, **more}


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (command(options=[option(f"o{number}") for number in range(25)]), ""),
        (command(options=[option(f"o{number}") for number in range(26)]), "25 or fewer"),
        (command(name="Imagine"), "name is invalid"),
        (command(name="two words"), "name is invalid"),
        (command(name="x" * 33), "name is invalid"),
        (command(description=""), "between 1 and 100"),
        (command(description="x" * 101), "between 1 and 100"),
        (command(options=[option(), option()]), "must be unique"),
        (command(options=[option("a"), option("b", required=True)]), "before non-required"),
        (command(options=[option(kind=12)]), "must be one of"),
        (command(options=[option(choices=[{"name": "x", "value": "x"}] * 26)]), "25 or fewer"),
        (command(options=[option(choices=[{"name": "x", "value": "x"}], autocomplete=True)]), "Choices do not go"),
        (command(options=[option(kind=4, choices=[{"name": "x", "value": "x"}])]), "is not a number"),
        (command(options=[option(kind=1, options=[option(kind=1)])]), "too deeply"),
        (command(options=[option(kind=2, options=[option(kind=1, options=[option()])])]), ""),
        (
            command(
                options=[
                    option(f"o{number}", choices=[{"name": "x" * 100, "value": f"{each}" * 50} for each in range(25)])
                    for number in range(4)
                ]
            ),
            "maximum size (8000)",
        ),
        ({"name": "Edit this image", "type": 3}, ""),
        ({"name": "Report", "type": 3, "description": "x"}, "cannot have this field"),
    ],
)
def test_command_over_limit_is_reported(wanted: dict[str, Any], complaint: str) -> None:
    form = FormErrors()
    check_command(wanted, form)
    found = complaints(form)
    assert (complaint in found) if complaint else found == ""

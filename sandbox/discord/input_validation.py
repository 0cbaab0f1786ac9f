"""Discord's rules for form fields: lengths, counts and choices."""

from typing import Final

from sandbox.discord.components import SELECTS, Kind
from sandbox.discord.encoding import Json
from sandbox.discord.errors import FormErrors, Path

LONGEST_INPUT: Final = 4000
_OPTION_TEXT: Final = 100
_STYLES: Final = (1, 2)
_ONLY_IN_MODALS: Final = (
    Kind.TEXT_INPUT,
    Kind.FILE_UPLOAD,
    Kind.RADIO_GROUP,
    Kind.CHECKBOX_GROUP,
    Kind.CHECKBOX,
)
_DEFAULT_TYPES: Final = {
    Kind.USER_SELECT: ("user",),
    Kind.ROLE_SELECT: ("role",),
    Kind.MENTIONABLE_SELECT: ("user", "role"),
    Kind.CHANNEL_SELECT: ("channel",),
}
_MOST_VALUES: Final = {**dict.fromkeys(SELECTS, 25), Kind.FILE_UPLOAD: 10, Kind.CHECKBOX_GROUP: 10}


def check_input(component: Json, path: Path, form: FormErrors) -> None:
    """Add the mistakes of a select, text input, file upload or choice group."""
    kind = component.get("type", 0)
    if kind == Kind.TEXT_INPUT:
        _check_text_input(component, path, form)
    elif kind in _MOST_VALUES:
        most = _MOST_VALUES[kind]
        least = _number(component, "min_values", path, form, lowest=0, highest=most, default=1)
        usual = len(component.get("options") or []) if kind == Kind.CHECKBOX_GROUP else 1
        up_to = _number(component, "max_values", path, form, lowest=1, highest=most, default=max(usual, least))
        if least > up_to:
            form.add((*path, "min_values"), "NUMBER_TYPE_MAX", f"int value should be less than or equal to {up_to}.")
        if kind == Kind.STRING_SELECT:
            _check_options(component, path, form, most=up_to)
        elif kind in SELECTS:
            _check_default_values(component, path, form, least=least, most=up_to)


def check_place(component: Json, path: Path, form: FormErrors, *, in_modal: bool) -> None:
    """Add fields in the wrong kind of body.

    Text inputs, file uploads and choice groups belong in modals. There a select cannot be disabled, and a required one
    takes at least one value.
    """
    kind = component.get("type", 0)
    if not in_modal and kind in _ONLY_IN_MODALS:
        form.add((*path, "type"), "UNION_TYPE_CHOICES", "This component cannot be used in a message.")
    if in_modal and component.get("disabled") and kind in SELECTS:
        form.add((*path, "disabled"), "COMPONENT_DISABLED_IN_MODAL", "A component of a modal cannot be disabled.")
    if in_modal and kind in _MOST_VALUES and component.get("min_values") == 0 and component.get("required", True):
        form.add((*path, "min_values"), "NUMBER_TYPE_MIN", "A required component takes at least one value.")


def _check_text_input(component: Json, path: Path, form: FormErrors) -> None:
    if component.get("style") not in _STYLES:
        form.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2).")
    least = _number(component, "min_length", path, form, lowest=0, highest=LONGEST_INPUT, default=0)
    most = _number(component, "max_length", path, form, lowest=1, highest=LONGEST_INPUT, default=LONGEST_INPUT)
    if least > most:
        form.add((*path, "min_length"), "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")
    value = component.get("value")
    if isinstance(value, str) and len(value) > most:
        form.length(value, (*path, "value"), 0, most)


def _check_options(component: Json, path: Path, form: FormErrors, *, most: int) -> None:
    options = component.get("options")
    if not isinstance(options, list):
        return
    seen: set[object] = set()
    for index, option in enumerate(options):
        here = (*path, "options", index)
        if not isinstance(option, dict):
            form.add(here, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            return
        for field in ("label", "value"):
            if option.get(field) is None:
                form.required((*here, field))
            else:
                form.length(option[field], (*here, field), 1, _OPTION_TEXT)
        if option.get("description") is not None:
            form.length(option["description"], (*here, "description"), 0, _OPTION_TEXT)
        if option.get("value") in seen:
            form.add(
                (*here, "value"),
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        seen.add(option.get("value"))
    if most > len(options):
        form.add((*path, "max_values"), "NUMBER_TYPE_MAX", f"int value should be less than or equal to {len(options)}.")
    if sum(bool(option.get("default")) for option in options) > most:
        form.add((*path, "options"), "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES", f"At most {most} can be the default.")


def _check_default_values(component: Json, path: Path, form: FormErrors, *, least: int, most: int) -> None:
    values = component.get("default_values")
    if values is None:
        return
    here = (*path, "default_values")
    if not isinstance(values, list):
        form.add(here, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return
    if values:
        form.length(values, here, least, most)
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            form.add((*here, index), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        elif not str(value.get("id")).isdecimal():
            form.add((*here, index, "id"), "NUMBER_TYPE_COERCE", f'Value "{value.get("id")}" is not snowflake.')
        elif value.get("type") not in _DEFAULT_TYPES[component["type"]]:
            allowed = ", ".join(_DEFAULT_TYPES[component["type"]])
            form.add((*here, index, "type"), "BASE_TYPE_CHOICES", f"Value must be one of ({allowed}).")


def _number(
    component: Json, field: str, path: Path, form: FormErrors, *, lowest: int, highest: int, default: int
) -> int:
    value = component.get(field)
    if value is None:
        return default
    if type(value) is not int:
        form.add((*path, field), "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
        return default
    if value < lowest:
        form.add((*path, field), "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {lowest}.")
    if value > highest:
        form.add((*path, field), "NUMBER_TYPE_MAX", f"int value should be less than or equal to {highest}.")
    return value

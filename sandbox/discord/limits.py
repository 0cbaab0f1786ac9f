"""Discord's limits of messages and modals, reported as code 50035."""

from sandbox.discord.components import SELECTS, Kind, media_slots, text_length, walk
from sandbox.discord.encoding import Json
from sandbox.discord.errors import FormErrors, Path
from sandbox.discord.input_validation import check_input, check_place

CONTENT = 2000
COMPONENTS = 40
TEXT = 4000
EMBEDS = 10
ROWS = 5
FILES = 10
MODAL_ITEMS = 5
CHOICES = 25
NONCE = 25
LINK_STYLE = 5
PREMIUM_STYLE = 6
MEDIA_URL = 2048

_IN_ROW = frozenset({Kind.BUTTON}) | SELECTS
_V2_TOP = frozenset(
    {
        Kind.ACTION_ROW,
        Kind.SECTION,
        Kind.TEXT_DISPLAY,
        Kind.MEDIA_GALLERY,
        Kind.FILE,
        Kind.SEPARATOR,
        Kind.CONTAINER,
    }
)
_MODAL_TOP = frozenset({Kind.ACTION_ROW, Kind.TEXT_DISPLAY, Kind.LABEL})
_IN_LABEL = SELECTS | {Kind.TEXT_INPUT, Kind.FILE_UPLOAD, Kind.RADIO_GROUP, Kind.CHECKBOX_GROUP, Kind.CHECKBOX}

_CHILDREN: dict[tuple[int, str], frozenset[Kind]] = {
    (Kind.ACTION_ROW, "components"): _IN_ROW | {Kind.TEXT_INPUT},
    (Kind.SECTION, "components"): frozenset({Kind.TEXT_DISPLAY}),
    (Kind.SECTION, "accessory"): frozenset({Kind.BUTTON, Kind.THUMBNAIL}),
    (Kind.CONTAINER, "components"): _V2_TOP - {Kind.CONTAINER},
    (Kind.LABEL, "component"): _IN_LABEL,
}

_SELECT_TEXTS = {"custom_id": (1, 100, True), "placeholder": (0, 150, False)}
_TEXTS: dict[int, dict[str, tuple[int, int, bool]]] = {
    Kind.BUTTON: {"label": (0, 80, False), "custom_id": (1, 100, False), "url": (1, 512, False)},
    Kind.TEXT_DISPLAY: {"content": (1, TEXT, True)},
    Kind.THUMBNAIL: {"description": (0, 1024, False)},
    Kind.LABEL: {"label": (1, 45, True), "description": (1, 100, False)},
    Kind.TEXT_INPUT: {
        "custom_id": (1, 100, True),
        "label": (1, 45, False),
        "placeholder": (0, 100, False),
        "value": (0, 4000, False),
    },
    Kind.FILE_UPLOAD: {"custom_id": (1, 100, True)},
    Kind.RADIO_GROUP: {"custom_id": (1, 100, True)},
    Kind.CHECKBOX_GROUP: {"custom_id": (1, 100, True)},
    Kind.CHECKBOX: {"custom_id": (1, 100, True)},
    **dict.fromkeys(SELECTS, _SELECT_TEXTS),
}
_LISTS: dict[int, dict[str, tuple[int, int]]] = {
    Kind.ACTION_ROW: {"components": (1, 5)},
    Kind.SECTION: {"components": (1, 3)},
    Kind.CONTAINER: {"components": (1, COMPONENTS)},
    Kind.MEDIA_GALLERY: {"items": (1, 10)},
    Kind.STRING_SELECT: {"options": (1, 25)},
    Kind.RADIO_GROUP: {"options": (2, 10)},
    Kind.CHECKBOX_GROUP: {"options": (1, 10)},
}


def check_message(payload: Json, form: FormErrors, *, v2: bool) -> None:
    """Add the mistakes of a message's body.

    `v2`: the message has, or will have, Components V2.
    """
    if v2:
        for field in ("content", "embeds", "poll", "sticker_ids"):
            if payload.get(field):
                form.add(
                    (field,),
                    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                    f"The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
                )
    if payload.get("content") is not None:
        form.length(payload["content"], ("content",), 0, CONTENT)
    if payload.get("embeds") is not None:
        form.length(payload["embeds"], ("embeds",), 0, EMBEDS)
    if payload.get("nonce") is not None:
        form.length(str(payload["nonce"]), ("nonce",), 0, NONCE)
    components = payload.get("components")
    if components is None:
        return
    if not isinstance(components, list):
        form.add(("components",), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return
    if v2:
        check_components(components, form, top=_V2_TOP)
    else:
        form.length(components, ("components",), 0, ROWS)
        check_components(components, form, top=frozenset({Kind.ACTION_ROW}))
    for path, component in walk(components):
        check_place(component, path, form, in_modal=False)


def check_modal(data: Json, form: FormErrors) -> None:
    """Add the mistakes of a modal: title, id, one to five items, each item."""
    for field, most in (("title", 45), ("custom_id", 100)):
        if data.get(field) is None:
            form.required(("data", field))
        else:
            form.length(data[field], ("data", field), 1, most)
    components = data.get("components")
    if not isinstance(components, list):
        form.required(("data", "components"))
        return
    form.length(components, ("data", "components"), 1, MODAL_ITEMS)
    check_components(components, form, top=_MODAL_TOP, path=("data", "components"))
    for path, component in walk(components, ("data", "components")):
        check_place(component, path, form, in_modal=True)


def check_components(
    components: list[Json], form: FormErrors, *, top: frozenset[Kind], path: Path = ("components",)
) -> None:
    """Add the mistakes of component trees.

    `top` are the kinds allowed as roots.
    """
    for index, component in enumerate(components):
        _check_kind(component, top, (*path, index), form)
    seen: set[str] = set()
    total = 0
    for here, component in walk(components, path):
        total += 1
        _check_fields(component, here, form)
        for key in ("components", "accessory", "component"):
            _check_children(component, key, here, form)
        custom_id = component.get("custom_id")
        if isinstance(custom_id, str):
            if custom_id in seen:
                form.add(
                    (*here, "custom_id"),
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    "Component custom id cannot be duplicated",
                )
            seen.add(custom_id)
    if total > COMPONENTS:
        form.add(
            path,
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
            f"The total number of components cannot exceed {COMPONENTS}",
        )
    if text_length(components) > TEXT:
        form.add(
            path,
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
            f"Total number of characters in components' displayable text exceeds maximum size of {TEXT}",
        )


def _check_kind(component: object, allowed: frozenset[Kind], path: Path, form: FormErrors) -> None:
    if not isinstance(component, dict):
        form.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    elif component.get("type") not in allowed:
        names = ", ".join(str(int(kind)) for kind in sorted(allowed))
        form.add((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({names}).')


def _check_children(component: Json, key: str, path: Path, form: FormErrors) -> None:
    allowed = _CHILDREN.get((component.get("type", 0), key))
    if allowed is None:
        return
    value = component.get(key)
    if value is None:
        form.required((*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_kind(child, allowed, (*path, key, index), form)
        if component["type"] == Kind.ACTION_ROW and any(_fills_a_row(child) for child in value) and len(value) > 1:
            form.add(
                (*path, key), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width"
            )
    else:
        _check_kind(value, allowed, (*path, key), form)


def _fills_a_row(component: object) -> bool:
    return isinstance(component, dict) and component.get("type") in SELECTS | {Kind.TEXT_INPUT}


def _check_fields(component: Json, path: Path, form: FormErrors) -> None:
    kind = component.get("type", 0)
    for field, (least, most, needed) in _TEXTS.get(kind, {}).items():
        if component.get(field) is not None:
            form.length(component[field], (*path, field), least, most)
        elif needed:
            form.required((*path, field))
    for field, (least, most) in _LISTS.get(kind, {}).items():
        if component.get(field) is None:
            form.required((*path, field))
        else:
            form.length(component[field], (*path, field), least, most)
    check_input(component, path, form)
    if kind == Kind.BUTTON:
        _check_button(component, path, form)
    elif kind == Kind.MEDIA_GALLERY:
        for index, item in enumerate(component.get("items") or []):
            if not isinstance(item, dict) or not isinstance(item.get("media"), dict):
                form.required((*path, "items", index, "media"))
            elif item.get("description") is not None:
                form.length(item["description"], (*path, "items", index, "description"), 1, 1024)
    for here, media in media_slots(component, path):
        form.length(media.get("url"), (*here, "url"), 1, MEDIA_URL)


def _check_button(button: Json, path: Path, form: FormErrors) -> None:
    style = button.get("style")
    if not isinstance(style, int) or not 1 <= style <= PREMIUM_STYLE:
        form.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6).")
    elif style == LINK_STYLE:
        if not button.get("url"):
            form.add(path, "BUTTON_COMPONENT_URL_REQUIRED", "A url is required")
        if button.get("custom_id"):
            form.add(
                path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be set"
            )
    elif style != PREMIUM_STYLE and not button.get("custom_id"):
        form.add(path, "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required")
    elif style == PREMIUM_STYLE and not button.get("sku_id"):
        form.add(path, "BUTTON_COMPONENT_SKU_ID_REQUIRED", "A SKU id is required")
    if style != PREMIUM_STYLE and not button.get("label") and not button.get("emoji"):
        form.add(path, "BUTTON_COMPONENT_INVALID_LABEL", "A label or an emoji is required")

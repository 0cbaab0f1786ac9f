"""Errors of presets."""

from bot.domain.errors.base import AtelierError


class PresetError(AtelierError):
    """The action is impossible with this preset."""

    code = "preset"


class PresetNotFoundError(PresetError):
    """Neither the member nor the server has a preset of this `name`.

    The name is None if it is not known.
    """

    code = "preset_not_found"

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = name


class EmptyPresetError(PresetError):
    """Neither a prompt nor an option was given, so there is nothing to keep."""

    code = "preset_empty"


class PresetLimitError(PresetError):
    """There are already `limit` presets.

    They are the member's own, or the server's if `shared`.
    """

    code = "preset_limit"

    def __init__(self, limit: int, *, shared: bool) -> None:
        super().__init__()
        self.limit = limit
        self.shared = shared


class PresetNameTakenError(PresetError):
    """A deleted preset cannot be restored: another one has its `name`."""

    code = "preset_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

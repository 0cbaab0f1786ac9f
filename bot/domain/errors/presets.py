"""Errors of presets."""

from bot.domain.errors.base import AtelierError


class PresetError(AtelierError):
    """It cannot be done with this preset."""

    code = "preset"


class PresetNotFoundError(PresetError):
    """No preset of this `name`, neither the member's own nor the server's; None where a name is not known."""

    code = "preset_not_found"

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = name


class EmptyPresetError(PresetError):
    """Neither a prompt nor an option was given, so there is nothing to keep."""

    code = "preset_empty"


class PresetLimitError(PresetError):
    """There are `limit` presets already: the member's own, or the server's where it is `shared`."""

    code = "preset_limit"

    def __init__(self, limit: int, *, shared: bool) -> None:
        super().__init__()
        self.limit = limit
        self.shared = shared


class PresetNameTakenError(PresetError):
    """A deleted preset cannot come back, for another one has its `name` by now."""

    code = "preset_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

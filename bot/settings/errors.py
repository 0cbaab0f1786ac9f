"""Mistakes in settings."""


class SettingsError(Exception):
    """Mistakes in the settings.

    `lines` has one for each, naming the variable and the values it takes.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class IllegibleError(ValueError):
    """A value has impossible characters.

    The message follows the variable's name.
    """


class UnknownNamesError(ValueError):
    """A value has an unknown name.

    The message follows the variable's name, and lists the known ones.
    """

"""A clock that tests set."""


class Clock:
    """Returns `seconds`, which a test may change."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds

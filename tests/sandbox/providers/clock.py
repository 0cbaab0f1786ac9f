"""A clock for tests."""


class Clock:
    """Returns `seconds`; a test may change them."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds

"""The base of all errors of the product."""

from typing import ClassVar


class AtelierError(Exception):
    """Base of all errors.

    `code` is stable and goes to logs; the attributes are the facts.
    """

    code: ClassVar[str] = "error"

    def __str__(self) -> str:
        """Return the code and the facts, for logs; never shown to a member."""
        facts = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{self.code}({facts})"

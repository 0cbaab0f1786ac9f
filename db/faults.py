"""Exceptions of an unusable database."""

import sqlite3

from sqlalchemy.exc import SQLAlchemyError

DATABASE_FAULTS = (SQLAlchemyError, OSError, ValueError, sqlite3.Error)
"""Raised by opening or using a database. SQLite's own errors are not wrapped while it is being opened."""


def first_cause(error: BaseException) -> str:
    """Return the name of the driver's own error.

    The wrappers around it name nothing.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__

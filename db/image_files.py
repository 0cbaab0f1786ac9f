"""Columns of a stored image file, in the tables `pictures` and `inputs`."""

from typing import Any, Final

from sqlalchemy import RowMapping

from bot.domain.images import ImageFile

FILE_COLUMNS: Final = ("sha256", "media_type", "width", "height", "size")


def file_to_columns(file: ImageFile | None) -> dict[str, Any]:
    """Return the values of the file's columns; all None without a file."""
    return {name: None if file is None else getattr(file, name) for name in FILE_COLUMNS}


def file_from_row(row: RowMapping) -> ImageFile:
    """Return the file described by a row; the row may have more columns."""
    return ImageFile(**{name: row[name] for name in FILE_COLUMNS})

"""The files of models.

`bot/models.toml` ships; an operator's own file changes it and adds to it.
"""

from bot.catalogue_file.loader import CatalogueFile, CatalogueFileError, load_catalogue, load_catalogue_file
from bot.catalogue_file.openrouter import OpenRouterList

__all__ = ["CatalogueFile", "CatalogueFileError", "OpenRouterList", "load_catalogue", "load_catalogue_file"]

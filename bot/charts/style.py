"""Look of all charts: one palette and one set of sizes.

The background is fixed, so a chart reads the same in Discord's dark and light theme. Sizes are pixels of a picture of
800 pixels' width, which is drawn at twice that density. A phone shows it at less than half, hence the large text.
"""

from typing import Final

WIDTH: Final = 800
HEIGHT: Final = 480
DENSITY: Final = 2

TEXT_SIZE: Final = 28
TITLE_SIZE: Final = 34

BACKGROUND: Final = "#23272f"
TEXT: Final = "#f2f3f5"
GRID: Final = "#4a505c"
REST: Final = "#9aa3b0"

SERIES: Final = (
    ("#56b4e9", ""),
    ("#f0a830", "///"),
    ("#3ccfa2", "..."),
    ("#e78ac3", "xx"),
    ("#f3e25c", "\\\\\\"),
)
"""Colours with their patterns, so that neither is needed to tell the parts apart.

The colours are those of Okabe and Ito for all kinds of colour vision, lightened for the dark background.
"""

POINTS: Final = 72 / 100
"""Points a pixel: matplotlib sizes text and lines in points, and pictures at 100 pixels an inch."""

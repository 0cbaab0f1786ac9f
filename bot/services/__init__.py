"""Use cases for commands and buttons.

Services raise domain errors and catch nothing.
"""

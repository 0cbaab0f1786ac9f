"""The rules of the studio, in pure Python.

Standard library only: no Discord, no HTTP, no SQL, no clock.
"""

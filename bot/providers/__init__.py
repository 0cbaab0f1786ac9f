"""Image APIs, one module each, behind the Protocol in `base`.

No Discord, no SQL, no credits.
"""

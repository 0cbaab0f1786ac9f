"""Image downloads, decoding, storage and fitting to upload limits.

No Discord, no SQL.
"""

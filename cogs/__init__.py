"""One file a feature: parse, call a service, show.

No SQL, no HTTP, no try.
"""

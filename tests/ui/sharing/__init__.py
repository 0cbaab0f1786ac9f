"""Sharing as members and moderators see it."""

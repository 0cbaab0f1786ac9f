"""Checks of requests and pictures."""

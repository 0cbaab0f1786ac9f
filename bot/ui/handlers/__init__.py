"""Handlers that commands, buttons and modals call."""

"""Answers to commands, buttons and forms of sharing."""

"""Tests of `atelier try`."""

"""Tests of the local fakes."""

"""Snapshots to views, and errors to words. Pure: no Discord call, no service, no clock."""

"""Sharing: submissions, their review, and their posts in the showcase."""

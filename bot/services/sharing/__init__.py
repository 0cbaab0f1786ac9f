"""Use cases of sharing: submissions, their review, their messages."""

"""Publication of the outbox on Discord."""

"""Messages and panels of sharing."""

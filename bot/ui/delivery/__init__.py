"""Card updates and result delivery through Discord."""

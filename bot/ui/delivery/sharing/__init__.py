"""Messages of sharing on Discord."""

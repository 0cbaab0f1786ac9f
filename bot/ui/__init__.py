"""Cards, buttons and words shown to members."""

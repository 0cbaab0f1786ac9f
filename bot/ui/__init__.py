"""What people see: cards, buttons, words. Cards are pure functions of a snapshot."""

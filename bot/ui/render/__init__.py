"""Pure views and words: no Discord call, no service, no clock."""

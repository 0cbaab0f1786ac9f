"""The use cases that commands and buttons call. They raise domain errors and catch nothing."""

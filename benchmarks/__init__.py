"""Cost of the bot compared with a minimal handler: `python -m benchmarks`."""

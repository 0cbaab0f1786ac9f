"""What the bot costs beside a bare handler that does the least a bot could do. Run it with `python -m benchmarks`."""

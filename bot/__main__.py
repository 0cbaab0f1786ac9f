"""Start of the command line: `python -m bot`."""

from bot.command_line import main

if __name__ == "__main__":
    main()

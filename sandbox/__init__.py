"""Local stand-ins for the services that the bot talks to, so that it can be run and tested without them."""

"""Local fakes of Discord and the image APIs, and a page to use the bot."""

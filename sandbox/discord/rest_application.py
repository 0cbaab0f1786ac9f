"""Routes for the bot's account, application, gateway address and commands."""

from collections.abc import Callable

from sandbox.discord.commands import CommandRegistry, without_translations
from sandbox.discord.encoding import Json
from sandbox.discord.errors import INVALID_JSON, UNKNOWN_USER, api_error
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.payloads import application_payload, own_user_payload, user_payload
from sandbox.discord.state import World

_COMMANDS = "/applications/{application_id}/commands"
_GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"
DAILY_IDENTIFIES = 1000


class ApplicationRoutes:
    """Serves the requests of a bot's start.

    `identifies` returns the IDENTIFYs so far.
    """

    def __init__(
        self, world: World, commands: CommandRegistry, gateway_url: Callable[[], str], identifies: Callable[[], int]
    ) -> None:
        self._world = world
        self._commands = commands
        self._gateway_url = gateway_url
        self._identifies = identifies
        self.shards = 1
        self.daily_identifies = DAILY_IDENTIFIES
        self.reset_after_ms = 86_400_000

    def routes(self) -> list[Route]:
        """Return the routes."""
        found = [
            Route("GET", "/users/@me", self.own_user),
            Route("GET", "/users/{user_id}", self.user),
            Route("GET", "/oauth2/applications/@me", self.application),
            Route("GET", "/applications/@me", self.application),
            Route("GET", "/gateway", self.gateway, open=True),
            Route("GET", "/gateway/bot", self.gateway_bot),
        ]
        for base in (_COMMANDS, _GUILD_COMMANDS):
            found += [
                Route("GET", base, self.list_commands),
                Route("PUT", base, self.replace_commands),
                Route("POST", base, self.add_command),
                Route("GET", base + "/{command_id}", self.get_command),
                Route("PATCH", base + "/{command_id}", self.edit_command),
                Route("DELETE", base + "/{command_id}", self.remove_command),
            ]
        return found

    def own_user(self, call: Call) -> Reply:
        """Return the bot's account."""
        del call
        return Reply(own_user_payload(self._world.bot))

    def user(self, call: Call) -> Reply:
        """Return anybody's account."""
        user = self._world.users.get(call.params["user_id"])
        if user is None:
            raise api_error(UNKNOWN_USER)
        return Reply(user_payload(user))

    def application(self, call: Call) -> Reply:
        """Return the application with its owner."""
        del call
        return Reply(application_payload(self._world.application, self._world))

    def gateway(self, call: Call) -> Reply:
        """Return the gateway's address."""
        del call
        return Reply({"url": self._gateway_url()})

    def gateway_bot(self, call: Call) -> Reply:
        """Return the gateway's address with the advice on shards and IDENTIFYs."""
        del call
        limit: Json = {
            "total": DAILY_IDENTIFIES,
            "remaining": max(0, self.daily_identifies - self._identifies()),
            "reset_after": self.reset_after_ms,
            "max_concurrency": 1,
        }
        return Reply({"url": self._gateway_url(), "shards": self.shards, "session_start_limit": limit})

    def list_commands(self, call: Call) -> Reply:
        """Return the commands of a scope, on request with all translations."""
        found = self._commands.registered(call.params.get("guild_id"))
        if call.query.get("with_localizations") != "true":
            found = [without_translations(command) for command in found]
        return Reply(found)

    def replace_commands(self, call: Call) -> Reply:
        """Make the body the commands of a scope."""
        if not isinstance(call.body, list):
            raise api_error(INVALID_JSON)
        return Reply(self._commands.replace(call.body, call.params.get("guild_id")))

    def add_command(self, call: Call) -> Reply:
        """Register one command."""
        return Reply(self._commands.add(call.json, call.params.get("guild_id")), 201)

    def get_command(self, call: Call) -> Reply:
        """Return one command."""
        return Reply(self._commands.get(call.params["command_id"], call.params.get("guild_id")))

    def edit_command(self, call: Call) -> Reply:
        """Change one command."""
        return Reply(self._commands.edit(call.params["command_id"], call.json, call.params.get("guild_id")))

    def remove_command(self, call: Call) -> Reply:
        """Take one command away."""
        self._commands.remove(call.params["command_id"], call.params.get("guild_id"))
        return NO_CONTENT

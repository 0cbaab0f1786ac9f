"""Routes of interactions: callback, `@original` and follow-ups.

Their tokens are in the path.
"""

from sandbox.discord.entities import Message
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.interactions import Interaction, InteractionStore
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.webhooks import ChannelWebhooks

_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
_MESSAGE = _WEBHOOK + "/messages/{message_id}"


class InteractionRoutes:
    """Serves the bot's requests with interaction tokens.

    Webhooks of channels have the same path to post to.
    """

    def __init__(self, interactions: InteractionStore, messages: MessageStore, webhooks: ChannelWebhooks) -> None:
        self._interactions = interactions
        self._messages = messages
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("POST", "/interactions/{interaction_id}/{interaction_token}/callback", self.callback, open=True),
            Route("POST", _WEBHOOK, self.follow_up, open=True),
            Route("GET", _MESSAGE, self.get, open=True),
            Route("PATCH", _MESSAGE, self.edit, open=True),
            Route("DELETE", _MESSAGE, self.delete, open=True),
        ]

    def callback(self, call: Call) -> Reply:
        """Accept the first response; return its outcome if `?with_response=1`."""
        response = self._interactions.acknowledge(
            call.params["interaction_id"], call.params["interaction_token"], call.json, call.files
        )
        return Reply(response) if call.query.get("with_response") in ("1", "true", "True") else NO_CONTENT

    def follow_up(self, call: Call) -> Reply:
        """Post another message, or one of a channel's webhook."""
        if self._webhooks.has(call.params["webhook_id"]):
            return self._webhooks.execute(call)
        interaction = self._interaction(call)
        message = self._interactions.follow_up(interaction, _form(call, interaction))
        return Reply(self._messages.render(message))

    def get(self, call: Call) -> Reply:
        """Return one of the answers."""
        return Reply(self._messages.render(self._message(call)))

    def edit(self, call: Call) -> Reply:
        """Change one of the answers."""
        message = self._message(call)
        self._messages.edit(message, _form(call, self._interaction(call)))
        return Reply(self._messages.render(message))

    def delete(self, call: Call) -> Reply:
        """Remove one of the answers."""
        self._messages.delete(self._message(call))
        return NO_CONTENT

    def _interaction(self, call: Call) -> Interaction:
        return self._interactions.by_webhook(call.params["webhook_id"], call.params["webhook_token"])

    def _message(self, call: Call) -> Message:
        return self._interactions.message(self._interaction(call), call.params["message_id"])


def _form(call: Call, interaction: Interaction) -> MessageForm:
    return MessageForm(payload=call.json, files=call.files, upload_limit=interaction.upload_limit)

"""What a person does on the page, done through their `Actor`, so that the client's rules hold for every request."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from sandbox.discord import Actor, Channel, ClientRefusal, DiscordServer, Invocation, Message, NoAnswerError
from sandbox.discord.actors import CHAT_INPUT, MESSAGE_MENU, USER_MENU
from sandbox.discord.client_rules import SUBCOMMAND, SUBCOMMAND_GROUP
from sandbox.discord.encoding import Json
from sandbox.discord.errors import ApiError
from sandbox.discord.interactions import CallbackKind
from sandbox.web.command_list import named, uses
from sandbox.web.message_parsing import fields_of, options_of, text_of, texts_of
from sandbox.web.uploads import Uploads
from sandbox.web.views import Views

PAGE: Final = 500
"""Messages that are shown at once; earlier ones on demand."""

_REMEMBERED: Final = 1000
_SETTLED: Final = {
    CallbackKind.MESSAGE: "message",
    CallbackKind.DEFERRED_MESSAGE: "message",
    CallbackKind.UPDATE: "update",
    CallbackKind.DEFERRED_UPDATE: "update",
    CallbackKind.MODAL: "modal",
}

Tell = Callable[[Json], None]


class Doings:
    """The doings of everybody. An action takes the actor, the request and a way to tell the page what came of it."""

    def __init__(self, discord: DiscordServer, views: Views, uploads: Uploads) -> None:
        self._discord = discord
        self._views = views
        self._uploads = uploads
        self._invocations: OrderedDict[str, Invocation] = OrderedDict()
        self._dismissed: set[str] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self.actions: dict[str, Callable[[Actor, Json, Tell], Awaitable[Json]]] = {
            "open": self.open,
            "earlier": self.earlier,
            "say": self.say,
            "forward": self.forward,
            "slash": self.slash,
            "complete": self.complete,
            "menu": self.menu,
            "press": self.press,
            "choose": self.choose,
            "fill": self.fill,
            "dismiss": self.dismiss,
        }

    def shows(self, message: Message, user_id: str) -> bool:
        """Tell whether a person has this message before them (they may still lack the channel)."""
        visible = not message.deleted and message.visible_to in (None, user_id)
        return visible and message.id not in self._dismissed

    async def close(self) -> None:
        """Stop waiting for answers."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def open(self, actor: Actor, body: Json, _: Tell) -> Json:
        """Show a channel: its latest messages, and the commands and menus that are offered there."""
        channel = self._channel(actor, body)
        offered = actor.offered(channel)
        return {
            **self._page(actor, channel, before=None),
            "commands": [
                each
                for command in offered
                if command["type"] == CHAT_INPUT
                for each in uses(command, actor.user.locale)
            ],
            "menus": [
                {
                    **named(command, actor.user.locale),
                    "kind": {MESSAGE_MENU: "message", USER_MENU: "user"}[command["type"]],
                }
                for command in offered
                if command["type"] != CHAT_INPUT
            ],
        }

    async def earlier(self, actor: Actor, body: Json, _: Tell) -> Json:
        """Show the messages before one."""
        return self._page(actor, self._channel(actor, body), before=text_of(body, "before"))

    async def say(self, actor: Actor, body: Json, _: Tell) -> Json:
        """Write a message."""
        uploads = [self._uploads.get(key) for key in texts_of(body, "uploads")]
        channel = self._channel(actor, body)
        message = await actor.say(text_of(body, "text"), *uploads, channel=channel)
        return {"message": message.id}

    async def forward(self, actor: Actor, body: Json, _: Tell) -> Json:
        """Forward a message to a channel."""
        message = await actor.forward(self._message(text_of(body, "message")), channel=self._channel(actor, body))
        return {"message": message.id}

    async def slash(self, actor: Actor, body: Json, tell: Tell) -> Json:
        """Use a slash command."""
        channel, name = self._channel(actor, body), text_of(body, "command")
        options = options_of(body, self._uploads)
        invocation = await actor.slash(name, channel=channel, options=options)
        return self._begun(invocation, tell, command=f"/{name}")

    async def complete(self, actor: Actor, body: Json, _: Tell) -> Json:
        """Ask the bot what it offers for an unfinished option."""
        option, typed = text_of(body, "option"), text_of(body, "typed")
        channel, name = self._channel(actor, body), text_of(body, "command")
        # Files stay where they are until the command is sent.
        given = body.get("options") or {}
        plain = {key: each for key, each in given.items() if not isinstance(each, dict) and key != option}
        options = options_of({"options": plain}, self._uploads)
        try:
            choices = await actor.autocomplete(name, option, typed, channel=channel, options=options)
        except NoAnswerError:
            raise ClientRefusal("Loading options failed", field=option) from None
        return {"choices": choices}

    async def menu(self, actor: Actor, body: Json, tell: Tell) -> Json:
        """Use a menu on a message or a person."""
        name, target = text_of(body, "name"), text_of(body, "target")
        if body.get("kind") == "user":
            invocation = await actor.context_menu(name, target, channel=self._channel(actor, body))
        else:
            invocation = await actor.context_menu(name, self._message(target))
        return self._begun(invocation, tell, command=name)

    async def press(self, actor: Actor, body: Json, tell: Tell) -> Json:
        """Press a button."""
        message = self._message(text_of(body, "message"))
        return self._begun(await actor.click(message, custom_id=text_of(body, "custom_id")), tell)

    async def choose(self, actor: Actor, body: Json, tell: Tell) -> Json:
        """Choose in a select menu."""
        message = self._message(text_of(body, "message"))
        values = texts_of(body, "values")
        return self._begun(await actor.select(message, values, custom_id=text_of(body, "custom_id")), tell)

    async def fill(self, actor: Actor, body: Json, tell: Tell) -> Json:
        """Send a form."""
        opened_by = self._invocations.get(text_of(body, "interaction"))
        if opened_by is None or opened_by.interaction.modal is None:
            raise ClientRefusal("This form is no longer open.")
        return self._begun(await actor.submit_modal(opened_by, fields_of(body, self._uploads)), tell)

    async def dismiss(self, actor: Actor, body: Json, _: Tell) -> Json:
        """Put away a message that only this person sees."""
        message = self._message(text_of(body, "message"))
        if message.visible_to != actor.user.id:
            raise ClientRefusal("Only messages that only you can see can be dismissed.")
        self._dismissed.add(message.id)
        return {}

    def label(self, message: Message) -> None:
        """Find out once which command a new message answers to."""
        about = message.interaction_metadata
        if about is None or self._views.knows_use(message):
            return
        interaction = self._discord.interactions.find(about["id"])
        if interaction is None or "name" not in interaction.data:
            return
        words, options = [interaction.data["name"]], interaction.data.get("options") or []
        while options and options[0]["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP):
            words.append(options[0]["name"])
            options = options[0].get("options") or []
        slash = interaction.data["type"] == CHAT_INPUT
        command = ("/" if slash else "") + " ".join(words)
        self._views.note_use(message, {"who": self._views.person(interaction.user), "command": command})

    def _begun(self, invocation: Invocation, tell: Tell, *, command: str | None = None) -> Json:
        interaction = invocation.interaction
        self._invocations[interaction.id] = invocation
        while len(self._invocations) > _REMEMBERED:
            self._invocations.popitem(last=False)
        task = asyncio.create_task(self._settle(invocation, tell))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return {"interaction": interaction.id, "command": command}

    async def _settle(self, invocation: Invocation, tell: Tell) -> None:
        """Tell the page how the bot answered first, or that it did not in time."""
        settled: Json = {"event": "settled", "interaction": invocation.interaction.id}
        try:
            settled["how"] = _SETTLED[await invocation.acknowledged()]
        except NoAnswerError:
            settled["how"] = "none"
        if invocation.interaction.modal is not None:
            settled["modal"] = self._views.modal(await invocation.modal())
        tell(settled)

    def _page(self, actor: Actor, channel: Channel, *, before: str | None) -> Json:
        newest_first = (
            each
            for each in reversed(channel.messages.values())
            if self.shows(each, actor.user.id) and (before is None or int(each.id) < int(before))
        )
        found = list(islice(newest_first, PAGE + 1))
        for message in found:
            self.label(message)
        messages = [self._views.message(each) for each in reversed(found[:PAGE])]
        return {"channel": channel.id, "messages": messages, "earlier": len(found) > PAGE}

    def _channel(self, actor: Actor, body: Json) -> Channel:
        channel = self._discord.world.channels.get(text_of(body, "channel"))
        if channel is None:
            raise ClientRefusal("There is no such channel.")
        actor.sees(channel)
        return channel

    def _message(self, message_id: str) -> Message:
        try:
            return self._discord.world.message(message_id)
        except KeyError:
            raise ClientRefusal("This message is gone.") from None


async def done(work: Awaitable[Json]) -> Json:
    """Return the answer to a request: what came of it, or why the client refuses."""
    try:
        return {"ok": await work}
    except ClientRefusal as refusal:
        return {"refused": {"text": str(refusal), "field": refusal.field}}
    except ApiError as error:
        return {"refused": {"text": str(error.body.get("message", error)), "field": None}}

"""A user's actions on the page, run through their `Actor`.

So the client's rules hold for every request.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from sandbox.discord import Actor, Channel, ClientRefusal, DiscordServer, Invocation, Message, NoAnswerError
from sandbox.discord.actors import CHAT_INPUT, MESSAGE_MENU, USER_MENU
from sandbox.discord.client_rules import SUBCOMMAND, SUBCOMMAND_GROUP
from sandbox.discord.encoding import Json
from sandbox.discord.entities import FORUM_CHANNEL, PINNED_POST
from sandbox.discord.errors import ApiError
from sandbox.discord.interactions import CallbackKind
from sandbox.web.command_list import expand_subcommands, menu_entry
from sandbox.web.forum_views import ForumViews
from sandbox.web.message_parsing import read_fields, read_options, read_text, read_texts
from sandbox.web.uploads import Uploads
from sandbox.web.views import Views

PAGE: Final = 500
"""Messages shown at once; earlier ones on demand."""

_MAX_REMEMBERED: Final = 1000
_SETTLED: Final = {
    CallbackKind.MESSAGE: "message",
    CallbackKind.DEFERRED_MESSAGE: "message",
    CallbackKind.UPDATE: "update",
    CallbackKind.DEFERRED_UPDATE: "update",
    CallbackKind.MODAL: "modal",
}

Send = Callable[[Json], None]


class UserActions:
    """All user actions by name.

    An action takes the actor, the request, and a function to send events to the tab.
    """

    def __init__(self, discord: DiscordServer, views: Views, uploads: Uploads) -> None:
        self._discord = discord
        self._views = views
        self._uploads = uploads
        self._forums = ForumViews(discord.world, views)
        self._invocations: OrderedDict[str, Invocation] = OrderedDict()
        self._dismissed: set[str] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self.actions: dict[str, Callable[[Actor, Json, Send], Awaitable[Json]]] = {
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
            "react": self.react,
            "pin": self.pin,
            "post": self.post,
            "thread": self.thread,
        }

    def shows(self, message: Message, user_id: str) -> bool:
        """Return whether a message is visible to a user.

        The user may still lack access to its channel.
        """
        visible = not message.deleted and message.visible_to in (None, user_id)
        return visible and message.id not in self._dismissed

    async def close(self) -> None:
        """Stop waiting for answers."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def open(self, actor: Actor, body: Json, _: Send) -> Json:
        """Return a channel's latest messages and its commands and menus."""
        channel = self._channel(actor, body)
        offered = actor.offered(channel)
        if channel.kind == FORUM_CHANNEL:
            posts = self._forums.posts(channel)
            return {
                "channel": channel.id,
                "messages": [],
                "earlier": False,
                "posts": posts,
                "commands": [],
                "menus": [],
            }
        return {
            **self._page(actor, channel, before=None),
            "commands": [
                each
                for command in offered
                if command["type"] == CHAT_INPUT
                for each in expand_subcommands(command, actor.user.locale)
            ],
            "menus": [
                {
                    **menu_entry(command, actor.user.locale),
                    "kind": {MESSAGE_MENU: "message", USER_MENU: "user"}[command["type"]],
                }
                for command in offered
                if command["type"] != CHAT_INPUT
            ],
        }

    async def earlier(self, actor: Actor, body: Json, _: Send) -> Json:
        """Return the messages before a given one."""
        return self._page(actor, self._channel(actor, body), before=read_text(body, "before"))

    async def say(self, actor: Actor, body: Json, _: Send) -> Json:
        """Write a message, or a reply to one."""
        uploads = [self._uploads.get(key) for key in read_texts(body, "uploads")]
        channel = self._channel(actor, body)
        reply_to = self._message(read_text(body, "reply")) if body.get("reply") else None
        message = await actor.say(read_text(body, "text"), *uploads, channel=channel, reply_to=reply_to)
        return {"message": message.id}

    async def forward(self, actor: Actor, body: Json, _: Send) -> Json:
        """Forward a message to a channel."""
        message = await actor.forward(self._message(read_text(body, "message")), channel=self._channel(actor, body))
        return {"message": message.id}

    async def slash(self, actor: Actor, body: Json, send: Send) -> Json:
        """Use a slash command."""
        channel, name = self._channel(actor, body), read_text(body, "command")
        options = read_options(body, self._uploads)
        invocation = await actor.slash(name, channel=channel, options=options)
        return self._start_interaction(invocation, send, command=f"/{name}")

    async def complete(self, actor: Actor, body: Json, _: Send) -> Json:
        """Ask the bot for the choices of an unfinished option."""
        option, typed = read_text(body, "option"), read_text(body, "typed")
        channel, name = self._channel(actor, body), read_text(body, "command")
        # Files stay where they are until the command is sent.
        given = body.get("options") or {}
        plain = {key: each for key, each in given.items() if not isinstance(each, dict) and key != option}
        options = read_options({"options": plain}, self._uploads)
        try:
            choices = await actor.autocomplete(name, option, typed, channel=channel, options=options)
        except NoAnswerError:
            raise ClientRefusal("Loading options failed", field=option) from None
        return {"choices": choices}

    async def menu(self, actor: Actor, body: Json, send: Send) -> Json:
        """Use a menu on a message or a person."""
        name, target = read_text(body, "name"), read_text(body, "target")
        if body.get("kind") == "user":
            invocation = await actor.context_menu(name, target, channel=self._channel(actor, body))
        else:
            invocation = await actor.context_menu(name, self._message(target))
        return self._start_interaction(invocation, send, command=name)

    async def press(self, actor: Actor, body: Json, send: Send) -> Json:
        """Press a button."""
        message = self._message(read_text(body, "message"))
        return self._start_interaction(await actor.click(message, custom_id=read_text(body, "custom_id")), send)

    async def choose(self, actor: Actor, body: Json, send: Send) -> Json:
        """Choose in a select menu."""
        message = self._message(read_text(body, "message"))
        values = read_texts(body, "values")
        return self._start_interaction(
            await actor.select(message, values, custom_id=read_text(body, "custom_id")), send
        )

    async def fill(self, actor: Actor, body: Json, send: Send) -> Json:
        """Send a form."""
        opened_by = self._invocations.get(read_text(body, "interaction"))
        if opened_by is None or opened_by.interaction.modal is None:
            raise ClientRefusal("This form is no longer open.")
        return self._start_interaction(await actor.submit_modal(opened_by, read_fields(body, self._uploads)), send)

    async def dismiss(self, actor: Actor, body: Json, _: Send) -> Json:
        """Hide an ephemeral message from its only reader."""
        message = self._message(read_text(body, "message"))
        if message.visible_to != actor.user.id:
            raise ClientRefusal("Only messages that only you can see can be dismissed.")
        self._dismissed.add(message.id)
        return {}

    async def react(self, actor: Actor, body: Json, _: Send) -> Json:
        """Add one's reaction to a message, or take it away."""
        message, emoji = self._message(read_text(body, "message")), read_text(body, "emoji")
        await (actor.react if body.get("on") is True else actor.unreact)(message, emoji)
        return {}

    async def pin(self, actor: Actor, body: Json, _: Send) -> Json:
        """Pin a message, or unpin it."""
        message = self._message(read_text(body, "message"))
        await (actor.pin if body.get("on") is True else actor.unpin)(message)
        return {}

    async def post(self, actor: Actor, body: Json, _: Send) -> Json:
        """Create a post of a forum."""
        uploads = [self._uploads.get(key) for key in read_texts(body, "uploads")]
        title, tags = read_text(body, "title"), read_texts(body, "tags")
        forum = self._channel(actor, body)
        return {"post": (await actor.create_post(title, read_text(body, "text"), *uploads, forum=forum, tags=tags)).id}

    async def thread(self, actor: Actor, body: Json, _: Send) -> Json:
        """Archive, reopen, lock, unlock, pin, unpin or delete a thread."""
        thread = self._channel(actor, body)
        if thread.parent_id is None:
            raise ClientRefusal("This channel is no thread.")
        match body.get("action"):
            case "archive":
                await actor.edit_thread(thread, archived=True)
            case "reopen":
                await actor.edit_thread(thread, archived=False)
            case "lock":
                await actor.edit_thread(thread, archived=False, locked=True)
            case "unlock":
                await actor.edit_thread(thread, archived=False, locked=False)
            case "pin":
                await actor.edit_thread(thread, archived=False, flags=PINNED_POST)
            case "unpin":
                await actor.edit_thread(thread, archived=False, flags=0)
            case "delete":
                await actor.delete_thread(thread)
            case _:
                raise ClientRefusal("A thread can be archived, locked, pinned or deleted.")
        return {}

    def label(self, message: Message) -> None:
        """Record once the command of a new message."""
        about = message.interaction_metadata
        if about is None or self._views.has_command_use(message):
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
        self._views.set_command_use(message, {"who": self._views.person(interaction.user), "command": command})

    def _start_interaction(self, invocation: Invocation, send: Send, *, command: str | None = None) -> Json:
        interaction = invocation.interaction
        self._invocations[interaction.id] = invocation
        while len(self._invocations) > _MAX_REMEMBERED:
            self._invocations.popitem(last=False)
        task = asyncio.create_task(self._send_settled(invocation, send))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return {"interaction": interaction.id, "command": command}

    async def _send_settled(self, invocation: Invocation, send: Send) -> None:
        """Send the kind of the bot's first response; "none" if it was too late."""
        settled: Json = {"event": "settled", "interaction": invocation.interaction.id}
        try:
            settled["how"] = _SETTLED[await invocation.acknowledged()]
        except NoAnswerError:
            settled["how"] = "none"
        if invocation.interaction.modal is not None:
            settled["modal"] = self._views.modal(await invocation.modal())
        send(settled)

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
        channel = self._discord.world.channels.get(read_text(body, "channel"))
        if channel is None:
            raise ClientRefusal("There is no such channel.")
        actor.sees(channel)
        return channel

    def _message(self, message_id: str) -> Message:
        try:
            return self._discord.world.message(message_id)
        except KeyError:
            raise ClientRefusal("This message is gone.") from None


async def respond(work: Awaitable[Json]) -> Json:
    """Return the result of a request, or the client's refusal."""
    try:
        return {"ok": await work}
    except ClientRefusal as refusal:
        return {"refused": {"text": str(refusal), "field": refusal.field}}
    except ApiError as error:
        return {"refused": {"text": str(error.body.get("message", error)), "field": None}}

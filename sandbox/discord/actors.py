"""A person's actions in the client: commands, presses, forms, posts."""

# ruff: noqa: ASYNC109 - a deadline as an argument reads best where tests wait for something

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sandbox.discord.cdn import Cdn
from sandbox.discord.client_rules import (
    ClientRefusal,
    Resolver,
    check_command_use,
    descend,
    fill_options,
)
from sandbox.discord.commands import CommandRegistry
from sandbox.discord.components import Kind, emoji_of
from sandbox.discord.encoding import Json
from sandbox.discord.entities import FORUM_CHANNEL, REPLY, Channel, Message, Upload, User
from sandbox.discord.errors import ApiError
from sandbox.discord.interactions import Interaction, InteractionKind
from sandbox.discord.invocations import Invocation, NoAnswerError
from sandbox.discord.limits import LINK_STYLE
from sandbox.discord.message_reader import buttons, selects
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.modals import filled_modal
from sandbox.discord.permissions import Permission
from sandbox.discord.pins import Pins
from sandbox.discord.posting import check_writing, unfurled
from sandbox.discord.reactions import Reactions
from sandbox.discord.state import World
from sandbox.discord.threads import Threads

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3

Begin = Callable[..., Interaction]
"""Sends an interaction to the bot: `begin(kind, user=, channel=, data=, message=, opened_by=)`."""


class Actor:
    """One person at their client.

    Every method raises `ClientRefusal` if the client would not allow the action.
    """

    def __init__(
        self,
        user: User,
        *,
        world: World,
        commands: CommandRegistry,
        messages: MessageStore,
        cdn: Cdn,
        threads: Threads,
        reactions: Reactions,
        pins: Pins,
        begin: Begin,
    ) -> None:
        self.user = user
        self._world = world
        self._commands = commands
        self._messages = messages
        self._cdn = cdn
        self._threads = threads
        self._reactions = reactions
        self._pins = pins
        self._begin = begin

    async def slash(
        self,
        name: str,
        /,
        *,
        channel: str | Channel = "general",
        unchecked: bool = False,
        options: Mapping[str, Any] | None = None,
        **more_options: Any,
    ) -> Invocation:
        """Use a slash command, such as "imagine" or "credits balance".

        Options are plain values, an `Upload` for a file, a name or an id for a member, role or channel; `options` is
        for names that are taken here. `unchecked` sends whatever was given, as a hostile client could.
        """
        place = self._place(channel, unchecked=unchecked)
        resolver = Resolver(self._world, self._cdn, place)
        values = {**(options or {}), **more_options}
        data = self._command_data(name, place, values, resolver, unchecked=unchecked)
        return self._invoke(InteractionKind.COMMAND, place, data)

    async def autocomplete(
        self,
        name: str,
        option: str,
        typed: str,
        /,
        *,
        channel: str | Channel = "general",
        timeout: float | None = None,
        options: Mapping[str, Any] | None = None,
        **more_options: Any,
    ) -> list[Json]:
        """Return the bot's choices for a command option with `typed` in it."""
        place = self._place(channel)
        resolver = Resolver(self._world, self._cdn, place)
        values = {**(options or {}), **more_options, option: typed}
        data = self._command_data(name, place, values, resolver, unchecked=False, focused=option)
        invocation = self._invoke(InteractionKind.AUTOCOMPLETE, place, data)
        await invocation.acknowledged(timeout=timeout)
        if invocation.interaction.choices is None:
            raise NoAnswerError("the answer was no list of choices")
        return invocation.interaction.choices

    async def context_menu(
        self, name: str, target: Message | str, /, *, channel: str | Channel = "general"
    ) -> Invocation:
        """Use a menu on a message, or on a member by name or id."""
        if isinstance(target, Message):
            self._require_visible(target)
            place = self._world.channels[target.channel_id]
            kind, target_id = MESSAGE_MENU, target.id
            resolved: Json = {"messages": {target.id: self._messages.render(target)}}
        else:
            place = self._place(channel)
            resolver = Resolver(self._world, self._cdn, place)
            kind, target_id = USER_MENU, resolver.user(target)
            resolved = resolver.resolved
        command = self._commands.find(name, kind, place.guild_id)
        if command is None:
            raise ClientRefusal(f"there is no menu {name!r}")
        check_command_use(command, self.user, place, self._world)
        data: Json = {"id": command["id"], "name": name, "type": kind, "target_id": target_id, "resolved": resolved}
        return self._invoke(InteractionKind.COMMAND, place, _with_guild(data, command))

    async def click(
        self,
        message: Message,
        *,
        custom_id: str | None = None,
        label: str | None = None,
        unchecked: bool = False,
    ) -> Invocation:
        """Press a button, found by its custom_id or by its label or emoji.

        `unchecked` presses even what is disabled or not there.
        """
        button = next(
            (
                each
                for each in buttons(message)
                if (custom_id is not None and each.get("custom_id") == custom_id)
                or (label is not None and label in (each.get("label"), emoji_of(each)))
            ),
            None,
        )
        if unchecked and button is None:
            button = {"custom_id": custom_id or "", "id": 1}
        if button is None:
            known = [(each.get("label"), each.get("custom_id")) for each in buttons(message)]
            raise ClientRefusal(f"there is no such button; there are: {known}")
        if not unchecked:
            self._require_visible(message)
            if button.get("disabled") or button["style"] == LINK_STYLE:
                raise ClientRefusal(f"button {button.get('label')!r} cannot be pressed")
        data: Json = {"component_type": Kind.BUTTON.value, "custom_id": button["custom_id"], "id": button["id"]}
        return self._invoke(InteractionKind.COMPONENT, self._world.channels[message.channel_id], data, message)

    async def select(
        self, message: Message, values: list[str], *, custom_id: str | None = None, unchecked: bool = False
    ) -> Invocation:
        """Choose in a select menu.

        `values` are values of its options, or names or ids of members, roles or channels. `unchecked` sends any values.
        """
        self._require_visible(message)
        menu = next((each for each in selects(message) if custom_id in (None, each["custom_id"])), None)
        if menu is None or menu.get("disabled"):
            raise ClientRefusal("there is no such menu, or it is disabled")
        if not unchecked and not menu["min_values"] <= len(set(values)) == len(values) <= menu["max_values"]:
            raise ClientRefusal(f"the menu takes {menu['min_values']} to {menu['max_values']} different values")
        place = self._world.channels[message.channel_id]
        resolver = Resolver(self._world, self._cdn, place)
        data: Json = {
            "component_type": menu["type"],
            "custom_id": menu["custom_id"],
            "id": menu["id"],
            "values": values if unchecked else _picked(menu, values, resolver),
        }
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        return self._invoke(InteractionKind.COMPONENT, place, data, message)

    async def submit_modal(
        self, invocation: Invocation, values: Mapping[str, Any], *, forged: list[Json] | None = None
    ) -> Invocation:
        """Fill in and send the modal opened by the bot; `values` are by custom_id.

        `forged` are components to send instead, as a hostile client could.
        """
        modal = await invocation.modal()
        opened_by = invocation.interaction
        if opened_by.user.id != self.user.id:
            raise ClientRefusal("the form was opened for somebody else")
        resolver = Resolver(self._world, self._cdn, opened_by.channel)
        components = filled_modal(modal, values, resolver) if forged is None else forged
        data: Json = {"custom_id": modal["custom_id"], "components": components}
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        return Invocation(
            self._begin(
                InteractionKind.MODAL,
                user=self.user,
                channel=opened_by.channel,
                data=data,
                message=opened_by.message,
                opened_by=opened_by,
            )
        )

    async def say(
        self,
        content: str,
        *uploads: Upload,
        channel: str | Channel = "general",
        pictures: Mapping[str, Upload] | None = None,
        reply_to: Message | None = None,
    ) -> Message:
        """Write a message.

        `pictures` are the images behind its links, by address: Discord embeds those. `reply_to` is the message that it
        replies to, in whose channel it is written; its author is notified.
        """
        if reply_to is not None:
            self._require_visible(reply_to)
            channel = self._world.channels[reply_to.channel_id]
        place = self._place(channel)
        if place.kind == FORUM_CHANNEL:
            raise ClientRefusal(f"#{place.name} takes posts only")
        check_writing(self._world, self.user, place, content, uploads)
        if reply_to is not None and (reply_to.ephemeral or reply_to.loading):
            raise ClientRefusal("this message cannot be replied to")
        files = {str(number): upload for number, upload in enumerate(uploads)}
        payload: Json = {"content": content}
        if pictures:
            payload["embeds"] = unfurled(self._world, self._cdn, pictures)
        message = self._messages.create(
            place,
            self.user.id,
            MessageForm(payload=payload, files=files),
            kind=0 if reply_to is None else REPLY,
            reference=None if reply_to is None else _reference(reply_to),
        )
        self._threads.reopen_for_message(place)
        return message

    async def create_post(
        self, title: str, content: str, *uploads: Upload, forum: str | Channel, tags: Sequence[str] = ()
    ) -> Channel:
        """Create a post of a forum with these tags, by name or id.

        Its first message has the id of the returned thread.
        """
        place = self._place(forum)
        if place.kind != FORUM_CHANNEL:
            raise ClientRefusal(f"#{place.name} is no forum")
        check_writing(self._world, self.user, place, content, uploads)
        files = {str(number): upload for number, upload in enumerate(uploads)}
        try:
            applied = [self._world.tag(place, each).id for each in tags]
        except KeyError as error:
            raise ClientRefusal(f"there is no tag {error.args[0]!r}") from None
        form = MessageForm(payload={"content": content}, files=files)
        with _as_refusal():
            body: Json = {"name": title.strip(), "applied_tags": applied}
            return self._threads.create_post(place, self.user, body, form)[0]

    async def react(self, message: Message, emoji: str) -> None:
        """Add a reaction to a message."""
        self._require_lasting(message)
        with _as_refusal():
            self._reactions.add(message, self.user, emoji)

    async def unreact(self, message: Message, emoji: str) -> None:
        """Take one's own reaction away from a message."""
        self._require_lasting(message)
        with _as_refusal():
            self._reactions.remove(message, self.user.id, emoji, by=self.user)

    async def pin(self, message: Message) -> None:
        """Pin a message."""
        self._require_lasting(message)
        with _as_refusal():
            self._pins.pin(message, self.user)

    async def unpin(self, message: Message) -> None:
        """Unpin a message."""
        self._require_lasting(message)
        with _as_refusal():
            self._pins.unpin(message, self.user)

    async def edit_thread(self, thread: Channel, **changes: Any) -> None:
        """Change a thread by fields of the API, such as `archived`."""
        self._place(thread)
        with _as_refusal():
            self._threads.edit(thread, self.user, changes)

    async def delete_thread(self, thread: Channel) -> None:
        """Delete a thread, or a forum's post."""
        self._place(thread)
        with _as_refusal():
            self._threads.delete(thread, self.user)

    async def forward(self, message: Message, *, channel: str | Channel = "general") -> Message:
        """Forward a message, with everything it shows, to a channel."""
        self._require_visible(message)
        place = self._place(channel)
        check_writing(self._world, self.user, place, "forwarded", ())
        if message.ephemeral or message.loading:
            raise ClientRefusal("this message cannot be forwarded")
        return self._messages.forward(message, place, self.user.id)

    def offered(self, channel: str | Channel = "general") -> list[Json]:
        """Return the commands and menus offered to this person in a channel."""
        place = self._place(channel)
        if place.guild_id and not self._world.may(self.user.id, place, Permission.USE_APPLICATION_COMMANDS):
            return []
        offered = []
        scopes = dict.fromkeys((place.guild_id, None))
        for command in (each for scope in scopes for each in self._commands.registered(scope)):
            with suppress(ClientRefusal):
                check_command_use(command, self.user, place, self._world)
                offered.append(command)
        return offered

    def sees(self, channel: str | Channel = "general") -> list[Message]:
        """Return this person's visible messages in a channel, oldest first."""
        place = self._place(channel)
        return [each for each in place.messages.values() if self._visible(each)]

    def _visible(self, message: Message) -> bool:
        return not message.deleted and message.visible_to in (None, self.user.id)

    def _require_lasting(self, message: Message) -> None:
        self._require_visible(message)
        if message.ephemeral or message.loading:
            raise ClientRefusal("this message takes no reactions and pins")

    def _require_visible(self, message: Message) -> None:
        place = self._world.channels.get(message.channel_id)
        if place is None:
            raise ClientRefusal("this channel is deleted")
        self._place(place)
        if not self._visible(message):
            raise ClientRefusal(f"{self.user.name} does not see this message")

    def _place(self, channel: str | Channel, *, unchecked: bool = False) -> Channel:
        place = channel if isinstance(channel, Channel) else self._world.channel(channel)
        if not unchecked and not self._world.may(self.user.id, place, Permission.VIEW_CHANNEL):
            raise ClientRefusal(f"{self.user.name} does not see #{place.name}")
        return place

    def _invoke(
        self, kind: InteractionKind, channel: Channel, data: Json, message: Message | None = None
    ) -> Invocation:
        return Invocation(self._begin(kind, user=self.user, channel=channel, data=data, message=message))

    def _command_data(
        self,
        name: str,
        channel: Channel,
        values: Mapping[str, Any],
        resolver: Resolver,
        *,
        unchecked: bool,
        focused: str | None = None,
    ) -> Json:
        first, *words = name.split()
        command = self._commands.find(first, CHAT_INPUT, channel.guild_id)
        if command is None:
            raise ClientRefusal(f"there is no command /{first}")
        if not unchecked:
            check_command_use(command, self.user, channel, self._world)
            if channel.guild_id and not self._world.may(self.user.id, channel, Permission.USE_APPLICATION_COMMANDS):
                raise ClientRefusal(f"{self.user.name} may not use commands in #{channel.name}")
        way, definitions = descend(command, words)
        if focused is not None:
            definitions = _typing_into(definitions, focused)
        options = fill_options(definitions, values, resolver, unchecked=unchecked, partial=focused is not None)
        for option in options:
            if option["name"] == focused:
                option["focused"] = True
        for step in reversed(way):
            options = [{"name": step["name"], "type": step["type"], "options": options}]
        data: Json = {"id": command["id"], "name": first, "type": CHAT_INPUT, "options": options}
        if resolver.resolved and focused is None:
            data["resolved"] = resolver.resolved
        return _with_guild(data, command)


@contextmanager
def _as_refusal() -> Iterator[None]:
    """Turn the API's refusal into the client's."""
    try:
        yield
    except ApiError as error:
        raise ClientRefusal(str(error.body["message"])) from None


def _reference(message: Message) -> Json:
    reference: Json = {"type": 0, "channel_id": message.channel_id, "message_id": message.id}
    return reference if message.guild_id is None else {**reference, "guild_id": message.guild_id}


def _with_guild(data: Json, command: Json) -> Json:
    return {**data, "guild_id": command["guild_id"]} if "guild_id" in command else data


def _typing_into(definitions: list[Json], focused: str) -> list[Json]:
    """Return the options, with the focused one accepting any text.

    The text of a focused option is unfinished, so its type is not checked.
    """
    option = next((each for each in definitions if each["name"] == focused), None)
    if option is None or not option.get("autocomplete"):
        raise ClientRefusal(f"option {focused!r} does not complete")
    return [{"name": focused, "type": 3} if each is option else each for each in definitions]


def _picked(menu: Json, values: list[str], resolver: Resolver) -> list[str]:
    picks = {
        Kind.USER_SELECT: resolver.user,
        Kind.ROLE_SELECT: resolver.role,
        Kind.CHANNEL_SELECT: resolver.channel,
        Kind.MENTIONABLE_SELECT: resolver.mentionable,
    }
    if menu["type"] != Kind.STRING_SELECT:
        try:
            picked = [picks[menu["type"]](value) for value in values]
        except KeyError as error:
            raise ClientRefusal(f"there is no {error.args[0]!r}") from None
        if menu["type"] == Kind.CHANNEL_SELECT:
            for each in picked:
                resolver.require_kind(each, menu.get("channel_types"), field=menu["custom_id"])
        return picked
    offered = {option["value"] for option in menu["options"]}
    if not offered.issuperset(values):
        raise ClientRefusal(f"the menu offers {sorted(offered)}")
    return values

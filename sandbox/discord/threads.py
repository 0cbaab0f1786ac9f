"""Threads, and posts of forums, by people and by the bot."""

from collections.abc import Callable, Sequence
from typing import Final

from sandbox.discord.encoding import Json
from sandbox.discord.entities import (
    FORUM_CHANNEL,
    HAS_THREAD,
    PINNED_POST,
    TEXT_CHANNEL,
    THREAD_NOTICE,
    Channel,
    Message,
    User,
)
from sandbox.discord.errors import (
    FORUM_WITHOUT_MESSAGES,
    MISSING_PERMISSIONS,
    TAG_REQUIRED,
    THREAD_ARCHIVED,
    THREAD_EXISTS,
    THREAD_LOCKED,
    TOO_MANY_PINNED_POSTS,
    UNKNOWN_TAG,
    WRONG_CHANNEL_TYPE,
    FormErrors,
    api_error,
)
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.payloads import channel_payload
from sandbox.discord.permissions import Permission, to_write
from sandbox.discord.state import World

MOST_TAGS: Final = 5
"""Tags of one post."""
LONGEST_NAME: Final = 100
ARCHIVE_MINUTES: Final = (60, 1440, 4320, 10080)

Announce = Callable[[str, Channel, Json], None]
"""Sends an event about a thread to the bot, if the bot sees it."""


class Threads:
    """Creates, changes and deletes threads; each change is announced.

    All methods raise `ApiError` with Discord's code.
    """

    def __init__(self, world: World, messages: MessageStore, announce: Announce) -> None:
        self._world = world
        self._messages = messages
        self._announce = announce

    def create_post(self, forum: Channel, author: User, body: Json, form: MessageForm) -> tuple[Channel, Message]:
        """Create a post of a forum; its first message has the thread's id."""
        self._require(author, forum, Permission.SEND_MESSAGES)
        if form.files:
            self._require(author, forum, Permission.ATTACH_FILES)
        _check_fields(body)
        thread = self._world.new_thread(forum, body["name"], owner_id=author.id)
        thread.archive_minutes = body.get("auto_archive_duration") or thread.archive_minutes
        thread.applied_tags = self._checked_tags(forum, author, body.get("applied_tags") or [])
        message = self._messages.draft(thread, author.id, form, id_=thread.id)
        self._open(thread)
        self._messages.add(thread, message)
        return thread, message

    def create_from_message(self, message: Message, author: User, body: Json) -> Channel:
        """Create a thread from a message; it has the message's id."""
        parent = self._world.channels[message.channel_id]
        self._require(author, parent, Permission.CREATE_PUBLIC_THREADS)
        _check_fields(body)
        if parent.guild_id is None or parent.parent_id is not None:
            raise api_error(WRONG_CHANNEL_TYPE)
        if message.id in self._world.channels:
            raise api_error(THREAD_EXISTS)
        thread = self._world.new_thread(parent, body["name"], id_=message.id, owner_id=author.id)
        thread.archive_minutes = body.get("auto_archive_duration") or thread.archive_minutes
        self._open(thread)
        message.flags |= HAS_THREAD
        self._messages.touch(message, "update")
        return thread

    def create_in(self, parent: Channel, author: User, body: Json) -> Channel:
        """Create a thread without a starter message in a text channel."""
        self._require(author, parent, Permission.CREATE_PUBLIC_THREADS)
        _check_fields(body)
        if parent.kind != TEXT_CHANNEL:
            raise api_error(WRONG_CHANNEL_TYPE)
        thread = self._world.new_thread(parent, body["name"], owner_id=author.id)
        thread.archive_minutes = body.get("auto_archive_duration") or thread.archive_minutes
        self._open(thread)
        reference: Json = {"type": 0, "guild_id": thread.guild_id, "channel_id": thread.id}
        notice = MessageForm(payload={"content": thread.name})
        self._messages.create(parent, author.id, notice, kind=THREAD_NOTICE, reference=reference)
        return thread

    def edit(self, thread: Channel, by: User, body: Json) -> None:
        """Change a thread: its name, tags and pin, archive, lock or reopen it.

        Its owner may do most of it. Reopening needs only the right to write there, unless moderators locked the thread.
        """
        self._check_edit(thread, by, body)
        if thread.archived and body.get("archived") is None:
            raise api_error(THREAD_ARCHIVED)
        form = FormErrors()
        if body.get("name") is not None:
            form.length(body["name"], ("name",), 1, LONGEST_NAME)
        _check_archive_minutes(body, form)
        form.raise_if_any()
        if body.get("applied_tags") is not None:
            forum = self._world.channels[thread.parent_id or ""]
            thread.applied_tags = self._checked_tags(forum, by, body["applied_tags"])
        if body.get("flags") is not None:
            self._set_flags(thread, body["flags"])
        thread.name = body.get("name") or thread.name
        thread.archive_minutes = body.get("auto_archive_duration") or thread.archive_minutes
        thread.locked = bool(thread.locked if body.get("locked") is None else body["locked"])
        archived = thread.archived if body.get("archived") is None else bool(body["archived"])
        if archived != thread.archived:
            thread.archived, thread.archived_at = archived, self._world.now()
        self.announce_change(thread)

    def delete(self, thread: Channel, by: User) -> None:
        """Delete a thread with its messages."""
        self._require(by, thread, Permission.MANAGE_THREADS)
        self.remove(thread)

    def remove(self, thread: Channel) -> None:
        """Delete a thread without asking for a right."""
        del self._world.channels[thread.id]
        parent = self._world.channels.get(thread.parent_id or "")
        starter = None if parent is None else parent.messages.get(thread.id)
        if starter is not None and not starter.deleted:
            starter.flags &= ~HAS_THREAD
            self._messages.touch(starter, "update")
        data = {"id": thread.id, "parent_id": thread.parent_id, "type": thread.kind}
        self._announce("THREAD_DELETE", thread, data)

    def check_post(self, channel: Channel, author: User) -> None:
        """Check the right to write a message into a channel.

        A forum takes posts only, and a locked thread only moderators' messages.
        """
        if channel.kind == FORUM_CHANNEL:
            raise api_error(FORUM_WITHOUT_MESSAGES)
        self._require(author, channel, to_write(channel))
        if channel.locked and not self._world.may(author.id, channel, Permission.MANAGE_THREADS):
            raise api_error(THREAD_LOCKED)

    def reopen_for_message(self, channel: Channel) -> None:
        """Reopen an archived thread, as a new message does."""
        if channel.archived:
            channel.archived, channel.archived_at = False, self._world.now()
            self.announce_change(channel)

    def announce_change(self, thread: Channel) -> None:
        """Send THREAD_UPDATE to the bot."""
        self._announce("THREAD_UPDATE", thread, channel_payload(thread, self._world))

    def _open(self, thread: Channel) -> None:
        self._world.channels[thread.id] = thread
        data = {**channel_payload(thread, self._world), "newly_created": True}
        self._announce("THREAD_CREATE", thread, data)

    def _check_edit(self, thread: Channel, by: User, body: Json) -> None:
        owns = by.id == (thread.owner_id or self._world.bot.id)
        reopens = {key for key, value in body.items() if value is not None} == {"archived"} and not body["archived"]
        moderated = thread.locked or body.get("locked") is not None or body.get("flags") is not None
        if moderated or not (owns or reopens):
            self._require(by, thread, Permission.MANAGE_THREADS)
        else:
            self._require(by, thread, Permission.SEND_MESSAGES_IN_THREADS)

    def _checked_tags(self, forum: Channel, author: User, wanted: Sequence[object]) -> list[str]:
        form = FormErrors()
        form.length(wanted, ("applied_tags",), 0, MOST_TAGS)
        form.raise_if_any()
        known = {tag.id: tag for tag in forum.tags}
        tags = list(dict.fromkeys(str(each) for each in wanted))
        if not known.keys() >= set(tags):
            raise api_error(UNKNOWN_TAG)
        if forum.tag_required and not tags:
            raise api_error(TAG_REQUIRED)
        if any(known[each].moderated for each in tags):
            self._require(author, forum, Permission.MANAGE_THREADS)
        return tags

    def _set_flags(self, thread: Channel, flags: int) -> None:
        pinned = [each for each in self._world.threads_of(self._world.channels[thread.parent_id or ""]) if each.flags]
        if flags & PINNED_POST and any(each is not thread for each in pinned):
            raise api_error(TOO_MANY_PINNED_POSTS)
        thread.flags = flags & PINNED_POST

    def _require(self, user: User, channel: Channel, needed: Permission) -> None:
        if not self._world.may(user.id, channel, needed):
            raise api_error(MISSING_PERMISSIONS)


def _check_fields(body: Json) -> None:
    form = FormErrors()
    if body.get("name") is None:
        form.required(("name",))
    else:
        form.length(body["name"], ("name",), 1, LONGEST_NAME)
    _check_archive_minutes(body, form)
    form.raise_if_any()


def _check_archive_minutes(body: Json, form: FormErrors) -> None:
    if body.get("auto_archive_duration") not in (None, *ARCHIVE_MINUTES):
        choices = ", ".join(str(each) for each in ARCHIVE_MINUTES)
        form.add(("auto_archive_duration",), "BASE_TYPE_CHOICES", f"Value must be one of ({choices}).")

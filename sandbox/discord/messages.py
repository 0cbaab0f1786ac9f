"""Creating, editing and deleting messages by the API's rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from sandbox.discord import limits
from sandbox.discord.cdn import Cdn
from sandbox.discord.components import completed, mapped_media, media_slots, walk
from sandbox.discord.encoding import Json
from sandbox.discord.entities import (
    COMPONENTS_V2,
    DEFAULT_UPLOAD_LIMIT,
    EPHEMERAL,
    HAS_SNAPSHOT,
    HAS_THREAD,
    LOADING,
    PIN_NOTICE,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    THREAD_NOTICE,
    Attachment,
    Channel,
    Message,
    Revision,
    Upload,
)
from sandbox.discord.errors import EMPTY_MESSAGE, ENTITY_TOO_LARGE, THREAD_ARCHIVED, FormErrors, api_error
from sandbox.discord.mentions import mentioned
from sandbox.discord.notifier import Notifier
from sandbox.discord.rendering import Renderer, file_id
from sandbox.discord.state import World

MessageEvent: TypeAlias = Literal["create", "update", "delete", "reaction"]
Publish: TypeAlias = Callable[[MessageEvent, Message], None]

NONCE_MEMORY = 300
"""Seconds for which an enforced nonce finds the message it made before."""

NOTICES = (PIN_NOTICE, THREAD_NOTICE)
"""Types of messages by Discord itself."""

_SETTABLE = EPHEMERAL | SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageForm:
    """A request to create or edit a message: JSON body, files by number."""

    payload: Json = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)
    upload_limit: int = DEFAULT_UPLOAD_LIMIT


class MessageStore:
    """All messages.

    Each change is checked, stored as a revision and published.
    """

    def __init__(self, world: World, cdn: Cdn, publish: Publish) -> None:
        self._world = world
        self._cdn = cdn
        self._publish = publish
        self._renderer = Renderer(world, cdn)

    def create(
        self,
        channel: Channel,
        author_id: str,
        form: MessageForm,
        *,
        kind: int = 0,
        visible_to: str | None = None,
        loading: bool = False,
        interaction_metadata: Json | None = None,
        reference: Json | None = None,
        snapshot: Message | None = None,
        webhook_id: str | None = None,
    ) -> Message:
        """Post a message, or return an earlier one with the same enforced nonce."""
        repeated = self._repeated(channel, author_id, form.payload)
        if repeated is not None:
            return repeated
        message = self.draft(
            channel,
            author_id,
            form,
            kind=kind,
            visible_to=visible_to,
            loading=loading,
            interaction_metadata=interaction_metadata,
            reference=reference,
            snapshot=snapshot,
            webhook_id=webhook_id,
        )
        self.add(channel, message)
        return message

    def draft(
        self,
        channel: Channel,
        author_id: str,
        form: MessageForm,
        *,
        id_: str | None = None,
        kind: int = 0,
        visible_to: str | None = None,
        loading: bool = False,
        interaction_metadata: Json | None = None,
        reference: Json | None = None,
        snapshot: Message | None = None,
        webhook_id: str | None = None,
    ) -> Message:
        """Return a checked message, not yet in its channel."""
        payload = form.payload
        flags = (payload.get("flags") or 0) & _SETTABLE
        flags = flags | EPHEMERAL if visible_to else flags & ~EPHEMERAL
        flags |= HAS_SNAPSHOT if snapshot is not None else 0
        message = Message(
            id=id_ or self._world.snowflakes.next(),
            channel_id=channel.id,
            guild_id=channel.guild_id,
            author_id=author_id,
            created_at=self._world.now(),
            kind=kind,
            flags=flags | LOADING if loading else flags,
            visible_to=visible_to,
            interaction_metadata=interaction_metadata,
            webhook_id=self._world.application.id if interaction_metadata else webhook_id,
            nonce=payload.get("nonce"),
            reference=reference,
            snapshot=snapshot,
        )
        self._apply(message, form)
        message.mentions = mentioned(self._world, message, payload.get("allowed_mentions"))
        if not loading and kind not in NOTICES:
            self._refuse_empty(message)
        return message

    def add(self, channel: Channel, message: Message) -> None:
        """Put a drafted message into its channel."""
        channel.messages[message.id] = message
        self._record(message, "create")

    def touch(self, message: Message, event: MessageEvent) -> None:
        """Publish a change without an edit: of reactions, pins, or a thread."""
        message.touches += 1
        message.revisions[-1] = replace(message.revisions[-1], payload=self.render(message))
        self._publish(event, message)
        message.changed.notify()

    def forward(self, message: Message, channel: Channel, author_id: str) -> Message:
        """Post a copy of another message's current content.

        Forwarding a forwarded message passes on its own copy.
        """
        source = message.snapshot or message
        reference: Json = {"type": 1, "channel_id": message.channel_id, "message_id": message.id}
        if message.guild_id is not None:
            reference["guild_id"] = message.guild_id
        copy = replace(source, flags=source.flags & ~EPHEMERAL, revisions=[], changed=Notifier())
        return self.create(channel, author_id, MessageForm(), reference=reference, snapshot=copy)

    def edit(self, message: Message, form: MessageForm) -> None:
        """Change the named fields and keep the rest.

        An archived thread is code 50083.
        """
        if self._world.channels[message.channel_id].archived:
            raise api_error(THREAD_ARCHIVED)
        wanted = form.payload.get("flags")
        draft = Message(
            id=message.id,
            channel_id=message.channel_id,
            guild_id=message.guild_id,
            author_id=message.author_id,
            created_at=message.created_at,
            content=message.content,
            embeds=message.embeds,
            components=message.components,
            attachments=message.attachments,
            flags=message.flags & ~LOADING,
        )
        if wanted is not None:
            # Being ephemeral and being V2 are for good; the rest follows the request.
            fixed = draft.flags & (EPHEMERAL | COMPONENTS_V2 | HAS_THREAD)
            draft.flags = fixed | wanted & _SETTABLE & ~EPHEMERAL
            if message.v2 and not wanted & COMPONENTS_V2:
                form_errors = FormErrors()
                form_errors.add(
                    ("flags",), "MESSAGE_FLAGS_V2_CANNOT_BE_REMOVED", "The IS_COMPONENTS_V2 flag cannot be removed"
                )
                form_errors.raise_if_any()
        self._apply(draft, form)
        self._refuse_empty(draft)
        for name in ("content", "embeds", "components", "attachments", "flags"):
            setattr(message, name, getattr(draft, name))
        message.edited_at = self._world.now()
        self._record(message, "update")

    def delete(self, message: Message) -> None:
        """Delete the message; its history remains readable."""
        message.deleted = True
        self._record(message, "delete")

    def render(self, message: Message) -> Json:
        """Return the message as the API shows it, its addresses freshly signed."""
        return self._renderer.render(message)

    def _apply(self, message: Message, form: MessageForm) -> None:
        payload = form.payload
        complaints = FormErrors()
        limits.check_message(payload, complaints, v2=message.v2)
        stays = (message.content and "content" not in payload) or (message.embeds and "embeds" not in payload)
        if message.v2 and stays:
            complaints.add(
                ("flags",),
                "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                "The message's content and embeds must be removed when using MessageFlags.IS_COMPONENTS_V2",
            )
        attachments = self._attachments(message, form, complaints)
        complaints.raise_if_any()
        if "content" in payload:
            message.content = payload["content"] or ""
        if "embeds" in payload:
            message.embeds = [{"type": "rich", **embed} for embed in payload["embeds"] or []]
        message.attachments = attachments
        if "components" in payload:
            components = payload["components"] or []
            names = {each.filename: each.id for each in attachments.values()}
            _check_references(components, names, complaints)
            complaints.raise_if_any()
            message.components = completed(mapped_media(components, lambda media: _tied(media, names, attachments)))
        lost = {
            media["attachment_id"]
            for _, component in walk(message.components)
            for _, media in media_slots(component)
            if "attachment_id" in media and media["attachment_id"] not in attachments
        }
        if lost:
            _refuse_reference(("attachments",), complaints)
            complaints.raise_if_any()

    def _attachments(self, message: Message, form: MessageForm, complaints: FormErrors) -> dict[str, Attachment]:
        listed = form.payload.get("attachments")
        if any(len(upload.data) > form.upload_limit for upload in form.files.values()):
            raise api_error(ENTITY_TOO_LARGE)
        named = {str(each.get("id")): each for each in listed or []}
        kept = message.attachments
        if "attachments" in form.payload:
            kept = {key: each for key, each in message.attachments.items() if key in named}
            for position, wanted in enumerate(named):
                if wanted not in kept and wanted not in form.files:
                    complaints.add(
                        ("attachments", position, "id"), "ATTACHMENT_NOT_FOUND", "The attachment was not found"
                    )
        for position, each in enumerate(named.values()):
            if each.get("description") is not None:
                complaints.length(each["description"], ("attachments", position, "description"), 0, 1024)
        if len(kept) + len(form.files) > limits.FILES:
            complaints.add(("attachments",), "BASE_TYPE_MAX_LENGTH", f"Must be {limits.FILES} or fewer in length.")
        attachments = {key: _described(each, named.get(key, {})) for key, each in kept.items()}
        for number, upload in sorted(form.files.items(), key=lambda item: int(item[0])):
            about = named.get(number, {})
            renamed = Upload(about.get("filename") or upload.filename, upload.data)
            stored = self._cdn.store(
                renamed,
                attachment_id=self._world.snowflakes.next(),
                channel_id=message.channel_id,
                folder="ephemeral-attachments" if message.ephemeral else "attachments",
                description=about.get("description"),
                marked_spoiler=bool(about.get("is_spoiler")),
            )
            attachments[stored.id] = stored
        return attachments

    def _repeated(self, channel: Channel, author_id: str, payload: Json) -> Message | None:
        nonce = payload.get("nonce")
        if nonce is None or not payload.get("enforce_nonce"):
            return None
        oldest = self._world.now() - NONCE_MEMORY
        for message in reversed(channel.messages.values()):
            if message.created_at < oldest:
                return None
            if message.author_id == author_id and message.nonce == nonce and not message.deleted:
                return message
        return None

    @staticmethod
    def _refuse_empty(message: Message) -> None:
        if not (message.content or message.embeds or message.components or message.attachments or message.snapshot):
            raise api_error(EMPTY_MESSAGE)

    def _record(self, message: Message, event: MessageEvent) -> None:
        payload = message.payload if event == "delete" else self.render(message)
        message.revisions.append(Revision(at=self._world.now(), payload=payload, deleted=event == "delete"))
        self._publish(event, message)
        message.changed.notify()


def _described(attachment: Attachment, wanted: Json) -> Attachment:
    """Return a kept attachment with the changes of its entry in the request."""
    changes: Json = {}
    if "description" in wanted:
        changes["description"] = wanted["description"]
    if wanted.get("is_spoiler") is not None:
        changes["marked_spoiler"] = bool(wanted["is_spoiler"])
    return replace(attachment, **changes) if changes else attachment


def _check_references(components: list[Json], names: Mapping[str, str], complaints: FormErrors) -> None:
    for path, component in walk(components):
        for here, media in media_slots(component, path):
            url = media["url"]
            if url.startswith("attachment://") and url.removeprefix("attachment://") not in names:
                _refuse_reference((*here, "url"), complaints)
            elif not url.startswith(("attachment://", "http://", "https://")):
                complaints.add((*here, "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https').")


def _refuse_reference(path: tuple[str | int, ...], complaints: FormErrors) -> None:
    complaints.add(
        path, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", "The referenced attachment was not found"
    )


def _tied(media: Json, names: Mapping[str, str], attachments: Mapping[str, Attachment]) -> Json:
    url: str = media["url"]
    if url.startswith("attachment://"):
        return {"attachment_id": names[url.removeprefix("attachment://")]}
    known = file_id(url)
    if known is not None and known in attachments:
        return {"attachment_id": known}
    return {"url": url}

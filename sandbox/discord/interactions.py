"""Interactions in the service: tokens, deadlines and allowed responses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from sandbox.discord.components import completed
from sandbox.discord.encoding import Json
from sandbox.discord.entities import (
    COMPONENTS_V2,
    EPHEMERAL,
    REPLY,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    Channel,
    Message,
    Upload,
    User,
)
from sandbox.discord.errors import (
    ALREADY_ACKNOWLEDGED,
    INVALID_WEBHOOK_TOKEN,
    TOO_MANY_FOLLOWUPS,
    UNKNOWN_CHANNEL,
    UNKNOWN_INTERACTION,
    UNKNOWN_MESSAGE,
    UNKNOWN_WEBHOOK,
    FormErrors,
    api_error,
)
from sandbox.discord.installations import Context, Install, context_of
from sandbox.discord.limits import CHOICES, check_modal
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.notifier import Notifier
from sandbox.discord.payloads import user_payload
from sandbox.discord.permissions import Permission
from sandbox.discord.state import ACKNOWLEDGE_WITHIN, World

TOKEN_LIFETIME = 900.0
"""Seconds for which the token answers."""

USER_INSTALL_FOLLOWUPS = 5
CHOICE_TEXT = 100


class InteractionKind(IntEnum):
    """The kind of a person's action."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class CallbackKind(IntEnum):
    """Kinds of a first answer."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


_ALLOWED: Mapping[InteractionKind, frozenset[CallbackKind]] = {
    InteractionKind.COMMAND: frozenset({CallbackKind.MESSAGE, CallbackKind.DEFERRED_MESSAGE, CallbackKind.MODAL}),
    InteractionKind.COMPONENT: frozenset(set(CallbackKind) - {CallbackKind.CHOICES}),
    InteractionKind.AUTOCOMPLETE: frozenset({CallbackKind.CHOICES}),
    InteractionKind.MODAL: frozenset(set(CallbackKind) - {CallbackKind.CHOICES, CallbackKind.MODAL}),
}
_COMMAND_ANSWER = 20


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One action of a person, and the bot's responses so far.

    Times are Unix seconds. `message` is the message of the used component, `original` the message behind `@original`.
    `opened_by` opened a submitted modal. `owners` are the installations in use, as the API names them.
    """

    id: str
    token: str
    kind: InteractionKind
    user: User
    channel: Channel
    data: Json
    created_at: float
    token_from: float
    upload_limit: int
    acknowledge_within: float = ACKNOWLEDGE_WITHIN
    owners: Json = field(default_factory=dict)
    message: Message | None = None
    opened_by: "Interaction | None" = None
    acknowledged_at: float | None = None
    callback: CallbackKind | None = None
    original: Message | None = None
    modal: Json | None = None
    choices: list[Json] | None = None
    followups: list[Message] = field(default_factory=list)
    changed: Notifier = field(default_factory=Notifier)


class InteractionStore:
    """All interactions, and the bot's responses to them."""

    def __init__(self, world: World, messages: MessageStore) -> None:
        self._world = world
        self._messages = messages
        self._by_id: dict[str, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}

    def add(self, interaction: Interaction) -> None:
        """Add an interaction and forget those with expired tokens."""
        oldest = self._world.now() - 2 * TOKEN_LIFETIME
        for each in list(self._by_id.values()):
            if each.created_at >= oldest:
                break
            del self._by_id[each.id]
            del self._by_token[each.token]
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction

    def find(self, interaction_id: str) -> Interaction | None:
        """Return an interaction; None after its removal."""
        return self._by_id.get(interaction_id)

    def expire_tokens(self) -> None:
        """Expire the tokens of all interactions so far."""
        for each in self._by_id.values():
            each.token_from -= TOKEN_LIFETIME

    def by_webhook(self, application_id: str, token: str) -> Interaction:
        """Return the acknowledged interaction of a token.

        Failures are codes 10003, 10015 and 50027.
        """
        if application_id != self._world.application.id:
            raise api_error(UNKNOWN_WEBHOOK)
        found = self._by_token.get(token)
        if found is not None and found.channel.id not in self._world.channels:
            raise api_error(UNKNOWN_CHANNEL)
        if found is None or self._world.now() - found.token_from >= TOKEN_LIFETIME:
            raise api_error(INVALID_WEBHOOK_TOKEN)
        if found.acknowledged_at is None:
            raise api_error(UNKNOWN_WEBHOOK)
        return found

    def message(self, interaction: Interaction, message_id: str) -> Message:
        """Return a message in reach of this interaction's token (code 10008).

        These are `@original`, its follow-ups, and the message of the used component.
        """
        pressed = interaction.message
        if message_id == "@original" or (interaction.original is not None and message_id == interaction.original.id):
            found = interaction.original
        elif pressed is not None and message_id == pressed.id:
            found = pressed
        else:
            found = next((each for each in interaction.followups if each.id == message_id), None)
        if found is None or found.deleted:
            raise api_error(UNKNOWN_MESSAGE)
        return found

    def acknowledge(self, interaction_id: str, token: str, body: Json, files: Mapping[str, Upload]) -> Json:
        """Accept the first response and return the callback response object.

        Failures are codes 10003, 10062 and 40060.
        """
        interaction = self._by_id.get(interaction_id)
        now = self._world.now()
        if interaction is None or interaction.token != token:
            raise api_error(UNKNOWN_INTERACTION)
        if interaction.acknowledged_at is not None:
            raise api_error(ALREADY_ACKNOWLEDGED)
        if now - interaction.created_at > interaction.acknowledge_within:
            raise api_error(UNKNOWN_INTERACTION)
        if interaction.channel.id not in self._world.channels:
            raise api_error(UNKNOWN_CHANNEL)
        callback = self._callback(interaction, body)
        data = body.get("data") or {}
        form = MessageForm(payload=data, files=files, upload_limit=interaction.upload_limit)
        match callback:
            case CallbackKind.MESSAGE:
                interaction.original = self._answer(interaction, form)
            case CallbackKind.DEFERRED_MESSAGE:
                interaction.original = self._defer(interaction, data)
            case CallbackKind.DEFERRED_UPDATE | CallbackKind.UPDATE:
                interaction.original = self._update(
                    interaction, form, deferred=callback is CallbackKind.DEFERRED_UPDATE
                )
            case CallbackKind.CHOICES:
                interaction.choices = self._checked_choices(data)
            case CallbackKind.MODAL:
                complaints = FormErrors()
                check_modal(data, complaints)
                complaints.raise_if_any()
                interaction.modal = {**data, "components": completed(data["components"])}
        interaction.acknowledged_at = now
        interaction.callback = callback
        interaction.changed.notify()
        return self._callback_response(interaction)

    def follow_up(self, interaction: Interaction, form: MessageForm) -> Message:
        """Post a follow-up.

        The first one after a deferral replaces the deferred response, like on Discord.
        """
        original = interaction.original
        if original is not None and original.loading and not original.deleted:
            self._messages.edit(original, form)
            interaction.changed.notify()
            return original
        if _user_installed_only(interaction) and len(interaction.followups) >= USER_INSTALL_FOLLOWUPS:
            raise api_error(TOO_MANY_FOLLOWUPS)
        message = self._answer(interaction, form)
        interaction.followups.append(message)
        interaction.changed.notify()
        return message

    def _hidden(self, interaction: Interaction, flags: int) -> bool:
        if flags & EPHEMERAL or interaction.channel.hides_answers:
            return True
        outside = _user_installed_only(interaction)
        return outside and not self._world.may(interaction.user.id, interaction.channel, Permission.USE_EXTERNAL_APPS)

    def _metadata(self, interaction: Interaction) -> Json:
        metadata: Json = {
            "id": interaction.id,
            "type": int(interaction.kind),
            "user": user_payload(interaction.user),
            "authorizing_integration_owners": interaction.owners,
        }
        if interaction.kind is InteractionKind.COMPONENT and interaction.message is not None:
            metadata["interacted_message_id"] = interaction.message.id
        if interaction.opened_by is not None:
            metadata["triggering_interaction_metadata"] = self._metadata(interaction.opened_by)
        return metadata

    def _answer(self, interaction: Interaction, form: MessageForm, *, loading: bool = False) -> Message:
        reference: Json | None = None
        if interaction.message is not None:
            reference = {
                "type": 0,
                "channel_id": interaction.channel.id,
                "message_id": interaction.message.id,
            }
        return self._messages.create(
            interaction.channel,
            self._world.bot.id,
            form,
            kind=_COMMAND_ANSWER if reference is None else REPLY,
            visible_to=interaction.user.id if self._hidden(interaction, form.payload.get("flags") or 0) else None,
            loading=loading,
            interaction_metadata=self._metadata(interaction),
            reference=reference,
        )

    def _defer(self, interaction: Interaction, data: Json) -> Message:
        # A deferred answer takes its ephemerality from here, and nothing else.
        flags = (data.get("flags") or 0) & EPHEMERAL
        return self._answer(interaction, MessageForm(payload={"flags": flags}), loading=True)

    def _update(self, interaction: Interaction, form: MessageForm, *, deferred: bool) -> Message:
        if interaction.message is None or interaction.message.deleted:
            raise api_error(UNKNOWN_MESSAGE)
        if not deferred:
            self._messages.edit(interaction.message, form)
        return interaction.message

    def _callback(self, interaction: Interaction, body: Json) -> CallbackKind:
        complaints = FormErrors()
        try:
            callback = CallbackKind(body.get("type", 0))
        except ValueError:
            complaints.add(("type",), "BASE_TYPE_CHOICES", "Value must be one of {4, 5, 6, 7, 8, 9, 10, 12}.")
            complaints.raise_if_any()
            raise
        updates = callback in (CallbackKind.DEFERRED_UPDATE, CallbackKind.UPDATE)
        if callback not in _ALLOWED[interaction.kind] or (updates and interaction.message is None):
            complaints.add(
                ("type",), "APPLICATION_COMMAND_INVALID_CALLBACK", "This kind of answer does not fit the interaction."
            )
        flags = (body.get("data") or {}).get("flags") or 0
        settable = EPHEMERAL | SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2
        if not isinstance(flags, int) or flags & ~settable:
            complaints.add(("data", "flags"), "INVALID_FLAGS", "These flags cannot be set here.")
        complaints.raise_if_any()
        return callback

    @staticmethod
    def _checked_choices(data: Json) -> list[Json]:
        complaints = FormErrors()
        choices = data.get("choices")
        if not isinstance(choices, list):
            complaints.required(("data", "choices"))
            complaints.raise_if_any()
            return []
        complaints.length(choices, ("data", "choices"), 0, CHOICES)
        for index, choice in enumerate(choices):
            here = ("data", "choices", index)
            complaints.length(choice.get("name"), (*here, "name"), 1, CHOICE_TEXT)
            if isinstance(choice.get("value"), str):
                complaints.length(choice["value"], (*here, "value"), 1, CHOICE_TEXT)
        complaints.raise_if_any()
        return choices

    def _callback_response(self, interaction: Interaction) -> Json:
        about: Json = {"id": interaction.id, "type": int(interaction.kind)}
        response: Json = {"interaction": about}
        original = interaction.original
        if original is not None:
            about["response_message_id"] = original.id
            about["response_message_loading"] = original.loading
            about["response_message_ephemeral"] = original.ephemeral
            # Deferrals name their message above; only a message that was really sent is a resource.
            if interaction.callback in (CallbackKind.MESSAGE, CallbackKind.UPDATE):
                response["resource"] = {
                    "type": int(interaction.callback or 0),
                    "message": self._messages.render(original),
                }
        return response


def _user_installed_only(interaction: Interaction) -> bool:
    """Return True if only a user installation made the action possible."""
    elsewhere = context_of(interaction.channel) is not Context.BOT_DM
    return elsewhere and str(int(Install.GUILD)) not in interaction.owners

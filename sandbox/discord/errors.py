"""Discord's JSON errors: codes, and the nested form of a rejected body."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from sandbox.discord.encoding import Json

Path: TypeAlias = tuple[str | int, ...]
"""Path of a fault in a body: field names and list positions."""

UNKNOWN_CHANNEL = 10003
UNKNOWN_GUILD = 10004
UNKNOWN_MEMBER = 10007
UNKNOWN_MESSAGE = 10008
UNKNOWN_ROLE = 10011
UNKNOWN_USER = 10013
UNKNOWN_EMOJI = 10014
UNKNOWN_WEBHOOK = 10015
UNKNOWN_SKU = 10027
UNKNOWN_ENTITLEMENT = 10029
UNKNOWN_INTERACTION = 10062
UNKNOWN_COMMAND = 10063
UNKNOWN_TAG = 10087
FOREIGN_APPLICATION = 20012
TOO_MANY_PINS = 30003
TOO_MANY_REACTIONS = 30010
TOO_MANY_COMMANDS = 30032
TOO_MANY_CREATES = 30034
TOO_MANY_PINNED_POSTS = 30047
ENTITY_TOO_LARGE = 40005
FORUM_WITHOUT_MESSAGES = 40058
ALREADY_ACKNOWLEDGED = 40060
TAG_REQUIRED = 40067
TOO_MANY_FOLLOWUPS = 40094
MISSING_ACCESS = 50001
FOREIGN_AUTHOR = 50005
EMPTY_MESSAGE = 50006
NO_DIRECT_MESSAGES = 50007
MISSING_PERMISSIONS = 50013
SYSTEM_MESSAGE = 50021
WRONG_CHANNEL_TYPE = 50024
INVALID_WEBHOOK_TOKEN = 50027
INVALID_FORM = 50035
THREAD_ARCHIVED = 50083
NO_MUTUAL_GUILDS = 50278
INVALID_JSON = 50109
ENTRY_POINT_MISSING = 50240
THREAD_EXISTS = 160004
THREAD_LOCKED = 160005

_KNOWN: Mapping[int, tuple[int, str]] = {
    UNKNOWN_CHANNEL: (404, "Unknown Channel"),
    UNKNOWN_GUILD: (404, "Unknown Guild"),
    UNKNOWN_MEMBER: (404, "Unknown Member"),
    UNKNOWN_MESSAGE: (404, "Unknown Message"),
    UNKNOWN_ROLE: (404, "Unknown Role"),
    UNKNOWN_USER: (404, "Unknown User"),
    UNKNOWN_EMOJI: (404, "Unknown Emoji"),
    UNKNOWN_WEBHOOK: (404, "Unknown Webhook"),
    UNKNOWN_SKU: (404, "Unknown SKU"),
    UNKNOWN_ENTITLEMENT: (404, "Unknown Entitlement"),
    FOREIGN_APPLICATION: (403, "You are not authorized to perform this action on this application"),
    UNKNOWN_INTERACTION: (404, "Unknown interaction"),
    UNKNOWN_COMMAND: (404, "Unknown application command"),
    UNKNOWN_TAG: (404, "Unknown Tag"),
    TOO_MANY_PINS: (400, "Maximum number of pins reached (250)"),
    TOO_MANY_REACTIONS: (400, "Maximum number of reactions reached (20)"),
    TOO_MANY_PINNED_POSTS: (400, "Maximum number of pinned threads in a forum channel has been reached (1)"),
    TOO_MANY_COMMANDS: (400, "Maximum number of application commands reached (100)"),
    TOO_MANY_CREATES: (400, "Max number of daily application command creates has been reached (200)"),
    ENTITY_TOO_LARGE: (413, "Request entity too large"),
    FORUM_WITHOUT_MESSAGES: (400, "Cannot send a message in a forum channel"),
    TAG_REQUIRED: (400, "A tag is required to create a forum post in this channel"),
    ALREADY_ACKNOWLEDGED: (400, "Interaction has already been acknowledged."),
    TOO_MANY_FOLLOWUPS: (
        400,
        "This interaction has reached the maximum number of follow-up messages that can be sent.",
    ),
    MISSING_ACCESS: (403, "Missing Access"),
    FOREIGN_AUTHOR: (403, "Cannot edit a message authored by another user"),
    EMPTY_MESSAGE: (400, "Cannot send an empty message"),
    NO_DIRECT_MESSAGES: (403, "Cannot send messages to this user"),
    MISSING_PERMISSIONS: (403, "Missing Permissions"),
    SYSTEM_MESSAGE: (403, "Cannot execute action on a system message"),
    WRONG_CHANNEL_TYPE: (400, "Cannot execute action on this channel type"),
    INVALID_WEBHOOK_TOKEN: (401, "Invalid Webhook Token"),
    INVALID_FORM: (400, "Invalid Form Body"),
    THREAD_ARCHIVED: (400, "Thread is archived"),
    NO_MUTUAL_GUILDS: (403, "Cannot send messages to this user due to having no mutual guilds"),
    INVALID_JSON: (400, "The request body contains invalid JSON."),
    ENTRY_POINT_MISSING: (400, "You cannot remove this app's Entry Point command in a bulk update operation."),
    THREAD_EXISTS: (400, "A thread has already been created for this message"),
    THREAD_LOCKED: (400, "Thread is locked"),
}


class ApiError(Exception):
    """A response other than success: HTTP status, headers and JSON body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def api_error(code: int, *, errors: Json | None = None) -> ApiError:
    """Return Discord's error for one of the codes above."""
    status, message = _KNOWN[code]
    body: Json = {"message": message, "code": code}
    if errors is not None:
        body["errors"] = errors
    return ApiError(status, body)


def plain_error(status: HTTPStatus) -> ApiError:
    """Return an error without a specific code, such as `401: Unauthorized`."""
    return ApiError(status, {"message": f"{status.value}: {status.phrase}", "code": 0})


class FormErrors:
    """Collects a body's mistakes, then raises them together (code 50035)."""

    def __init__(self) -> None:
        self._tree: Json = {}

    def add(self, path: Path, code: str, message: str) -> None:
        """Note one complaint about the value at `path`."""
        node = self._tree
        for step in path:
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def required(self, path: Path) -> None:
        """Add a missing field."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def length(self, value: object, path: Path, least: int, most: int) -> None:
        """Add a string or list with a length outside `least` to `most`."""
        if not isinstance(value, (str, list)):
            self.add(path, "BASE_TYPE_BAD_TYPE", "Could not interpret value.")
        elif not least <= len(value) <= most:
            if least == 0:
                self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
            else:
                self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")

    def raise_if_any(self) -> None:
        """Raise code 50035 with everything noted so far, if anything was."""
        if self._tree:
            raise api_error(INVALID_FORM, errors=self._tree)

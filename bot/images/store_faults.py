"""Faults of an object store, and their causes as named by its answers."""

import errno
import re
from enum import StrEnum
from typing import Final

_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")
_SERVER_ERROR: Final = re.compile(r"status code: 5\d\d")
_NETWORK: Final = ("error sending request", "kind: Connect", "kind: Timeout", "TimedOut", "kind: Body", "kind: Decode")
# Where machines of a cloud get credentials: it is asked if none are set.
_METADATA: Final = ("169.254.169.254", "metadata.google.internal", "fd00:ec2::254", "MissingAccount")
# A file of credentials that is missing or no such file, a key that is none, and a token that is refused.
_CREDENTIALS: Final = (
    "OpenCredentials",
    "DecodeCredentials",
    "CryptoProvider",
    "InvalidAccessKey",
    "source: TokenRequest",
)


class StoreProblem(StrEnum):
    """The cause of a fault of an object store."""

    NETWORK = "network"
    SERVER = "server"
    NO_BUCKET = "no_bucket"
    NO_CREDENTIALS = "no_credentials"
    CREDENTIALS = "credentials"
    DENIED = "denied"
    REGION = "region"
    CLOCK = "clock"
    OTHER = "other"


_PROBLEMS: Final = {
    "NoSuchBucket": StoreProblem.NO_BUCKET,
    "ContainerNotFound": StoreProblem.NO_BUCKET,
    "InvalidBucketName": StoreProblem.NO_BUCKET,
    "InvalidResourceName": StoreProblem.NO_BUCKET,
    "InvalidAccessKeyId": StoreProblem.CREDENTIALS,
    "SignatureDoesNotMatch": StoreProblem.CREDENTIALS,
    "InvalidToken": StoreProblem.CREDENTIALS,
    "ExpiredToken": StoreProblem.CREDENTIALS,
    "AuthenticationFailed": StoreProblem.CREDENTIALS,
    "InvalidAuthenticationInfo": StoreProblem.CREDENTIALS,
    "AccessDenied": StoreProblem.DENIED,
    "AuthorizationFailure": StoreProblem.DENIED,
    "AuthorizationPermissionMismatch": StoreProblem.DENIED,
    "AllAccessDisabled": StoreProblem.DENIED,
    "AuthorizationHeaderMalformed": StoreProblem.REGION,
    "PermanentRedirect": StoreProblem.REGION,
    "IllegalLocationConstraintException": StoreProblem.REGION,
    "RequestTimeTooSkewed": StoreProblem.CLOCK,
    "SlowDown": StoreProblem.SERVER,
}


class PictureStoreError(OSError):
    """The object store cannot be used.

    No text of its answer is kept: it may name a key.
    """

    def __init__(self, problem: StoreProblem) -> None:
        super().__init__(errno.EIO, f"the picture store failed ({problem})")
        self.problem = problem


def problem_of(error: Exception) -> StoreProblem:
    """Return the cause of an error of the library."""
    text = str(error)
    # Before the answer's own code: that of the metadata service says nothing about the store.
    if any(part in text for part in _METADATA):
        return StoreProblem.NO_CREDENTIALS
    code = _CODE.search(text)
    if code is not None and code[1] in _PROBLEMS:
        return _PROBLEMS[code[1]]
    if "301 Moved" in text or "without LOCATION" in text:
        return StoreProblem.REGION
    kind = type(error).__name__
    if kind == "UnauthenticatedError":
        return StoreProblem.CREDENTIALS
    if kind in ("PermissionDeniedError", "PermissionError"):
        return StoreProblem.DENIED
    if _SERVER_ERROR.search(text):
        return StoreProblem.SERVER
    if any(part in text for part in _NETWORK):
        return StoreProblem.NETWORK
    if any(part in text for part in _CREDENTIALS):
        return StoreProblem.CREDENTIALS
    return StoreProblem.OTHER

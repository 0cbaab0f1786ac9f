"""The bot's own key, and the keys derived from it.

It is SECRET_KEY, or else a random one that the first start puts into the data folder.
"""

import contextlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MIN_SECRET_KEY: Final = 32
"""Characters of a key at least."""

KEY_FILE: Final = "secret.key"
_REMEDY: Final = "Restore it, or set SECRET_KEY."


class SecretKeyError(Exception):
    """The key's file cannot be read or written; the message says why."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """The bot's key; each use has a key derived from it."""

    value: bytes = field(repr=False)

    @property
    def for_member_hashes(self) -> bytes:
        """Key of 32 bytes for the hashes of deleted members."""
        return self._derive("member-hashes")

    @property
    def for_encryption(self) -> bytes:
        """Key of 32 bytes for the encryption of stored secrets."""
        return self._derive("encryption")

    @property
    def name(self) -> str:
        """Short text by which keys are told apart; it reveals nothing of them."""
        return self._derive("name")[:4].hex()

    def _derive(self, label: str) -> bytes:
        # One block of HKDF-Expand (RFC 5869); the labels are permanent.
        return hmac.digest(self.value, f"atelier:{label}".encode() + b"\x01", "sha256")


def load_secret_key(configured: str | None, folder: Path) -> SecretKey:
    """Return the configured key, else the one in the folder.

    A missing one is created. Processes that do so at the same time get the same key.

    Raises:
        SecretKeyError: the file cannot be read or written, or is damaged.
    """
    if configured is not None:
        return SecretKey(configured.encode())
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _create(path)
        key = path.read_bytes().strip()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SecretKeyError(f"{path} cannot be read or written: {why}. {_REMEDY}") from None
    if len(key) < MIN_SECRET_KEY or not key.isascii():
        raise SecretKeyError(f"{path} is damaged: it has no key of {MIN_SECRET_KEY} characters. {_REMEDY}")
    return SecretKey(key)


def find_secret_key(configured: str | None, folder: Path) -> SecretKey | None:
    """Return the key like `load_secret_key`, but None for a missing one.

    Raises:
        SecretKeyError: the file cannot be read, or is damaged.
    """
    if configured is None and not (folder / KEY_FILE).exists():
        return None
    return load_secret_key(configured, folder)


def _create(path: Path) -> None:
    """Write a new key, unless another process was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)  # unlike a rename, never replaces a key
    finally:
        Path(name).unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

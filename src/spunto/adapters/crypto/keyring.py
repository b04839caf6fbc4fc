"""The server's keys: in a file of one base64 line each, the current one first, or in memory."""

import base64
import binascii
import fcntl
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from spunto.core.kernel.errors import Conflict, Invalid

KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Key:
    material: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """The first 8 bytes of the key's SHA-256, in hexadecimal."""
        return hashlib.sha256(self.material).hexdigest()[:16]


def new_key() -> Key:
    return Key(os.urandom(KEY_BYTES))


class Keyring(Protocol):
    def all(self) -> Sequence[Key]:
        """At least one; the first one is the current one. Raises Invalid `keyring_missing`, `keyring_unreadable`."""

    def add(self, key: Key) -> None:
        """Make it the current one; the others stay. Raises Conflict `keyring_changing`."""


class MemoryKeyring:
    """Keys that are gone with their process, as is what they wrap."""

    def __init__(self, *keys: Key) -> None:
        self._keys = keys or (new_key(),)

    def all(self) -> Sequence[Key]:
        return self._keys

    def add(self, key: Key) -> None:
        self._keys = (key, *self._keys)


class KeyringFile:
    """Read again whenever it has changed, so that a running server knows a new key before anything is wrapped by it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: tuple[Key, ...] = ()
        self._read_at: tuple[int, int, int] | None = None

    def all(self) -> Sequence[Key]:
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._read_at:
                self._keys, self._read_at = _parsed(self.path.read_text(encoding="ascii"), self.path), seen
        except (OSError, UnicodeDecodeError, Invalid) as error:
            # A file that is away or half written for a moment takes no key from a server that has it already.
            if not self._keys:
                raise error if isinstance(error, Invalid) else _missing(self.path, error) from error
        return self._keys

    def make(self) -> Key:
        """A new file with one key, readable by its owner alone. Raises Conflict `keyring_exists`."""
        key = new_key()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            _write(self.path, [key])
        except FileExistsError as error:
            raise Conflict(
                "keyring_exists", f"There is a keyring at {self.path} already; it was not touched."
            ) from error
        return key

    def add(self, key: Key) -> None:
        try:
            with self.path.open("rb") as locked:
                fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(locked.fileno()).st_ino != self.path.stat().st_ino:
                    raise BlockingIOError
                fresh = self.path.with_name(f"{self.path.name}.{key.id}")
                _write(fresh, [key, *self.all()])
                fresh.replace(self.path)
        except BlockingIOError as error:
            raise Conflict("keyring_changing", f"Somebody else changes {self.path} now; try again.") from error
        except OSError as error:
            raise _missing(self.path, error) from error


def _write(path: Path, keys: Sequence[Key]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.writelines(base64.b64encode(key.material) + b"\n" for key in keys)
        stream.flush()
        os.fsync(stream.fileno())


def _parsed(text: str, path: Path) -> tuple[Key, ...]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        keys = tuple(Key(base64.b64decode(line, validate=True)) for line in lines)
    except binascii.Error as error:
        raise _unreadable(path) from error
    if not keys or any(len(key.material) != KEY_BYTES for key in keys):
        raise _unreadable(path)
    return keys


def _missing(path: Path, error: Exception) -> Invalid:
    return Invalid("keyring_missing", f"The keyring {path} can't be read: {type(error).__name__}.")


def _unreadable(path: Path) -> Invalid:
    return Invalid(
        "keyring_unreadable", f"The keyring {path} must hold keys of {KEY_BYTES} bytes, one base64 line each."
    )

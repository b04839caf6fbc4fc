"""People's SSH public keys, read as strictly as the SSH gateway will."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from spunto.core.access.model import UserId
from spunto.core.kernel.errors import Invalid

SshKeyId = NewType("SshKeyId", str)

MAX_KEYS: Final = 50
MAX_LINE_CHARACTERS: Final = 8192
_LEAST_RSA_BITS: Final = 2048
_MOST_RSA_BITS: Final = 16384
_LINE: Final = re.compile(r"([a-z0-9@.-]+) +([A-Za-z0-9+/]+={0,2})(?: +(\S.*))?\Z")
_MAX_COMMENT_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    """`public_key` is type and base64, as in an authorized_keys file; `fingerprint` is what `ssh-keygen -l` shows."""

    id: SshKeyId
    user_id: UserId
    name: str
    type: str
    public_key: str
    fingerprint: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A line of an .pub file, understood."""

    type: str
    text: str
    fingerprint: str
    comment: str


def read_public_key(line: str) -> PublicKey:
    """Raises Invalid `ssh_key_invalid`, which never repeats what was given: it may be a private key."""
    found = _LINE.match(line.strip()) if len(line) <= MAX_LINE_CHARACTERS else None
    if found is None or not line.strip().isprintable():
        hint = "this is a private key, which belongs to nobody but you" if "PRIVATE KEY" in line else "see a .pub file"
        raise _invalid(f"It is one line, such as `ssh-ed25519 AAAA… comment`; {hint}.")
    kind, encoded, comment = found.groups()
    try:
        blob = base64.b64decode(encoded, validate=True)
        fields = _fields(blob)
    except (binascii.Error, ValueError) as error:
        raise _invalid("Its middle part is damaged; copy the whole line.") from error
    if kind not in _FAULTS:
        raise _invalid(f"Its type is none of {', '.join(sorted(_FAULTS))}.")
    fault = "Its parts do not fit together." if fields[:1] != [kind.encode()] else _FAULTS[kind](fields[1:])
    if fault is not None:
        raise _invalid(fault)
    digest = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode()
    text = f"{kind} {base64.b64encode(blob).decode()}"
    return PublicKey(
        type=kind, text=text, fingerprint=f"SHA256:{digest}", comment=(comment or "")[:_MAX_COMMENT_CHARACTERS]
    )


def _fields(blob: bytes) -> list[bytes]:
    """The length-prefixed strings of RFC 4251. Raises ValueError unless they fill the blob exactly."""
    fields = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("truncated")
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


def _ed25519(fields: list[bytes]) -> str | None:
    return None if [len(field) for field in fields] == [32] else "It is no Ed25519 key."


def _rsa(fields: list[bytes]) -> str | None:
    # Positive integers in the fewest bytes: the first bit is the sign.
    if len(fields) != 2 or any(not _is_positive(field) for field in fields):
        return "It is no RSA key."
    exponent, modulus = (int.from_bytes(field, "big") for field in fields)
    if exponent < 3 or exponent % 2 == 0 or modulus % 2 == 0:
        return "It is no RSA key."
    if not _LEAST_RSA_BITS <= modulus.bit_length() <= _MOST_RSA_BITS:
        return f"An RSA key has {_LEAST_RSA_BITS} to {_MOST_RSA_BITS} bits, not {modulus.bit_length()}."
    return None


def _is_positive(field: bytes) -> bool:
    return bool(field) and field[0] < 0x80 and (field[0] != 0 or (len(field) > 1 and field[1] >= 0x80))


def _ecdsa(curve: bytes, size: int) -> Callable[[list[bytes]], str | None]:
    def fault(fields: list[bytes]) -> str | None:
        fits = len(fields) == 2 and fields[0] == curve and len(fields[1]) == 1 + 2 * size and fields[1][0] == 4
        return None if fits else "It is no ECDSA key of that curve."

    return fault


def _on_token(inner: Callable[[list[bytes]], str | None]) -> Callable[[list[bytes]], str | None]:
    """Keys that live in a hardware token also name the application that they are for."""
    return lambda fields: inner(fields[:-1]) if fields and fields[-1] else "It names no application."


_FAULTS: Final[Mapping[str, Callable[[list[bytes]], str | None]]] = {
    "ssh-ed25519": _ed25519,
    "ssh-rsa": _rsa,
    "ecdsa-sha2-nistp256": _ecdsa(b"nistp256", 32),
    "ecdsa-sha2-nistp384": _ecdsa(b"nistp384", 48),
    "ecdsa-sha2-nistp521": _ecdsa(b"nistp521", 66),
    "sk-ssh-ed25519@openssh.com": _on_token(_ed25519),
    "sk-ecdsa-sha2-nistp256@openssh.com": _on_token(_ecdsa(b"nistp256", 32)),
}


def _invalid(why: str) -> Invalid:
    return Invalid("ssh_key_invalid", f"This is not a public SSH key that can be used. {why}")

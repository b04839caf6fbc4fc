"""The token with which a node's agent signs in, as both ends read it."""

import base64
import hashlib
import re
import secrets
import zlib

from spunto.core.kernel.secret import Secret

_TOKEN = re.compile(r"spn_([0-9a-hjkmnp-tv-z]{26})_([A-Za-z0-9_-]{43})([0-9a-f]{8})\Z")


def new_token(node_id: str) -> Secret:
    """`spn_<node's 26 characters>_<256 random bits><crc32>`; the checksum lets a typo be refused without a look-up."""
    body = f"spn_{node_id.partition('_')[2]}_{base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b'=').decode()}"
    return Secret(f"{body}{zlib.crc32(body.encode()):08x}")


def node_of_token(token: Secret) -> str | None:
    """The node that a well-formed token names; None for anything else. Says nothing of its being good."""
    match = _TOKEN.match(token.reveal())
    if match is None or f"{zlib.crc32(token.reveal()[:-8].encode()):08x}" != match[3]:
        return None
    return f"nod_{match[1]}"


def token_hash(token: Secret) -> bytes:
    return hashlib.sha256(token.reveal().encode()).digest()

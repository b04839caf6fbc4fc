"""The tokens with which a node's agent and an edge sign in, as both ends read them."""

import base64
import hashlib
import re
import secrets
import zlib
from typing import Final

from spunto.core.kernel.secret import Secret

NODE: Final = "spn"
EDGE: Final = "spe"
_TOKEN: Final = re.compile(r"(spn|spe)_([0-9a-hjkmnp-tv-z]{26})_([A-Za-z0-9_-]{43})([0-9a-f]{8})\Z")


def new_token(node_id: str) -> Secret:
    """`spn_<node's 26 characters>_<256 random bits><crc32>`; the checksum lets a typo be refused without a look-up."""
    return _new(NODE, node_id)


def new_edge_token(edge_id: str) -> Secret:
    """The same, with `spe_`."""
    return _new(EDGE, edge_id)


def node_of_token(token: Secret) -> str | None:
    """The node that a well-formed token names; None for anything else. Says nothing of its being good."""
    return _named(NODE, token, prefix="nod")


def edge_of_token(token: Secret) -> str | None:
    """The same for an edge's."""
    return _named(EDGE, token, prefix="edg")


def token_hash(token: Secret) -> bytes:
    return hashlib.sha256(token.reveal().encode()).digest()


def _new(kind: str, subject_id: str) -> Secret:
    random = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    body = f"{kind}_{subject_id.partition('_')[2]}_{random}"
    return Secret(f"{body}{zlib.crc32(body.encode()):08x}")


def _named(kind: str, token: Secret, *, prefix: str) -> str | None:
    match = _TOKEN.match(token.reveal())
    if match is None or match[1] != kind or f"{zlib.crc32(token.reveal()[:-8].encode()):08x}" != match[4]:
        return None
    return f"{prefix}_{match[2]}"

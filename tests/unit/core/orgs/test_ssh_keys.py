"""SSH public keys are read as strictly as they are used; private ones are never repeated."""

import base64
import hashlib
import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.errors import Invalid
from spunto.core.orgs.ssh_keys import read_public_key


def line_of(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def packed(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def a_line(kind: str, *fields: bytes) -> str:
    return f"{kind} {base64.b64encode(packed(kind.encode(), *fields)).decode()}"


ED25519 = line_of(ed25519.Ed25519PrivateKey.generate())
KEYS = {
    "ssh-ed25519": ED25519,
    "ssh-rsa": line_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ecdsa-sha2-nistp256": line_of(ec.generate_private_key(ec.SECP256R1())),
    "ecdsa-sha2-nistp384": line_of(ec.generate_private_key(ec.SECP384R1())),
    "ecdsa-sha2-nistp521": line_of(ec.generate_private_key(ec.SECP521R1())),
    "sk-ssh-ed25519@openssh.com": a_line("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_known_by_type_fingerprint_and_comment(kind: str) -> None:
    read = read_public_key(f"  {KEYS[kind]} ada@laptop of mine\n")

    blob = base64.b64decode(KEYS[kind].split()[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    assert (read.type, read.text, read.fingerprint, read.comment) == (
        kind,
        KEYS[kind],
        f"SHA256:{digest}",
        "ada@laptop of mine",
    )


SMALL_RSA = line_of(rsa.generate_private_key(public_exponent=65537, key_size=1024))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        f"{ED25519}\n{ED25519}",
        f'command="rm" {ED25519}',
        ED25519.replace("ssh-ed25519", "ssh-rsa", 1),
        f"{ED25519} \x1b[31m",
        SMALL_RSA,
        a_line("ssh-dss", b"\x01"),
        a_line("ssh-ed25519", bytes(31)),
        a_line("ssh-ed25519", bytes(32), b"more"),
        a_line("ssh-rsa", b"\x01\x00\x01", b"\x80" + bytes(255)),
        a_line("ssh-rsa", b"\x02", b"\x00" + b"\xff" * 256),
        a_line("ecdsa-sha2-nistp256", b"nistp384", b"\x04" + bytes(64)),
        a_line("ecdsa-sha2-nistp256", b"nistp256", b"\x02" + bytes(64)),
        a_line("sk-ssh-ed25519@openssh.com", bytes(32)),
        f"ssh-ed25519 {base64.b64encode(packed(b'ssh-ed25519', bytes(32)) + b'x').decode()}",
        f"{ED25519} {'x' * 9000}",
    ],
    ids=itertools.count(),
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_public_key(line)

    assert caught.value.code == "ssh_key_invalid"


def test_a_private_key_is_not_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        read_public_key("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkt\n-----END OPENSSH PRIVATE KEY-----")

    assert "private key" in caught.value.message
    assert "b3BlbnNzaC1rZXkt" not in caught.value.message


@given(st.binary(max_size=200))
def test_nothing_is_taken_that_another_reader_refuses(blob: bytes) -> None:
    line = f"ssh-ed25519 {base64.b64encode(packed(b'ssh-ed25519') + blob).decode()}"
    try:
        read = read_public_key(line)
    except Invalid:
        return

    load_ssh_public_key(read.text.encode())

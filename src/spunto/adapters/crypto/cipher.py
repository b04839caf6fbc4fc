"""Envelope encryption with AES-256-GCM: a random key a value, wrapped by a key of the ring."""

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from spunto.adapters.crypto.keyring import KEY_BYTES, Key, Keyring
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import Sealed

_NONCE_BYTES: Final = 12
# A key of the ring never encrypts by itself; each purpose has its own, derived under its name.
_WRAPPING: Final = b"spunto user secrets v1"
_OF_KEY: Final = b"key|"
_OF_VALUE: Final = b"value|"


class EnvelopeCipher:
    """A `Cipher` over a keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, value: Secret, *, bound_to: bytes) -> Sealed:
        own_key = os.urandom(KEY_BYTES)
        key = self._keyring.all()[0]
        return Sealed(
            key_id=key.id,
            wrapped_key=_encrypted(_wrapping_key(key), own_key, _OF_KEY + bound_to),
            ciphertext=_encrypted(own_key, value.reveal().encode(), _OF_VALUE + bound_to),
        )

    def open(self, sealed: Sealed, *, bound_to: bytes) -> Secret:
        own_key = self._unwrapped(sealed, bound_to=bound_to)
        return Secret(_decrypted(own_key, sealed.ciphertext, _OF_VALUE + bound_to).decode())

    def rewrap(self, sealed: Sealed, *, bound_to: bytes) -> Sealed:
        own_key = self._unwrapped(sealed, bound_to=bound_to)
        key = self._keyring.all()[0]
        wrapped_key = _encrypted(_wrapping_key(key), own_key, _OF_KEY + bound_to)
        return Sealed(key_id=key.id, wrapped_key=wrapped_key, ciphertext=sealed.ciphertext)

    def key_ids(self) -> Sequence[str]:
        return [key.id for key in self._keyring.all()]

    def _unwrapped(self, sealed: Sealed, *, bound_to: bytes) -> bytes:
        key = next((key for key in self._keyring.all() if key.id == sealed.key_id), None)
        if key is None:
            raise Unavailable("secret_key_missing", f"The keyring has no key {sealed.key_id}; put it back.")
        return _decrypted(_wrapping_key(key), sealed.wrapped_key, _OF_KEY + bound_to)


def _wrapping_key(key: Key) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_WRAPPING).derive(key.material)


def _encrypted(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to)


def _decrypted(key: bytes, encrypted: bytes, bound_to: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise Unavailable("secret_unreadable", "A stored secret was changed, or belongs elsewhere.") from error

"""A seal that all server processes with the same keyring make and know: HMAC-SHA256 by a key derived for this alone."""

import hashlib
import hmac

from spunto.adapters.crypto.keyring import Key, Keyring


class KeyringSeal:
    """Seals by the current key. Those of older keys are good, so that keys may be changed while processes talk."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sign(self, text: str) -> str:
        current = self._keyring.all()[0]
        return f"{current.id}.{_mac(current, text)}"

    def is_good(self, text: str, seal: str) -> bool:
        key_id, _, mac = seal.partition(".")
        return any(
            key.id == key_id and hmac.compare_digest(_mac(key, text).encode(), mac.encode())
            for key in self._keyring.all()
        )


def _mac(key: Key, text: str) -> str:
    derived = hmac.digest(key.material, b"spunto replica ticket", hashlib.sha256)
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()

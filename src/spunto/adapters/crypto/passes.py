"""The keys that passes of worker hosts are signed with, derived from the keyring's for this alone."""

import hashlib
import hmac
from collections.abc import Sequence

from spunto.adapters.crypto.keyring import Keyring


class KeyringPassKeys:
    """Passes by older keys of the ring are good still, so that keys may be changed while people are inside."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def all(self) -> Sequence[bytes]:
        return [
            hmac.digest(key.material, b"spunto passes of worker hosts", hashlib.sha256) for key in self._keyring.all()
        ]

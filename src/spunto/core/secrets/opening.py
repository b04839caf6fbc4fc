"""Values on the way into a worker: opened all together, or not at all."""

from collections.abc import Collection, Mapping

from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import MAX_OWNER_BYTES, StoredSecret
from spunto.core.secrets.ports import Cipher


def fit_together(secrets: Collection[StoredSecret]) -> bool:
    """Whether one worker can have them; two writers at the same time may have passed an owner's limit between them."""
    return sum(each.size_bytes for each in secrets) <= MAX_OWNER_BYTES


def opened(cipher: Cipher, chosen: Mapping[str, StoredSecret]) -> Mapping[str, Secret] | None:
    """The values by name; None where they can't all be read now, or do not fit together."""
    if not fit_together(chosen.values()):
        return None
    try:
        return {name: cipher.open(each.sealed, bound_to=each.bound_to) for name, each in chosen.items()}
    except Unavailable:
        return None

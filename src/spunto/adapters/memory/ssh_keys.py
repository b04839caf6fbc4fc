"""People's SSH keys in memory."""

from collections.abc import Sequence

from spunto.adapters.memory.rows import Draft
from spunto.core.access.model import UserId
from spunto.core.kernel.errors import Conflict, NotFound
from spunto.core.orgs.ssh_keys import SshKey, SshKeyId


class MemorySshKeys:
    def __init__(self, keys: Draft[SshKeyId, SshKey], names: Draft[tuple[str, ...], str]) -> None:
        self._keys = keys
        self._names = names

    async def add(self, key: SshKey) -> None:
        if self._names.get(_name_key(key)) is not None:
            raise Conflict("ssh_key_exists", "You have this SSH key already.")
        self._names.put(_name_key(key), key.id)
        self._keys.put(key.id, key)

    async def of_user(self, user_id: UserId) -> Sequence[SshKey]:
        own = (key for key in self._keys.values() if key.user_id == user_id)
        return sorted(own, key=lambda key: key.id, reverse=True)

    async def remove(self, user_id: UserId, key_id: SshKeyId) -> None:
        key = self._keys.get(key_id)
        if key is None or key.user_id != user_id:
            raise NotFound("ssh_key_not_found", f"There is no SSH key {key_id!r}.", id=key_id)
        self._names.drop(_name_key(key))
        self._keys.drop(key_id)


def _name_key(key: SshKey) -> tuple[str, ...]:
    return "ssh_key", key.user_id, key.fingerprint

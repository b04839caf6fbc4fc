"""Users' secrets and the canary in memory."""

from collections.abc import Collection, Sequence

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft
from spunto.adapters.memory.sealed import MemorySealedRows
from spunto.core.access.model import UserId
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.secrets.model import Sealed, SecretId, UserSecret


class MemorySecrets(MemorySealedRows[UserSecret]):
    def __init__(self, secrets: Draft[SecretId, UserSecret], names: Draft[tuple[str, ...], str]) -> None:
        super().__init__(secrets)
        self._secrets = secrets
        self._names = names

    async def add(self, secret: UserSecret) -> None:
        if self._names.get(_name_key(secret)) is not None:
            raise StaleVersion("secret", secret.id)
        self._names.put(_name_key(secret), secret.id)
        self._secrets.put(secret.id, secret)

    async def get(self, user_id: UserId, secret_id: SecretId) -> UserSecret:
        secret = self._secrets.get(secret_id)
        if secret is None or secret.user_id != user_id:
            raise NotFound("secret_not_found", f"There is no secret {secret_id!r}.", id=secret_id)
        return secret

    async def list(self, user_id: UserId, page: PageRequest) -> Page[UserSecret]:
        own = (secret for secret in self._secrets.values() if secret.user_id == user_id)
        return page_of(own, page, id_of=lambda secret: secret.id)

    async def of_users(self, user_ids: Collection[UserId]) -> Sequence[UserSecret]:
        theirs = (secret for secret in self._secrets.values() if secret.user_id in user_ids)
        return sorted(theirs, key=lambda secret: secret.id)

    async def update(self, secret: UserSecret) -> None:
        self._require(secret, version=secret.version - 1)
        self._secrets.put(secret.id, secret)

    async def remove(self, secret: UserSecret) -> None:
        self._require(secret, version=secret.version)
        self._names.drop(_name_key(secret))
        self._secrets.drop(secret.id)

    def _require(self, secret: UserSecret, *, version: int) -> None:
        before = self._secrets.get(secret.id)
        if before is None or before.version != version:
            raise StaleVersion("secret", secret.id)


class MemoryCanary:
    def __init__(self, canaries: Draft[str, Sealed]) -> None:
        self._canaries = canaries

    async def find(self) -> Sealed | None:
        return self._canaries.get(_CANARY)

    async def add(self, canary: Sealed) -> None:
        if self._canaries.get(_CANARY) is not None:
            raise StaleVersion("canary", _CANARY)
        self._canaries.put(_CANARY, canary)

    async def replace(self, before: Sealed, after: Sealed) -> None:
        if self._canaries.get(_CANARY) != before:
            raise StaleVersion("canary", _CANARY)
        self._canaries.put(_CANARY, after)


_CANARY = "keyring"


def _name_key(secret: UserSecret) -> tuple[str, ...]:
    return "secret", secret.user_id, secret.name

"""Secrets and the canary in memory."""

from collections.abc import Collection, Sequence

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.rows import Draft
from spunto.adapters.memory.sealed import MemorySealedRows
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.secrets.model import Consent, Sealed, SecretId, SecretOwner, StoredSecret


class MemorySecrets(MemorySealedRows[StoredSecret]):
    def __init__(self, secrets: Draft[SecretId, StoredSecret], names: Draft[tuple[str, ...], str]) -> None:
        super().__init__(secrets)
        self._secrets = secrets
        self._names = names

    async def add(self, secret: StoredSecret) -> None:
        if self._names.get(_name_key(secret)) is not None:
            raise StaleVersion("secret", secret.id)
        self._names.put(_name_key(secret), secret.id)
        self._secrets.put(secret.id, secret)

    async def get(self, owner_id: SecretOwner, secret_id: SecretId) -> StoredSecret:
        secret = self._secrets.get(secret_id)
        if secret is None or secret.owner_id != owner_id:
            raise NotFound("secret_not_found", f"There is no secret {secret_id!r}.", id=secret_id)
        return secret

    async def list(self, owner_id: SecretOwner, page: PageRequest) -> Page[StoredSecret]:
        own = (secret for secret in self._secrets.values() if secret.owner_id == owner_id)
        return page_of(own, page, id_of=lambda secret: secret.id)

    async def of_owners(self, owner_ids: Collection[SecretOwner]) -> Sequence[StoredSecret]:
        theirs = (secret for secret in self._secrets.values() if secret.owner_id in owner_ids)
        return sorted(theirs, key=lambda secret: secret.id)

    async def update(self, secret: StoredSecret) -> None:
        self._require(secret, version=secret.version - 1)
        self._secrets.put(secret.id, secret)

    async def let_into(self, secret: StoredSecret, consent: Consent) -> None:
        before = self._secrets.get(secret.id)
        if before is None or (before.version, before.consent) != (secret.version, secret.consent):
            raise StaleVersion("secret", secret.id)
        self._secrets.put(secret.id, before.entering(consent))

    async def remove(self, secret: StoredSecret) -> None:
        self._require(secret, version=secret.version)
        self._names.drop(_name_key(secret))
        self._secrets.drop(secret.id)

    def remove_of(self, org_id: SecretOwner) -> None:
        for secret in [each for each in self._secrets.values() if each.owner_id == org_id]:
            self._names.drop(_name_key(secret))
            self._secrets.drop(secret.id)

    def _require(self, secret: StoredSecret, *, version: int) -> None:
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


def _name_key(secret: StoredSecret) -> tuple[str, ...]:
    return "secret", secret.owner_id, secret.name

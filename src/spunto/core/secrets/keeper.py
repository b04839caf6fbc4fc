"""What users' and organizations' secrets have in common: within somebody else's transaction, of an owner."""

from collections.abc import Collection
from typing import Final

from spunto.core.access.model import OrgId
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Invalid
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import (
    MAX_OWNER_BYTES,
    MAX_OWNER_SECRETS,
    MAX_VALUE_BYTES,
    Consent,
    SecretId,
    SecretOwner,
    StoredSecret,
    bound_to,
)
from spunto.core.secrets.names import require_name
from spunto.core.secrets.ports import Cipher, SecretsTransaction

MAX_PROJECTS: Final = 200


class SecretKeeper:
    def __init__(self, *, cipher: Cipher, clock: Clock, ids: Ids) -> None:
        self._cipher = cipher
        self._clock = clock
        self._ids = ids

    async def put(
        self,
        tx: SecretsTransaction,
        owner_id: SecretOwner,
        *,
        name: str,
        value: Secret,
        consent: Consent | None,
        default: Consent,
    ) -> tuple[StoredSecret, bool]:
        """Make the secret, or replace its value; whether it was made. `consent` None leaves it as it is.

        Raises Invalid `secret_name_invalid`, `secret_name_reserved`, `secret_value_invalid`; Conflict `secrets_full`.
        """
        require_name(name)
        size_bytes = _size_bytes(value)
        own = await tx.secrets.of_owners([owner_id])
        known = next((secret for secret in own if secret.name == name), None)
        _require_room([secret for secret in own if secret is not known], size_bytes)
        if known is None:
            secret = self._made(owner_id, name, value, size_bytes, consent or default)
            await tx.secrets.add(secret)
            return secret, True
        secret = self._replaced(known, value, size_bytes).entering(consent or known.consent)
        await tx.secrets.update(secret)
        return secret, False

    async def let_into(
        self, tx: SecretsTransaction, owner_id: SecretOwner, secret_id: SecretId, consent: Consent
    ) -> StoredSecret:
        """Raises NotFound `secret_not_found`."""
        secret = await tx.secrets.get(owner_id, secret_id)
        await tx.secrets.let_into(secret, consent)
        return secret.entering(consent)

    def _made(self, owner_id: SecretOwner, name: str, value: Secret, size_bytes: int, consent: Consent) -> StoredSecret:
        secret_id = SecretId(self._ids.new("sec"))
        belongs_to = bound_to(owner_id=owner_id, secret_id=secret_id, name=name, version=1)
        now = self._clock.now()
        return StoredSecret(
            id=secret_id,
            owner_id=owner_id,
            name=name,
            sealed=self._cipher.seal(value, bound_to=belongs_to),
            size_bytes=size_bytes,
            consent=consent,
            created_at=now,
            updated_at=now,
        )

    def _replaced(self, known: StoredSecret, value: Secret, size_bytes: int) -> StoredSecret:
        belongs_to = bound_to(owner_id=known.owner_id, secret_id=known.id, name=known.name, version=known.version + 1)
        sealed = self._cipher.seal(value, bound_to=belongs_to)
        return known.replaced(sealed, size_bytes=size_bytes, at=self._clock.now())


async def require_projects(tx: SecretsTransaction, consent: Consent | None, *, org_ids: Collection[OrgId]) -> None:
    """Raises Invalid `invalid_request` for a project outside these organizations."""
    if consent is None or not consent.project_ids:
        return
    if len(consent.project_ids) > MAX_PROJECTS:
        raise Invalid("invalid_request", f"A secret names at most {MAX_PROJECTS} projects; take `all`.")
    there = await tx.known_projects.among(org_ids, list(consent.project_ids))
    unknown = sorted(consent.project_ids - there)
    if unknown:
        raise Invalid(
            "invalid_request",
            f"There is no project {unknown[0]!r} for you.",
            errors=[{"pointer": "/projects", "message": f"There is no project {each!r} for you"} for each in unknown],
        )


def _size_bytes(value: Secret) -> int:
    text = value.reveal()
    size_bytes = len(text.encode())
    if not text or size_bytes > MAX_VALUE_BYTES or "\0" in text:
        raise Invalid("secret_value_invalid", f"A value has 1 to {MAX_VALUE_BYTES} bytes, and no NUL.")
    return size_bytes


def _require_room(others: Collection[StoredSecret], size_bytes: int) -> None:
    if len(others) >= MAX_OWNER_SECRETS or sum(each.size_bytes for each in others) + size_bytes > MAX_OWNER_BYTES:
        raise Conflict(
            "secrets_full",
            f"There is room for {MAX_OWNER_SECRETS} secrets with {MAX_OWNER_BYTES} bytes together; delete some first.",
        )

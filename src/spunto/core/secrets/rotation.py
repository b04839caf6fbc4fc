"""The server's keys and what they wrap: the check at a start, and the move from one key to the next."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.secrets.model import Sealed
from spunto.core.secrets.ports import Cipher, SealedRows, SecretsTransaction

BATCH: Final = 500
_CANARY: Final = Secret("tweet")
_CANARY_PLACE: Final = b"-|-|canary|-|1"

_RowsOf: TypeAlias = Callable[[SecretsTransaction], SealedRows[Any]]


def _of_users(tx: SecretsTransaction) -> SealedRows[Any]:
    return tx.secrets


def _of_webhooks(tx: SecretsTransaction) -> SealedRows[Any]:
    return tx.webhook_secrets


_EVERYTHING: Final[Sequence[_RowsOf]] = (_of_users, _of_webhooks)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """One key, and how many secrets it wraps. `is_known`: it is in the keyring."""

    key_id: str
    secrets: int
    is_current: bool
    is_known: bool


class KeyRotation:
    """Safe beside any number of servers that read and write secrets meanwhile."""

    def __init__(self, uow: UnitOfWork[SecretsTransaction], *, cipher: Cipher) -> None:
        self._uow = uow
        self._cipher = cipher

    async def is_used(self) -> bool:
        """Whether anything was ever sealed here, so that only the same keys will do."""
        async with self._uow.reading() as tx:
            return await tx.canary.find() is not None

    @retried
    async def check(self) -> None:
        """Raises Invalid `keyring_mismatch` where the keys are not those of this database, or one is missing."""
        async with self._uow() as tx:
            canary = await tx.canary.find()
            if canary is None:
                await tx.canary.add(self._cipher.seal(_CANARY, bound_to=_CANARY_PLACE))
                await tx.commit()
            else:
                self._require_opens(canary)
            used = await _counts(tx)
        missing = sorted(used.keys() - set(self._cipher.key_ids()))
        if missing:
            raise Invalid(
                "keyring_mismatch",
                f"The keyring lacks the keys {', '.join(missing)}, which secrets are wrapped with; put them back.",
            )

    async def status(self) -> Sequence[KeyUse]:
        """The keyring's keys, the current one first, and then those that are missing in it."""
        async with self._uow.reading() as tx:
            counts = await _counts(tx)
        known = self._cipher.key_ids()
        return [_use_of(key_id, counts, known) for key_id in (*known, *sorted(counts.keys() - set(known)))]

    async def is_done(self) -> bool:
        """Whether everything is under the current key."""
        async with self._uow.reading() as tx:
            canary, used = await tx.canary.find(), await _counts(tx)
        keys = used.keys() if canary is None else {*used, canary.key_id}
        return keys <= {self._cipher.key_ids()[0]}

    async def rewrap_all(self) -> int:
        """Wrap everything by the current key, in batches; how many secrets were moved. May be broken off and repeated.

        Raises Unavailable `secret_key_missing`, `secret_unreadable` for what can't be moved, after all the rest was.
        """
        await self._rewrap_canary()
        moved, obstacle = 0, None
        while True:
            in_pass, obstacle = await self._pass()
            moved += in_pass
            # What was written meanwhile by a server that had not seen the new key yet is moved by another pass.
            if in_pass == 0:
                break
        if obstacle is not None:
            raise obstacle
        return moved

    async def _pass(self) -> tuple[int, Unavailable | None]:
        moved, obstacle = 0, None
        for rows_of in _EVERYTHING:
            after: str | None = ""
            while after is not None:
                in_batch, after, in_the_way = await self._batch(after, rows_of)
                moved += in_batch
                obstacle = obstacle or in_the_way
        return moved, obstacle

    @retried
    async def _batch(self, after: str, rows_of: _RowsOf = _of_users) -> tuple[int, str | None, Unavailable | None]:
        """One transaction; how many were moved, behind which id to go on (None at the end), and what did not open."""
        current = self._cipher.key_ids()[0]
        rewrapped, obstacle = [], None
        async with self._uow() as tx:
            found = await rows_of(tx).not_under(current, after=after, limit=BATCH)
            for secret in found:
                try:
                    rewrapped.append((secret, self._cipher.rewrap(secret.sealed, bound_to=secret.bound_to)))
                except Unavailable as error:
                    obstacle = error
            if rewrapped:
                await rows_of(tx).rewrap(rewrapped)
                await tx.commit()
        return len(rewrapped), found[-1].id if len(found) == BATCH else None, obstacle

    @retried
    async def _rewrap_canary(self) -> None:
        async with self._uow() as tx:
            canary = await tx.canary.find()
            if canary is None or canary.key_id == self._cipher.key_ids()[0]:
                return
            await tx.canary.replace(canary, self._cipher.rewrap(canary, bound_to=_CANARY_PLACE))
            await tx.commit()

    def _require_opens(self, canary: Sealed) -> None:
        try:
            self._cipher.open(canary, bound_to=_CANARY_PLACE)
        except Unavailable as error:
            raise Invalid(
                "keyring_mismatch", f"The keyring does not belong to this database: it needs the key {canary.key_id}."
            ) from error


async def _counts(tx: SecretsTransaction) -> Mapping[str, int]:
    counted: Counter[str] = Counter()
    for rows_of in _EVERYTHING:
        counted.update(await rows_of(tx).count_by_key())
    return counted


def _use_of(key_id: str, counts: Mapping[str, int], known: Sequence[str]) -> KeyUse:
    return KeyUse(key_id=key_id, secrets=counts.get(key_id, 0), is_current=key_id == known[0], is_known=key_id in known)

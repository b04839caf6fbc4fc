"""The values of an owner's secrets, as they would go into a worker."""

from collections.abc import Collection, Mapping
from typing import Any

from spunto.core.kernel.uow import UnitOfWork
from spunto.core.secrets.model import SecretOwner
from spunto.core.secrets.opening import opened
from spunto.core.secrets.ports import Cipher


async def values_of(
    uow: UnitOfWork[Any], cipher: Cipher, owner_id: SecretOwner, names: Collection[str]
) -> Mapping[str, str] | None:
    """None where they can't all be had."""
    async with uow.reading() as tx:
        there = await tx.secrets.of_owners([owner_id])
    found = opened(cipher, {each.name: each for each in there if each.name in names})
    return None if found is None else {name: value.reveal() for name, value in found.items()}

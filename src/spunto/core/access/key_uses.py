"""Writes down when keys were last used, out of the way of the requests that use them."""

from datetime import datetime
from typing import Final

from spunto.core.access.model import ApiKeyId
from spunto.core.access.ports import AccessTransaction
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.kernel.wakeups import Wakeup

RETRY_SECONDS: Final = 60.0
# What does not find room is noted at one of the key's next uses.
MOST_NOTED: Final = 10_000


class KeyUses:
    """`note` costs nothing; `run` belongs to a task of the process."""

    def __init__(self, uow: UnitOfWork[AccessTransaction], *, clock: Clock) -> None:
        self._uow = uow
        self._noted: dict[ApiKeyId, datetime] = {}
        self._wakeup = Wakeup(clock)

    def note(self, key_id: ApiKeyId, *, at: datetime) -> None:
        if key_id in self._noted or len(self._noted) < MOST_NOTED:
            self._noted[key_id] = at
            self._wakeup.hint()

    async def run(self) -> None:
        """Write until cancelled. What the database refuses now is tried again later."""
        while True:
            await self._wakeup.wait(max_seconds=RETRY_SECONDS if self._noted else None)
            noted, self._noted = self._noted, {}
            try:
                await self._write(noted)
            except (Conflict, Unavailable):
                self._noted = {**noted, **self._noted}

    async def _write(self, noted: dict[ApiKeyId, datetime]) -> None:
        if not noted:
            return
        async with self._uow() as tx:
            # In one order, so that no two servers wait for each other.
            for key_id, at in sorted(noted.items()):
                await tx.api_keys.mark_used(key_id, at=at)
            await tx.commit()

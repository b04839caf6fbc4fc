"""Whether somebody who came in while everybody might may stay when not everybody may any more."""

import asyncio
from collections.abc import Awaitable, Callable

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.edge.grants import PATIENCE_SECONDS, Grant, Grants


class Staying:
    """Of one request. `find` asks the server for whoever asked, as the route stands now; nobody is asked before."""

    def __init__(self, find: Callable[[], Awaitable[Grant]], *, grants: Grants) -> None:
        self._find = find
        self._grants = grants
        self._asking: asyncio.Task[Grant | None] | None = None

    def forget(self) -> None:
        """Everybody may."""
        self._asking = None

    def may(self) -> bool:
        """Also while the server is asked, which takes two seconds at most."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._found(), name="edge staying")
        if not self._asking.done():
            return True
        grant = self._asking.result()
        return grant is not None and self._grants.holds(grant)

    async def _found(self) -> Grant | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._find()
        except (SpuntoError, TimeoutError):
            return None

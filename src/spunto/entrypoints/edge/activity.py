"""Which subjects were used, told to the server now and then."""

from collections.abc import Mapping
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.routes.asking import Active, Activity, Done, Source
from spunto.core.routes.fields import MAX_ITEMS
from spunto.entrypoints.edge.server_link import ServerLink

TELL_SECONDS: Final = 20.0
"""Of one subject no oftener than this."""
_LOOK_SECONDS: Final = 2.0


class ActivityLog:
    """`run` is one of the edge's loops."""

    def __init__(self, link: ServerLink, *, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._noted: dict[str, Source] = {}
        self._told_at: dict[str, float] = {}

    def note(self, subject_id: str, source: Source) -> None:
        self._noted[subject_id] = source

    async def run(self) -> None:
        """Tell until cancelled; what can't be told now is told later."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            now = self._clock.monotonic()
            self._told_at = {each: at for each, at in self._told_at.items() if now - at < TELL_SECONDS}
            due = {each: source for each, source in self._noted.items() if each not in self._told_at}
            if due and await self._tell(due):
                for subject_id in due:
                    self._told_at[subject_id] = now
                    self._noted.pop(subject_id, None)

    async def _tell(self, due: Mapping[str, Source]) -> bool:
        items = [Activity(subject_id=subject_id, source=source) for subject_id, source in due.items()]
        try:
            for begin in range(0, len(items), MAX_ITEMS):
                await self._link.ask(Active(items=tuple(items[begin : begin + MAX_ITEMS])), Done)
        except Unavailable:
            return False
        return True

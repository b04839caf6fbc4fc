"""Whether what was started goes on running: an engine says `running` of a container that is about to end."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping

import orjson

from spunto.core.executor.runtime import Container, ContainerRuntime, ContainerSpec, ContainerState
from spunto.core.kernel.clock import Clock
from spunto.core.specs.names import ID_LABEL

MAX_KNOWN = 1024
_SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.25)
"""Of the time that is waited, between the looks: most that end do so within moments."""

_Make = tuple[object, ...]


class Lasting:
    """Looks at what was started until it is sure.

    What has once lasted on this node is believed at the first look: waiting would double the time of a spawn. Who is
    like whom is told by what decides how a container's first process fares: image, variables, command and limits.
    Of the variables, some of which are secrets, only a digest is kept, which nobody without its key can try values on.
    """

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, seconds: float) -> None:
        self._runtime = runtime
        self._clock = clock
        self._seconds = seconds
        self._key = secrets.token_bytes(32)
        self._makes: dict[str, _Make] = {}
        self._lasted: OrderedDict[_Make, None] = OrderedDict()

    def made(self, spec: ContainerSpec, container: Container) -> None:
        """How the container was made, for when it is started."""
        own_id = spec.labels.get(ID_LABEL, spec.name).rpartition("_")[2]
        env = self._digest({name: value for name, value in spec.env.items() if own_id not in value})
        limits = (spec.cpu_millis, spec.memory_bytes, spec.pids)
        self._makes[spec.name] = (container.image_id, env, tuple(spec.command), spec.user, *limits)

    def _digest(self, env: Mapping[str, str]) -> bytes:
        return hashlib.blake2b(orjson.dumps(env, option=orjson.OPT_SORT_KEYS), key=self._key).digest()

    def removed(self, name: str) -> None:
        self._makes.pop(name, None)

    async def after_start(self, name: str) -> Container | None:
        """The container as it is once it has lasted, or as it ended; None where somebody removed it meanwhile."""
        found = await self._runtime.find_container(name)
        make = self._makes.get(name)
        if make is not None and make in self._lasted:
            self._lasted.move_to_end(make)
            return found
        for share in _SHARES if self._seconds else ():
            if not _runs(found):
                return found
            await self._clock.sleep(share * self._seconds)
            found = await self._runtime.find_container(name)
        if make is not None and _runs(found):
            self._lasted[make] = None
            if len(self._lasted) > MAX_KNOWN:
                self._lasted.popitem(last=False)
        return found


def _runs(container: Container | None) -> bool:
    return container is not None and container.state is ContainerState.RUNNING

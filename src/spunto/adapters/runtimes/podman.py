"""`ContainerRuntime` on Podman: podman-py in worker threads, and the compatible socket for what it lacks."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from podman import PodmanClient
from podman.api.uds import UDSAdapter, UDSConnection, UDSConnectionPool, UDSSocket
from podman.errors import APIError

from spunto.adapters.runtimes import exec_state, host_limits, translate
from spunto.adapters.runtimes.docker import DEFAULT_TIMEOUTS
from spunto.adapters.runtimes.engine_runtime import EngineRuntime
from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal, Timeouts, bounded
from spunto.core.executor.runtime import Container, ContainerSpec, EngineInfo, EngineUnavailable, Network, Volume

MAX_THREADS = 8
T = TypeVar("T")


class PodmanRuntime(EngineRuntime):
    """Podman's primitives. Needs Podman 4.3 or later.

    A cancelled call is not waited for: its thread ends by itself at the call's time limit at the latest, and what it
    makes carries its labels.
    """

    kind = "podman"
    exec_state = exec_state.PODMAN
    _counts_frames = False

    def __init__(self, socket: EngineSocket, timeouts: Timeouts, client: PodmanClient) -> None:
        super().__init__(socket, timeouts)
        self._client = client
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="podman")

    @classmethod
    async def connect(cls, url: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> "PodmanRuntime":
        """Raises EngineUnavailable."""
        socket = await EngineSocket.open(url, timeouts)
        client = PodmanClient(base_url=url, timeout=timeouts.start_seconds, max_pool_size=MAX_THREADS)
        adapter = client.api.get_adapter("http://")
        if isinstance(adapter, UDSAdapter) and adapter.poolmanager is not None:
            adapter.poolmanager.pool_classes_by_scheme = {"http": _ConnectionPool}
        return cls(socket, timeouts, client)

    async def info(self) -> EngineInfo:
        return self._with_reach(translate.podman_info(await self._call(self._client.info)))

    async def has_image(self, image: str) -> bool:
        return bool(await self._call(lambda: self._client.images.exists(image)))

    async def list_networks(self) -> list[Network]:
        listed = await self._call(self._client.networks.list)
        return [network for entry in listed if (network := translate.podman_listed_network(entry.attrs))]

    async def list_volumes(self, *, label: str) -> list[Volume]:
        listed = await self._call(self._client.volumes.list)
        volumes = (translate.volume(entry.attrs) for entry in listed)
        return [volume for volume in volumes if translate.carries(volume.labels, label)]

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()  # type: ignore[no-untyped-call]  # podman-py has no types
        await super().aclose()

    async def _create_network(self, network: Network) -> None:
        await self._start_call(lambda: self._client.networks.create(**translate.podman_network(network)))

    async def _connect_network(self, name: str, network: str) -> None:
        # podman-py's own connect asks the engine for the network first, which tells nothing more.
        path = f"/networks/{network}/connect"
        await self._start_call(lambda: self._post(path, data=json.dumps({"container": name})))

    async def _networks_of(self, name: str) -> frozenset[str]:
        found = await self._call(lambda: self._client.containers.get(name))
        return translate.networks_of(found.attrs)

    async def _remove_network(self, name: str) -> None:
        await self._start_call(lambda: self._client.networks.remove(name))

    async def _remove_volume(self, name: str) -> None:
        await self._start_call(lambda: self._client.volumes.remove(name))

    async def _create_container(self, spec: ContainerSpec) -> None:
        nofile, nproc = host_limits.open_files(), host_limits.processes()
        arguments = translate.podman_container(spec, nofile=nofile, nproc=nproc)

        def create() -> None:
            # Podman would make a missing volume by itself, but without labels.
            for mount in spec.mounts:
                if not self._client.volumes.exists(mount.volume):
                    self._client.volumes.create(mount.volume, labels=dict(spec.labels))
            self._client.containers.create(**arguments)

        await self._start_call(create)

    async def _start_container(self, name: str) -> None:
        await self._start_call(lambda: self._post(f"/containers/{name}/start"))

    async def _stop_container(self, name: str, *, grace_seconds: int) -> None:
        # podman-py's own stop gives up after one and a half times the grace, however long the engine takes to kill.
        limit = grace_seconds + self._timeouts.start_seconds
        path = f"/containers/{name}/stop"
        await self._call(lambda: self._post(path, params={"timeout": grace_seconds}, timeout=limit), seconds=limit)

    async def _rename_container(self, name: str, new_name: str) -> None:
        path = f"/containers/{name}/rename"
        await self._start_call(lambda: self._post(path, params={"name": new_name}))

    async def _remove_container(self, name: str) -> None:
        def remove() -> None:
            # podman-py's own remove can't say the timeout, and without it a running container gets ten seconds.
            parameters = {"force": True, "v": True, "timeout": 0}
            self._client.api.delete(f"/containers/{name}", params=parameters).raise_for_status()

        await self._start_call(remove)

    async def _inspect_container(self, name: str) -> Container:
        found = await self._call(lambda: self._client.containers.get(name))
        return translate.container(found.attrs)

    async def _container_ids(self, *, label: str) -> list[str]:
        # Podman 4.3 finds nothing by a label's key alone.
        listed = await self._call(lambda: self._client.containers.list(all=True))
        return [container.id for container in listed if translate.carries(container.labels, label)]

    def _log_time(self, moment: datetime) -> str:
        return moment.isoformat()

    def _post(self, path: str, **arguments: Any) -> None:
        self._client.api.post(path, **arguments).raise_for_status()

    async def _start_call(self, call: Callable[[], T]) -> T:
        return await self._call(call, seconds=self._timeouts.start_seconds)

    async def _call(self, call: Callable[[], T], *, seconds: float | None = None) -> T:
        loop = asyncio.get_running_loop()
        async with bounded(seconds or self._timeouts.call_seconds):
            return await loop.run_in_executor(self._threads, _answered, call)


class _Connection(UDSConnection):
    """podman-py would forget, open, a socket that can't connect; what stands in `sock` gets closed."""

    def connect(self) -> None:
        self.sock = UDSSocket(self.uds)
        self.sock.settimeout(self.timeout)
        self.sock.connect()  # type: ignore[no-untyped-call]  # podman-py has no types


class _ConnectionPool(UDSConnectionPool):
    ConnectionCls = _Connection


def _answered(call: Callable[[], T]) -> T:
    try:
        return call()
    except APIError as error:
        if error.response is None:
            raise EngineUnavailable(str(error)) from error
        raise Refusal(error.response.status_code, error.explanation or str(error)) from error

"""`ContainerRuntime` on the Docker Engine, through aiodocker."""

from datetime import datetime

import aiodocker

from spunto.adapters.runtimes import exec_state, host_limits, translate
from spunto.adapters.runtimes.engine_runtime import EngineRuntime
from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal, Timeouts, bounded
from spunto.core.executor.runtime import Container, ContainerSpec, EngineInfo, Network, Volume

DEFAULT_TIMEOUTS = Timeouts()


class DockerRuntime(EngineRuntime):
    """Docker's primitives. Needs API 1.41 (Docker 20.10) or later."""

    kind = "docker"
    exec_state = exec_state.DOCKER

    @classmethod
    async def connect(cls, url: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> "DockerRuntime":
        """Raises EngineUnavailable."""
        return cls(await EngineSocket.open(url, timeouts), timeouts)

    async def info(self) -> EngineInfo:
        async with bounded(self._timeouts.call_seconds):
            return self._with_reach(translate.docker_info(await self._docker.system.info()))

    async def has_image(self, image: str) -> bool:
        try:
            async with bounded(self._timeouts.call_seconds):
                await self._docker.images.inspect(image)
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            return False
        return True

    async def list_networks(self) -> list[Network]:
        async with bounded(self._timeouts.call_seconds):
            listed = await self._docker.networks.list()
        return [network for entry in listed if (network := translate.docker_listed_network(entry))]

    async def list_volumes(self, *, label: str) -> list[Volume]:
        async with bounded(self._timeouts.call_seconds):
            listed = await self._docker.volumes.list(filters={"label": [label]})  # type: ignore[no-untyped-call]  # aiodocker's has no types
        return [translate.volume(entry) for entry in listed["Volumes"] or ()]

    async def _create_network(self, network: Network) -> None:
        async with bounded(self._timeouts.start_seconds):
            await self._docker.networks.create(translate.docker_network(network))

    async def _connect_network(self, name: str, network: str) -> None:
        path = f"networks/{network}/connect"
        await self._socket.call("POST", path, body={"Container": name}, seconds=self._timeouts.start_seconds)

    async def _networks_of(self, name: str) -> frozenset[str]:
        async with bounded(self._timeouts.call_seconds):
            return translate.networks_of(await self._docker.containers.container(name).show())

    async def _remove_network(self, name: str) -> None:
        await self._socket.call("DELETE", f"networks/{name}", seconds=self._timeouts.start_seconds)

    async def _remove_volume(self, name: str) -> None:
        await self._socket.call("DELETE", f"volumes/{name}", seconds=self._timeouts.start_seconds)

    async def _create_container(self, spec: ContainerSpec) -> None:
        body = translate.docker_container(spec, nofile=host_limits.open_files())
        async with bounded(self._timeouts.start_seconds):
            await self._docker.containers.create(body, name=spec.name)

    async def _start_container(self, name: str) -> None:
        async with bounded(self._timeouts.start_seconds):
            await self._docker.containers.container(name).start()

    async def _stop_container(self, name: str, *, grace_seconds: int) -> None:
        async with bounded(grace_seconds + self._timeouts.start_seconds):
            await self._docker.containers.container(name).stop(t=grace_seconds)

    async def _rename_container(self, name: str, new_name: str) -> None:
        path, params = f"containers/{name}/rename", {"name": new_name}
        await self._socket.call("POST", path, params=params, seconds=self._timeouts.start_seconds)

    async def _remove_container(self, name: str) -> None:
        try:
            async with bounded(self._timeouts.start_seconds):
                await self._docker.containers.container(name).delete(force=True, v=True)
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            # Somebody else is removing it: what is asked for is that it is gone.
            path, params = f"containers/{name}/wait", {"condition": "removed"}
            await self._socket.call("POST", path, params=params, seconds=self._timeouts.start_seconds)

    async def _inspect_container(self, name: str) -> Container:
        async with bounded(self._timeouts.call_seconds):
            return translate.container(await self._docker.containers.container(name).show())

    async def _container_ids(self, *, label: str) -> list[str]:
        async with bounded(self._timeouts.call_seconds):
            listed = await self._docker.containers.list(all=True, filters={"label": [label]})
        return [container.id for container in listed]

    def _log_time(self, moment: datetime) -> str:
        return f"{moment.timestamp():.6f}"

    @property
    def _docker(self) -> aiodocker.Docker:
        return self._socket.client

"""Carries single actions out on a container engine; every one may be repeated."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network

from spunto.core.executor import containers
from spunto.core.executor.kinds.setup import OUTPUT_TAIL_BYTES
from spunto.core.executor.plan import (
    Action,
    CreateContainer,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RunSetup,
    StartContainer,
    StopContainer,
)
from spunto.core.executor.runtime import (
    Container,
    ContainerRuntime,
    ContainerState,
    EngineUnavailable,
    ExecSpec,
    Network,
    SubnetTaken,
)
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.subnets import next_free_subnet
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.secret import Secret
from spunto.core.specs.names import ID_LABEL, NODE_LABEL, container_name, network_labels, network_name, volume_name
from spunto.core.specs.worker import WorkerSpec

_SUBNET_TRIES = 8


@asynccontextmanager
async def bounded(seconds: float) -> AsyncIterator[None]:
    """A wait on the engine; one that does not answer in time counts as one that does not answer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer within {seconds:g} s") from error


class Subnets:
    """The subnets in use as last listed, so that a spawn does not ask the engine for them."""

    def __init__(self, runtime: ContainerRuntime, pool: IPv4Network) -> None:
        self._runtime = runtime
        self._pool = pool
        self._listed: dict[str, IPv4Network] = {}
        self._taken: dict[str, IPv4Network] = {}
        self._refused: set[IPv4Network] = set()

    async def refresh(self) -> None:
        networks = await self._runtime.list_networks()
        self._listed = {network.name: IPv4Network(network.subnet, strict=False) for network in networks}

    async def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the network with a subnet that is free; who else takes subnets of the pool is evaded."""
        for _ in range(_SUBNET_TRIES):
            subnet = self._take(name)
            try:
                await self._runtime.ensure_network(Network(name=name, subnet=str(subnet), labels=labels))
            except SubnetTaken:
                # The engine may refuse what it does not list, such as a route of the machine.
                self._refused.add(subnet)
                self._release(name)
                await self.refresh()
                continue
            except BaseException:
                self._release(name)
                raise
            self._listed[name] = self._taken.pop(name)
            return
        raise Conflict("subnet_taken", f"Others take the subnets of the node's pool {self._pool}; give it another one.")

    async def remove_network(self, name: str) -> None:
        await self._runtime.remove_network(name)
        self._release(name)

    def _take(self, name: str) -> IPv4Network:
        subnet = self._listed.get(name)
        if subnet is None:
            used = (*self._listed.values(), *self._taken.values(), *self._refused)
            subnet = next_free_subnet(self._pool, used)
        if subnet is None:
            self._refused.clear()
            raise Conflict(
                "no_free_subnet", f"No subnet is left in the node's pool {self._pool}; give it a larger one."
            )
        self._taken[name] = subnet
        return subnet

    def _release(self, name: str) -> None:
        self._taken.pop(name, None)
        self._listed.pop(name, None)


class SetupTooLong(Exception):
    """A setup command ran out of time."""


class Effects:
    """The engine as the driver uses it, every call bounded in time."""

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, settings: NodeSettings) -> None:
        self._runtime = runtime
        self._clock = clock
        self._settings = settings
        self.subnets = Subnets(runtime, settings.subnet_pool)

    async def perform(self, action: Action, subject_id: str, container: Container | None) -> Container | None:
        """Do it, and give the container as it must be now. A setup is run by `run_setup`."""
        name = container_name(subject_id)
        seconds = self._settings.pull_seconds if isinstance(action, PullImage) else self._settings.engine_seconds
        async with bounded(seconds):
            match action:
                case PullImage(image=image):
                    await self._runtime.pull_image(image)
                case CreateContainer(spec=spec, secrets=secrets):
                    return await self._create(subject_id, spec, secrets)
                case StartContainer():
                    await self._runtime.start_container(name)
                    return None if container is None else _started(container, self._clock)
                case StopContainer():
                    await self._runtime.stop_container(name, grace_seconds=self._settings.stop_grace_seconds)
                case RemoveContainer():
                    await self._runtime.remove_container(name)
                    return None
                case RemoveNetwork():
                    await self.subnets.remove_network(network_name(subject_id))
                case RemoveVolume():
                    await self._runtime.remove_volume(volume_name(subject_id))
                case RunSetup():
                    raise AssertionError("a setup is run by run_setup")
        return container

    async def _create(self, subject_id: str, spec: WorkerSpec, secrets: Mapping[str, Secret]) -> Container:
        node_id = self._settings.node_id
        labels = network_labels(subject_id, spec, node_id=node_id)
        await self.subnets.ensure_network(network_name(subject_id), labels)
        wanted = containers.container_spec(subject_id, spec, secrets, node_id=node_id)
        return await self._runtime.create_container(wanted)

    async def run_setup(self, action: RunSetup, subject_id: str) -> tuple[int, bytes]:
        """Run one of the project's commands as the image's user; its exit code and the end of its output.

        Raises SetupTooLong; the command is then left to itself.
        """
        try:
            async with asyncio.timeout(self._settings.setup_seconds):
                return await self._run(container_name(subject_id), action.command)
        except TimeoutError as error:
            raise SetupTooLong(f"It did not end within {self._settings.setup_seconds:g} s.") from error

    async def _run(self, name: str, command: str) -> tuple[int, bytes]:
        spec = ExecSpec(command=("sh", "-c", command), working_dir=containers.WORKSPACE)
        running = await self._runtime.exec(name, spec)
        try:
            output = b""
            while (chunk := await running.read()) is not None:
                output = (output + chunk[1])[-OUTPUT_TAIL_BYTES:]
            return await running.exit_code(), output
        finally:
            async with bounded(self._settings.engine_seconds):
                await running.aclose()

    async def find(self, subject_id: str) -> Container | None:
        """The subject's container; somebody else's of the same name is none of ours."""
        async with bounded(self._settings.engine_seconds):
            container = await self._runtime.find_container(container_name(subject_id))
        if container is None or container.labels.get(ID_LABEL) != subject_id:
            return None
        return container if container.labels.get(NODE_LABEL) == self._settings.node_id else None


def _started(container: Container, clock: Clock) -> Container:
    """As the engine would say it; asking would cost a spawn several milliseconds."""
    return replace(
        container,
        state=ContainerState.RUNNING,
        started_at=clock.now(),
        finished_at=None,
        exit_code=None,
        oom_killed=False,
    )

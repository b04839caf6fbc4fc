"""Carries single actions out on a container engine, and looks at what is there; every one may be repeated."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from spunto.core.executor.actions import (
    OUTPUT_TAIL_BYTES,
    Action,
    Connect,
    Create,
    EnsureNetwork,
    Outcome,
    Pull,
    Remove,
    RemoveNetwork,
    RemoveVolume,
    Rename,
    Run,
    Start,
    Stop,
)
from spunto.core.executor.lasting import Lasting
from spunto.core.executor.runtime import Container, ContainerRuntime, EngineUnavailable, Exec, ExecSpec
from spunto.core.executor.seen import Names, Seen
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.subnets import Subnets
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.specs.names import ID_LABEL, NODE_LABEL


@asynccontextmanager
async def bounded(seconds: float) -> AsyncIterator[None]:
    """A wait on the engine; one that does not answer in time counts as one that does not answer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer within {seconds:g} s") from error


class Effects:
    """The engine as the driver uses it, every call bounded in time. All that it makes bears the node's label."""

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, settings: NodeSettings) -> None:
        self._runtime = runtime
        self._clock = clock
        self._settings = settings
        self.subnets = Subnets(runtime, settings.subnet_pool)
        self._lasting = Lasting(runtime, clock=clock, seconds=settings.lasting_seconds)

    async def perform(self, action: Action) -> Outcome:
        """Do it. Raises what the engine answers, but of a Run, whose failure is an outcome like any other."""
        begun = self._clock.monotonic()
        outcome = await self._run(action) if isinstance(action, Run) else await self._do(action)
        return replace(outcome, seconds=self._clock.monotonic() - begun)

    async def _do(self, action: Action) -> Outcome:
        container: Container | None = None
        seconds = self._settings.pull_seconds if isinstance(action, Pull) else self._settings.engine_seconds
        async with bounded(seconds):
            match action:
                case Pull(image=image):
                    await self._runtime.pull_image(image)
                case EnsureNetwork(name=name, labels=labels):
                    await self.subnets.ensure_network(name, self._labelled(labels))
                case Create(spec=spec):
                    labelled = replace(spec, labels=self._labelled(spec.labels))
                    container = await self._runtime.create_container(labelled)
                    self._lasting.made(labelled, container)
                case Connect(name=name, network=network):
                    await self._runtime.connect_network(name, network)
                case Start(name=name):
                    await self._runtime.start_container(name)
                    container = await self._lasting.after_start(name)
                case Stop(name=name):
                    await self._runtime.stop_container(name, grace_seconds=self._settings.stop_grace_seconds)
                case Rename(name=name, new_name=new_name):
                    await self._runtime.rename_container(name, new_name)
                    self._lasting.removed(name)
                    self._lasting.removed(new_name)
                case Remove() | RemoveNetwork() | RemoveVolume():
                    await self._remove(action)
        return Outcome(at=self._clock.now(), container=container)

    async def _remove(self, action: Remove | RemoveNetwork | RemoveVolume) -> None:
        match action:
            case Remove(name=name):
                await self._runtime.remove_container(name)
                self._lasting.removed(name)
            case RemoveNetwork(name=name):
                await self.subnets.remove_network(name)
            case RemoveVolume(name=name):
                await self._runtime.remove_volume(name)

    async def _run(self, action: Run) -> Outcome:
        """A command that takes too long is left to itself; what it has said by then is kept."""
        spec = ExecSpec(command=("sh", "-c", action.command), working_dir=action.working_dir)
        output = bytearray()
        exit_code: int | None = None
        trouble: str | None = None
        try:
            exit_code = await self._command(await self._runtime.exec(action.name, spec), output)
        except TimeoutError:
            trouble = f"did not end within {self._settings.setup_seconds:g} s"
        except SpuntoError as error:
            trouble = f"could not be run: {error}"
        return Outcome(at=self._clock.now(), exit_code=exit_code, output=bytes(output), trouble=trouble)

    async def _command(self, running: Exec, output: bytearray) -> int:
        """Nobody is there to answer what it asks, so it finds the end of its input. Raises TimeoutError, having killed
        it."""
        try:
            async with asyncio.timeout(self._settings.setup_seconds):
                await running.write_eof()
                while (chunk := await running.read()) is not None:
                    output += chunk[1]
                    del output[:-OUTPUT_TAIL_BYTES]
                return await running.exit_code()
        except TimeoutError:
            with suppress(SpuntoError):
                async with bounded(self._settings.engine_seconds):
                    await running.kill_tree()
            raise
        finally:
            async with bounded(self._settings.engine_seconds):
                await running.aclose()

    async def look(self, subject_id: str, names: Names) -> Seen:
        """What there is of the subject; somebody else's of the same name is none of ours."""
        async with bounded(self._settings.engine_seconds):
            if names.by_label:
                return await self._look_by_label(subject_id)
            containers = await self._containers(names, subject_id)
            return Seen(
                containers={name: each for name, each in containers.items() if name not in names.aside},
                aside={name: each for name, each in containers.items() if name in names.aside},
                networks=await self._networks(names, subject_id),
                volumes=await self._volumes(names, subject_id),
                images=frozenset([name for name in names.images if await self._runtime.has_image(name)]),
            )

    async def _containers(self, names: Names, subject_id: str) -> dict[str, Container]:
        """By name, and by label what is missed or strays: somebody may have renamed it."""
        found = [await self._runtime.find_container(name) for name in names.containers]
        by_name = {each.name: each for each in found if each and self._is_ours(each.labels, subject_id)}
        if len(by_name) == len(names.containers) and not names.strays:
            aside = [await self._runtime.find_container(name) for name in names.aside]
            return by_name | {each.name: each for each in aside if each and self._is_ours(each.labels, subject_id)}
        return by_name | await self._labelled_containers(subject_id)

    async def _labelled_containers(self, subject_id: str) -> dict[str, Container]:
        listed = await self._runtime.list_containers(label=f"{ID_LABEL}={subject_id}")
        return {each.name: each for each in listed if self._is_ours(each.labels, subject_id)}

    async def _look_by_label(self, subject_id: str) -> Seen:
        label = f"{ID_LABEL}={subject_id}"
        networks = await self._runtime.list_networks()
        volumes = await self._runtime.list_volumes(label=label)
        return Seen(
            containers=await self._labelled_containers(subject_id),
            networks=frozenset(each.name for each in networks if self._is_ours(each.labels, subject_id)),
            volumes=frozenset(each.name for each in volumes if self._is_ours(each.labels, subject_id)),
        )

    async def _networks(self, names: Names, subject_id: str) -> frozenset[str]:
        if not names.networks:
            return frozenset()
        listed = await self._runtime.list_networks()
        ours = (each.name for each in listed if self._is_ours(each.labels, subject_id))
        return frozenset(names.networks).intersection(ours)

    async def _volumes(self, names: Names, subject_id: str) -> frozenset[str]:
        if not names.volumes:
            return frozenset()
        listed = await self._runtime.list_volumes(label=f"{ID_LABEL}={subject_id}")
        ours = (each.name for each in listed if self._is_ours(each.labels, subject_id))
        return frozenset(names.volumes).intersection(ours)

    def _labelled(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {NODE_LABEL: self._settings.node_id, **labels}

    def _is_ours(self, labels: Mapping[str, str], subject_id: str) -> bool:
        return labels.get(ID_LABEL) == subject_id and labels.get(NODE_LABEL) == self._settings.node_id

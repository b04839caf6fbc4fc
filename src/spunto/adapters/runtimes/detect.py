"""Finds the container engine of this machine."""

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from spunto.adapters.runtimes import translate
from spunto.adapters.runtimes.docker import DEFAULT_TIMEOUTS, DockerRuntime
from spunto.adapters.runtimes.engine_socket import EngineSocket, Timeouts
from spunto.core.executor.runtime import ContainerRuntime, EngineUnavailable

ENTRY_POINTS = "spunto.engines"
"""The group in which packages name further engines: `async def connect(url: str | None) -> ContainerRuntime`."""


async def connect(
    engine: str,
    url: str | None,
    *,
    environment: Mapping[str, str] = os.environ,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> ContainerRuntime:
    """The engine at the URL, or the first at the usual places that is of the wanted kind and answers.

    `engine` is `auto`, `docker`, `podman`, or the name of an engine that an installed package brings.
    Raises EngineUnavailable, which says what was tried and what to do.
    """
    if engine not in ("auto", "docker", "podman"):
        return await _brought_along(engine, url)
    tried: list[str] = []
    for candidate in [url] if url else candidates(environment):
        try:
            found = await _kind(candidate, timeouts)
        except EngineUnavailable as unavailable:
            tried.append(f"{candidate}: {unavailable.message}")
            continue
        if engine in ("auto", found):
            return await _runtime(found, candidate, timeouts)
        tried.append(f"{candidate} is {found}")
    wanted = "container" if engine == "auto" else engine.capitalize()
    raise EngineUnavailable(
        f"no {wanted} engine found ({'; '.join(tried) or 'no socket at the usual places'}); "
        "start dockerd or `podman system service`, or say where it is with SPUNTO_AGENT_ENGINE_URL"
    )


def candidates(environment: Mapping[str, str]) -> list[str]:
    """Where an engine may listen, in the order of preference; of the usual places those that exist."""
    usual = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    if directory := environment.get("XDG_RUNTIME_DIR"):
        usual += [Path(directory) / "docker.sock", Path(directory) / "podman/podman.sock"]
    said = (environment.get("DOCKER_HOST"), environment.get("CONTAINER_HOST"))
    found = [url for url in said if url] + [f"unix://{path}" for path in usual if path.is_socket()]
    return list(dict.fromkeys(found))


async def _brought_along(engine: str, url: str | None) -> ContainerRuntime:
    found = entry_points(group=ENTRY_POINTS, name=engine)
    if not found:
        known = sorted({"docker", "podman", *(each.name for each in entry_points(group=ENTRY_POINTS))})
        raise EngineUnavailable(f"no installed package brings an engine {engine!r}; known are {', '.join(known)}")
    runtime: ContainerRuntime = await next(iter(found)).load()(url)
    return runtime


async def _kind(url: str, timeouts: Timeouts) -> Literal["docker", "podman"]:
    socket = await EngineSocket.open(url, timeouts)
    try:
        return translate.kind_of_engine(await socket.version())
    finally:
        await socket.aclose()


async def _runtime(engine: Literal["docker", "podman"], url: str, timeouts: Timeouts) -> ContainerRuntime:
    if engine == "docker":
        return await DockerRuntime.connect(url, timeouts=timeouts)
    # podman-py brings a client of its own, which an agent on Docker need not hold in memory.
    from spunto.adapters.runtimes.podman import PodmanRuntime

    return await PodmanRuntime.connect(url, timeouts=timeouts)

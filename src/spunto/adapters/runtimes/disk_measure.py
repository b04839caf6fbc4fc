"""What a container and its volumes take of the disk: `du` over their directories, or the engine's own figures.

The engine counts a file with holes as if it had none, and of volumes it counts all or none; so it is asked for what
can't be read from here alone, such as by an agent that is not root, or in a container.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal
from spunto.core.executor.disk import DiskSpace, DiskUse
from spunto.core.executor.runtime import ContainerGone, DiskNotMeasured

MEASURE_SECONDS: Final = 120.0
_LEAST_URGENT: Final = 19


def is_readable(path: str) -> bool:
    """Whether the directory is here, with everything in it whoever made it."""
    return os.geteuid() == 0 and Path(path).is_dir()


class DiskMeasure:
    def __init__(
        self,
        socket: EngineSocket,
        *,
        readable: Callable[[str], bool] = is_readable,
        seconds: float = MEASURE_SECONDS,
    ) -> None:
        self._socket = socket
        self._readable = readable
        self._seconds = seconds
        self._root: str | None = None

    async def space(self) -> DiskSpace | None:
        """Raises Refusal, EngineUnavailable."""
        if self._root is None:
            info = await self._socket.call("GET", "info")
            self._root = str(info.get("DockerRootDir") or "")
        try:
            disk = await asyncio.to_thread(os.statvfs, self._root)
        except OSError:
            return None
        return DiskSpace(
            total_bytes=disk.f_blocks * disk.f_frsize,
            free_bytes=disk.f_bavail * disk.f_frsize,
            total_files=disk.f_files,
            free_files=disk.f_favail,
        )

    async def use(self, name: str) -> DiskUse:
        """Raises ContainerGone, DiskNotMeasured, Refusal, EngineUnavailable."""
        try:
            return await self._use(name)
        except Refusal as refusal:
            if refusal.status == 404:
                raise ContainerGone(name) from refusal
            raise

    async def _use(self, name: str) -> DiskUse:
        inspected = await self._socket.call("GET", f"containers/{name}/json")
        layer = str(((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or "")
        volumes = {each["Name"]: each.get("Source") or "" for each in _volumes_of(inspected)}
        here = [path for path in (layer, *volumes.values()) if path and self._readable(path)]
        kibibytes = await self._counted(name, "-k", here)
        # A du that can't count files, as of busybox, says nothing.
        files = await self._counted(name, "--inodes", here)
        unseen = [each for each, path in volumes.items() if path not in kibibytes]
        return DiskUse(
            container_bytes=1024 * kibibytes[layer] if layer in kibibytes else await self._asked_for_layer(name),
            volume_bytes=sum(1024 * kibibytes.get(path, 0) for path in volumes.values())
            + await self._asked_for_volumes(name, unseen),
            container_files=files.get(layer, 0),
            volume_files=sum(files.get(path, 0) for path in volumes.values()),
        )

    async def _counted(self, name: str, what: str, paths: Sequence[str]) -> Mapping[str, int]:
        """By path. What vanishes while it is counted is not counted, and no fault."""
        if not paths:
            return {}
        process = await asyncio.create_subprocess_exec(
            "du", "-sx", what, "--", *paths, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _LEAST_URGENT)
        try:
            async with asyncio.timeout(self._seconds):
                out, _ = await process.communicate()
        except TimeoutError as error:
            raise DiskNotMeasured(name, f"counting its files took longer than {self._seconds:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
        lines = (line.partition("\t") for line in os.fsdecode(out).splitlines())
        return {path: int(count) for count, _, path in lines}

    async def _asked_for_layer(self, name: str) -> int:
        sized = await self._socket.call(
            "GET", f"containers/{name}/json", params={"size": "true"}, seconds=self._seconds
        )
        return max(0, int(sized.get("SizeRw") or 0))

    async def _asked_for_volumes(self, name: str, volumes: Sequence[str]) -> int:
        if not volumes:
            return 0
        usage = await self._socket.call("GET", "system/df", params={"type": "volume"}, seconds=self._seconds)
        sizes = {each["Name"]: (each.get("UsageData") or {}).get("Size", -1) for each in usage.get("Volumes") or ()}
        told = [int(sizes.get(each, -1)) for each in volumes]
        if min(told) < 0:
            raise DiskNotMeasured(name, "the engine does not tell the size of its volumes")
        return sum(told)


def _volumes_of(inspected: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [each for each in inspected.get("Mounts") or () if each.get("Type") == "volume" and each.get("Name")]
